package pgstore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"candor/aggregator/pgstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
)

// What cannot be opened says why, and never shows a password.
func TestOpenErrors(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://candor:s3cr%21t@127.0.0.1:1/x":                               "connection refused",
		"postgres://candor:s3cr%21t@host/x?sslmode=wrong":                        "sslmode",
		"postgres://candor:s3cr%21t@host:port/x":                                 "it is not a URL such as postgres://user@host:5432/database",
		"postgres://candor:s3cr%21t@host:5432/x":                                 "must name its sslmode",
		"postgres://host:5432/x?user=candor&password=s3cr!t":                     "must name its sslmode",
		"postgres://host:5432/x?user=candor&password=s3cr!t&sslmode=allow":       "must name its sslmode",
		"postgres://candor:s3cr%21t@127.0.0.1:1,host:1/x":                        "must name its sslmode",
		"postgres://candor:s3cr%21t@host/x?pool_max_conns=none&sslmode=disable":  "pool_max_conns",
		"postgres://candor:s3cr%21t@host/x?sslmode=verify-full&sslrootcert=/no":  "unable to read CA file",
		"postgres://host/x?password=s3cr!t&sslmode=disable&connect_timeout=soon": "connect_timeout",
	} {
		s, err := pgstore.Open(t.Context(), url, pgstore.Options{})
		if err == nil {
			s.Close()
			t.Errorf("%s: opened", url)
			continue
		}
		text := err.Error()
		if !strings.HasPrefix(text, "opening PostgreSQL store") || !strings.Contains(text, want) || strings.Contains(text, "s3cr") {
			t.Errorf("%s: error %q, want %q and no password", url, text, want)
		}
	}
}

// A password comes from the environment or a password file, as pgx and libpq take them; and an ordinary role that owns its database is enough.
func TestPasswordFile(t *testing.T) {
	server := storetest.StartPostgres(t)
	if server.Data() == "" {
		t.Skip("the server is not ours to ask for passwords")
	}
	url, err := server.NewOwnedDatabase("ordinary", "s3cr:t")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pgpass")
	if err := os.WriteFile(file, []byte(`*:*:*:*:s3cr\:t`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGPASSFILE", file)
	s := place(url).Open(t)
	if err := s.View(t.Context(), "test", func(store.Tx) error { return nil }); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	t.Setenv("PGPASSFILE", os.DevNull)
	t.Setenv("PGPASSWORD", "s3cr:t2")
	if s, err := pgstore.Open(t.Context(), url, pgstore.Options{}); err == nil {
		s.Close()
		t.Error("opened with a wrong password")
	} else if strings.Contains(err.Error(), "s3cr") {
		t.Errorf("error %q shows the password", err)
	}
	t.Setenv("PGPASSWORD", "s3cr:t")
	place(url).Open(t).Close()
}
