-- $1 task, $2 id, $3 created, $4 reserved
INSERT INTO leader_batches (task, id, created, reserved) VALUES ($1, $2, $3, $4) ON CONFLICT (task, id) DO NOTHING
