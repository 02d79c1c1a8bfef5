-- $1 task
SELECT start, finish FROM collected_intervals WHERE task = $1 ORDER BY start
