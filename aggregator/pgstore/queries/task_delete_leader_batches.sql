-- $1 task
DELETE FROM leader_batches WHERE task = $1
