-- the columns in order
INSERT INTO aggregation_jobs (task, id, batch, reports, request, created, location, attempts, next_attempt, waiting_code, waiting_text, waiting_since, lease_until, revision, state, due)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
