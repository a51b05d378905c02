UPDATE replank.lease
SET epoch = epoch + 1,
    token = gen_random_uuid()::text,
    since = clock_timestamp(),
    lease_until = clock_timestamp() + $2::float8 * interval '1 second',
    holder = $3, host = $4, os_pid = $5, application = $6, pid = $7, backend_start = $8
WHERE name = $1
RETURNING epoch, token
