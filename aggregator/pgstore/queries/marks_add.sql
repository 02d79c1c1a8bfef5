-- $1 task, $2 bucket, $3 array of ids; returns those that were new
INSERT INTO marks (task, report, bucket) SELECT $1, id, $2 FROM unnest($3::bytea[]) AS g (id)
ON CONFLICT (task, report) DO NOTHING RETURNING report
