-- $1 task, $2 id
SELECT EXISTS (SELECT 1 FROM aggregation_jobs WHERE task = $1 AND id = $2)
