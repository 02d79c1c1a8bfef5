-- $1 task
DELETE FROM reports WHERE task = $1
