package care

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"candor/aggregator/sealstore"
)

// Rekey seals the store under new keys, see [sealstore.Store.Rekey]; with wrapOnly only the wrapping key becomes another.
func (s Store) Rekey(ctx context.Context, wrapOnly bool, progress func(rows uint64)) (sealstore.Rekeying, error) {
	switch {
	case s.Sealed == nil:
		return sealstore.Rekeying{}, errors.New("the store is in the clear: it has no keys")
	case wrapOnly:
		return s.Sealed.Rewrap(ctx)
	}
	return s.Sealed.Rekey(ctx, progress)
}

// An event is a line of the answer to a request to rekey.
type event struct {
	Rows   uint64              `json:"rows,omitempty"`
	Result *sealstore.Rekeying `json:"result,omitempty"`
	Error  string              `json:"error,omitempty"`
}

// serveRekey answers with events; the last one has the result or an error.
func (s Store) serveRekey(w http.ResponseWriter, r *http.Request, log *slog.Logger) {
	control := http.NewResponseController(w)
	encoder := json.NewEncoder(w)
	send := func(e event) {
		_ = encoder.Encode(e) // if the caller has gone, the request's context ends
		_ = control.Flush()
	}
	log.InfoContext(r.Context(), "rekeying begun")
	result, err := s.Rekey(r.Context(), r.URL.Query().Has("wrap_only"), func(rows uint64) { send(event{Rows: rows}) })
	if err != nil {
		log.ErrorContext(r.Context(), "rekeying failed", "err", err)
		send(event{Error: err.Error()})
		return
	}
	log.InfoContext(r.Context(), "rekeying ended", "resealed", result.Resealed)
	send(event{Result: &result})
}

// Rekey is [Store.Rekey] of the server's store.
func (c *Client) Rekey(ctx context.Context, wrapOnly bool, progress func(rows uint64)) (r sealstore.Rekeying, err error) {
	path := "/rekey"
	if wrapOnly {
		path += "?wrap_only"
	}
	body, err := c.do(ctx, http.MethodPost, path)
	if err != nil {
		return r, err
	}
	defer body.Close()
	decoder := json.NewDecoder(body)
	for {
		var e event
		switch err := decoder.Decode(&e); {
		case errors.Is(err, io.EOF):
			return r, errors.New("the server ended before the rekeying did; the next goes on with it")
		case err != nil:
			return r, fmt.Errorf("reading the server's answer: %w", err)
		case e.Error != "":
			return r, errors.New(e.Error)
		case e.Result != nil:
			return *e.Result, nil
		}
		progress(e.Rows)
	}
}
