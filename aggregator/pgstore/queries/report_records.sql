-- the cursor over a task's reports; $1 task
DECLARE rows NO SCROLL CURSOR FOR
SELECT r.id, r.time, r.not_before, b.body, r.state, r.code, r.job
FROM reports r LEFT JOIN bodies b ON b.number = r.number
WHERE r.task = $1 ORDER BY r.number
