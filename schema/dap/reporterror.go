package dap

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// A ReportError says why one report was refused, while the request that
// carried it goes on. It is an error, so that the code that judges reports can
// return it. The registry may grow: a received code without a name is still a
// refusal.
//
//	enum {
//	  reserved(0),
//	  batch_collected(1),
//	  report_replayed(2),
//	  report_dropped(3),
//	  hpke_unknown_config_id(4),
//	  hpke_decrypt_error(5),
//	  vdaf_verify_error(6),
//	  task_expired(7),
//	  invalid_message(8),
//	  report_too_early(9),
//	  task_not_started(10),
//	  outdated_config(11),
//	  (255)
//	} ReportError;
type ReportError uint8

const (
	ErrorBatchCollected      ReportError = 1
	ErrorReportReplayed      ReportError = 2
	ErrorReportDropped       ReportError = 3
	ErrorHpkeUnknownConfigID ReportError = 4 // never sent: no rule of the draft produces it
	ErrorHpkeDecryptError    ReportError = 5
	ErrorVDAFVerifyError     ReportError = 6
	ErrorTaskExpired         ReportError = 7
	ErrorInvalidMessage      ReportError = 8
	ErrorReportTooEarly      ReportError = 9 // the only one after which the report may be offered again
	ErrorTaskNotStarted      ReportError = 10
	ErrorOutdatedConfig      ReportError = 11
)

// String returns the draft's name of e, as metric labels and logs use it.
func (e ReportError) String() string {
	switch e {
	case ErrorBatchCollected:
		return "batch_collected"
	case ErrorReportReplayed:
		return "report_replayed"
	case ErrorReportDropped:
		return "report_dropped"
	case ErrorHpkeUnknownConfigID:
		return "hpke_unknown_config_id"
	case ErrorHpkeDecryptError:
		return "hpke_decrypt_error"
	case ErrorVDAFVerifyError:
		return "vdaf_verify_error"
	case ErrorTaskExpired:
		return "task_expired"
	case ErrorInvalidMessage:
		return "invalid_message"
	case ErrorReportTooEarly:
		return "report_too_early"
	case ErrorTaskNotStarted:
		return "task_not_started"
	case ErrorOutdatedConfig:
		return "outdated_config"
	}
	return fmt.Sprintf("report_error_%d", uint8(e))
}

func (e ReportError) Error() string { return "report refused: " + e.String() }

func (e ReportError) marshal(b *cryptobyte.Builder) {
	if e == 0 {
		b.SetError(errors.New("report error 0 is reserved"))
		return
	}
	b.AddUint8(uint8(e))
}

func (e *ReportError) unmarshal(s *cryptobyte.String) bool {
	return s.ReadUint8((*uint8)(e)) && *e != 0
}
