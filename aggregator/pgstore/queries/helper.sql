-- $1 task, $2 id
SELECT task, id, digest, request, response, created, next_attempt, lease_until, state
FROM helper_jobs WHERE task = $1 AND id = $2
