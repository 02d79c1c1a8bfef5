-- $1 task, $2 member
SELECT member, correction, report, signer, contributes, received, aggregated FROM submissions WHERE task = $1 AND member = $2
