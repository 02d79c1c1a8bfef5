-- $1 task; before the reports
DELETE FROM bodies WHERE number IN (SELECT number FROM reports WHERE task = $1 AND state IN (1, 2))
