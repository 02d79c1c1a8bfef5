-- $1 task, $2 shard, arrays: $3 bucket, $4 unassigned, $5 assigned, $6 aggregated, $7 rejected
INSERT INTO progress (task, bucket, shard, unassigned, assigned, aggregated, rejected)
SELECT $1, g.bucket, $2, g.unassigned, g.assigned, g.aggregated, g.rejected
FROM unnest($3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) AS g (bucket, unassigned, assigned, aggregated, rejected)
ORDER BY g.bucket
ON CONFLICT (task, bucket, shard) DO UPDATE
SET unassigned = progress.unassigned + excluded.unassigned, assigned = progress.assigned + excluded.assigned,
    aggregated = progress.aggregated + excluded.aggregated, rejected = progress.rejected + excluded.rejected
