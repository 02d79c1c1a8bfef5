-- $1 task
SELECT b.bucket, b.share, b.count, b.checksum, b.min_time, b.max_time, b.shard,
       EXISTS (SELECT 1 FROM erased e WHERE e.task = b.task AND e.bucket = b.bucket)
FROM buckets b WHERE b.task = $1 ORDER BY b.bucket, b.shard
