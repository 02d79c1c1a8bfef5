-- $1 task
DELETE FROM helper_jobs WHERE task = $1
