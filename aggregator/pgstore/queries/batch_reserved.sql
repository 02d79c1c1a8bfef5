-- $1 task, $2 id
SELECT reserved FROM leader_batches WHERE task = $1 AND id = $2
