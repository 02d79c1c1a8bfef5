-- +goose Up

-- Numbers the processes that open the store: each takes other shards than those before it.
CREATE SEQUENCE processes;
