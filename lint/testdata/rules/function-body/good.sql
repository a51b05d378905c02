SET lock_timeout = '2s';
-- replank:allow drop-column because no code names it any more
ALTER TABLE stock DROP COLUMN m;
