-- $1 task
DELETE FROM erased WHERE task = $1
