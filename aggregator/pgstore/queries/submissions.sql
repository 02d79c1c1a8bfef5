-- $1 task
SELECT member, correction, report, signer, contributes, received, aggregated FROM submissions WHERE task = $1
