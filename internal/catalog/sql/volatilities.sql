-- Names, over all schemas, with their most volatile overload.
SELECT proname::text, bool_or(provolatile = 'v')
FROM pg_proc WHERE provolatile <> 'i'
GROUP BY 1
