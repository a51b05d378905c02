SELECT current_setting('server_version'),
       current_setting('server_version_num')::int,
       current_database()::text,
       (SELECT oid FROM pg_database WHERE datname = current_database()),
       current_user::text,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
       pg_is_in_recovery(),
       current_setting('default_transaction_read_only')::bool,
       (SELECT setting::int FROM pg_settings WHERE name = 'deadlock_timeout')
