-- $1 task
DELETE FROM statements WHERE task = $1
