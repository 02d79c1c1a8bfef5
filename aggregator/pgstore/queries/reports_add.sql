-- $1 task, then arrays: $2 id, $3 time, $4 not_before, $5 body; returns the IDs that were new
WITH given AS (
    SELECT * FROM unnest($2::bytea[], $3::bytea[], $4::timestamptz[], $5::bytea[]) WITH ORDINALITY AS g (id, time, not_before, body, n)
), new AS (
    INSERT INTO reports (task, id, time, not_before, state)
    SELECT $1, id, time, not_before, 1 FROM given ORDER BY n
    ON CONFLICT (task, id) DO NOTHING
    RETURNING id, number
), kept AS (
    INSERT INTO bodies (number, body) SELECT new.number, given.body FROM new JOIN given ON given.id = new.id
)
SELECT id FROM new
