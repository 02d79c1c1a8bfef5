package leader

import (
	"context"
	"errors"
	"fmt"

	"candor/aggregator"
	"candor/aggregator/store"
	"candor/schema/dap"
)

// upload stores the valid reports of an upload request and returns why the others were not (DAP, Upload Request). When it returns without an error
// the reports are durable. A request that does not parse to its end stores nothing.
//
// The same report uploaded again is refused as replayed and not stored twice.
func (l *Leader) upload(ctx context.Context, t *aggregator.Task, body []byte) (dap.UploadErrors, error) {
	var reports []store.Report
	var views []aggregator.ReportView
	for rest := body; len(rest) > 0; {
		report, raw, next, err := dap.NextReport(rest)
		if err != nil {
			return nil, dap.NewProblem(dap.InvalidMessage, fmt.Sprintf("report %d of the upload request cannot be parsed", len(reports)))
		}
		metadata, err := dap.SplitMetadata(raw)
		if err != nil {
			return nil, fmt.Errorf("splitting a report that parsed: %w", err)
		}
		rest = next
		reports = append(reports, store.Report{ID: report.Metadata.ReportID, Time: report.Metadata.Time, Encoded: raw})
		views = append(views, aggregator.ReportView{Metadata: report.Metadata, Encoded: metadata, PublicShare: report.PublicShare, Ciphertext: report.Leader})
	}
	if len(reports) == 0 {
		return nil, nil
	}

	judge, now := l.judge(), l.cfg.Now()
	open := l.cfg.OpenUploads || t.IsRound()
	judged := make([]dap.ReportError, len(reports))
	check := func(lo, hi int) {
		for i := lo; i < hi; i++ {
			if code, bad := judge.CheckUpload(t, views[i], now, open).(dap.ReportError); bad {
				judged[i] = code
			}
		}
	}
	if open {
		if err := l.cfg.CPU.Each(ctx, len(reports), 8, check); err != nil {
			return nil, err
		}
	} else {
		check(0, len(reports))
	}

	var codes []dap.ReportError
	var stored int
	var refusals map[dap.ReportError]int
	err := l.cfg.Store.Update(ctx, "upload", func(tx store.Tx) error {
		codes, stored, refusals = append([]dap.ReportError(nil), judged...), 0, make(map[dap.ReportError]int)
		collected := make(map[dap.Time]bool)
		retired, err := t.Retired(tx)
		if err != nil {
			return err
		}
		for i, r := range reports {
			if codes[i] == 0 && retired {
				codes[i] = dap.ErrorReportDropped
			}
			if codes[i] == 0 && t.Config.BatchMode == dap.TimeInterval {
				was, known := collected[r.Time]
				if !known {
					var err error
					if was, err = tx.BatchCollected(t.ID, t.BucketBatch(r.Time, nil)); err != nil {
						return err
					}
					collected[r.Time] = was
				}
				if was {
					codes[i] = dap.ErrorReportReplayed
				}
			}
			if codes[i] == 0 && t.Round != nil {
				if codes[i], err = t.Admit(tx, r, views[i].Metadata.Extensions, now); err != nil {
					return err
				}
				if codes[i] == 0 {
					stored++
				}
			} else if codes[i] == 0 {
				switch err := tx.AddReport(t.ID, r); {
				case errors.Is(err, store.ErrConflict):
					codes[i] = dap.ErrorReportReplayed
				case err != nil:
					return err
				default:
					stored++
				}
			}
			if codes[i] != 0 {
				refusals[codes[i]]++
			}
		}
		if stored > 0 {
			if err := tx.Count(t.ID, aggregator.CounterUploaded, uint64(stored)); err != nil {
				return err
			}
		}
		for code, n := range refusals {
			if err := tx.Count(t.ID, aggregator.CounterUploadRefused+aggregator.ErrorLabel(code), uint64(n)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("storing an upload: %w", err)
	}
	var refused dap.UploadErrors
	for i, code := range codes {
		if code != 0 {
			refused = append(refused, dap.ReportUploadStatus{ReportID: reports[i].ID, Error: code})
		}
	}
	l.metrics.Uploaded(t.ID, stored, refused)
	if stored > 0 {
		l.wakeUp()
	}
	return refused, nil
}
