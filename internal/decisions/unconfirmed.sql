-- Gateways that may still let requests of a tenant pass, or have some under way.
SELECT name, tenants, epoch >= $2, coalesce((in_flight ->> $1)::bigint, 0), extract(epoch FROM clock_timestamp() - seen_at)::float8
FROM replank.gateway
WHERE NOT tenants OR epoch < $2 OR in_flight ->> $1 IS NOT NULL
ORDER BY name
