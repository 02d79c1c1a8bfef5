-- $1 task, $2 text, $3 salts
UPDATE statements SET text = $2, salts = $3 WHERE task = $1
