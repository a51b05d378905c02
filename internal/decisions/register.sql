-- A gateway of this name that has not been seen for a while is the one that was here before, and was killed.
WITH before AS (
    DELETE FROM replank.gateway WHERE name = $2 AND id <> $1 AND seen_at < clock_timestamp() - interval '10 seconds'
)
INSERT INTO replank.gateway (id, name, tenants, epoch) VALUES ($1, $2, $3, -1)
ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp()
