-- $1 task, $2 text, $3 salts, $4 created
INSERT INTO statements (task, text, salts, created) VALUES ($1, $2, $3, $4)
