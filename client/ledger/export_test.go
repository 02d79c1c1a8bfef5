package ledger

import (
	"math/big"
	"os"
	"strings"
	"time"
)

var ParseWitness = parseWitness

// Break makes all further writes of a ledger fail, as a full disk would.
func (l *Ledger) Break() error {
	f, err := os.Open(l.cfg.Path)
	if err != nil {
		return err
	}
	l.file.Close()
	l.file = f
	return nil
}

func ReadText(text []byte) ([]Entry, error) {
	s, err := read(text)
	if err != nil {
		return nil, err
	}
	// What a caller may ask of any ledger that was read.
	s.tally(nil, time.Now())
	return s.entries, nil
}

func WriteText(entries []Entry) (text []byte, err error) {
	for _, e := range entries {
		line, err := e.encode()
		if err != nil {
			return nil, err
		}
		text = append(append(text, line...), '\n')
	}
	return text, nil
}

// SeedLedgers returns well-formed ledgers with every kind of entry.
func SeedLedgers(policy string) (seeds [][]byte) {
	r := Round{ID: "r", Hash: strings.Repeat("ab", 32), First: "2026-01-01", Last: "2026-03-31", Closes: time.Unix(2e9, 0).UTC()}
	entries := []Entry{
		{Opening: &Opening{Format: Format, ID: "00", Member: "m", Policy: policy}},
		{Charge: &Charge{Round: r, Instrument: "i", Part: "counts", Unit: "item", Population: "p", Mechanism: "laplace", Place: "member", Epsilon: big.NewRat(1, 2).RatString(), Delta: "0", Noisy: []int64{-1, 5}}},
		{Void: &Void{Charge: 2, Reason: "x"}},
		{Charge: &Charge{Round: r, Instrument: "i", Part: "counts", Unit: "item", Population: "p", Mechanism: "laplace", Place: "member", Epsilon: "1", Delta: "0", Rho: 0.5}},
		{Send: &Send{Charge: 4, Round: r}},
		{Adoption: &Adoption{Policy: policy}},
	}
	var text []byte
	s := newState()
	for i, e := range entries {
		e.Seq, e.Prev, e.Time = uint64(i+1), s.head, time.Unix(1.7e9, 0).UTC()
		line, err := e.encode()
		if err != nil {
			panic(err)
		}
		if err := s.apply(e, line); err != nil {
			panic(err)
		}
		text = append(append(text, line...), '\n')
		seeds = append(seeds, append([]byte(nil), text...))
	}
	return seeds
}

// Chain numbers and chains entries without asking whether they make sense.
func Chain(entries ...Entry) (text []byte) {
	head := strings.Repeat("0", 64)
	for i, e := range entries {
		e.Seq, e.Prev, e.Time = uint64(i+1), head, time.Unix(1.7e9, 0).UTC()
		line, err := e.encode()
		if err != nil {
			panic(err)
		}
		text = append(append(text, line...), '\n')
		head = hashLine(line)
	}
	return text
}
