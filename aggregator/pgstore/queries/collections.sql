-- $1 task
SELECT task, id, request, digest, created, has_batch, batch_start, batch_duration, batch_id, share_request, location, response, problem, attempts,
       next_attempt, waiting_code, waiting_text, waiting_since, lease_until, revision, state
FROM collection_jobs WHERE task = $1 ORDER BY number
