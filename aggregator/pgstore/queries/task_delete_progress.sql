-- $1 task
DELETE FROM progress WHERE task = $1
