-- What decides what a statement means or does; and what others rely on to be spared (timeouts).
SELECT name, setting
FROM pg_settings
WHERE name IN ('array_nulls', 'backslash_quote', 'check_function_bodies', 'DateStyle', 'default_table_access_method',
               'default_tablespace', 'default_text_search_config', 'default_toast_compression', 'extra_float_digits',
               'idle_in_transaction_session_timeout', 'IntervalStyle', 'lock_timeout', 'max_locks_per_transaction',
               'search_path', 'standard_conforming_strings', 'statement_timeout', 'TimeZone', 'transform_null_equals',
               'wal_level', 'xmlbinary', 'xmloption')
