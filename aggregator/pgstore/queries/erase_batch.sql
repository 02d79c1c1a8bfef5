-- $1 task, $2 bucket
WITH gone AS (UPDATE buckets SET share = NULL WHERE task = $1 AND bucket = $2 RETURNING bucket)
INSERT INTO erased (task, bucket) SELECT DISTINCT $1::bytea, bucket FROM gone ON CONFLICT (task, bucket) DO NOTHING
