-- $1 task, $2 first bucket, $3 the one after the last
WITH gone AS (
    UPDATE buckets SET share = NULL WHERE task = $1 AND bucket >= $2 AND bucket < $3 AND length(bucket) = 8 RETURNING bucket
)
INSERT INTO erased (task, bucket) SELECT DISTINCT $1::bytea, bucket FROM gone ON CONFLICT (task, bucket) DO NOTHING
