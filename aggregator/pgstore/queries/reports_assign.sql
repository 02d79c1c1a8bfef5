-- $1 task, $2 array of ids, $3 job, $4 their number; none changes unless all are unassigned
UPDATE reports SET state = 2, job = $3
WHERE task = $1 AND id = ANY ($2)
  AND (SELECT count(*) FILTER (WHERE state = 1) FROM reports WHERE task = $1 AND id = ANY ($2)) = $4
RETURNING time
