-- $1 task
DELETE FROM collected_batches WHERE task = $1
