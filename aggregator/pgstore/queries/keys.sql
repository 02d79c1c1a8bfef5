-- $1 task
SELECT id, wrapped FROM keys WHERE task = $1 ORDER BY id
