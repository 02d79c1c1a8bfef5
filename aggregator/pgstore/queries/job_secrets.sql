-- $1 task, $2 id, $3 request
UPDATE aggregation_jobs SET request = $3 WHERE task = $1 AND id = $2
