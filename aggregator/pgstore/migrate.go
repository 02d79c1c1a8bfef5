package pgstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations are the files of this program.
func migrations() fs.FS {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(fmt.Sprintf("pgstore: internal error: %v", err))
	}
	return files
}

// migrate brings the tables up to date. Processes that start at the same time take turns.
//
// A rolling restart between two versions keeps serving, because a migration adds first and takes away in a later version:
//
//   - one that only adds (tables, indexes made CONCURRENTLY, columns that may be null or have a default) leaves the column oldest of the table
//     compatibility as it is. Programs from before it go on, and start again on the newer tables;
//   - one that takes away, or changes what a row means, sets oldest to the version of the first program that does without. It comes at least one version
//     after that program. Programs that are older refuse to start from then on.
//
// A program's version is that of the last migration it has.
func migrate(ctx context.Context, pool *pgxpool.Pool, files fs.FS) error {
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	current, known, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("reading the schema version: %w", err)
	}
	switch {
	case current > known:
		return checkOlder(ctx, db, current, known)
	case current < known:
		if _, err := provider.Up(ctx); err != nil {
			return fmt.Errorf("migrating from schema version %d to %d: %w", current, known, err)
		}
	}
	return nil
}

// checkOlder says whether a program of version known may use tables of a later version.
func checkOlder(ctx context.Context, db *sql.DB, current, known int64) error {
	var oldest int64
	if err := db.QueryRowContext(ctx, queries["compatibility"]).Scan(&oldest); err != nil {
		return fmt.Errorf("its schema version is %d, newer than this program's %d, and does not say which programs it suits: %w", current, known, err)
	}
	if known < oldest {
		return fmt.Errorf("its schema version is %d, newer than this program's %d, and suits programs from %d on; use the program that brought it there, or a later one", current, known, oldest)
	}
	return nil
}
