-- $1 task
DELETE FROM aggregation_jobs WHERE task = $1
