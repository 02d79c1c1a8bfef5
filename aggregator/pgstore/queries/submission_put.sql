-- $1 task, then the columns
INSERT INTO submissions (task, member, correction, report, signer, contributes, received, aggregated) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (task, member) DO UPDATE
SET correction = excluded.correction, report = excluded.report, signer = excluded.signer, contributes = excluded.contributes, received = excluded.received,
    aggregated = excluded.aggregated
