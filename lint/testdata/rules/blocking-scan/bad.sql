SET lock_timeout = '2s';
ALTER TABLE days DETACH PARTITION days_2025;
