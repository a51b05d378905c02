SET lock_timeout = '2s';
ALTER TABLE items RENAME TO articles;
