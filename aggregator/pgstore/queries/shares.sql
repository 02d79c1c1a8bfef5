-- $1 task
SELECT task, id, digest, batch_start, batch_duration, batch_id, response, created FROM share_answers WHERE task = $1 ORDER BY number
