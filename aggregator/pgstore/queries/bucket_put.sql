-- $1 task, $2 bucket, $3 shard, then the columns
INSERT INTO buckets (task, bucket, shard, share, count, checksum, min_time, max_time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (task, bucket, shard) DO UPDATE
SET share = excluded.share, count = excluded.count, checksum = excluded.checksum, min_time = excluded.min_time, max_time = excluded.max_time
