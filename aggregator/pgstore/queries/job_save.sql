-- $1 task, $2 id, $3 revision, then the mutable columns and due
UPDATE aggregation_jobs
SET location = $4, attempts = $5, next_attempt = $6, waiting_code = $7, waiting_text = $8, waiting_since = $9, lease_until = $10, due = $11,
    revision = revision + 1
WHERE task = $1 AND id = $2 AND revision = $3 AND (state = 1) IS TRUE
