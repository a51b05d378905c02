-- Removes the entries that are not there any more.
DELETE FROM replank.called c
WHERE NOT EXISTS (
    SELECT FROM unnest($1::oid[], $2::bigint[], $3::boolean[]) AS n(role, queryid, toplevel)
    WHERE (n.role, n.queryid, n.toplevel) = (c.role, c.queryid, c.toplevel))
