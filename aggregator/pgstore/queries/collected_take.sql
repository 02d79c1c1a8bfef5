-- $1 task, $2 start, $3 finish; those that overlap or touch
DELETE FROM collected_intervals WHERE task = $1 AND start <= $3 AND finish >= $2 RETURNING start, finish
