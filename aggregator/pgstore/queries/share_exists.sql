-- $1 task, $2 id, $3 digest
SELECT EXISTS (SELECT 1 FROM share_answers WHERE task = $1 AND (id = $2 OR digest = $3))
