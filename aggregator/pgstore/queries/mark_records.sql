-- the cursor over a task's marks; $1 task
DECLARE rows NO SCROLL CURSOR FOR
SELECT report, bucket FROM marks WHERE task = $1 ORDER BY report
