-- the columns in order but request and digest, then due, and $21 the revision before
UPDATE collection_jobs
SET created = $3, has_batch = $4, batch_start = $5, batch_duration = $6, batch_id = $7, share_request = $8, location = $9, response = $10,
    problem = $11, attempts = $12, next_attempt = $13, waiting_code = $14, waiting_text = $15, waiting_since = $16, lease_until = $17,
    revision = $18, state = $19::smallint, due = $20,
    queue = CASE WHEN state <> 1 AND $19::smallint = 1 THEN nextval('collection_jobs_queue') ELSE queue END
WHERE task = $1 AND id = $2 AND revision = $21
