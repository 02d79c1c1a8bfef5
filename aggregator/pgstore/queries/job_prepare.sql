-- $1 task, $2 id, $3 reports, $4 request
UPDATE aggregation_jobs SET reports = $3, request = $4 WHERE task = $1 AND id = $2
