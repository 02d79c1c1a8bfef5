package demo

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"candor/client/collector"
	"candor/schema/dap"
)

// A partResult is what was collected of one part; or why nothing was.
type partResult struct {
	Reports uint64
	Totals  []int64 // by cell: sums with noise, offsets taken off
	Refused string  // the aggregators' reason for giving no aggregate share
}

// collect asks for the one batch there is, the whole window, and takes the offsets off.
func (d *demo) collect(ctx context.Context) error {
	c := d.coalition
	col, err := collector.New(collector.Config{
		Task: c.task, HPKE: c.collectorHPKE, Key: c.collectorKey, Token: c.collectorToken,
		HTTP: &http.Client{Timeout: 30 * time.Second}, Logger: d.Log, PollInterval: 100 * time.Millisecond, MaxWait: time.Second,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	result, err := col.Collect(ctx, dap.NewTimeIntervalQuery(*c.task.Interval))
	if problem, ok := errors.AsType[*dap.Problem](err); ok && problem.Type == dap.InvalidBatchSize {
		d.results = []partResult{{Reports: uint64(d.sent.Accepted), Refused: problem.Detail}}
		return nil
	}
	if err != nil {
		return err
	}
	totals, err := takeOffsets(result.Aggregate, result.ReportCount, c.noise.Offset())
	if err != nil {
		return err
	}
	d.results = []partResult{{Reports: result.ReportCount, Totals: totals}}
	return nil
}

// takeOffsets subtracts the offset of every report from each sum. Results are signed: noise can outweigh a small count.
func takeOffsets(sums []*big.Int, reports uint64, offset int64) ([]int64, error) {
	all := new(big.Int).Mul(new(big.Int).SetUint64(reports), big.NewInt(offset))
	totals := make([]int64, len(sums))
	for i, sum := range sums {
		total := new(big.Int).Sub(sum, all)
		if !total.IsInt64() {
			return nil, fmt.Errorf("cell %d: the sum does not fit 64 bits", i)
		}
		totals[i] = total.Int64()
	}
	return totals, nil
}
