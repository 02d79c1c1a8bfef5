-- $1 task
DELETE FROM marks WHERE task = $1
