-- $1 task, $2 id, $3 response
UPDATE share_answers SET response = $3 WHERE task = $1 AND id = $2
