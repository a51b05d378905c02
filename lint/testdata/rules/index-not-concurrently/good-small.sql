-- lint: rows=items:50
SET lock_timeout = '2s';
-- replank:allow index-not-concurrently because the table is small
CREATE INDEX items_name_idx ON items (name);
