-- $1 task, $2 id; in the order of the job
SELECT r.id, r.time, r.not_before, b.body
FROM aggregation_jobs j, unnest(j.reports) WITH ORDINALITY AS g (id, n)
JOIN reports r ON r.task = $1 AND r.id = g.id
LEFT JOIN bodies b ON b.number = r.number
WHERE j.task = $1 AND j.id = $2
ORDER BY g.n
