package pgstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// connectTimeout is how long a connection may take to be made, unless the URL has a connect_timeout.
const connectTimeout = 10 * time.Second

// settings are made on each connection, in one exchange.
const settings = `
-- A sequential scan of a small table would make the transaction conflict with every writer of the table.
SET enable_seqscan = off;
-- What was acknowledged must be on disk, whatever the server's default is.
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
-- A process that hangs must not hold locks for ever.
SET idle_in_transaction_session_timeout = '60s'`

// parseURL turns a URL, with what the environment and a password file add to it, into the configuration of a pool. No error shows a password.
func parseURL(raw string) (*pgxpool.Config, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("it is not a URL such as postgres://user@host:5432/database") // the parser's own text has the password
	}
	config, err := pgxpool.ParseConfig(raw)
	if err != nil {
		return nil, errors.New(hide(err.Error(), u))
	}
	if err := checkTLS(config.ConnConfig); err != nil {
		return nil, err
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		dialer := &net.Dialer{Timeout: connectTimeout, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
		config.ConnConfig.ConnectTimeout, config.ConnConfig.DialFunc = connectTimeout, dialer.DialContext
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "candor"
	}
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, settings); err != nil {
			return fmt.Errorf("setting up a connection: %w", err)
		}
		return nil
	}
	return config, nil
}

// hide takes the passwords of a URL out of a text.
func hide(text string, u *url.URL) string {
	secrets := []string{u.Query().Get("password"), u.Query().Get("sslpassword")}
	if p, is := u.User.Password(); is {
		_, escaped, _ := strings.Cut(u.User.String(), ":")
		secrets = append(secrets, p, escaped)
	}
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "REDACTED")
		}
	}
	return text
}

// checkTLS refuses what anybody on the way could turn into a connection without encryption: prefer, the default of sslmode, and allow. To do without it is
// for the operator to say.
func checkTLS(c *pgx.ConnConfig) error {
	type end struct {
		host string
		port uint16
	}
	modes := map[end][2]bool{} // with TLS, without
	note := func(host string, port uint16, tls bool) {
		m := modes[end{host, port}]
		m[0], m[1] = m[0] || tls, m[1] || !tls
		modes[end{host, port}] = m
	}
	note(c.Host, c.Port, c.TLSConfig != nil)
	for _, f := range c.Fallbacks {
		note(f.Host, f.Port, f.TLSConfig != nil)
	}
	for e, m := range modes {
		if m[0] && m[1] && !isLocal(e.host) {
			return fmt.Errorf("the connection to %s must name its sslmode: verify-full with the sslrootcert of the server's authority, or disable where the network is protected otherwise", e.host)
		}
	}
	return nil
}

// isLocal says whether a host is this machine: a directory of sockets, or a loopback address.
func isLocal(host string) bool {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// reach repeats what fails because the server cannot be reached, for as long as wait.
func reach(ctx context.Context, wait time.Duration, try func() error) error {
	start := time.Now()
	for attempt := 1; ; attempt++ {
		err := try()
		var again *retryError
		if err == nil || !errors.As(retry(ctx, err), &again) || time.Since(start) >= wait {
			return err
		}
		if !sleep(ctx, attempt) {
			return ctx.Err()
		}
	}
}

// begin begins a transaction. What goes wrong before it has begun is tried again for some seconds: a connection that the server has closed, or a server
// that is starting.
func (s *Store) begin(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error) {
	var pg pgx.Tx
	err := reach(ctx, maxBegin, func() (err error) {
		pg, err = s.pool.BeginTx(ctx, opts)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("beginning a transaction: %w", err)
	}
	return pg, nil
}

// isNetwork says whether err means that there is no connection, or none any more.
func isNetwork(err error) bool {
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, driver.ErrBadConn)
}
