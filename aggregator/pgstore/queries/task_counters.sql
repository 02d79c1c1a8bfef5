-- $1 task
SELECT name, sum(n)::bigint FROM counters WHERE task = $1 GROUP BY name
