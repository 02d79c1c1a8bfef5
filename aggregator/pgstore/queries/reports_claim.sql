-- $1 task, $2 now, $3 limit; those that nobody else is claiming
SELECT id, time, not_before FROM reports
WHERE task = $1 AND state = 1 AND not_before <= $2
ORDER BY not_before, number LIMIT $3
FOR UPDATE SKIP LOCKED
