-- the columns in order
INSERT INTO share_answers (task, id, digest, batch_start, batch_duration, batch_id, response, created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
