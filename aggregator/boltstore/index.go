package boltstore

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
	"golang.org/x/crypto/cryptobyte"

	"candor/schema/dap"
)

// An index maps report IDs to numbers, for ever. IDs are random, so that in a tree each new one would change a page of its own: nearly
// all that an upload writes. Instead new IDs go into sorted runs that never change, and as soon as there are four runs of about one size
// they are merged into one, so that an ID is written again only a few times, and always beside its neighbours. IDs that come
// in small numbers wait in a small tree until there are enough of them for a run.
//
// A run is a sequence of rows of up to chunkEntries IDs each, under its name and their first ID. Names are random and never used again.
type index struct {
	t     *tx
	task  dap.TaskID
	kinds indexKinds

	pending map[dap.ReportID]uint64 // added by this function, not yet written
	list    []run                   // newest first; nil: not yet read
	loaded  bool
}

// indexKinds are the buckets of an index.
type indexKinds struct {
	young  kind // ID -> number
	runs   kind // name -> runRow, and one row for the size of young
	chunks kind // name, first ID -> entries
}

var (
	indexReports = indexKinds{kindIDs, kindIDRuns, kindIDChunks}       // Leader: report ID -> number of the report
	indexMarks   = indexKinds{kindMarks, kindMarkRuns, kindMarkChunks} // Helper: report ID -> number of the bucket
	keyYoung     = []byte("young")                                     // its size, among the runs
	indexes      = []indexKinds{indexReports, indexMarks}
)

const (
	runEntries   = 256  // a function that adds as many writes a run
	youngEntries = 4096 // as many make a run
	mergeRuns    = 4    // of one level
	maxLevel     = 6    // a run of this level, a million entries or more, stays as it is: merging takes memory
	chunkEntries = 40   // four rows fill a page
	entrySize    = 24
)

type run struct {
	name [8]byte
	runRow
}

// A runRow describes a run.
type runRow struct {
	Level uint8
	Count uint64
}

func (r *runRow) marshal(b *cryptobyte.Builder) {
	b.AddUint8(r.Level)
	b.AddUint64(r.Count)
}

func (r *runRow) unmarshal(s *reader) bool {
	return s.s.ReadUint8(&r.Level) && r.Level <= maxLevel && s.uint64(&r.Count)
}

// An entry is an ID and its number, in 24 bytes.
type entry []byte

func newEntry(id dap.ReportID, n uint64) entry {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, entrySize), id[:]...), n)
}

func (e entry) id() []byte     { return e[:16] }
func (e entry) number() uint64 { return binary.BigEndian.Uint64(e[16:]) }

// index returns a task's index within this transaction.
func (t *tx) index(task dap.TaskID, kinds indexKinds) *index {
	key := indexKey{task, kinds.young}
	x := t.indexes[key]
	if x == nil {
		x = &index{t: t, task: task, kinds: kinds}
		if t.indexes == nil {
			t.indexes = make(map[indexKey]*index)
		}
		t.indexes[key] = x
	}
	return x
}

type indexKey struct {
	task  dap.TaskID
	young kind
}

// load reads the list of runs.
func (x *index) load() error {
	if x.loaded {
		return nil
	}
	x.loaded = true
	return x.t.each(x.task, x.kinds.runs, func(k, v []byte) error {
		if len(k) != 8 {
			return nil // the size of young
		}
		r := run{name: [8]byte(k)}
		if err := decode(v, &r.runRow); err != nil {
			return err
		}
		x.list = append(x.list, r)
		return nil
	})
}

// find returns the number of an ID.
func (x *index) find(id dap.ReportID) (n uint64, ok bool, err error) {
	if n, ok := x.pending[id]; ok {
		return n, true, nil
	}
	if v := get(x.t.find(x.task, x.kinds.young), id[:]); v != nil {
		n, err := decodeUint64("number of an ID", v)
		return n, true, err
	}
	if err := x.load(); err != nil {
		return 0, false, err
	}
	for i := range x.list {
		r := &x.list[i]
		filter, err := x.filter(r)
		if err != nil {
			return 0, false, err
		}
		if filter != nil && !filter.mayHave(id) {
			continue
		}
		if n, ok, err := x.search(r, id); ok || err != nil {
			return n, ok, err
		}
	}
	return 0, false, nil
}

// search looks for an ID in a run.
func (x *index) search(r *run, id dap.ReportID) (uint64, bool, error) {
	b := x.t.find(x.task, x.kinds.chunks)
	if b == nil {
		return 0, false, fmt.Errorf("run %x: %w", r.name, errMalformed)
	}
	key := append(append(make([]byte, 0, 24), r.name[:]...), id[:]...)
	k, v := seekBack(b.Cursor(), key, r.name[:])
	if !bytes.HasPrefix(k, r.name[:]) {
		return 0, false, fmt.Errorf("run %x: %w", r.name, errMalformed)
	}
	entries, err := chunk(v)
	if err != nil {
		return 0, false, err
	}
	lo, hi := 0, len(entries)/entrySize
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		e := entry(entries[mid*entrySize:][:entrySize])
		switch bytes.Compare(e.id(), id[:]) {
		case 0:
			return e.number(), true, nil
		case -1:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return 0, false, nil
}

// chunk returns the entries of a row of a run.
func chunk(value []byte) ([]byte, error) {
	entries, err := peekRaw("chunk of IDs", value)
	if err == nil && (len(entries) == 0 || len(entries)%entrySize != 0) {
		err = fmt.Errorf("decoding chunk of IDs: %w", errMalformed)
	}
	return entries, err
}

// add adds an ID that is not in the index.
func (x *index) add(id dap.ReportID, n uint64) {
	if x.pending == nil {
		x.pending = make(map[dap.ReportID]uint64)
	}
	x.pending[id] = n
}

// flush writes what was added.
func (x *index) flush() error {
	if len(x.pending) == 0 {
		return nil
	}
	if err := x.load(); err != nil {
		return err
	}
	entries := make([]entry, 0, len(x.pending))
	buf := make([]byte, 0, len(x.pending)*entrySize)
	for id, n := range x.pending {
		buf = append(buf, id[:]...)
		buf = binary.BigEndian.AppendUint64(buf, n)
		entries = append(entries, entry(buf[len(buf)-entrySize:]))
	}
	clear(x.pending)
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.id(), b.id()) })
	if len(entries) >= runEntries {
		if err := x.addRun(entries); err != nil {
			return err
		}
		return x.merge()
	}
	return x.addYoung(entries)
}

// addYoung puts entries into the tree, and makes it a run when it is large.
func (x *index) addYoung(entries []entry) error {
	t := x.t
	young, err := t.make(x.task, x.kinds.young)
	if err != nil {
		return err
	}
	runs, err := t.make(x.task, x.kinds.runs)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := t.put(young, e.id(), nil, encodeUint64(e.number())); err != nil {
			return err
		}
	}
	old := runs.Get(keyYoung)
	size := uint64(0)
	if old != nil {
		if size, err = decodeUint64("number of young IDs", old); err != nil {
			return err
		}
	}
	if size += uint64(len(entries)); size < youngEntries {
		return t.put(runs, keyYoung, old, encodeUint64(size))
	}
	if err := t.put(runs, keyYoung, old, encodeUint64(0)); err != nil {
		return err
	}
	all := make([]entry, 0, size)
	var values [][]byte
	err = t.each(x.task, x.kinds.young, func(k, v []byte) error {
		n, err := decodeUint64("number of an ID", v)
		all, values = append(all, newEntry(dap.ReportID(k), n)), append(values, v)
		return err
	})
	if err != nil {
		return err
	}
	for i, e := range all {
		if err := t.drop(young, e.id(), values[i]); err != nil {
			return err
		}
	}
	if err := x.addRun(all); err != nil {
		return err
	}
	return x.merge()
}

// addRun writes a run of sorted entries.
func (x *index) addRun(entries []entry) error {
	r := run{runRow: runRow{Count: uint64(len(entries))}}
	rand.Read(r.name[:])
	for size := runEntries * mergeRuns; len(entries) >= size && r.Level < maxLevel; size *= mergeRuns {
		r.Level++
	}
	chunks, err := x.t.make(x.task, x.kinds.chunks)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(entries, chunkEntries) {
		value := append(make([]byte, 0, 1+entrySize*len(part)), rowVersion)
		for _, e := range part {
			value = append(value, e...)
		}
		key := append(append(make([]byte, 0, 24), r.name[:]...), part[0].id()...)
		if err := x.t.put(chunks, key, nil, value); err != nil {
			return err
		}
	}
	runs, err := x.t.make(x.task, x.kinds.runs)
	if err != nil {
		return err
	}
	value, err := encode(&r.runRow, 10)
	if err != nil {
		return err
	}
	x.list = append(x.list, r)
	x.t.newRuns = append(x.t.newRuns, r.name)
	return x.t.put(runs, bytes.Clone(r.name[:]), nil, value)
}

// merge merges runs until there are fewer than four of each level.
func (x *index) merge() error {
	for level := range uint8(maxLevel) {
		var old []run
		for _, r := range x.list {
			if r.Level == level {
				old = append(old, r)
			}
		}
		if len(old) < mergeRuns {
			continue
		}
		sources := make([][]entry, len(old))
		for i := range old {
			var err error
			if sources[i], err = x.remove(&old[i]); err != nil {
				return err
			}
		}
		if err := x.addRun(mergeEntries(sources)); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes a run and returns its entries, which stay valid until the commit.
func (x *index) remove(r *run) ([]entry, error) {
	t := x.t
	chunks, runs := t.find(x.task, x.kinds.chunks), t.find(x.task, x.kinds.runs)
	value := get(runs, r.name[:])
	if chunks == nil || value == nil {
		return nil, fmt.Errorf("run %x: %w", r.name, errMalformed)
	}
	type row struct{ key, value []byte }
	var rows []row
	entries := make([]entry, 0, r.Count)
	c := chunks.Cursor()
	for k, v := c.Seek(r.name[:]); bytes.HasPrefix(k, r.name[:]); k, v = c.Next() {
		part, err := chunk(v)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{bytes.Clone(k), v})
		for e := range slices.Chunk(part, entrySize) {
			entries = append(entries, e)
		}
	}
	if uint64(len(entries)) != r.Count {
		return nil, fmt.Errorf("run %x has %d entries, not %d: %w", r.name, len(entries), r.Count, errMalformed)
	}
	for _, row := range rows {
		if err := t.drop(chunks, row.key, row.value); err != nil {
			return nil, err
		}
	}
	name := r.name
	x.list = slices.DeleteFunc(x.list, func(o run) bool { return o.name == name })
	t.filters.forget(name)
	return entries, t.drop(runs, name[:], value)
}

// mergeEntries merges sorted lists.
func mergeEntries(lists [][]entry) []entry {
	total := 0
	for _, l := range lists {
		total += len(l)
	}
	out := make([]entry, 0, total)
	for {
		best := -1
		for i, l := range lists {
			if len(l) > 0 && (best < 0 || bytes.Compare(l[0].id(), lists[best][0].id()) < 0) {
				best = i
			}
		}
		if best < 0 {
			return out
		}
		out = append(out, lists[best][0])
		lists[best] = lists[best][1:]
	}
}

// A source yields the entries of a run, or of the tree, in order.
type source struct {
	c    *bbolt.Cursor
	name []byte // of the run; nil for the tree
	head entry  // nil at the end
	rest []byte // of the head's row
}

// next moves to the next entry.
func (s *source) next() error {
	if len(s.rest) > 0 {
		s.head, s.rest = s.rest[:entrySize], s.rest[entrySize:]
		return nil
	}
	return s.take(s.c.Next())
}

// take makes a row's first entry the head.
func (s *source) take(k, v []byte) (err error) {
	s.head, s.rest = nil, nil
	switch {
	case k == nil || !bytes.HasPrefix(k, s.name):
		return nil
	case s.name == nil:
		n, err := decodeUint64("number of an ID", v)
		s.head = newEntry(dap.ReportID(k), n)
		return err
	}
	if s.rest, err = chunk(v); err != nil {
		return err
	}
	return s.next()
}

// scan calls fn with the entries in order of their IDs, beginning with the first that is greater than after, until it returns false.
func (x *index) scan(after *dap.ReportID, fn func(id dap.ReportID, n uint64) (more bool, err error)) error {
	if err := errors.Join(x.flush(), x.load()); err != nil {
		return err
	}
	var from []byte
	if after != nil {
		from = after[:]
	}
	var sources []*source
	add := func(s *source, err error) error {
		for err == nil && s.head != nil && after != nil && bytes.Compare(s.head.id(), from) <= 0 {
			err = s.next()
		}
		sources = append(sources, s)
		return err
	}
	if b := x.t.find(x.task, x.kinds.young); b != nil {
		s := &source{c: b.Cursor()}
		k, v := s.c.Seek(from)
		if err := add(s, s.take(k, v)); err != nil {
			return err
		}
	}
	for _, r := range x.list {
		b := x.t.find(x.task, x.kinds.chunks)
		if b == nil {
			return fmt.Errorf("run %x: %w", r.name, errMalformed)
		}
		s := &source{c: b.Cursor(), name: bytes.Clone(r.name[:])}
		k, v := seekBack(s.c, append(bytes.Clone(s.name), from...), s.name)
		if err := add(s, s.take(k, v)); err != nil {
			return err
		}
	}
	for {
		var best *source
		for _, s := range sources {
			if s.head != nil && (best == nil || bytes.Compare(s.head.id(), best.head.id()) < 0) {
				best = s
			}
		}
		if best == nil {
			return nil
		}
		if more, err := fn(dap.ReportID(best.head.id()), best.head.number()); err != nil || !more {
			return err
		}
		if err := best.next(); err != nil {
			return err
		}
	}
}

// seekBack moves to the last key that is not greater than key, or if that lacks the prefix, to the first that has it.
func seekBack(c *bbolt.Cursor, key, prefix []byte) (k, v []byte) {
	k, v = c.Seek(key)
	if bytes.Equal(k, key) {
		return k, v
	}
	if k == nil {
		k, v = c.Last()
	} else {
		k, v = c.Prev()
	}
	if !bytes.HasPrefix(k, prefix) {
		return c.Seek(prefix)
	}
	return k, v
}
