-- $1 task
SELECT id FROM collected_batches WHERE task = $1 ORDER BY id
