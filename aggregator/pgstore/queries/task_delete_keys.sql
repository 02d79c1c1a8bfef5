-- $1 task
DELETE FROM keys WHERE task = $1
