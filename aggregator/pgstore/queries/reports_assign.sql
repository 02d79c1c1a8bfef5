-- $1 task, $2 array of ids, $3 job, $4 their number; none changes unless all are unassigned
UPDATE reports SET state = 2, job = $3
WHERE task = $1 AND id = ANY ($2)
  AND (SELECT count(*) FROM reports WHERE task = $1 AND id = ANY ($2) AND state = 1) = $4
RETURNING time
