-- $1 task, arrays: $2 id, $3 code, $4 their number; none changes unless all are unassigned
UPDATE reports r SET state = 4, code = g.code
FROM unnest($2::bytea[], $3::smallint[]) AS g (id, code)
WHERE r.task = $1 AND r.id = g.id
  AND (SELECT count(*) FILTER (WHERE state = 1) FROM reports WHERE task = $1 AND id = ANY ($2)) = $4
RETURNING r.number, r.time
