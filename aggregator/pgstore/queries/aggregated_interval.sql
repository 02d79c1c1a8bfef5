-- $1 task, $2 after, $3 limit, $4 first bucket, $5 the one after the last
SELECT r.id FROM reports r 
WHERE r.task = $1 AND r.state = 3 AND r.time >= $4 AND r.time < $5 AND r.id > $2
UNION
SELECT m.report FROM marks m WHERE m.task = $1 AND m.bucket >= $4 AND m.bucket < $5 AND length(m.bucket) = 8 AND m.report > $2
ORDER BY 1 LIMIT $3
