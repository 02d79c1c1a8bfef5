-- $1 now, $2 end of the lease, $3 limit, $4 when the lease has ended; with the order in which they were due
WITH due AS (
    SELECT task, id, due, number AS place FROM aggregation_jobs
    WHERE state = 1 AND due <= $1
    ORDER BY due, number LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE aggregation_jobs j
SET lease_until = $2, due = greatest(j.next_attempt, $4), revision = j.revision + 1
FROM due WHERE j.task = due.task AND j.id = due.id
RETURNING due.due, due.place, j.task, j.id, j.batch, j.reports, j.request, j.created, j.location, j.attempts, j.next_attempt, j.waiting_code, j.waiting_text, j.waiting_since, j.lease_until, j.revision, j.state
