-- $1 task, $2 id
DELETE FROM collection_jobs WHERE task = $1 AND id = $2
