-- $1 task
SELECT id FROM aggregation_jobs WHERE task = $1 ORDER BY number
