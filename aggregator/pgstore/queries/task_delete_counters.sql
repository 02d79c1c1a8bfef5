-- $1 task
DELETE FROM counters WHERE task = $1
