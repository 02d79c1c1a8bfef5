-- $1 task
SELECT b.id, b.created, sum(p.unassigned)::bigint, sum(p.assigned)::bigint, sum(p.aggregated)::bigint, sum(p.rejected)::bigint
FROM leader_batches b JOIN progress p ON p.task = b.task AND p.bucket = b.id
WHERE b.task = $1 AND b.reserved IS NULL
GROUP BY b.number, b.id, b.created HAVING sum(p.assigned + p.aggregated) > 0
ORDER BY b.number
