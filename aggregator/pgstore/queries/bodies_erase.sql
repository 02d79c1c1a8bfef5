-- $1 array of numbers
DELETE FROM bodies WHERE number = ANY ($1)
