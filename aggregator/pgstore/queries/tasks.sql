-- all tasks that have a row
SELECT task FROM pins UNION SELECT task FROM counters UNION SELECT task FROM reports UNION SELECT task FROM leader_batches
UNION SELECT task FROM aggregation_jobs UNION SELECT task FROM marks UNION SELECT task FROM buckets UNION SELECT task FROM collected_intervals
UNION SELECT task FROM collected_batches UNION SELECT task FROM collection_jobs UNION SELECT task FROM helper_jobs UNION SELECT task FROM share_answers
UNION SELECT task FROM submissions UNION SELECT task FROM statements UNION SELECT task FROM keys
ORDER BY task
