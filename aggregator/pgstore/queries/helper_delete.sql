-- $1 task, $2 id
DELETE FROM helper_jobs WHERE task = $1 AND id = $2
