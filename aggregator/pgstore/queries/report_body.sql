-- $1 task, $2 id
SELECT r.number, r.time, r.not_before, r.state, b.body FROM reports r LEFT JOIN bodies b ON b.number = r.number WHERE r.task = $1 AND r.id = $2
