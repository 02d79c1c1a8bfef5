-- $1 task, $2 digest
SELECT task, id, digest, request, response, created, next_attempt, lease_until, state
FROM helper_jobs WHERE task = $1 AND digest = $2
