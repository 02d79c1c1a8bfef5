-- $1 task, $2 id
SELECT task, id, batch, reports, request, created, location, attempts, next_attempt, waiting_code, waiting_text, waiting_since, lease_until, revision, state
FROM aggregation_jobs WHERE task = $1 AND id = $2
