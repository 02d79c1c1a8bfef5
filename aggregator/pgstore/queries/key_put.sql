-- $1 task, $2 ID, $3 wrapped key
INSERT INTO keys (task, id, wrapped) VALUES ($1, $2, $3) ON CONFLICT (task, id) DO UPDATE SET wrapped = excluded.wrapped
