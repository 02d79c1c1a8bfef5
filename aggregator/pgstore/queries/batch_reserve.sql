-- $1 task, $2 id, $3 collection job
UPDATE leader_batches SET reserved = $3 WHERE task = $1 AND id = $2
