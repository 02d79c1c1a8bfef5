-- $1 task
DELETE FROM share_answers WHERE task = $1
