-- $1 task, $2 the end of an interval; the last collected interval that begins before it
SELECT start, finish FROM collected_intervals WHERE task = $1 AND start < $2 ORDER BY start DESC LIMIT 1
