-- $1 task, $2 name, $3 shard, $4 n
INSERT INTO counters (task, name, shard, n) VALUES ($1, $2, $3, $4)
ON CONFLICT (task, name, shard) DO UPDATE SET n = counters.n + excluded.n
