ALTER TABLE accounts RENAME COLUMN label TO title;
