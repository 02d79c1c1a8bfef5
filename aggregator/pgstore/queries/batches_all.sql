-- $1 task
SELECT id, created, reserved FROM leader_batches WHERE task = $1 ORDER BY number
