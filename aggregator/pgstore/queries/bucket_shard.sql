-- $1 task, $2 bucket, $3 shard
SELECT bucket, share, count, checksum, min_time, max_time FROM buckets WHERE task = $1 AND bucket = $2 AND shard = $3
