-- $1 task, $2 id
SELECT state FROM reports WHERE task = $1 AND id = $2
