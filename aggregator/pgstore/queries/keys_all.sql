-- the keys of all tasks
SELECT id, wrapped, task FROM keys ORDER BY task, id
