-- the first statement of a deferrable transaction waits
SELECT 1
