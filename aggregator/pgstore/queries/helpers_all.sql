-- $1 task
SELECT id FROM helper_jobs WHERE task = $1 ORDER BY id
