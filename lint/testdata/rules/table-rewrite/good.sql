SET lock_timeout = '2s';
VACUUM (ANALYZE) orders;
ALTER TABLE orders SET (fillfactor = 90);
