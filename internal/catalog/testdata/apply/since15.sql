-- since 15
CREATE TABLE c (pid int, a text);
ALTER TABLE c ADD CONSTRAINT nnd UNIQUE NULLS NOT DISTINCT (pid);
CREATE UNIQUE INDEX nnd2 ON c (a) NULLS NOT DISTINCT;
CREATE VIEW v WITH (security_invoker) AS SELECT a FROM c;
ALTER VIEW v RESET (security_invoker);
ALTER VIEW v SET (security_barrier = true);
CREATE TABLE p (id int, k int) PARTITION BY LIST (k);
CREATE UNLOGGED TABLE u (id serial);
ALTER TABLE u SET LOGGED;
