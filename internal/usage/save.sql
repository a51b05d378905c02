-- Writes the entries that have changed.
INSERT INTO replank.called AS c (role, queryid, toplevel, calls, since, counted, last)
SELECT * FROM unnest($1::oid[], $2::bigint[], $3::boolean[], $4::bigint[], $5::timestamptz[], $6::bigint[], $7::timestamptz[])
ON CONFLICT (role, queryid, toplevel) DO UPDATE
    SET calls = excluded.calls, since = excluded.since, counted = excluded.counted, last = excluded.last
    WHERE (c.calls, c.since, c.counted, c.last) IS DISTINCT FROM (excluded.calls, excluded.since, excluded.counted, excluded.last)
