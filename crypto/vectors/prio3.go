package vectors

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/bits"

	"candor/crypto/flp"
	"candor/crypto/prio3"
)

// customID is the algorithm id of the published vectors for instances that are not registered.
const customID = 0xffffffff

// A file is the content of a file for Prio3. Fields are in the order of the published files: that of their names.
type file struct {
	AggParam       hexBytes        `json:"agg_param"`
	AggResult      json.RawMessage `json:"agg_result"`
	AggShares      []hexBytes      `json:"agg_shares"`
	ChunkLength    *uint32         `json:"chunk_length,omitempty"`
	Ctx            hexBytes        `json:"ctx"`
	Length         *uint32         `json:"length,omitempty"`
	MaxMeasurement *uint64         `json:"max_measurement,omitempty"`
	MaxWeight      *uint64         `json:"max_weight,omitempty"`
	Operations     []operation     `json:"operations"`
	Reports        []report        `json:"reports"`
	Shares         int             `json:"shares"`
	VerifyKey      hexBytes        `json:"verify_key"`
}

// A report is one report on its way. In a file of a bad report, what a failing operation would yield is missing.
type report struct {
	InputShares      []hexBytes      `json:"input_shares"`
	Measurement      json.RawMessage `json:"measurement"`
	Nonce            hexBytes        `json:"nonce"`
	OutShares        []hexBytes      `json:"out_shares"`
	PublicShare      hexBytes        `json:"public_share"`
	Rand             hexBytes        `json:"rand"`
	VerifierMessages []hexBytes      `json:"verifier_messages"`
	VerifierShares   [][]hexBytes    `json:"verifier_shares"` // by round, then aggregator
}

// An operation is one step, and whether it succeeds.
type operation struct {
	AggregatorID *int   `json:"aggregator_id,omitempty"`
	Operation    string `json:"operation"`
	ReportIndex  *int   `json:"report_index,omitempty"`
	Round        *int   `json:"round,omitempty"`
	Success      bool   `json:"success"`
}

// instance makes the instance that the file is for.
func (f *file) instance(kind string, size int) (*prio3.VDAF, error) {
	// The file, of size bytes, must hold a measurement share and the proof's wire seeds, 8 or 16 bytes an element.
	elements := uint64(1)
	if f.Length != nil {
		elements = uint64(*f.Length)
	}
	if f.MaxMeasurement != nil {
		elements *= uint64(bits.Len64(*f.MaxMeasurement))
	}
	if f.ChunkLength != nil {
		elements += 2 * uint64(*f.ChunkLength)
	}
	if elements*16 > uint64(size) {
		return nil, errors.New("parameters are larger than the file")
	}
	p := func(have ...bool) error {
		for i, p := range []bool{f.Length != nil, f.ChunkLength != nil, f.MaxMeasurement != nil, f.MaxWeight != nil} {
			if p != have[i] {
				return fmt.Errorf("parameters are not those of %s", kind)
			}
		}
		return nil
	}
	var system flp.System
	id, proofs := uint32(customID), 1
	var err error
	switch kind {
	case "Prio3Count":
		if err = p(false, false, false, false); err == nil {
			id = uint32(prio3.Count)
			system, err = flp.NewCount()
		}
	case "Prio3Sum":
		if err = p(false, false, true, false); err == nil {
			id = uint32(prio3.Sum)
			system, err = flp.NewSum(*f.MaxMeasurement)
		}
	case "Prio3SumVec":
		if err = p(true, true, true, false); err == nil {
			id = uint32(prio3.SumVec)
			system, err = flp.NewSumVec(*f.Length, *f.MaxMeasurement, *f.ChunkLength)
		}
	case "Prio3Histogram":
		if err = p(true, true, false, false); err == nil {
			id = uint32(prio3.Histogram)
			system, err = flp.NewHistogram(*f.Length, *f.ChunkLength)
		}
	case "Prio3MultihotCountVec":
		if err = p(true, true, false, true); err == nil {
			id = uint32(prio3.MultihotCountVec)
			system, err = flp.NewMultihotCountVec(*f.Length, *f.MaxWeight, *f.ChunkLength)
		}
	case "Prio3SumVecWithMultiproof":
		if err = p(true, true, true, false); err == nil {
			proofs = 3
			system, err = flp.NewSumVec64(*f.Length, *f.MaxMeasurement, *f.ChunkLength)
		}
	case "Prio3HigherDegree":
		if err = p(false, false, false, false); err == nil {
			system, err = flp.NewHigherDegree()
		}
	default:
		err = fmt.Errorf("unknown kind of file %q", kind)
	}
	if err != nil {
		return nil, err
	}
	return prio3.NewCustom(id, system, f.Shares, proofs)
}

func verifyPrio3(kind string, content []byte) error {
	var f file
	if err := decode(content, &f); err != nil {
		return err
	}
	v, err := f.instance(kind, len(content))
	if err != nil {
		return err
	}
	r, err := newRun(&f, v)
	if err != nil {
		return err
	}
	for i, op := range f.Operations {
		unexpected, err := r.do(op)
		if err != nil {
			return fmt.Errorf("operation %d, %s: %w", i, op.Operation, err)
		}
		if (unexpected == nil) != op.Success {
			return fmt.Errorf("operation %d, %s: success is %t, the file says %t (%v)", i, op.Operation, unexpected == nil, op.Success, unexpected)
		}
	}
	return r.unchecked()
}

// measurement parses a number, or a list of numbers or booleans.
func measurement(raw json.RawMessage) ([]uint64, error) {
	var one uint64
	if json.Unmarshal(raw, &one) == nil {
		return []uint64{one}, nil
	}
	var bits []bool
	if json.Unmarshal(raw, &bits) == nil {
		m := make([]uint64, len(bits))
		for i, b := range bits {
			if b {
				m[i] = 1
			}
		}
		return m, nil
	}
	var list []uint64
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, errors.New("measurement is neither a number nor a list of numbers or booleans")
	}
	return list, nil
}

// result parses a number or a list of numbers.
func result(raw json.RawMessage) ([]*big.Int, error) {
	one := new(big.Int)
	if json.Unmarshal(raw, one) == nil {
		return []*big.Int{one}, nil
	}
	var list []*big.Int
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, errors.New("aggregate result is neither a number nor a list of numbers")
	}
	return list, nil
}
