-- $1 task, $2 id, $3 state, $4 the time that is none
UPDATE aggregation_jobs
SET state = $3, request = NULL, waiting_code = '', waiting_text = '', waiting_since = $4, lease_until = $4, revision = revision + 1
WHERE task = $1 AND id = $2
