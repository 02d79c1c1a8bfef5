-- $1 task, $2 id, $3 request, $4 share_request, $5 response
UPDATE collection_jobs SET request = $3, share_request = $4, response = $5 WHERE task = $1 AND id = $2
