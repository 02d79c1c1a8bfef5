-- $1 now, $2 end of the lease, $3 limit, $4 when the lease has ended; with the order in which they were due
WITH due AS (
    SELECT task, id, due, number AS place FROM helper_jobs
    WHERE state = 1 AND due <= $1
    ORDER BY due, number LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE helper_jobs j
SET lease_until = $2, due = greatest(j.next_attempt, $4)
FROM due WHERE j.task = due.task AND j.id = due.id
RETURNING due.due, due.place, j.task, j.id, j.digest, j.request, j.response, j.created, j.next_attempt, j.lease_until, j.state
