-- $1 task, $2 ID
DELETE FROM keys WHERE task = $1 AND id = $2
