// Package member is a member's whole path from its figures to a receipt: it verifies a signed round, prepares every part of it
// (cap, noise out of the ledger, offset, answers), shows what would leave, and then charges, signs, seals, uploads, and
// keeps what proves it (design, "How data flows").
//
// Floor 6. True figures are in a Draft and in the member's own directory, and nowhere else: no request, error or log line holds one.
// The only HPKE configurations that are ever sealed to are those of the round document, signed by all three parties.
//
// The order of things is the package's promise: the ledger has the charge, the noise and the correction number on disk, and the
// directory the sealed report, before the first byte of it leaves. So a crash at any moment can be followed by the same call again,
// which sends the same report.
package member

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"candor/client/ledger"
	"candor/crypto/sign"
	"candor/schema/round"
)

// A Config says who the member is and what it trusts.
type Config struct {
	ID    string           // roster id
	Key   *sign.PrivateKey // whose public half stands in the roster
	Trust round.Trust      // pinned fingerprints; a round needs all three
	Dir   string           // the member's directory: what was sent, receipts, figures of earlier rounds

	// Ledger pays for what is told. Only Draft and Submit need it: nil for everything else.
	Ledger *ledger.Ledger

	HTTP      *http.Client     // nil: Go's default
	PlainHTTP bool             // allow http:// URLs to other machines: test profiles only
	Now       func() time.Time // nil: time.Now
	Rand      io.Reader        // nil: crypto/rand; anything else is for tests
	Logger    *slog.Logger     // nil: discard

	Attempts int           // requests per upload or fetch, retries included; 0: the client's default
	MaxWait  time.Duration // longest pause between two of them; 0: the client's default
}

// A Member acts for one member. It is not safe for concurrent use.
type Member struct {
	cfg Config
	log *slog.Logger
}

// New checks the configuration. It reads nothing and makes no request.
func New(cfg Config) (*Member, error) {
	if cfg.ID == "" || cfg.Key == nil || cfg.Dir == "" {
		return nil, errors.New("acting for a member: id, key or directory is missing")
	}
	if cfg.Ledger != nil && cfg.Ledger.Member() != cfg.ID {
		return nil, fmt.Errorf("acting for member %s: the ledger is that of member %s", cfg.ID, cfg.Ledger.Member())
	}
	m := &Member{cfg: cfg, log: cfg.Logger}
	if m.cfg.Now == nil {
		m.cfg.Now = time.Now
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	return m, nil
}
