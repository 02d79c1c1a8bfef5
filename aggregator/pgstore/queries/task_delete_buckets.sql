-- $1 task
DELETE FROM buckets WHERE task = $1
