-- $1 task
SELECT task, id, batch, reports, NULL::bytea, created, location, attempts, next_attempt, waiting_code, waiting_text, waiting_since, lease_until, revision, state
FROM aggregation_jobs WHERE task = $1 AND state = 1 ORDER BY number
