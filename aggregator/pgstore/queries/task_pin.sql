-- $1 task
SELECT digest FROM pins WHERE task = $1
