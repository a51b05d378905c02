CREATE INDEX entries_posted_on_idx ON entries (posted_on);
