BEGIN;
SET LOCAL lock_timeout = '2s';
-- replank:allow drop-column because no code names it any more
ALTER TABLE stock DROP COLUMN n;
CREATE OR REPLACE FUNCTION total() RETURNS bigint LANGUAGE sql AS 'SELECT sum(m) FROM stock';
COMMIT;
