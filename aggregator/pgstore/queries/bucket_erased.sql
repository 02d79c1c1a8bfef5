-- $1 task, $2 bucket
SELECT EXISTS (SELECT 1 FROM erased WHERE task = $1 AND bucket = $2)
