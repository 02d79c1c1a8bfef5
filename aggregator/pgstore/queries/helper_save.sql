-- $1 task, $2 id, $3 response, $4 next_attempt, $5 lease_until, $6 due, $7 state
UPDATE helper_jobs
SET response = $3, next_attempt = $4, lease_until = $5, due = $6, state = $7::smallint, request = CASE WHEN $7::smallint = 1 THEN request ELSE NULL END
WHERE task = $1 AND id = $2 AND (state = 1) IS TRUE
