-- $1 task, $2 after, $3 limit, $4 batch
SELECT r.id FROM reports r JOIN aggregation_jobs j ON j.task = r.task AND j.id = r.job
WHERE r.task = $1 AND r.state = 3 AND j.batch = $4 AND r.id > $2
UNION
SELECT m.report FROM marks m WHERE m.task = $1 AND m.bucket = $4 AND m.report > $2
ORDER BY 1 LIMIT $3
