-- $1 task, $2 array of ids; how many of them the task has seen
SELECT count(*) FROM reports WHERE task = $1 AND id = ANY ($2)
