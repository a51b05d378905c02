CREATE SCHEMA replank;
CREATE TABLE replank.run (id int PRIMARY KEY);
CREATE SCHEMA app;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE FUNCTION mine() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE FUNCTION calm() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE FUNCTION addv(int, int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT $1 + $2';
CREATE OPERATOR +@ (LEFTARG = int, RIGHTARG = int, FUNCTION = addv);
CREATE FUNCTION of_mood(mood) RETURNS text LANGUAGE sql AS 'SELECT $1::text';
CREATE TABLE item (
    id bigserial PRIMARY KEY,
    gone int,
    label text COLLATE "C" NOT NULL,
    made timestamptz DEFAULT now(),
    rnd float8 DEFAULT random(),
    const int DEFAULT 7,
    own int DEFAULT mine(),
    uid uuid DEFAULT gen_random_uuid(),
    stab int DEFAULT calm(),
    op int DEFAULT 1 +@ 2,
    twice int DEFAULT 2 * 3,
    moods mood[],
    feel mood,
    parent bigint,
    loud text GENERATED ALWAYS AS (upper(label)) STORED
);
ALTER TABLE item DROP COLUMN gone;
ALTER TABLE item ADD CONSTRAINT item_parent_fkey FOREIGN KEY (parent) REFERENCES item NOT VALID;
ALTER TABLE item ALTER label SET STATISTICS 250, ALTER label SET (n_distinct = 7);
COMMENT ON COLUMN item.label IS 'what it is';
GRANT UPDATE (label) ON item TO READER;
GRANT SELECT ON item TO READER;
CREATE INDEX item_expr ON item (lower(label), own) INCLUDE (made) WHERE const > 0;
ALTER INDEX item_expr ALTER COLUMN 1 SET STATISTICS 321;
CREATE STATISTICS item_stat ON label, const FROM item;
ALTER TABLE item ENABLE ROW LEVEL SECURITY;
CREATE POLICY only_labelled ON item FOR SELECT TO READER, CURRENT_USER USING (label <> '');
CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE OF label ON item FOR EACH ROW EXECUTE FUNCTION tf();
CREATE RULE keep AS ON DELETE TO item WHERE OLD.label = 'keep' DO INSTEAD NOTHING;
CREATE FUNCTION of_item(item) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE bare (id int);
CREATE TABLE revoked (id int);
REVOKE ALL ON revoked FROM CURRENT_USER;
CREATE TABLE app.detail (id int PRIMARY KEY, item bigint REFERENCES item);
CREATE VIEW v1 AS SELECT id, label, const FROM item WHERE const > 0 WITH LOCAL CHECK OPTION;
COMMENT ON VIEW v1 IS 'the first view';
ALTER VIEW v1 ALTER label SET DEFAULT 'none';
GRANT UPDATE (label) ON v1 TO READER;
CREATE TRIGGER through INSTEAD OF DELETE ON v1 FOR EACH ROW EXECUTE FUNCTION tf();
CREATE VIEW v2 AS SELECT label, id FROM v1;
CREATE MATERIALIZED VIEW mv AS SELECT v2.label, v1.id FROM v2 JOIN v1 USING (id);
CREATE UNIQUE INDEX mv_id ON mv (id);
CREATE VIEW top AS SELECT mv.label, item.label AS own FROM mv JOIN item USING (id);
CREATE RULE log_it AS ON INSERT TO top DO INSTEAD NOTHING;
CREATE RULE log_it AS ON UPDATE TO app.detail DO ALSO SELECT label FROM mv;
CREATE VIEW moody AS SELECT 'ok'::mood AS m;
CREATE TABLE with_default (m mood DEFAULT 'sad');
CREATE TABLE filled (id int PRIMARY KEY, v text);
ALTER TABLE filled SET (autovacuum_enabled = false);
INSERT INTO filled SELECT g, repeat('x', 100) FROM generate_series(1, 5000) g;
CREATE TABLE part (day date NOT NULL, region text, n int) PARTITION BY RANGE (day, lower(region));
CREATE INDEX ON part (region);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2026-01-01', MINVALUE) TO ('2026-02-01', MINVALUE);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ('2026-02-01', MINVALUE) TO ('2026-03-01', MINVALUE);
INSERT INTO part SELECT date '2026-01-01' + g % 40, 'r', g FROM generate_series(1, 300) g;
CREATE TABLE target (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE target_1 PARTITION OF target FOR VALUES FROM (0) TO (10);
CREATE TABLE refpart (id int REFERENCES target);
CREATE PUBLICATION all_of_it FOR ALL TABLES;
CREATE PUBLICATION parts FOR TABLE part;
