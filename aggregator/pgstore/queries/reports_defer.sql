-- $1 task, $2 array of ids, $3 not_before. IS TRUE keeps the index of all unassigned reports out of it, here and elsewhere
UPDATE reports SET not_before = $3 WHERE task = $1 AND id = ANY ($2) AND (state = 1) IS TRUE
