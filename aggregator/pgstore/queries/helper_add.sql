-- the columns in order, then due
INSERT INTO helper_jobs (task, id, digest, request, response, created, next_attempt, lease_until, state, due) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
