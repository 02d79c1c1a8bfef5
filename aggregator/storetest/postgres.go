package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Postgres is a PostgreSQL server for tests.
type Postgres struct {
	url      *url.URL // of the database postgres
	binary   string   // empty: somebody else's server
	dir      string
	settings []string
	owner    *syscall.Credential
	server   *exec.Cmd
	log      *os.File
}

// EnvPostgres names the variable that holds the URL of a server on which the tests may create databases. EnvNoSkip, if it is set, makes
// tests fail that would be skipped for want of a server.
const (
	EnvPostgres = "CANDOR_TEST_POSTGRES"
	EnvNoSkip   = "CANDOR_TEST_NOSKIP"
)

// StartPostgres returns the server that CANDOR_TEST_POSTGRES names, or starts a throw-away one on a unix socket, which stops when the
// test ends. Without either it skips the test. A throw-away server does not flush to disk unless its settings, each as name=value, say so.
func StartPostgres(t testing.TB, settings ...string) *Postgres {
	t.Helper()
	if given := os.Getenv(EnvPostgres); given != "" {
		u, err := url.Parse(given)
		if err != nil {
			t.Fatalf("%s: %v", EnvPostgres, err)
		}
		return &Postgres{url: u}
	}
	binary := findPostgres()
	if binary == "" {
		skip := t.Skip
		if os.Getenv(EnvNoSkip) != "" {
			skip = t.Fatal
		}
		skip("no PostgreSQL server: install the package postgresql, or set " + EnvPostgres)
	}
	p := &Postgres{binary: binary, settings: settings}
	if err := p.init(); err != nil {
		t.Fatalf("preparing PostgreSQL: %v", err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Stop(), os.RemoveAll(p.dir)); err != nil {
			t.Errorf("stopping PostgreSQL: %v", err)
		}
	})
	if err := p.Start(); err != nil {
		t.Fatalf("starting PostgreSQL: %v", err)
	}
	return p
}

// findPostgres returns the directory of the newest server's programs.
func findPostgres() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is well-formed
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // 0 is the oldest
		return n
	}
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }))
}

// init makes a cluster. PostgreSQL refuses to run as root; then it runs as nobody.
func (p *Postgres) init() error {
	// Not the test's own directory: its path may be too long for a socket, and closed to another user.
	dir, err := os.MkdirTemp("", "candor-pg-")
	if err != nil {
		return err
	}
	p.dir = dir
	if os.Getuid() == 0 {
		nobody, err := user.Lookup("nobody")
		if err != nil {
			return err
		}
		uid, err1 := strconv.ParseUint(nobody.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(nobody.Gid, 10, 32)
		if err := errors.Join(err1, err2, os.Chown(dir, int(uid), int(gid))); err != nil {
			return err
		}
		p.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	out, err := p.command("initdb", "-D", p.data(), "-U", "candor", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	p.url = &url.URL{Scheme: "postgres", User: url.User("candor"), Path: "/postgres", RawQuery: url.Values{"host": {p.dir}}.Encode()}
	return nil
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

// Log returns what the server wrote to its log, for a failing test.
func (p *Postgres) Log() string {
	b, err := os.ReadFile(filepath.Join(p.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Data returns the directory of a throw-away server's files, "" for another server.
func (p *Postgres) Data() string {
	if p.binary == "" {
		return ""
	}
	return p.data()
}

func (p *Postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.binary, name), args...)
	cmd.Dir = p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.owner, Setpgid: true}
	return cmd
}

// Start starts the server after Stop or Kill. It returns when it answers.
func (p *Postgres) Start() error {
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	p.log = log
	// Without fsync a crash of the machine would lose data, a crash of the server does not: all that tests can cause.
	p.server = p.command("postgres", "-D", p.data(), "-k", p.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200", "-c", "max_pred_locks_per_transaction=1024", "-c", "max_pred_locks_per_page=32", "-c", "max_pred_locks_per_relation=20000")
	for _, s := range p.settings {
		p.server.Args = append(p.server.Args, "-c", s) // the last of a name counts
	}
	p.server.Stdout, p.server.Stderr = log, log
	if err := p.server.Start(); err != nil {
		return err
	}
	for range 600 {
		if err = p.exec(context.Background(), "SELECT 1"); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("the server does not answer: %w", err)
}

// Stop ends the server as an operator does in a hurry: transactions are broken off.
func (p *Postgres) Stop() error { return p.signal(syscall.SIGINT) }

// Kill ends the server as a crash does.
func (p *Postgres) Kill() error { return p.signal(syscall.SIGQUIT) }

func (p *Postgres) signal(s syscall.Signal) error {
	if p.server == nil {
		return nil
	}
	server := p.server
	p.server = nil
	if err := server.Process.Signal(s); err != nil {
		return err
	}
	_ = server.Wait() // after SIGQUIT it exits with an error
	return p.log.Close()
}

func (p *Postgres) exec(ctx context.Context, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.url.String())
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// NewOwnedDatabase makes a database of a throw-away server and an ordinary role of the same name that owns it, as docs/operations.md says, and that has to show its
// password. It returns a URL without the password.
func (p *Postgres) NewOwnedDatabase(name, password string) (string, error) {
	for _, statement := range []string{
		"CREATE ROLE " + name + " LOGIN PASSWORD '" + password + "'",
		"CREATE DATABASE " + name + " OWNER " + name,
		"REVOKE CONNECT, TEMPORARY ON DATABASE " + name + " FROM PUBLIC",
	} {
		if err := p.exec(context.Background(), statement); err != nil {
			return "", err
		}
	}
	rules := "local all " + name + " scram-sha-256\nlocal all all trust\n"
	if err := os.WriteFile(filepath.Join(p.data(), "pg_hba.conf"), []byte(rules), 0o600); err != nil {
		return "", err
	}
	u := *p.url
	u.User, u.Path = url.User(name), "/"+name
	return u.String(), p.exec(context.Background(), "SELECT pg_reload_conf()")
}

// Databases returns a function that gives empty databases to tests. What a test leaves is emptied for another one: much faster than a new database.
func (p *Postgres) Databases(t testing.TB) func(testing.TB) string {
	t.Helper()
	var mu sync.Mutex
	var free []string
	return func(test testing.TB) string {
		test.Helper()
		mu.Lock()
		defer mu.Unlock()
		var url string
		if n := len(free); n > 0 {
			url, free = free[n-1], free[:n-1]
		} else {
			url = p.NewDatabase(t)
		}
		test.Cleanup(func() {
			if err := empty(url); err != nil {
				test.Errorf("emptying the database: %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			free = append(free, url)
		})
		return url
	}
}

// empty deletes the rows of every table but those that hold no state of an Aggregator.
func empty(url string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	// The tables are small: TRUNCATE would make new files for each.
	_, err = conn.Exec(ctx, `DO $$ DECLARE name text; BEGIN
		FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('goose_db_version', 'compatibility') LOOP
			EXECUTE 'DELETE FROM ' || quote_ident(name);
		END LOOP;
	END $$`)
	return errors.Join(err, conn.Close(ctx))
}

// NewDatabase makes an empty database and returns its URL. It is dropped when the test ends.
func (p *Postgres) NewDatabase(t testing.TB) string {
	t.Helper()
	name := "candor_test_" + strings.ToLower(rand.Text())
	if err := p.exec(context.Background(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("creating a database: %v", err)
	}
	t.Cleanup(func() {
		if err := p.exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("dropping a database: %v", err)
		}
	})
	u := *p.url
	u.Path = "/" + name
	return u.String()
}
