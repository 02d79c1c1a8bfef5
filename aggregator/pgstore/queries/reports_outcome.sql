-- $1 task, arrays: $2 id, $3 state, $4 code, $5 not_before
UPDATE reports r
SET state = g.state,
    code = CASE WHEN g.state = 4 THEN g.code ELSE r.code END,
    not_before = CASE WHEN g.state = 1 THEN g.not_before ELSE r.not_before END,
    job = CASE WHEN g.state = 1 THEN NULL ELSE r.job END
FROM unnest($2::bytea[], $3::smallint[], $4::smallint[], $5::timestamptz[]) AS g (id, state, code, not_before)
WHERE r.task = $1 AND r.id = g.id AND r.state = 2
RETURNING r.number, r.time, g.state
