-- $1 task
DELETE FROM collection_jobs WHERE task = $1
