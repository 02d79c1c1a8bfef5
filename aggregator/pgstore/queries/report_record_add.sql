-- $1 task, $2 id, $3 time, $4 not_before, $5 state, $6 code, $7 job, $8 body or none
WITH new AS (
    INSERT INTO reports (task, id, time, not_before, state, code, job) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING number
)
INSERT INTO bodies (number, body) SELECT number, $8::bytea FROM new WHERE $8::bytea IS NOT NULL
