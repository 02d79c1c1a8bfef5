package care

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"
)

// SocketOf returns the path of the socket of the server that has the bbolt file at path open.
func SocketOf(path string) string { return path + ".sock" }

// stall is how long a reader of a backup may take nothing before it is given up: what it reads is kept from being freed meanwhile.
const stall = time.Minute

// Serve answers at the socket beside the bbolt file at path, which this process has open, until ctx ends. Whoever may open the file may open the socket.
func (s Store) Serve(ctx context.Context, path string, log *slog.Logger) error {
	name := SocketOf(path)
	// The file is ours, so nobody answers at a socket that is there: its server was killed.
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the socket of a server before: %w", err)
	}
	l, err := net.Listen("unix", name)
	if err != nil {
		return fmt.Errorf("listening for candor store: %w", err)
	}
	if err := os.Chmod(name, 0o600); err != nil {
		return errors.Join(err, l.Close())
	}
	server := &http.Server{Handler: s.handler(log), ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() }) // what is under way fails, and says so at the other end
	defer stopped()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("answering candor store: %w", err)
	}
	return nil
}

func (s Store) handler(log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /backup", func(w http.ResponseWriter, r *http.Request) {
		log.InfoContext(r.Context(), "backup begun")
		if err := s.Backup(r.Context(), &patientWriter{w, http.NewResponseController(w)}); err != nil {
			log.ErrorContext(r.Context(), "backup failed", "err", err)
			panic(http.ErrAbortHandler) // the reader must not take it for the end
		}
		log.InfoContext(r.Context(), "backup ended")
	})
	mux.HandleFunc("GET /check", func(w http.ResponseWriter, r *http.Request) {
		report, err := s.Check(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(report) // the caller has gone if it fails
	})
	mux.HandleFunc("POST /rekey", func(w http.ResponseWriter, r *http.Request) { s.serveRekey(w, r, log) })
	return mux
}

// A patientWriter gives every write its own time.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (w *patientWriter) Write(b []byte) (int, error) {
	if err := w.control.SetWriteDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(b)
}

// A Client asks the server that has a store open.
type Client struct{ hc *http.Client }

// Dial returns a client of the server that has the bbolt file at path open, or nil if there is none.
func Dial(path string) *Client {
	dial := func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", SocketOf(path))
	}
	conn, err := dial(context.Background())
	if err != nil {
		return nil
	}
	_ = conn.Close() // it was only to see whether somebody answers
	return &Client{&http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}}}
}

// do sends a request and returns the body of its answer.
func (c *Client) do(ctx context.Context, method, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://store"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.hc.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the server: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000)) // what there is of it
		return nil, fmt.Errorf("asking the server: it answers %s: %s", resp.Status, text)
	}
	return resp.Body, nil
}

// Backup is [Store.Backup] of the server's store.
func (c *Client) Backup(ctx context.Context, out io.Writer) error {
	body, err := c.do(ctx, http.MethodGet, "/backup")
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := io.Copy(out, body); err != nil {
		return fmt.Errorf("reading the backup from the server: %w; its log says why", err)
	}
	return nil
}

// Check is [Store.Check] of the server's store.
func (c *Client) Check(ctx context.Context) (r Report, err error) {
	body, err := c.do(ctx, http.MethodGet, "/check")
	if err != nil {
		return r, err
	}
	defer body.Close()
	return r, json.NewDecoder(body).Decode(&r)
}
