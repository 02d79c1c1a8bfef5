-- $1 number, $2 body
UPDATE bodies SET body = $2 WHERE number = $1
