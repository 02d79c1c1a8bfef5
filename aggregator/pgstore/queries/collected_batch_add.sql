-- $1 task, $2 id
INSERT INTO collected_batches (task, id) VALUES ($1, $2) ON CONFLICT (task, id) DO NOTHING
