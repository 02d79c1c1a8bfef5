-- $1 task, $2 bucket
INSERT INTO erased (task, bucket) VALUES ($1, $2) ON CONFLICT (task, bucket) DO NOTHING
