-- Names, over all schemas, with their most volatile overload: 0 immutable, 1 stable, 2 volatile.
SELECT proname::text, max(CASE provolatile WHEN 'v' THEN 2 WHEN 's' THEN 1 ELSE 0 END)
FROM pg_proc
GROUP BY 1
