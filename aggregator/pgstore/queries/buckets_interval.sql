-- $1 task, $2 first bucket, $3 the one after the last
SELECT bucket, share, count, checksum, min_time, max_time FROM buckets
WHERE task = $1 AND bucket >= $2 AND bucket < $3 AND length(bucket) = 8 ORDER BY bucket, shard
