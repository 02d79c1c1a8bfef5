-- $1 task
DELETE FROM collected_intervals WHERE task = $1
