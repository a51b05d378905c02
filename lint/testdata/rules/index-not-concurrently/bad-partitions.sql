SET lock_timeout = '2s';
create index on measures using brin (value) where place > 0;
