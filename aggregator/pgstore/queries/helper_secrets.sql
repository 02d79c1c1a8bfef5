-- $1 task, $2 id, $3 request, $4 response
UPDATE helper_jobs SET request = $3, response = $4 WHERE task = $1 AND id = $2
