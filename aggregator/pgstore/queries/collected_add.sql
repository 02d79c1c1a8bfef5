-- $1 task, $2 start, $3 finish
INSERT INTO collected_intervals (task, start, finish) VALUES ($1, $2, $3)
