-- $1 task, $2 digest
INSERT INTO pins (task, digest) VALUES ($1, $2) ON CONFLICT (task) DO NOTHING
