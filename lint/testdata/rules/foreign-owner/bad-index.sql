-- lint: owner=orders:django
SET lock_timeout = '2s';
DROP INDEX CONCURRENTLY orders_item_idx;
