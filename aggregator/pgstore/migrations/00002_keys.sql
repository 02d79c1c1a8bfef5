-- +goose Up

-- Data keys of tasks, wrapped by a key that is not in the database. IDs are 8 bytes big-endian.
CREATE TABLE keys (
    task    bytea,
    id      bytea,
    wrapped bytea NOT NULL,
    PRIMARY KEY (task, id)
);
