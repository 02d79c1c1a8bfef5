-- $1 task, $2 first bucket, $3 the one after the last
SELECT coalesce(sum(unassigned), 0)::bigint, coalesce(sum(assigned), 0)::bigint, coalesce(sum(aggregated), 0)::bigint, coalesce(sum(rejected), 0)::bigint
FROM progress WHERE task = $1 AND bucket >= $2 AND bucket < $3 AND length(bucket) = 8
