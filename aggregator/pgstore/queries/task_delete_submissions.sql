-- $1 task
DELETE FROM submissions WHERE task = $1
