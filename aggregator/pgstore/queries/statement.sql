-- $1 task
SELECT text, salts, created FROM statements WHERE task = $1
