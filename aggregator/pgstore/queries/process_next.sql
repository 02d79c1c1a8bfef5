-- the number of a process that opens the store
SELECT nextval('processes')
