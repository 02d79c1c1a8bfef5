-- the columns in order, then due
INSERT INTO collection_jobs (task, id, request, digest, created, has_batch, batch_start, batch_duration, batch_id, share_request, location, response, problem, attempts,
       next_attempt, waiting_code, waiting_text, waiting_since, lease_until, revision, state, due, queue)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, nextval('collection_jobs_queue'))
ON CONFLICT (task, id) DO NOTHING
