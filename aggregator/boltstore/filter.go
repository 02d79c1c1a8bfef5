package boltstore

import (
	"encoding/binary"
	"math/bits"
	"sync"

	"candor/schema/dap"
)

// A filter is a Bloom filter: it says of most IDs that are not in a run that they are not, so that a new ID need not be looked up in each run. Whoever
// chooses IDs so as to defeat it only makes lookups slower.
type filter []uint64

const (
	filterBits   = 10 // for each entry
	filterProbes = 4  // then 1.2 % of the IDs that are not there seem to be
)

func newFilter(entries uint64) filter { return make(filter, 1+entries*filterBits/64) }

// probe returns the word and the bit of one of an ID's probes.
func (f filter) probe(id dap.ReportID, i uint64) (word, bit uint64) {
	h := binary.LittleEndian.Uint64(id[:]) + (i+1)*0x9e3779b97f4a7c15
	h = (h ^ h>>31) * 0xbf58476d1ce4e5b9
	h += binary.LittleEndian.Uint64(id[8:])
	h = (h ^ h>>29) * 0x94d049bb133111eb
	word, low := bits.Mul64(h, uint64(len(f)))
	return word, 1 << (low >> 58)
}

func (f filter) add(id dap.ReportID) {
	for i := range uint64(filterProbes) {
		word, bit := f.probe(id, i)
		f[word] |= bit
	}
}

func (f filter) mayHave(id dap.ReportID) bool {
	for i := range uint64(filterProbes) {
		if word, bit := f.probe(id, i); f[word]&bit == 0 {
			return false
		}
	}
	return true
}

// filters are those of the runs that were looked into. A run never changes and its name is never used again, so a filter holds in every
// transaction. The zero value is ready.
type filters struct {
	mu     sync.RWMutex // guards what follows
	byName map[[8]byte]filter
	bytes  int
}

// maxFilterBytes bounds the memory of all filters: enough for 50 million IDs. Further runs are looked into without.
const maxFilterBytes = 64 << 20

func (f *filters) get(name [8]byte) filter {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.byName[name]
}

// room says whether a filter for so many entries may be kept.
func (f *filters) room(entries uint64) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return entries*filterBits/8 < uint64(maxFilterBytes-f.bytes)
}

func (f *filters) put(name [8]byte, made filter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byName == nil {
		f.byName = make(map[[8]byte]filter)
	}
	f.bytes += 8 * (len(made) - len(f.byName[name]))
	f.byName[name] = made
}

func (f *filters) forget(names ...[8]byte) {
	if len(names) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range names {
		f.bytes -= 8 * len(f.byName[name])
		delete(f.byName, name)
	}
}

// filter returns the filter of a run, nil if there is no room for it.
func (x *index) filter(r *run) (filter, error) {
	if f := x.t.filters.get(r.name); f != nil || !x.t.filters.room(r.Count) {
		return f, nil
	}
	f := newFilter(r.Count)
	s := &source{name: r.name[:]}
	if b := x.t.find(x.task, x.kinds.chunks); b != nil {
		s.c = b.Cursor()
		if err := s.take(s.c.Seek(s.name)); err != nil {
			return nil, err
		}
	}
	for s.head != nil {
		f.add(dap.ReportID(s.head.id()))
		if err := s.next(); err != nil {
			return nil, err
		}
	}
	x.t.filters.put(r.name, f)
	return f, nil
}
