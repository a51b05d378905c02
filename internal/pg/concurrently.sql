-- How far is the statement of backend $1, and whom does it wait for?
SELECT coalesce(p.phase, ''),
       coalesce(p.blocks_done, 0), coalesce(p.blocks_total, 0),
       coalesce(p.tuples_done, 0), coalesce(p.tuples_total, 0),
       coalesce(p.lockers_done, 0), coalesce(p.lockers_total, 0),
       coalesce(a.wait_event_type = 'Lock', false)
FROM pg_stat_activity a
LEFT JOIN pg_stat_progress_create_index p ON p.pid = a.pid
WHERE a.pid = $1
