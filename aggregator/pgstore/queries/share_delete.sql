-- $1 task, $2 id
DELETE FROM share_answers WHERE task = $1 AND id = $2
