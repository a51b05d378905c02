-- Statements whose effects the test measures on the live server and compares with what Effects says.
-- The schema is ddl_fixture.sql and then forms_fixture.sql; search_path is m; every form is rolled back.
--
--   form:   its name
--   pg:     the major versions that know it: "15-", "-17", "14-16"; all when left out
--   tz:     TimeZone of the session; UTC when left out
--   setup:  a statement committed before (the form then gets a database of its own)
--   atmost: why Effects may claim more than is seen
--   unforeseen: why the server refuses what Effects cannot know to be refused
--   hold:   statements of another session while the form, which refuses a transaction block, waits for it

-- form: odd add column
ALTER TABLE "Odd Table" ADD COLUMN "neu" int;
-- form: odd rename table
ALTER TABLE "Odd Table" RENAME TO "other odd";
-- form: odd rename column
ALTER TABLE "Odd Table" RENAME "sel ect" TO "from";
-- form: odd type
ALTER TABLE "Odd Table" ALTER "Größe" TYPE varchar(11);
-- form: odd type rewrite
ALTER TABLE "Odd Table" ALTER "sel ect" TYPE varchar(11);
-- form: odd drop column with index
ALTER TABLE "Odd Table" DROP "sel ect";
-- form: odd reindex
REINDEX INDEX m."Odd Idx";
-- form: odd index rename through alter table
ALTER TABLE "Odd Idx" RENAME TO "Odd Idx 2";
-- form: odd drop index
DROP INDEX "Odd Idx";
-- form: odd truncate
TRUNCATE m."Odd Table";

-- form: create table plain
CREATE TABLE fresh(id int PRIMARY KEY, v text);
-- form: create table with fk
CREATE TABLE fresh(id int PRIMARY KEY, p int REFERENCES p);
-- form: create table with composite fk
CREATE TABLE fresh(t int, a bigint, FOREIGN KEY (t, a) REFERENCES acc(tenant, id));
-- form: create table fk to partitioned
CREATE TABLE fresh(k int, id int, FOREIGN KEY (k, id) REFERENCES part(k, id));
-- form: create table inherits
CREATE TABLE fresh(more int) INHERITS (ancestor);
-- form: create table of type
CREATE TABLE fresh OF pair;
-- form: create partition of with fk and pk
CREATE TABLE part_c PARTITION OF part FOR VALUES FROM (6000) TO (7000);
-- form: create partition beside default scans the default
CREATE TABLE dp_two PARTITION OF dp FOR VALUES IN (99999);
-- form: create subpartition
CREATE TABLE part_c PARTITION OF part FOR VALUES FROM (6000) TO (7000) PARTITION BY LIST (id);
-- form: create temp table
CREATE TEMP TABLE fresh AS SELECT * FROM vvacc;
-- form: create table as matview
CREATE TABLE fresh AS SELECT m.id FROM macc m JOIN p ON p.id = m.id;
-- form: create table as with no data
CREATE TABLE fresh AS SELECT * FROM t WITH NO DATA;
-- form: select into
SELECT * INTO fresh FROM p;
-- form: create table if not exists on an existing one
CREATE TABLE IF NOT EXISTS p(id int);

-- form: drop plain table
DROP TABLE un;
-- form: drop referencing table
DROP TABLE entry;
-- form: drop table with dependents
DROP TABLE acc CASCADE;
-- form: drop partition
DROP TABLE part_a CASCADE;
-- form: drop partitioned table
DROP TABLE part CASCADE;
-- form: drop plain partition
DROP TABLE pt1;
-- form: drop several
DROP TABLE un, ulog;
-- form: drop if exists of nothing
DROP TABLE IF EXISTS not_there;
-- form: drop table inherited
DROP TABLE ancestor CASCADE;
-- form: drop table behind default partition
DROP TABLE dp_one;
-- form: drop schema
DROP SCHEMA other;

-- form: rename table with views
ALTER TABLE acc RENAME TO account;
-- form: rename partition
ALTER TABLE part_a RENAME TO part_first;
-- form: set schema table
ALTER TABLE entry SET SCHEMA moved;
-- form: set schema partitioned
ALTER TABLE part SET SCHEMA moved;
-- form: set schema view
ALTER VIEW vacc SET SCHEMA moved;
-- form: set schema sequence
ALTER SEQUENCE free_seq SET SCHEMA moved;
-- form: set schema matview
ALTER MATERIALIZED VIEW macc SET SCHEMA moved;
-- form: set schema type
ALTER TYPE feel SET SCHEMA moved;
-- form: truncate partitioned
TRUNCATE pt;
-- form: truncate cascade
TRUNCATE p, acc CASCADE;
-- form: truncate restart identity
TRUNCATE entry RESTART IDENTITY;
-- form: truncate only parent
TRUNCATE ONLY ancestor;
-- form: truncate inherited
TRUNCATE ancestor;

-- form: add column partitioned
ALTER TABLE part ADD COLUMN z int DEFAULT 3;
-- form: add column partitioned volatile
ALTER TABLE part ADD COLUMN z float DEFAULT random();
-- form: add column inherited
ALTER TABLE ancestor ADD COLUMN z int;
-- form: add column only parent
ALTER TABLE ONLY orphan ADD COLUMN z int;
-- form: add column identity
ALTER TABLE p ADD COLUMN z int GENERATED ALWAYS AS IDENTITY;
-- form: add column bigserial
ALTER TABLE un ADD COLUMN z bigserial;
-- form: add column primary key
ALTER TABLE un ADD COLUMN z serial PRIMARY KEY;
-- form: add column references
ALTER TABLE un ADD COLUMN z int REFERENCES p;
-- form: add column references itself
ALTER TABLE p ADD COLUMN z int REFERENCES p;
-- form: add column references partitioned table
ALTER TABLE un ADD COLUMN z int, ADD FOREIGN KEY (a, z) REFERENCES part(k, id);
-- form: add column to partitioned references
ALTER TABLE pt ADD COLUMN z int REFERENCES p;
-- form: add column clock default
ALTER TABLE un ADD COLUMN z timestamptz DEFAULT clock_timestamp();
-- form: add column current_date default
ALTER TABLE un ADD COLUMN z date DEFAULT current_date;
-- form: add column nextval default
ALTER TABLE un ADD COLUMN z int DEFAULT nextval('free_seq');
-- form: add column immutable function default
ALTER TABLE un ADD COLUMN z int DEFAULT ff(4);
-- form: add column volatile function default
ALTER TABLE un ADD COLUMN z int DEFAULT vf();
-- form: add column domain over domain
ALTER TABLE un ADD COLUMN z pos_over;
-- form: add column domain not null
ALTER TABLE un ADD COLUMN z req DEFAULT 'x';
-- form: add column domain array
ALTER TABLE un ADD COLUMN z pos[];
-- form: add column plain domain
ALTER TABLE un ADD COLUMN z label DEFAULT 'x';
-- form: add column enum default
ALTER TABLE un ADD COLUMN z feel NOT NULL DEFAULT 'a';
-- form: add column composite
ALTER TABLE un ADD COLUMN z pair;
-- form: add column array default
ALTER TABLE un ADD COLUMN z text[] NOT NULL DEFAULT '{}';
-- form: add column if not exists
ALTER TABLE un ADD COLUMN IF NOT EXISTS a int;
-- form: add two columns
ALTER TABLE un ADD COLUMN y int, ADD COLUMN z text DEFAULT 'q';
-- form: add column unlogged table
ALTER TABLE ulog ADD COLUMN z int DEFAULT 0;
-- form: add generated column to partitioned
ALTER TABLE pt ADD COLUMN z int GENERATED ALWAYS AS (k + 1) STORED;
-- form: add virtual column with check
-- pg: 18-
ALTER TABLE un ADD COLUMN z int GENERATED ALWAYS AS (a + 1) VIRTUAL CHECK (z > 0);
-- form: add virtual column not null
-- pg: 18-
ALTER TABLE un ADD COLUMN z int GENERATED ALWAYS AS (a + 1) VIRTUAL NOT NULL;

-- form: drop column plain
ALTER TABLE entry DROP COLUMN note;
-- form: drop column of composite fk
ALTER TABLE entry DROP COLUMN acc;
-- form: drop column with view
ALTER TABLE acc DROP COLUMN name CASCADE;
-- form: drop column referenced
ALTER TABLE p DROP COLUMN id CASCADE;
-- form: drop primary key column cascade
ALTER TABLE acc DROP COLUMN id CASCADE;
-- form: drop column partitioned
ALTER TABLE part DROP COLUMN name;
-- form: drop fk column partitioned
ALTER TABLE part DROP COLUMN acc;
-- form: drop serial column
ALTER TABLE entry DROP COLUMN id;
-- form: drop column if exists
ALTER TABLE entry DROP COLUMN IF EXISTS nothing;
-- form: drop column with generated dependent
ALTER TABLE gen DROP COLUMN a CASCADE;
-- form: drop column with policy, trigger and statistics
ALTER TABLE clu DROP COLUMN v CASCADE;
-- form: drop inherited column
ALTER TABLE ancestor DROP COLUMN v;
-- form: rename column with views
ALTER TABLE acc RENAME COLUMN name TO title;
-- form: rename column partitioned
ALTER TABLE part RENAME COLUMN name TO title;
-- form: rename column referenced
ALTER TABLE p RENAME COLUMN id TO pid;
-- form: rename view column
ALTER VIEW vacc RENAME COLUMN name TO title;
-- form: rename matview column
ALTER MATERIALIZED VIEW macc RENAME COLUMN tenant TO client;
-- form: rename attribute
ALTER TYPE unused_pair RENAME ATTRIBUTE a TO c;
-- form: add attribute
ALTER TYPE unused_pair ADD ATTRIBUTE c int;

-- form: set default partitioned
ALTER TABLE part ALTER COLUMN name SET DEFAULT 'x';
-- form: drop default view
ALTER VIEW vacc ALTER COLUMN name SET DEFAULT 'x';
-- form: set not null plain
ALTER TABLE t2 ALTER COLUMN a SET NOT NULL;
-- form: set not null already
ALTER TABLE t ALTER COLUMN nn SET NOT NULL;
-- form: set not null proven by conjunction
ALTER TABLE nn ALTER COLUMN b SET NOT NULL;
-- form: set not null twice, one proven
ALTER TABLE nn ALTER COLUMN a SET NOT NULL, ALTER COLUMN c SET NOT NULL;
-- form: set not null both proven
ALTER TABLE nn ALTER COLUMN a SET NOT NULL, ALTER COLUMN b SET NOT NULL;
-- form: set not null and drop proof
ALTER TABLE nn ALTER COLUMN a SET NOT NULL, DROP CONSTRAINT a_there;
-- form: set not null inherited
ALTER TABLE ancestor ALTER COLUMN id SET NOT NULL;
-- form: set not null on one partition
ALTER TABLE part_a ALTER COLUMN acc SET NOT NULL;
-- form: set not null only
-- pg: -17
ALTER TABLE ONLY pt1 ALTER COLUMN v SET NOT NULL;
-- form: drop not null
ALTER TABLE t ALTER COLUMN nn DROP NOT NULL;
-- form: drop not null partitioned
ALTER TABLE ptd ALTER COLUMN id DROP NOT NULL;
-- form: drop not null inherited
ALTER TABLE ancestor ALTER COLUMN w DROP NOT NULL;
-- form: add identity partitioned
-- pg: 17-
ALTER TABLE part ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY;
-- form: set identity
ALTER TABLE acc ALTER COLUMN id SET GENERATED ALWAYS;
-- form: restart identity
ALTER TABLE acc ALTER COLUMN id RESTART WITH 5000;
-- form: drop identity
ALTER TABLE acc ALTER COLUMN id DROP IDENTITY;
-- form: drop expression
ALTER TABLE gen ALTER COLUMN b DROP EXPRESSION;
-- form: set expression virtual
-- pg: 18-
-- setup: ALTER TABLE gen ADD COLUMN w int GENERATED ALWAYS AS (a * 3) VIRTUAL
ALTER TABLE gen ALTER COLUMN w SET EXPRESSION AS (a * 4);

-- form: check already not valid then validate
ALTER TABLE entry VALIDATE CONSTRAINT entry_loose;
-- form: validate valid check
ALTER TABLE entry VALIDATE CONSTRAINT entry_qty;
-- form: check partitioned
ALTER TABLE part ADD CONSTRAINT ck CHECK (id >= 0);
-- form: check partitioned not valid
ALTER TABLE part ADD CONSTRAINT ck CHECK (id >= 0) NOT VALID;
-- form: check inherited
ALTER TABLE ancestor ADD CONSTRAINT ck CHECK (id > 0);
-- form: check no inherit
ALTER TABLE ancestor ADD CONSTRAINT ck CHECK (id > 0) NO INHERIT;
-- form: validate check partitioned
-- setup: ALTER TABLE part ADD CONSTRAINT ck CHECK (id >= 0) NOT VALID
ALTER TABLE part VALIDATE CONSTRAINT ck;
-- form: unnamed check
ALTER TABLE entry ADD CHECK (qty > 0);
-- form: drop check partitioned
-- setup: ALTER TABLE part ADD CONSTRAINT ck CHECK (id >= 0)
ALTER TABLE part DROP CONSTRAINT ck;
-- form: check whose expression is implied
ALTER TABLE entry ADD CONSTRAINT again CHECK (qty > 0);
-- form: fk composite
ALTER TABLE clu ADD COLUMN tn int, ADD CONSTRAINT f FOREIGN KEY (tn, w) REFERENCES acc(tenant, id);
-- form: fk composite not valid
ALTER TABLE pref ADD CONSTRAINT f FOREIGN KEY (k, pid) REFERENCES acc(tenant, id) NOT VALID;
-- form: fk self
ALTER TABLE un ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES un(id);
-- form: fk to partitioned
ALTER TABLE un ADD CONSTRAINT f FOREIGN KEY (a, id) REFERENCES part(k, id);
-- form: fk to partitioned not valid
ALTER TABLE un ADD CONSTRAINT f FOREIGN KEY (a, id) REFERENCES part(k, id) NOT VALID;
-- form: fk from partitioned
ALTER TABLE ptd ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES p(id);
-- form: fk from partition
ALTER TABLE pt1 ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES acc(id) NOT VALID;
-- form: validate fk self
-- setup: ALTER TABLE un ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES un(id) NOT VALID
ALTER TABLE un VALIDATE CONSTRAINT f;
-- form: validate fk to partitioned
-- setup: ALTER TABLE un ADD CONSTRAINT f FOREIGN KEY (a, id) REFERENCES part(k, id) NOT VALID
ALTER TABLE un VALIDATE CONSTRAINT f;
-- form: validate fk from partitioned
-- pg: 18-
-- setup: ALTER TABLE ptd ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES p(id) NOT VALID
ALTER TABLE ptd VALIDATE CONSTRAINT f;
-- form: drop fk
ALTER TABLE entry DROP CONSTRAINT entry_tenant_acc_fkey;
-- form: drop fk self
ALTER TABLE acc DROP CONSTRAINT acc_parent_fkey;
-- form: drop fk from partitioned
ALTER TABLE part DROP CONSTRAINT part_acc;
-- form: drop fk to partitioned
ALTER TABLE pref DROP CONSTRAINT pref_part;
-- form: drop primary key cascade
ALTER TABLE acc DROP CONSTRAINT acc_pkey CASCADE;
-- form: drop primary key plain
ALTER TABLE t2 DROP CONSTRAINT t2_pkey;
-- form: drop primary key partitioned
ALTER TABLE part DROP CONSTRAINT part_pkey CASCADE;
-- form: drop constraint if exists
ALTER TABLE entry DROP CONSTRAINT IF EXISTS nothing;
-- form: rename check
ALTER TABLE entry RENAME CONSTRAINT entry_qty TO quantity;
-- form: rename fk
ALTER TABLE entry RENAME CONSTRAINT entry_tenant_acc_fkey TO f;
-- form: rename constraint partitioned
ALTER TABLE part RENAME CONSTRAINT part_pkey TO part_key;
-- form: unique partitioned
ALTER TABLE pt ADD CONSTRAINT q UNIQUE (k, id);
-- form: unique using index
ALTER TABLE un ADD CONSTRAINT q UNIQUE USING INDEX un_u;
-- form: primary key using nullable index
ALTER TABLE clu DROP CONSTRAINT clu_pkey, ADD CONSTRAINT clu_pkey PRIMARY KEY USING INDEX clu_w;
-- form: primary key on not null column
ALTER TABLE orphan ADD PRIMARY KEY (w);
-- form: primary key partitioned
ALTER TABLE pt ADD PRIMARY KEY (k, id);
-- form: unique deferrable
ALTER TABLE t2 ADD CONSTRAINT q UNIQUE (id, a) DEFERRABLE;
-- form: exclude
ALTER TABLE t2 ADD CONSTRAINT q EXCLUDE (a WITH =) WHERE (id < 100);
-- form: add not null 18
-- pg: 18-
ALTER TABLE t2 ADD CONSTRAINT there NOT NULL a;
-- form: add not null 18 proven
-- pg: 18-
ALTER TABLE nn ADD CONSTRAINT there NOT NULL a;
-- form: validate not null 18
-- pg: 18-
-- setup: ALTER TABLE t2 ADD CONSTRAINT there NOT NULL a NOT VALID
ALTER TABLE t2 VALIDATE CONSTRAINT there;
-- form: set not null validates 18
-- pg: 18-
-- setup: ALTER TABLE t2 ADD CONSTRAINT there NOT NULL a NOT VALID
ALTER TABLE t2 ALTER a SET NOT NULL;
-- form: not null partitioned not valid 18
-- pg: 18-
ALTER TABLE pt ADD CONSTRAINT there NOT NULL v NOT VALID;
-- form: drop not null constraint 18
-- pg: 18-
ALTER TABLE t DROP CONSTRAINT t_nn_not_null;
-- form: alter constraint partitioned
ALTER TABLE part ALTER CONSTRAINT part_acc DEFERRABLE;
-- form: alter constraint referencing partitioned
ALTER TABLE pref ALTER CONSTRAINT pref_part DEFERRABLE;

-- form: create index plain
CREATE INDEX i ON t2(a);
-- form: create index unique partial include
CREATE UNIQUE INDEX i ON entry(id) INCLUDE (qty) WHERE qty > 10;
-- form: create index expression
CREATE INDEX i ON entry((qty + 1));
-- form: create index gin
CREATE INDEX i ON entry USING gin(tags);
-- form: create index brin
CREATE INDEX i ON entry USING brin(id);
-- form: create index hash
CREATE INDEX i ON entry USING hash(qty);
-- form: create index on subpartitioned
CREATE INDEX i ON part(amt, id);
-- form: create index reusing partition's
CREATE INDEX i ON part(amt);
-- form: create index on partition
CREATE INDEX i ON part_a(acc);
-- form: create index on matview
CREATE INDEX i ON macc(tenant);
-- form: create index if not exists
CREATE INDEX IF NOT EXISTS entry_acc ON entry(qty);
-- form: create index inherited
CREATE INDEX i ON ancestor(v);
-- form: create index concurrently
-- hold: INSERT INTO t2 VALUES (99999, 1, 'z')
CREATE INDEX CONCURRENTLY i ON t2(a);
-- form: drop index plain
DROP INDEX t_b_idx;
-- form: drop index partitioned
DROP INDEX part_name;
-- form: drop index on only
DROP INDEX part_only;
-- form: drop index concurrently
-- hold: INSERT INTO t(id, nn) VALUES (99999, 1)
DROP INDEX CONCURRENTLY t_b_idx;
-- form: rename partitioned index
ALTER INDEX part_name RENAME TO part_title;
-- form: rename constraint index
ALTER INDEX acc_pkey RENAME TO acc_key;
-- form: attach index
ALTER INDEX part_only ATTACH PARTITION part_a_amt;
-- form: alter index statistics
ALTER INDEX entry_lower ALTER COLUMN 1 SET STATISTICS 100;
-- form: alter index fastupdate
ALTER INDEX entry_tags SET (fastupdate = off);
-- form: alter index reset
ALTER INDEX t_b_idx RESET (fillfactor);
-- form: reindex table
REINDEX TABLE t;
-- form: reindex matview index
REINDEX INDEX macc_id;
-- form: reindex partitioned concurrently
-- hold: INSERT INTO t2 VALUES (99999, 1, 'z')
REINDEX TABLE CONCURRENTLY t2;

-- form: attach proven
ALTER TABLE part ATTACH PARTITION part_proved FOR VALUES FROM (6000) TO (8000);
-- form: attach scanned with indexes and fks
ALTER TABLE part ATTACH PARTITION part_new FOR VALUES FROM (6000) TO (8000);
-- form: attach beside default
ALTER TABLE dp ATTACH PARTITION dp_new FOR VALUES IN (5000);
-- form: attach proven beside default
ALTER TABLE dp ATTACH PARTITION dp_proved FOR VALUES IN (5000);
-- form: attach default
-- setup: ALTER TABLE dp DETACH PARTITION dp_def
ALTER TABLE dp ATTACH PARTITION dp_def DEFAULT;
-- form: attach proven beside proven default
-- setup: ALTER TABLE dp_def ADD CONSTRAINT df CHECK (k IS NOT NULL AND k <> 5000)
ALTER TABLE dp ATTACH PARTITION dp_proved FOR VALUES IN (5000);
-- form: attach with column already not null
ALTER TABLE pt ATTACH PARTITION ptn FOR VALUES FROM (2000) TO (3000);
-- form: detach with fk in
-- atmost: the referencing table, emptied by the setup, is searched all the same
-- setup: DELETE FROM pref
ALTER TABLE part DETACH PARTITION part_a;
-- form: detach beside default
ALTER TABLE dp DETACH PARTITION dp_one;
-- form: detach default
ALTER TABLE dp DETACH PARTITION dp_def;
-- form: detach subpartitioned
-- atmost: the referencing table, emptied by the setup, is searched all the same
-- setup: DELETE FROM pref
ALTER TABLE part DETACH PARTITION part_b;
-- form: inherit
ALTER TABLE orphan INHERIT ancestor;
-- form: no inherit
ALTER TABLE heir NO INHERIT ancestor;

-- form: type varchar to text
ALTER TABLE ty ALTER v TYPE text;
-- form: type varchar widen pattern index
ALTER TABLE ty ALTER v2 TYPE varchar(99);
-- form: type varchar to text pattern index
ALTER TABLE ty ALTER v2 TYPE text;
-- form: type char to varchar
ALTER TABLE ty ALTER c TYPE varchar(5);
-- form: type char to text
ALTER TABLE ty ALTER c TYPE text;
-- form: type char widen
ALTER TABLE ty ALTER c TYPE char(9);
-- form: type numeric narrow
ALTER TABLE ty ALTER n TYPE numeric(20,1);
-- form: type numeric widen indexed
ALTER TABLE ty ALTER n TYPE numeric(20,2);
-- form: type numeric unconstrained indexed
ALTER TABLE ty ALTER n TYPE numeric;
-- form: type numeric to constrained
ALTER TABLE ty ALTER n0 TYPE numeric(20,2);
-- form: type numeric to int
ALTER TABLE ty ALTER n TYPE int;
-- form: type smallint to int
ALTER TABLE ty ALTER i2 TYPE int;
-- form: type bigint to int
ALTER TABLE ty ALTER i8 TYPE int;
-- form: type real to double
ALTER TABLE ty ALTER f4 TYPE double precision;
-- form: type timestamp precision up
ALTER TABLE ty ALTER ts TYPE timestamp(6);
-- form: type timestamp precision max
ALTER TABLE ty ALTER ts TYPE timestamp;
-- form: type timestamp precision down
ALTER TABLE ty ALTER ts TYPE timestamp(1);
-- form: type timestamp to timestamptz utc
ALTER TABLE ty ALTER ts TYPE timestamptz(3);
-- form: type timestamp to timestamptz utc widening
ALTER TABLE ty ALTER ts TYPE timestamptz;
-- form: type timestamp to timestamptz london
-- tz: Europe/London
ALTER TABLE ty ALTER ts TYPE timestamptz;
-- form: type timestamptz to timestamp utc
ALTER TABLE ty ALTER tz TYPE timestamp;
-- form: type timestamptz to timestamp gmt
-- tz: GMT
ALTER TABLE ty ALTER tz TYPE timestamp;
-- form: type timestamptz to timestamp etc
-- tz: Etc/UTC
ALTER TABLE ty ALTER tz TYPE timestamp;
-- form: type timestamptz to timestamp reykjavik
-- tz: Atlantic/Reykjavik
ALTER TABLE ty ALTER tz TYPE timestamp;
-- form: type timestamptz to timestamp zero offset
-- tz: 0
ALTER TABLE ty ALTER tz TYPE timestamp;
-- form: type timestamptz to timestamp lower utc
-- tz: utc
ALTER TABLE ty ALTER tz TYPE timestamp;
-- form: type timestamptz to timestamp berlin
-- tz: Europe/Berlin
ALTER TABLE ty ALTER tz TYPE timestamp;
-- form: type timestamptz at time zone
ALTER TABLE ty ALTER tz TYPE timestamp USING tz AT TIME ZONE 'UTC';
-- form: type timestamptz narrow utc
ALTER TABLE ty ALTER tz TYPE timestamp(3);
-- form: type time widen
ALTER TABLE ty ALTER ti TYPE time(4);
-- form: type time to timetz
ALTER TABLE ty ALTER ti TYPE timetz;
-- form: type interval widen
ALTER TABLE ty ALTER iv TYPE interval(4);
-- form: type interval max
ALTER TABLE ty ALTER iv TYPE interval;
-- form: type interval fields dropped
ALTER TABLE ty ALTER ivf TYPE interval;
-- form: type interval fields narrowed
ALTER TABLE ty ALTER ivf TYPE interval day to minute;
-- form: type bit widen
ALTER TABLE ty ALTER b TYPE bit(5);
-- form: type bit to varbit
ALTER TABLE ty ALTER b TYPE varbit(4);
-- form: type varbit widen
ALTER TABLE ty ALTER vb TYPE varbit(9);
-- form: type varbit free
ALTER TABLE ty ALTER vb TYPE varbit;
-- form: type varbit narrow
ALTER TABLE ty ALTER vb TYPE varbit(4);
-- form: type array of varchar widen
ALTER TABLE ty ALTER va TYPE varchar(20)[];
-- form: type array of varchar narrow
ALTER TABLE ty ALTER va TYPE varchar(5)[];
-- form: type array of varchar to text
ALTER TABLE ty ALTER va TYPE text[];
-- form: type array of numeric widen
ALTER TABLE ty ALTER na TYPE numeric(8,1)[];
-- form: type array of int to bigint
ALTER TABLE ty ALTER ia TYPE bigint[];
-- form: type array dimensions
ALTER TABLE ty ALTER ia TYPE int[][];
-- form: type domain to base
ALTER TABLE ty ALTER dl TYPE text;
-- form: type base to plain domain
ALTER TABLE ty ALTER txt TYPE label;
-- form: type base to checked domain
ALTER TABLE ty ALTER id TYPE pos;
-- form: type checked domain to base
ALTER TABLE ty ALTER dp TYPE int;
-- form: type domain to wider domain
ALTER TABLE ty ALTER dd TYPE pos;
-- form: type checked domain to its own derivate
ALTER TABLE ty ALTER dp TYPE pos_over;
-- form: type short domain to varchar
ALTER TABLE ty ALTER ds TYPE varchar(30);
-- form: type varchar to short domain
ALTER TABLE ty ALTER v TYPE short;
-- form: type wide varchar to short domain
ALTER TABLE ty ALTER txt TYPE short;
-- form: type domain to varchar narrow
ALTER TABLE ty ALTER ds TYPE varchar(10);
-- form: type domain int to bigint
ALTER TABLE ty ALTER dd TYPE bigint;
-- form: type enum to other enum
ALTER TABLE ty ALTER e TYPE feel USING e::text::feel;
-- form: type text to enum
ALTER TABLE ty ALTER txt TYPE feel USING 'a';
-- form: type enum to varchar
ALTER TABLE ty ALTER e TYPE varchar(10);
-- form: type xml to text
ALTER TABLE ty ALTER x TYPE text;
-- form: type text to xml
-- unforeseen: operator classes are not in the schema
ALTER TABLE ty ALTER txt TYPE xml USING NULL::xml;
-- form: type inet to cidr
ALTER TABLE ty ALTER inet TYPE cidr USING cid;
-- form: type cidr to inet indexed
ALTER TABLE ty ALTER cid TYPE inet;
-- form: type cidr to text
ALTER TABLE ty ALTER cid TYPE text;
-- form: type oid to int
ALTER TABLE ty ALTER o TYPE int;
-- form: type oid to regclass
ALTER TABLE ty ALTER o TYPE regclass;
-- form: type int to oid
ALTER TABLE ty ALTER id TYPE oid;
-- form: type bigint to oid
ALTER TABLE ty ALTER i8 TYPE oid;
-- form: type name to text
ALTER TABLE ty ALTER nm TYPE text;
-- form: type bytea to text
ALTER TABLE ty ALTER by TYPE text USING encode(by, 'hex');
-- form: type jsonb to json
ALTER TABLE ty ALTER jb TYPE json;
-- form: type jsonb to text
ALTER TABLE ty ALTER jb TYPE text;
-- form: type uuid to text
ALTER TABLE ty ALTER u TYPE text;
-- form: type macaddr to macaddr8
ALTER TABLE ty ALTER mac TYPE macaddr8;
-- form: type boolean to int
ALTER TABLE ty ALTER boo TYPE int USING boo::int;
-- form: type text collation
ALTER TABLE ty ALTER txt TYPE text COLLATE "C";
-- form: type text collation with expression index
ALTER TABLE ty ALTER tc TYPE text COLLATE "POSIX";
-- form: type varchar widen and collation
ALTER TABLE ty ALTER v TYPE varchar(30) COLLATE "POSIX";
-- form: type collation back to default
ALTER TABLE ty ALTER tc TYPE text;
-- form: type using the column
ALTER TABLE ty ALTER v TYPE varchar(30) USING v;
-- form: type using a cast of the column
ALTER TABLE ty ALTER v TYPE text USING v::text;
-- form: type using a wider cast
ALTER TABLE ty ALTER v TYPE varchar(30) USING v::varchar(30);
-- form: type using a narrower cast
ALTER TABLE ty ALTER v TYPE varchar(30) USING v::varchar(5);
-- form: type using quoted and qualified
ALTER TABLE ty ALTER v TYPE varchar(30) USING ("v");
-- form: type using another column
ALTER TABLE ty ALTER v TYPE varchar(30) USING v2;
-- form: type using constant
ALTER TABLE ty ALTER v TYPE text USING 'x';
-- form: type using text cast to int
ALTER TABLE ty ALTER txt TYPE int USING txt::int;
-- form: type using collate
ALTER TABLE ty ALTER v TYPE text USING v COLLATE "C";
-- form: type column in include
ALTER TABLE ty ALTER ti TYPE time(6);
-- form: type column in predicate
ALTER TABLE ty ALTER i8 TYPE numeric;
-- form: type referenced key
ALTER TABLE p ALTER id TYPE bigint;
-- form: type referencing column
ALTER TABLE ch ALTER tid TYPE bigint;
-- form: type of composite referencing column
ALTER TABLE entry ALTER tenant TYPE bigint;
-- form: type of self referencing column
-- unforeseen: operators are not in the schema
ALTER TABLE acc ALTER parent TYPE numeric;
-- form: type partitioned
ALTER TABLE part ALTER amt TYPE numeric(12,4);
-- form: type partitioned widen
ALTER TABLE part ALTER name TYPE varchar(99);
-- form: type partitioned with fk
-- unforeseen: operators are not in the schema
ALTER TABLE part ALTER acc TYPE numeric;
-- form: type inherited
ALTER TABLE ancestor ALTER v TYPE varchar(40);
-- form: type with check rewritten
ALTER TABLE entry ALTER qty TYPE bigint;
-- form: type with statistics
ALTER TABLE clu ALTER w TYPE bigint;
-- form: type and set not null
ALTER TABLE t2 ALTER a TYPE bigint, ALTER a SET NOT NULL;
-- form: type of generated column
ALTER TABLE gen ALTER b TYPE bigint;
-- form: type under a view
ALTER TABLE acc ALTER name TYPE varchar(100);
-- form: type under a policy
ALTER TABLE clu ALTER w TYPE bigint, ALTER v TYPE varchar(9);
-- form: type of a trigger column
ALTER TABLE clu ALTER v TYPE varchar(10);
-- form: type of a column with sequence
ALTER TABLE entry ALTER id TYPE int;
-- form: type of an identity column
ALTER TABLE acc ALTER id TYPE int;
-- form: type of a partition key
ALTER TABLE part ALTER k TYPE bigint;
-- form: type to missing type
ALTER TABLE entry ALTER note TYPE not_a_type;

-- form: enum add if not exists
ALTER TYPE feel ADD VALUE IF NOT EXISTS 'a';
-- form: create enum
CREATE TYPE fresh AS ENUM ('x');
-- form: create domain
CREATE DOMAIN fresh AS text CHECK (VALUE <> '');
-- form: domain check in use
ALTER DOMAIN posint ADD CONSTRAINT pc CHECK (VALUE > 0);
-- form: domain not null in use
ALTER DOMAIN short SET NOT NULL;
-- form: domain drop not null
ALTER DOMAIN req DROP NOT NULL;
-- form: domain default
ALTER DOMAIN posint SET DEFAULT 4;
-- form: domain drop constraint
ALTER DOMAIN pos DROP CONSTRAINT pos_check;
-- form: domain unused check
ALTER DOMAIN unused ADD CHECK (VALUE > 0);
-- form: domain under domain
ALTER DOMAIN pos ADD CONSTRAINT pc CHECK (VALUE > -1);
-- form: domain rename
ALTER DOMAIN pos RENAME TO positive;
-- form: drop unused type
DROP TYPE unused_pair;
-- form: drop used domain
DROP DOMAIN label CASCADE;
-- form: drop unused domain
DROP DOMAIN unused;

-- form: create view on view
CREATE VIEW fresh AS SELECT v.id FROM vvacc v JOIN p USING (id);
-- form: create view with cte
CREATE VIEW fresh AS WITH p AS (SELECT 1 AS id) SELECT * FROM p;
-- form: create recursive view
CREATE VIEW fresh AS WITH RECURSIVE up AS (SELECT id, parent FROM acc WHERE id = 9 UNION ALL SELECT a.id, a.parent FROM acc a JOIN up ON up.parent = a.id) SELECT * FROM up;
-- form: create view with sub-select
CREATE VIEW fresh AS SELECT (SELECT max(id) FROM t2) AS m, EXISTS (SELECT FROM un) AS e;
-- form: replace view with dependent
CREATE OR REPLACE VIEW vacc AS SELECT id, name, tenant FROM acc;
-- form: drop view cascade
DROP VIEW vacc CASCADE;
-- form: rename view
ALTER VIEW vacc RENAME TO v9;
-- form: view options
ALTER VIEW vacc SET (security_barrier = true);
-- form: view owner
ALTER VIEW vacc OWNER TO CURRENT_USER;
-- form: create matview
CREATE MATERIALIZED VIEW fresh AS SELECT id FROM vacc;
-- form: create matview with no data
CREATE MATERIALIZED VIEW fresh AS SELECT id FROM vacc WITH NO DATA;
-- form: refresh matview concurrently
REFRESH MATERIALIZED VIEW CONCURRENTLY macc;
-- form: refresh with no data
REFRESH MATERIALIZED VIEW macc WITH NO DATA;
-- form: rename matview
ALTER MATERIALIZED VIEW macc RENAME TO m9;
-- form: drop matview
DROP MATERIALIZED VIEW macc;

-- form: create sequence
CREATE SEQUENCE fresh;
-- form: create sequence owned
CREATE SEQUENCE fresh OWNED BY un.a;
-- form: alter sequence restart
ALTER SEQUENCE free_seq RESTART WITH 77;
-- form: alter sequence owned by none
ALTER SEQUENCE entry_id_seq OWNED BY NONE;
-- form: rename sequence
ALTER SEQUENCE free_seq RENAME TO seq9;
-- form: drop sequence
DROP SEQUENCE free_seq;
-- form: drop owned sequence cascade
DROP SEQUENCE entry_id_seq CASCADE;
-- form: sequence owner
ALTER SEQUENCE free_seq OWNER TO CURRENT_USER;
-- form: setval
SELECT setval('free_seq', 50);

-- form: trigger after on partitioned
CREATE TRIGGER tr AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION tf();
-- form: trigger statement on partitioned
CREATE TRIGGER tr AFTER INSERT ON part EXECUTE FUNCTION tf();
-- form: constraint trigger
CREATE CONSTRAINT TRIGGER tr AFTER INSERT ON t2 DEFERRABLE FOR EACH ROW EXECUTE FUNCTION tf();
-- form: constraint trigger from
CREATE CONSTRAINT TRIGGER tr AFTER INSERT ON t2 FROM p FOR EACH ROW EXECUTE FUNCTION tf();
-- form: trigger on view
CREATE TRIGGER tr INSTEAD OF INSERT ON vacc FOR EACH ROW EXECUTE FUNCTION tf();
-- form: drop trigger
DROP TRIGGER clu_trigger ON clu;
-- form: drop trigger partitioned
-- setup: CREATE TRIGGER tr AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION tf()
DROP TRIGGER tr ON part;
-- form: rename trigger
ALTER TRIGGER clu_trigger ON clu RENAME TO tr9;
-- form: rename trigger partitioned
-- setup: CREATE TRIGGER tr AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION tf()
ALTER TRIGGER tr ON part RENAME TO tr9;
-- form: disable trigger all
ALTER TABLE clu DISABLE TRIGGER ALL;
-- form: enable always trigger
ALTER TABLE clu ENABLE ALWAYS TRIGGER clu_trigger;
-- form: disable trigger partitioned
-- setup: CREATE TRIGGER tr AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION tf()
ALTER TABLE part DISABLE TRIGGER tr;
-- form: disable trigger user partitioned
ALTER TABLE part DISABLE TRIGGER USER;

-- form: policy alter
ALTER POLICY clu_policy ON clu USING (w > 1);
-- form: policy drop
DROP POLICY clu_policy ON clu;
-- form: policy rename
ALTER POLICY clu_policy ON clu RENAME TO p9;
-- form: policy with sub-select
CREATE POLICY po ON un USING (a IN (SELECT id FROM p));
-- form: row security
ALTER TABLE clu ENABLE ROW LEVEL SECURITY;
-- form: force row security
ALTER TABLE clu FORCE ROW LEVEL SECURITY;
-- form: replica identity index
ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey;
-- form: replica identity nothing
ALTER TABLE t REPLICA IDENTITY NOTHING;
-- form: set logged
ALTER TABLE ulog SET LOGGED;
-- form: set logged already
ALTER TABLE p SET LOGGED;
-- form: set unlogged
ALTER TABLE un SET UNLOGGED;
-- form: set unlogged with sequence
-- setup: CREATE TABLE lone(id int GENERATED ALWAYS AS IDENTITY, v text)
-- setup: INSERT INTO lone(v) SELECT 'x' FROM generate_series(1, 2000)
ALTER TABLE lone SET UNLOGGED;
-- form: cluster on
ALTER TABLE t CLUSTER ON t_b_idx;
-- form: cluster without index named
CLUSTER clu;
-- form: set fillfactor
ALTER TABLE t SET (fillfactor = 80);
-- form: set parallel workers
ALTER TABLE t SET (parallel_workers = 2);
-- form: set toast option
ALTER TABLE t SET (toast.autovacuum_enabled = false);
-- form: set toast tuple target
ALTER TABLE t SET (toast_tuple_target = 4000);
-- form: set user catalog table
ALTER TABLE t SET (user_catalog_table = true);
-- form: mixed storage parameters
ALTER TABLE t SET (fillfactor = 80, user_catalog_table = true);
-- form: reset options
ALTER TABLE t RESET (fillfactor);
-- form: column options
ALTER TABLE t ALTER COLUMN a SET (n_distinct = 5);
-- form: column statistics partitioned
ALTER TABLE part ALTER COLUMN name SET STATISTICS 500;
-- form: column storage partitioned
ALTER TABLE part ALTER COLUMN name SET STORAGE EXTERNAL;
-- form: column compression
ALTER TABLE t ALTER COLUMN b SET COMPRESSION pglz;
-- form: owner of table
ALTER TABLE entry OWNER TO CURRENT_USER;
-- form: owner of table changes
-- setup: CREATE ROLE replank_forms_owner
ALTER TABLE entry OWNER TO replank_forms_owner;
-- form: not of
-- setup: CREATE TABLE typed OF pair
ALTER TABLE typed NOT OF;
-- form: of
-- setup: CREATE TABLE untyped(a int, b text)
ALTER TABLE untyped OF pair;
-- form: rule drop
-- setup: CREATE RULE rr AS ON DELETE TO t2 DO INSTEAD NOTHING
DROP RULE rr ON t2;
-- form: rule disable
-- setup: CREATE RULE rr AS ON DELETE TO t2 DO INSTEAD NOTHING
ALTER TABLE t2 DISABLE RULE rr;
-- form: create rule reading another table
CREATE RULE rr AS ON INSERT TO t2 DO ALSO INSERT INTO un VALUES (new.id);
-- form: set access method other
-- pg: 15-
ALTER TABLE t2 SET ACCESS METHOD heap;

-- form: statistics create
CREATE STATISTICS st (ndistinct) ON a, id FROM t2;
-- form: statistics drop
DROP STATISTICS clu_stats;
-- form: statistics target
ALTER STATISTICS clu_stats SET STATISTICS 50;
-- form: statistics rename
ALTER STATISTICS clu_stats RENAME TO s9;
-- form: comment column
COMMENT ON COLUMN t.a IS 'x';
-- form: comment view
COMMENT ON VIEW vacc IS 'x';
-- form: comment view column
COMMENT ON COLUMN vacc.name IS 'x';
-- form: comment index
COMMENT ON INDEX t_b_idx IS 'x';
-- form: comment sequence
COMMENT ON SEQUENCE free_seq IS 'x';
-- form: comment constraint
COMMENT ON CONSTRAINT entry_qty ON entry IS 'x';
-- form: comment trigger
COMMENT ON TRIGGER clu_trigger ON clu IS 'x';
-- form: comment policy
COMMENT ON POLICY clu_policy ON clu IS 'x';
-- form: comment function
COMMENT ON FUNCTION tf() IS 'x';
-- form: comment type
COMMENT ON TYPE feel IS 'x';
-- form: comment domain
COMMENT ON DOMAIN pos IS 'x';
-- form: comment matview
COMMENT ON MATERIALIZED VIEW macc IS 'x';
-- form: grant column
GRANT SELECT (a), UPDATE (a) ON t TO PUBLIC;
-- form: grant all tables
GRANT SELECT ON ALL TABLES IN SCHEMA other TO PUBLIC;
-- form: grant sequence
GRANT USAGE ON SEQUENCE free_seq TO PUBLIC;
-- form: grant schema
GRANT USAGE ON SCHEMA m TO PUBLIC;
-- form: grant function
GRANT EXECUTE ON FUNCTION tf() TO PUBLIC;
-- form: revoke
REVOKE INSERT ON t2 FROM PUBLIC;
-- form: grant view
GRANT SELECT ON vacc, macc TO PUBLIC;
-- form: default privileges
ALTER DEFAULT PRIVILEGES IN SCHEMA m GRANT SELECT ON TABLES TO PUBLIC;
-- form: create function
CREATE FUNCTION f9() RETURNS int LANGUAGE sql AS 'SELECT 1';
-- form: create function plpgsql
CREATE FUNCTION f9() RETURNS void LANGUAGE plpgsql AS 'BEGIN UPDATE t SET a = 1; END';
-- form: replace function
CREATE OR REPLACE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
-- form: drop function
DROP FUNCTION ff(int);
-- form: drop trigger function cascade
DROP FUNCTION tf() CASCADE;
-- form: alter function
ALTER FUNCTION ff(int) VOLATILE;
-- form: create schema
CREATE SCHEMA s9;
-- form: rename schema
ALTER SCHEMA other RENAME TO s9;
-- form: create extension
CREATE EXTENSION IF NOT EXISTS plpgsql;
-- form: publication
CREATE PUBLICATION pu FOR TABLE t2;
-- form: publication alter
-- setup: CREATE PUBLICATION pu FOR TABLE t2
ALTER PUBLICATION pu ADD TABLE un;
-- form: publication drop
-- setup: CREATE PUBLICATION pu FOR TABLE t2
DROP PUBLICATION pu;

-- form: lock table
LOCK TABLE t2 IN SHARE MODE;
-- form: lock table nested
LOCK TABLE pt IN EXCLUSIVE MODE;
-- form: lock view
LOCK TABLE vvacc IN ROW EXCLUSIVE MODE;
-- form: select
SELECT count(*) FROM un;
-- form: select for update
-- atmost: the condition is met through the primary key
SELECT * FROM p WHERE id < 5 FOR UPDATE;
-- form: update all
UPDATE un SET a = a + 1;
-- form: update with from
UPDATE un SET a = p.x FROM p WHERE p.id = un.id;
-- form: update referencing column
UPDATE ch SET tid = 5;
-- form: update partitioned
UPDATE pt SET v = 'w';
-- form: delete all partitioned
DELETE FROM pt;
-- form: insert select
INSERT INTO un SELECT id + 100000, x FROM p;
-- form: insert values
INSERT INTO un VALUES (100000, 1);
-- form: insert with fk
INSERT INTO ch VALUES (100000, 1);
-- form: insert partitioned
-- atmost: which partition gets the row depends on the row
INSERT INTO pt VALUES (1, 1, 'v');
-- form: merge
-- pg: 15-
MERGE INTO un USING p ON p.id = un.id WHEN MATCHED THEN UPDATE SET a = p.x;
-- form: set
SET statement_timeout = 0;
-- form: analyze partitioned
ANALYZE pt;
-- form: analyze columns
ANALYZE t2 (a);
-- form: vacuum
-- hold: LOCK TABLE t2 IN SHARE UPDATE EXCLUSIVE MODE
VACUUM t2;
-- form: vacuum full
-- hold: LOCK TABLE t2 IN ACCESS SHARE MODE
VACUUM FULL t2;
-- form: detach concurrently
-- pg: 14-
-- hold: SELECT 1 FROM pt1 LIMIT 1
ALTER TABLE pt DETACH PARTITION pt1 CONCURRENTLY;

-- form: serial create
CREATE TABLE fresh(id serial, v text DEFAULT 'x');
-- form: create table like with indexes and view
CREATE TABLE fresh(LIKE vacc INCLUDING ALL, own int);
-- form: create partition of a subpartition
CREATE TABLE spt_b2 PARTITION OF spt_b FOR VALUES IN (3);
-- form: create partition with trigger
-- setup: CREATE TRIGGER tr AFTER INSERT ON spt FOR EACH ROW EXECUTE FUNCTION tf()
CREATE TABLE spt_c PARTITION OF spt FOR VALUES FROM (9000) TO (9001);
-- form: create table self reference
CREATE TABLE fresh(id int PRIMARY KEY, up int REFERENCES fresh);
-- form: create partition of fk to partitioned
CREATE TABLE fkp2 PARTITION OF fkp FOR VALUES IN (2);
-- form: drop schema cascade
DROP SCHEMA store CASCADE;
-- form: drop subpartition
DROP TABLE spt_b;
-- form: drop leaf of subpartition
DROP TABLE spt_b0;
-- form: drop matview by cascade of column
ALTER TABLE acc DROP COLUMN tenant CASCADE;
-- form: drop view refused
DROP VIEW vacc;
-- form: drop referenced table refused
DROP TABLE p, acc;
-- form: drop column refused by view
ALTER TABLE acc DROP COLUMN name;
-- form: drop primary key refused
ALTER TABLE acc DROP CONSTRAINT acc_pkey;
-- form: drop index of constraint refused
DROP INDEX t2_pkey;
-- form: drop sequence refused
DROP SEQUENCE entry_id_seq;
-- form: drop type refused
DROP TYPE feel, mood;
-- form: drop function refused
DROP FUNCTION tf();
-- form: drop partition key refused
ALTER TABLE pt DROP COLUMN k;
-- form: truncate refused
TRUNCATE acc;
-- form: truncate both sides
TRUNCATE ch, t;
-- form: add not null column refused
ALTER TABLE un ADD COLUMN z int NOT NULL;
-- form: add existing column refused
ALTER TABLE un ADD COLUMN a int;
-- form: unknown table refused
ALTER TABLE not_there ADD COLUMN a int;
-- form: unknown column refused
ALTER TABLE un DROP COLUMN not_there;
-- form: unknown constraint refused
ALTER TABLE un DROP CONSTRAINT not_there;
-- form: virtual column before 18 refused
ALTER TABLE un ADD COLUMN v int GENERATED ALWAYS AS (a) VIRTUAL;
-- form: drop inherited table refused
DROP TABLE ancestor;

-- form: drop and add the same column
ALTER TABLE entry DROP COLUMN qty, ADD COLUMN qty bigint;
-- form: drop and add a constraint
ALTER TABLE entry DROP CONSTRAINT entry_qty, ADD CONSTRAINT entry_qty CHECK (qty >= 0) NOT VALID;
-- form: swap foreign key
ALTER TABLE ch DROP CONSTRAINT ch_tid_fkey, ADD CONSTRAINT ch_tid_fkey FOREIGN KEY (tid) REFERENCES t(id) ON DELETE CASCADE NOT VALID;
-- form: many subcommands
ALTER TABLE un ADD COLUMN z int DEFAULT 2, ALTER COLUMN a SET DEFAULT 1, ADD CONSTRAINT c CHECK (a > 0) NOT VALID, SET (fillfactor = 70);
-- form: widen and set default
ALTER TABLE entry ALTER note TYPE varchar(80), ALTER note SET DEFAULT 'n';
-- form: rewrite and add index constraint
ALTER TABLE un ALTER a TYPE bigint, ADD CONSTRAINT q UNIQUE (a);
-- form: rewrite and drop the index
ALTER TABLE t2 DROP CONSTRAINT t2_pkey, ALTER a TYPE bigint;
-- form: add column and fill constraint
ALTER TABLE un ADD COLUMN z int, ADD CONSTRAINT c CHECK (z > 0);
-- form: add column and unique over it
ALTER TABLE un ADD COLUMN z int, ADD CONSTRAINT q UNIQUE (z, a);

-- form: type of a referenced key
ALTER TABLE vkey ALTER code TYPE varchar(40);
-- form: type of a referencing varchar
ALTER TABLE vref ALTER code TYPE varchar(40);
-- form: type of a referenced key to text
ALTER TABLE vkey ALTER code TYPE text;
-- form: type of a referenced key rewritten
ALTER TABLE vkey ALTER n TYPE bigint;
-- form: type of a referencing key rewritten
ALTER TABLE vref ALTER code TYPE char(20);
-- form: type of a referencing column not valid
ALTER TABLE vref ALTER loose TYPE bigint;
-- form: type of identity
ALTER TABLE ident ALTER id TYPE bigint;
-- form: type of identity same
ALTER TABLE ident ALTER id TYPE int;
-- form: type of clustered key
ALTER TABLE ident ALTER v TYPE varchar(50);
-- form: type of clustered key rewritten
ALTER TABLE ident ALTER v TYPE char(50);
-- form: type of replica identity key
ALTER TABLE ident ALTER w TYPE text;
-- form: type of deferrable unique
ALTER TABLE ident ALTER x TYPE text;
-- form: type of excluded column
ALTER TABLE ident ALTER y TYPE int8range;
-- form: type of generated column same
ALTER TABLE gen ALTER b TYPE int;
-- form: type of generation source
ALTER TABLE gen ALTER a TYPE bigint;
-- form: type in statistics
ALTER TABLE stat ALTER a TYPE bigint;
-- form: type widened in statistics
ALTER TABLE stat ALTER v TYPE varchar(99);
-- form: type with not valid check
ALTER TABLE stat ALTER w TYPE varchar(99);
-- form: type in unlogged table
ALTER TABLE ulog ALTER v TYPE varchar(9);
-- form: type on subpartition leaf refused
ALTER TABLE spt_b0 ALTER v TYPE text;
-- form: type widened on whole partition tree
ALTER TABLE spt ALTER v TYPE varchar(40);
-- form: type rewritten on whole partition tree
ALTER TABLE spt ALTER v TYPE char(40);
-- form: type citext like domain over domain
ALTER TABLE ty ALTER txt TYPE label2;
-- form: type domain to domain over it
ALTER TABLE ty ALTER dl TYPE label2;
-- form: type timestamp without precision to six
ALTER TABLE stat ALTER ts TYPE timestamp(6);
-- form: type timestamp to date
ALTER TABLE stat ALTER ts TYPE date;
-- form: type array without modifier
ALTER TABLE ty ALTER va TYPE varchar[];
-- form: type numeric array free
ALTER TABLE ty ALTER na TYPE numeric[];
-- form: type bit to varbit free
ALTER TABLE ty ALTER b TYPE varbit;
-- form: type interval to seconds
ALTER TABLE ty ALTER iv TYPE interval second(3);
-- form: type interval to days and more
ALTER TABLE ty ALTER ivf TYPE interval day to second(6);
-- form: type varchar to name
ALTER TABLE ty ALTER v TYPE name;
-- form: type int to numeric
ALTER TABLE ty ALTER id TYPE numeric;
-- form: type money
ALTER TABLE ty ALTER n TYPE money;
-- form: type enum to itself
ALTER TABLE ty ALTER e TYPE mood;
-- form: type using numeric cast of the column
ALTER TABLE ty ALTER n TYPE numeric(14,2) USING n::numeric(12,2);
-- form: type using a function
ALTER TABLE ty ALTER v TYPE text USING upper(v);
-- form: type using qualified column
ALTER TABLE ty ALTER v TYPE text USING ty.v;

-- form: primary key on parent of inheritance
ALTER TABLE ancestor ADD PRIMARY KEY (id);
-- form: primary key on parent, not null already
ALTER TABLE ancestor ADD PRIMARY KEY (w);
-- form: unique on parent of inheritance
ALTER TABLE ancestor ADD UNIQUE (id);
-- form: set not null already on partitioned
ALTER TABLE pt ALTER COLUMN id SET NOT NULL;
-- form: primary key on nullable partition column
-- atmost: one partition has a single row
ALTER TABLE dp ADD PRIMARY KEY (k);
-- form: unique on subpartitioned
ALTER TABLE spt ADD UNIQUE (k, l);
-- form: check on leaf
ALTER TABLE spt_b0 ADD CHECK (k >= 0);
-- form: fk from subpartitioned
ALTER TABLE spt ADD FOREIGN KEY (id) REFERENCES p(id);
-- form: fk on delete cascade
ALTER TABLE un ADD FOREIGN KEY (id) REFERENCES p(id) ON DELETE CASCADE;
-- form: fk with unindexed composite
ALTER TABLE pref ADD FOREIGN KEY (k, pid) REFERENCES part(k, id) NOT VALID;
-- form: drop unique on partition tree
-- setup: ALTER TABLE spt ADD CONSTRAINT q UNIQUE (k, l)
ALTER TABLE spt DROP CONSTRAINT q;
-- form: drop check of inheritance
-- setup: ALTER TABLE ancestor ADD CONSTRAINT ck CHECK (id > 0)
ALTER TABLE ancestor DROP CONSTRAINT ck;
-- form: rename check of inheritance
-- setup: ALTER TABLE ancestor ADD CONSTRAINT ck CHECK (id > 0)
ALTER TABLE ancestor RENAME CONSTRAINT ck TO ck2;
-- form: validate check no inherit
-- setup: ALTER TABLE ancestor ADD CONSTRAINT ck CHECK (id > 0) NO INHERIT NOT VALID
ALTER TABLE ancestor VALIDATE CONSTRAINT ck;

-- form: detach without foreign keys
ALTER TABLE spt DETACH PARTITION spt_b;
-- form: detach leaf without foreign keys
ALTER TABLE spt_b DETACH PARTITION spt_b0;
-- form: attach with fitting index
ALTER TABLE ipt ATTACH PARTITION ipt_new FOR VALUES FROM (6000) TO (8000);
-- form: attach to subpartitioned
ALTER TABLE spt_b ATTACH PARTITION spt_new FOR VALUES IN (2);
-- form: attach with fitting foreign key
ALTER TABLE fkp ATTACH PARTITION fkp_new FOR VALUES IN (5);
-- form: attach hash
ALTER TABLE hp ATTACH PARTITION hp_new FOR VALUES WITH (MODULUS 2, REMAINDER 1);
-- form: attach subpartitioned
ALTER TABLE ipt ATTACH PARTITION ipt_tree FOR VALUES FROM (8000) TO (9000);
-- form: create index on tree with fitting one below
CREATE INDEX i ON spt(id);
-- form: create index desc reuses
CREATE INDEX i ON spt(id DESC);
-- form: create index with opclass builds
CREATE INDEX i ON spt(v varchar_pattern_ops);
-- form: create partial index builds
CREATE INDEX i ON spt(id) WHERE id > 5;
-- form: drop index of a partition
DROP INDEX spt_a_id;

-- form: create function with sql body
CREATE FUNCTION f9() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM vacc JOIN p USING (id)';
-- form: create function with writing sql body
CREATE FUNCTION f9() RETURNS void LANGUAGE sql AS 'UPDATE un SET a = 1; DELETE FROM t2';
-- form: create function with standard body
CREATE FUNCTION f9() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM un; END;
-- form: publication of partitioned
CREATE PUBLICATION pu FOR TABLE pt;
-- form: publication of several
CREATE PUBLICATION pu FOR TABLE pt, un;
-- form: publication of all
CREATE PUBLICATION pu FOR ALL TABLES;
-- form: grant all tables in schema
GRANT SELECT ON ALL TABLES IN SCHEMA store TO PUBLIC;
-- form: update referenced key
-- atmost: nothing refers to the rows that change
UPDATE vkey SET n = n + 10000 WHERE n > 1900;
-- form: update beside the key
UPDATE vkey SET note = 'x';
-- form: delete referenced
-- atmost: referring rows are found through an index, if at all
DELETE FROM vkey WHERE n > 1900;
-- form: delete cascade
DELETE FROM casc;
-- form: update set null through cascade
DELETE FROM casc WHERE id > 1000;
-- form: insert on conflict
-- atmost: what the planner looks at is let go
INSERT INTO un VALUES (1, 2) ON CONFLICT (id) DO NOTHING;
-- form: insert select self
INSERT INTO un SELECT id + 5000, a FROM un;
-- form: insert default nextval
INSERT INTO entry(tenant, acc, qty) VALUES (1, 1, 1);
-- form: update with sub-select and cte
WITH x AS (SELECT id FROM p) UPDATE un SET a = 1 WHERE id IN (SELECT id FROM x);
-- form: delete using
DELETE FROM un USING t2 WHERE t2.id = un.id;
-- form: update inherited
UPDATE ancestor SET v = 'b';
-- form: update only
UPDATE ONLY ancestor SET v = 'b';
-- form: select from view
SELECT count(*) FROM vvacc JOIN macc USING (id);
-- form: select partitioned
SELECT count(*) FROM part;
-- form: select nextval
SELECT nextval('free_seq'), currval('free_seq');
-- form: lock only
LOCK TABLE ONLY ancestor IN ACCESS EXCLUSIVE MODE;
-- form: lock several
LOCK TABLE un, t2 IN ROW SHARE MODE;
-- form: analyze inherited
ANALYZE ancestor;
-- form: explain
EXPLAIN SELECT * FROM un;
-- form: prepare
PREPARE check_a AS UPDATE un SET a = t2.id FROM t2 WHERE t2.id = un.id;
-- form: security label free
COMMENT ON SCHEMA m IS 'x';
-- form: comment foreign index
COMMENT ON INDEX part_name IS 'x';
-- form: alter domain rename constraint
ALTER DOMAIN pos RENAME CONSTRAINT pos_check TO positive;
-- form: alter domain owner
ALTER DOMAIN pos OWNER TO CURRENT_USER;
-- form: type owner
ALTER TYPE feel OWNER TO CURRENT_USER;
-- form: set schema function
ALTER FUNCTION ff(int) SET SCHEMA moved;
-- form: rename schema in use
ALTER SCHEMA store RENAME TO shop;
-- form: not null of serial
ALTER TABLE entry ALTER COLUMN id DROP DEFAULT;
-- form: gin index of an array whose type stays
ALTER TABLE entry ALTER tags TYPE text[];
-- form: add column of a domain with a volatile default
-- pg: 15-
-- setup: CREATE DOMAIN chance AS float8 DEFAULT random()
ALTER TABLE un ADD COLUMN z chance;
-- form: foreign key of an inheritance parent
ALTER TABLE ancestor ADD FOREIGN KEY (id) REFERENCES p (id);

-- Forms that were written after Effects and lint, to try what these say of forms that they were not made with.
-- form: held add default statement_timestamp
ALTER TABLE t2 ADD COLUMN x timestamptz DEFAULT statement_timestamp();
-- form: held add default timeofday
ALTER TABLE t2 ADD COLUMN x text DEFAULT timeofday();
-- form: held add default txid_current
ALTER TABLE t2 ADD COLUMN x bigint DEFAULT txid_current();
-- form: held add default random expression
ALTER TABLE t2 ADD COLUMN x int DEFAULT (1 + floor(random() * 6))::int;
-- form: held add default coalesce of random
ALTER TABLE t2 ADD COLUMN x float8 DEFAULT coalesce(NULL, random());
-- form: held add default case of random
ALTER TABLE t2 ADD COLUMN x int DEFAULT CASE WHEN random() > 2 THEN 1 ELSE 0 END;
-- form: held add default gen_random_uuid as text
-- pg: 13-
ALTER TABLE t2 ADD COLUMN x text NOT NULL DEFAULT gen_random_uuid()::text;
-- form: held add default uuidv7
-- pg: 18-
ALTER TABLE t2 ADD COLUMN x uuid DEFAULT uuidv7();
-- form: held add default user
ALTER TABLE t2 ADD COLUMN x text NOT NULL DEFAULT current_user;
-- form: held add default current_setting
ALTER TABLE t2 ADD COLUMN x text DEFAULT current_setting('TimeZone');
-- form: held add default backend pid
ALTER TABLE t2 ADD COLUMN x int DEFAULT pg_backend_pid();
-- form: held add default now at time zone
ALTER TABLE t2 ADD COLUMN x timestamp DEFAULT (now() AT TIME ZONE 'utc');
-- form: held add default date_trunc
ALTER TABLE t2 ADD COLUMN x timestamptz DEFAULT date_trunc('day', now());
-- form: held add default to_char
ALTER TABLE t2 ADD COLUMN x text DEFAULT to_char(now(), 'YYYY');
-- form: held add default localtimestamp
ALTER TABLE t2 ADD COLUMN x timestamp(3) DEFAULT localtimestamp;
-- form: held add default regclass
ALTER TABLE t2 ADD COLUMN x regclass DEFAULT 'p'::regclass;
-- form: held add default jsonb
ALTER TABLE t2 ADD COLUMN x jsonb NOT NULL DEFAULT '{"a": []}'::jsonb;
-- form: held add default jsonb built
ALTER TABLE t2 ADD COLUMN x jsonb NOT NULL DEFAULT jsonb_build_object('at', now());
-- form: held add default range
ALTER TABLE t2 ADD COLUMN x int4range DEFAULT int4range(1, 10);
-- form: held add default multirange
-- pg: 14-
ALTER TABLE t2 ADD COLUMN x int4multirange DEFAULT '{[1,2)}';
-- form: held add default row
ALTER TABLE t2 ADD COLUMN x pair DEFAULT ROW(1, 'a');
-- form: held add default row of random
ALTER TABLE t2 ADD COLUMN x pair DEFAULT ROW(floor(random())::int, 'a');
-- form: held add default array of random
ALTER TABLE t2 ADD COLUMN x float8[] DEFAULT ARRAY[random()];
-- form: held add default currval
ALTER TABLE t2 ADD COLUMN x bigint DEFAULT lastval();
-- unforeseen: lastval is not yet defined in this session
-- form: held add smallserial
ALTER TABLE t2 ADD COLUMN x smallserial;
-- form: held add identity by default with options
ALTER TABLE t2 ADD COLUMN x bigint GENERATED BY DEFAULT AS IDENTITY (START WITH 10 INCREMENT BY 5);
-- form: held add domain with default of its own
-- setup: CREATE DOMAIN held_d AS int DEFAULT 7
ALTER TABLE t2 ADD COLUMN x held_d;
-- form: held add domain with volatile default of its own
-- setup: CREATE DOMAIN held_d AS float8 DEFAULT random()
ALTER TABLE t2 ADD COLUMN x held_d;
-- form: held add domain with check and constant default
ALTER TABLE t2 ADD COLUMN x pos DEFAULT 5;
-- form: held add domain over checked domain
ALTER TABLE t2 ADD COLUMN x pos_over;
-- form: held add domain array with check
ALTER TABLE t2 ADD COLUMN x pos[] DEFAULT '{1}';
-- form: held add composite with checked domain
-- setup: CREATE TYPE held_c AS (n pos)
ALTER TABLE t2 ADD COLUMN x held_c;
-- form: held add column with default and check
ALTER TABLE t2 ADD COLUMN x int DEFAULT 1 CHECK (x > 0);
-- form: held add column with null and check
ALTER TABLE t2 ADD COLUMN x int NULL CHECK (x IS NULL OR x > 0);
-- form: held add column with default and unique
ALTER TABLE stat ADD COLUMN x int UNIQUE;
-- form: held add column primary key generated
ALTER TABLE stat ADD COLUMN x uuid PRIMARY KEY DEFAULT '00000000-0000-0000-0000-000000000000';
-- unforeseen: the rows have one value
-- form: held add column references with default
ALTER TABLE t2 ADD COLUMN x int DEFAULT 1 REFERENCES p(id);
-- form: held add column references nullable
ALTER TABLE t2 ADD COLUMN x int REFERENCES acc(id) ON DELETE SET NULL DEFERRABLE;
-- form: held add column collate
ALTER TABLE t2 ADD COLUMN x text COLLATE "C" NOT NULL DEFAULT '';
-- form: held add column compression
-- pg: 14-
ALTER TABLE t2 ADD COLUMN x text COMPRESSION pglz;
-- form: held add column storage
-- pg: 16-
ALTER TABLE t2 ADD COLUMN x text STORAGE EXTERNAL DEFAULT 'a';
-- form: held add generated stored of constant
ALTER TABLE t2 ADD COLUMN x int GENERATED ALWAYS AS (5) STORED;
-- form: held add generated virtual
-- pg: 18-
ALTER TABLE t2 ADD COLUMN x int GENERATED ALWAYS AS (a * 2) VIRTUAL;
-- form: held add generated virtual check
-- pg: 18-
ALTER TABLE t2 ADD COLUMN x int GENERATED ALWAYS AS (a * 2) VIRTUAL CHECK (x > 0);
-- form: held add three columns, one volatile
ALTER TABLE t2 ADD x int, ADD y float8 DEFAULT random(), ADD z int DEFAULT 0;
-- form: held add column to materialized refused
ALTER TABLE mv ADD COLUMN x int;
-- form: held add column to foreign key target
ALTER TABLE p ADD COLUMN x int DEFAULT 3;

-- form: held numeric same precision other scale
ALTER TABLE ty ALTER n TYPE numeric(12,3);
-- form: held numeric wider scale of two digits
ALTER TABLE ty ALTER n TYPE numeric(20,2);
-- form: held numeric to numeric
ALTER TABLE acc ALTER amount TYPE numeric;
-- form: held decimal
ALTER TABLE acc ALTER amount TYPE decimal(11,2);
-- form: held varchar same
ALTER TABLE ty ALTER v TYPE character varying(10);
-- form: held varchar shorter
ALTER TABLE entry ALTER note TYPE varchar(40);
-- form: held varchar without limit
ALTER TABLE entry ALTER note TYPE varchar;
-- form: held varchar to bpchar
ALTER TABLE entry ALTER note TYPE char(50);
-- form: held text to varchar with limit
ALTER TABLE ty ALTER txt TYPE varchar(500);
-- form: held text to varchar without limit
ALTER TABLE ty ALTER txt TYPE varchar;
-- form: held char shorter
ALTER TABLE ty ALTER c TYPE char(4);
-- form: held char to varchar without limit
ALTER TABLE ty ALTER c TYPE varchar;
-- form: held bit wider
ALTER TABLE ty ALTER b TYPE bit(8);
-- form: held varbit to bit
ALTER TABLE ty ALTER vb TYPE bit(8);
-- form: held interval precision down
ALTER TABLE ty ALTER iv TYPE interval(1);
-- form: held interval without precision
ALTER TABLE ty ALTER iv TYPE interval;
-- form: held interval to time
ALTER TABLE ty ALTER iv TYPE time;
-- form: held time precision down
ALTER TABLE ty ALTER ti TYPE time(1);
-- form: held time without precision
ALTER TABLE ty ALTER ti TYPE time;
-- form: held timetz precision up
-- setup: ALTER TABLE stat ADD COLUMN tt timetz(2)
ALTER TABLE stat ALTER tt TYPE timetz(4);
-- form: held timestamptz precision free
ALTER TABLE ty ALTER tz3 TYPE timestamptz;
-- form: held timestamptz precision down
ALTER TABLE ty ALTER tz TYPE timestamptz(0);
-- form: held timestamp to varchar
ALTER TABLE ty ALTER ts TYPE varchar;
-- form: held real to numeric
ALTER TABLE ty ALTER f4 TYPE numeric;
-- form: held integer array to text array
ALTER TABLE ty ALTER ia TYPE text[];
-- form: held varchar array wider
ALTER TABLE t ALTER ct TYPE varchar(9)[];
-- form: held numeric array wider
ALTER TABLE ty ALTER na TYPE numeric(8,1)[];
-- form: held range to another
ALTER TABLE t ALTER r TYPE int8range USING int8range(lower(r), upper(r));
-- form: held range same
ALTER TABLE t ALTER r TYPE int4range;
-- form: held json to jsonb
ALTER TABLE t ALTER j TYPE jsonb;
-- form: held json to text
ALTER TABLE t ALTER j TYPE text;
-- form: held text to json
ALTER TABLE t ALTER lob TYPE json USING lob::json;
-- form: held bigint to numeric
ALTER TABLE ty ALTER i8 TYPE numeric(20,0);
-- form: held smallint to text
ALTER TABLE ty ALTER i2 TYPE text;
-- form: held uuid same
ALTER TABLE ty ALTER u TYPE uuid USING u;
-- form: held date from timestamp
ALTER TABLE t ALTER ts TYPE date;
-- form: held enum to text
ALTER TABLE ty ALTER e TYPE text;
-- form: held citext from text
-- setup: CREATE EXTENSION IF NOT EXISTS citext SCHEMA m
ALTER TABLE ty ALTER tc TYPE citext;
-- form: held citext from plain text
-- setup: CREATE EXTENSION IF NOT EXISTS citext SCHEMA m
ALTER TABLE t ALTER lob TYPE citext;
-- form: held citext from indexed text
-- setup: CREATE EXTENSION IF NOT EXISTS citext SCHEMA m
ALTER TABLE ty ALTER txt TYPE citext;
-- form: held citext to text
-- setup: CREATE EXTENSION IF NOT EXISTS citext SCHEMA m
-- setup: ALTER TABLE stat ADD COLUMN ci citext
ALTER TABLE stat ALTER ci TYPE text;
-- form: held citext to varchar
-- setup: CREATE EXTENSION IF NOT EXISTS citext SCHEMA m
-- setup: ALTER TABLE stat ADD COLUMN ci citext
ALTER TABLE stat ALTER ci TYPE varchar;
-- form: held domain over domain from base
ALTER TABLE ty ALTER txt TYPE label2;
-- form: held domain over domain to base
-- setup: ALTER TABLE stat ADD COLUMN l2 label2
ALTER TABLE stat ALTER l2 TYPE text;
-- form: held domain over checked domain from base
ALTER TABLE entry ALTER qty TYPE pos_over;
-- form: held domain array from array
-- setup: CREATE DOMAIN held_d AS text[]
ALTER TABLE entry ALTER tags TYPE held_d;
-- form: held not null domain from text
ALTER TABLE ty ALTER txt TYPE req;
-- form: held domain over varchar wider
-- setup: CREATE DOMAIN held_d AS varchar(60)
ALTER TABLE entry ALTER note TYPE held_d;
-- form: held composite column same
-- setup: ALTER TABLE stat ADD COLUMN cc pair
ALTER TABLE stat ALTER cc TYPE pair;
-- form: held collation c to posix
ALTER TABLE ty ALTER tc TYPE text COLLATE "POSIX";
-- form: held collation unindexed
ALTER TABLE t ALTER lob TYPE text COLLATE "C";
-- form: held collation and widen
ALTER TABLE entry ALTER note TYPE varchar(60) COLLATE "C";
-- form: held type twice in one statement
ALTER TABLE ty ALTER v TYPE varchar(20), ALTER v2 TYPE text, ALTER n TYPE numeric(12,2);
-- form: held type light and heavy
ALTER TABLE ty ALTER v TYPE varchar(20), ALTER i2 TYPE int;
-- form: held type with default kept
ALTER TABLE ty ALTER i8 SET DEFAULT 0, ALTER v TYPE text;

-- form: held identity to by default
ALTER TABLE ident ALTER id SET GENERATED BY DEFAULT SET INCREMENT BY 10;
-- form: held identity on a nullable column refused
ALTER TABLE t2 ALTER a ADD GENERATED ALWAYS AS IDENTITY;
-- form: held identity on a not null column
ALTER TABLE t ALTER nn ADD GENERATED BY DEFAULT AS IDENTITY;
-- form: held drop identity if exists
ALTER TABLE t2 ALTER a DROP IDENTITY IF EXISTS;

-- form: held check with several columns
ALTER TABLE t2 ADD CONSTRAINT held CHECK (a >= 0 AND b <> '');
-- form: held check not valid on partitioned
ALTER TABLE spt ADD CONSTRAINT held CHECK (k >= 0) NOT VALID;
-- form: held check with function
ALTER TABLE t2 ADD CHECK (ff(a) > 0) NOT VALID;
-- form: held check not enforced
-- pg: 18-
ALTER TABLE t2 ADD CONSTRAINT held CHECK (a > 0) NOT ENFORCED;
-- form: held fk not enforced
-- pg: 18-
ALTER TABLE t2 ADD CONSTRAINT held FOREIGN KEY (a) REFERENCES p NOT ENFORCED;
-- form: held fk deferrable
ALTER TABLE t2 ADD FOREIGN KEY (a) REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED;
-- form: held fk match full not valid
ALTER TABLE entry ADD CONSTRAINT held FOREIGN KEY (tenant, acc) REFERENCES acc(tenant, id) MATCH FULL NOT VALID;
-- form: held two fks
ALTER TABLE t2 ADD FOREIGN KEY (a) REFERENCES p(id) NOT VALID, ADD FOREIGN KEY (id) REFERENCES p(id) NOT VALID;
-- form: held unique nulls not distinct
-- pg: 15-
ALTER TABLE t2 ADD CONSTRAINT held UNIQUE NULLS NOT DISTINCT (a);
-- form: held unique include
ALTER TABLE t2 ADD CONSTRAINT held UNIQUE (a) INCLUDE (b);
-- form: held unique without overlaps
-- pg: 18-
-- setup: CREATE EXTENSION IF NOT EXISTS btree_gist
ALTER TABLE ident ADD CONSTRAINT held UNIQUE (id, y WITHOUT OVERLAPS);
-- form: held exclude with hash
ALTER TABLE t2 ADD EXCLUDE USING hash (a WITH =);
-- form: held primary key over nullable proven
ALTER TABLE nn DROP CONSTRAINT nn_pkey, ADD CONSTRAINT held PRIMARY KEY (a);
-- form: held alter constraint deferrable
ALTER TABLE ch ALTER CONSTRAINT ch_tid_fkey DEFERRABLE INITIALLY DEFERRED;
-- form: held alter constraint enforced
-- pg: 18-
-- setup: ALTER TABLE t2 ADD CONSTRAINT held FOREIGN KEY (a) REFERENCES p NOT ENFORCED
ALTER TABLE t2 ALTER CONSTRAINT held ENFORCED;
-- form: held alter constraint not enforced
-- pg: 18-
ALTER TABLE ch ALTER CONSTRAINT ch_tid_fkey NOT ENFORCED;
-- form: held alter constraint inherit
-- pg: 18-
-- setup: ALTER TABLE ancestor ADD CONSTRAINT held NOT NULL v NO INHERIT
ALTER TABLE ancestor ALTER CONSTRAINT held INHERIT;
-- form: held validate two
ALTER TABLE t2 VALIDATE CONSTRAINT t2_nv, VALIDATE CONSTRAINT t2_nv;
-- form: held validate and more
ALTER TABLE t2 VALIDATE CONSTRAINT t2_nv, ALTER a SET DEFAULT 1;
-- form: held set not null proven by several
ALTER TABLE nn ALTER a SET NOT NULL, ALTER b SET NOT NULL, ALTER c SET DEFAULT 0;
-- form: held set not null by not valid check
-- setup: ALTER TABLE stat ADD CONSTRAINT held CHECK (a IS NOT NULL) NOT VALID
ALTER TABLE stat ALTER a SET NOT NULL;
-- form: held set not null by check of the same statement
ALTER TABLE stat ADD CONSTRAINT held CHECK (a IS NOT NULL), ALTER a SET NOT NULL;
-- form: held set not null by or
-- setup: ALTER TABLE stat ADD CONSTRAINT held CHECK (a IS NOT NULL OR v IS NOT NULL)
ALTER TABLE stat ALTER a SET NOT NULL;
-- form: held set not null by a comparison
-- setup: ALTER TABLE stat ADD CONSTRAINT held CHECK (a > 0)
ALTER TABLE stat ALTER a SET NOT NULL;
-- form: held set not null on a partition tree proven
-- setup: ALTER TABLE spt ADD CONSTRAINT held CHECK (id IS NOT NULL)
ALTER TABLE spt ALTER id SET NOT NULL;

-- form: held attach proven without null
-- setup: CREATE TABLE held (id int NOT NULL, k int NOT NULL, v text, CHECK (k >= 3000 AND k < 4000))
-- setup: INSERT INTO held SELECT g, 3000 + g % 1000, 'v' FROM generate_series(1, 2000) g
ALTER TABLE pt ATTACH PARTITION held FOR VALUES FROM (3000) TO (4000);
-- form: held attach not valid check
-- setup: CREATE TABLE held (id int NOT NULL, k int NOT NULL, v text)
-- setup: INSERT INTO held SELECT g, 3000 + g % 1000, 'v' FROM generate_series(1, 2000) g
-- setup: ALTER TABLE held ADD CHECK (k >= 3000 AND k < 4000) NOT VALID
ALTER TABLE pt ATTACH PARTITION held FOR VALUES FROM (3000) TO (4000);
-- form: held attach narrower check
-- setup: CREATE TABLE held (id int NOT NULL, k int NOT NULL, v text, CHECK (k >= 3100 AND k < 3200))
-- setup: INSERT INTO held SELECT g, 3100 + g % 100, 'v' FROM generate_series(1, 2000) g
ALTER TABLE pt ATTACH PARTITION held FOR VALUES FROM (3000) TO (4000);
-- form: held attach wider check
-- setup: CREATE TABLE held (id int NOT NULL, k int NOT NULL, v text, CHECK (k >= 2900 AND k < 4000))
-- setup: INSERT INTO held SELECT g, 3000 + g % 1000, 'v' FROM generate_series(1, 2000) g
ALTER TABLE pt ATTACH PARTITION held FOR VALUES FROM (3000) TO (4000);
-- form: held attach between
-- setup: CREATE TABLE held (id int NOT NULL, k int NOT NULL, v text, CHECK (k BETWEEN 3000 AND 3999))
-- setup: INSERT INTO held SELECT g, 3000 + g % 1000, 'v' FROM generate_series(1, 2000) g
ALTER TABLE pt ATTACH PARTITION held FOR VALUES FROM (3000) TO (4000);
-- form: held attach list of several
-- setup: CREATE TABLE held (id int, k int, CHECK (k IS NOT NULL AND k IN (7001, 7002)))
-- setup: INSERT INTO held SELECT g, 7001 + g % 2 FROM generate_series(1, 2000) g
-- setup: ALTER TABLE dp DETACH PARTITION dp_def
ALTER TABLE dp ATTACH PARTITION held FOR VALUES IN (7001, 7002, 7003);
-- form: held attach list without null
-- setup: CREATE TABLE held (id int, k int, CHECK (k = 7001))
-- setup: INSERT INTO held SELECT g, 7001 FROM generate_series(1, 2000) g
-- setup: ALTER TABLE dp DETACH PARTITION dp_def
ALTER TABLE dp ATTACH PARTITION held FOR VALUES IN (7001);
-- form: held attach default to a tree without
ALTER TABLE pt ATTACH PARTITION ptn DEFAULT;
-- form: held attach empty
-- setup: CREATE TABLE held (id int NOT NULL, k int NOT NULL, v text)
-- atmost: an empty table is read in no time, and Effects does not know that it is empty
ALTER TABLE pt ATTACH PARTITION held FOR VALUES FROM (3000) TO (4000);
-- form: held attach with unique index to build
-- setup: CREATE UNIQUE INDEX ON pt (k, id)
ALTER TABLE pt ATTACH PARTITION ptn FOR VALUES FROM (2000) TO (3000);
-- form: held detach plain
ALTER TABLE pt DETACH PARTITION pt1;
-- form: held detach finalize refused
-- pg: 14-
-- unforeseen: the partition is not being detached
ALTER TABLE pt DETACH PARTITION pt1 FINALIZE;
-- form: held create default partition
CREATE TABLE held PARTITION OF pt DEFAULT;
-- form: held create hash partition
CREATE TABLE held PARTITION OF hp FOR VALUES WITH (MODULUS 2, REMAINDER 0);
-- form: held create partition beside proven default
-- setup: ALTER TABLE ptd_def ADD CHECK (k < 5000)
CREATE TABLE held PARTITION OF ptd FOR VALUES FROM (5000) TO (6000);
-- form: held create partition beside a default with other proof
-- setup: ALTER TABLE ptd_def ADD CHECK (k < 5500)
CREATE TABLE held PARTITION OF ptd FOR VALUES FROM (5000) TO (6000);

-- form: held set tablespace default
ALTER TABLE t2 SET TABLESPACE pg_default;
-- form: held index set tablespace default
ALTER INDEX t_b_idx SET TABLESPACE pg_default;
-- form: held all in tablespace
ALTER TABLE ALL IN TABLESPACE pg_default SET TABLESPACE pg_default;
-- form: held access method heap
-- pg: 15-
ALTER TABLE t2 SET ACCESS METHOD heap;
-- form: held access method default
-- pg: 17-
ALTER TABLE t2 SET ACCESS METHOD DEFAULT;
-- form: held logged and a column
ALTER TABLE ulog SET LOGGED, ADD COLUMN x int;
-- form: held unlogged referenced refused
ALTER TABLE p SET UNLOGGED;
-- form: held storage plain
ALTER TABLE t2 ALTER b SET STORAGE EXTERNAL;
-- form: held storage default
-- pg: 16-
ALTER TABLE t2 ALTER b SET STORAGE DEFAULT;
-- form: held compression default
-- pg: 14-
ALTER TABLE t2 ALTER b SET COMPRESSION default;
-- form: held statistics default
ALTER TABLE t2 ALTER b SET STATISTICS 500;
-- form: held statistics of index column
ALTER INDEX ty_lower ALTER COLUMN 1 SET STATISTICS 500;
-- form: held set n_distinct
ALTER TABLE t2 ALTER a SET (n_distinct = 5);
-- form: held autovacuum parameters
ALTER TABLE t2 SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_enabled = true);
-- form: held toast autovacuum
ALTER TABLE t SET (toast.autovacuum_enabled = false);
-- form: held without cluster
ALTER TABLE clu SET WITHOUT CLUSTER;
-- form: held cluster a table
CLUSTER clu;
-- form: held cluster using
CLUSTER clu USING clu_w;
-- form: held without oids
ALTER TABLE t2 SET WITHOUT OIDS;
-- form: held replica identity full
ALTER TABLE t2 REPLICA IDENTITY FULL;
-- form: held replica identity and add column
ALTER TABLE t2 REPLICA IDENTITY FULL, ADD COLUMN x int;
-- form: held inherit of a table
-- setup: ALTER TABLE orphan ADD COLUMN extra int
ALTER TABLE orphan INHERIT ancestor;
-- form: held of type
-- setup: CREATE TABLE held (a int, b text)
ALTER TABLE held OF pair;
-- form: held typed attribute cascade
-- setup: CREATE TABLE held OF pair
-- setup: INSERT INTO held SELECT g, 'x' FROM generate_series(1, 2000) g
ALTER TYPE pair ADD ATTRIBUTE c int CASCADE;
-- form: held typed attribute type cascade
-- setup: CREATE TABLE held OF pair
-- setup: INSERT INTO held SELECT g, 'x' FROM generate_series(1, 2000) g
ALTER TYPE pair ALTER ATTRIBUTE a TYPE bigint CASCADE;
-- form: held typed attribute type light cascade
-- setup: CREATE TYPE held_c AS (a varchar(5))
-- setup: CREATE TABLE held OF held_c
-- setup: INSERT INTO held SELECT 'x' FROM generate_series(1, 2000) g
ALTER TYPE held_c ALTER ATTRIBUTE a TYPE varchar(10) CASCADE;
-- form: held typed drop attribute cascade
-- setup: CREATE TABLE held OF pair
-- setup: INSERT INTO held SELECT g, 'x' FROM generate_series(1, 2000) g
ALTER TYPE pair DROP ATTRIBUTE b CASCADE;
-- form: held typed attribute refused
-- setup: CREATE TABLE held OF pair
ALTER TYPE pair ADD ATTRIBUTE c int;
-- form: held attribute type of a used type refused
-- setup: ALTER TABLE stat ADD COLUMN cc pair
ALTER TYPE pair ALTER ATTRIBUTE a TYPE bigint;
-- form: held attribute added to a used type
-- setup: ALTER TABLE stat ADD COLUMN cc pair
ALTER TYPE pair ADD ATTRIBUTE c int;
-- form: held domain add check not valid
-- setup: ALTER TABLE stat ADD COLUMN l2 label2
ALTER DOMAIN label ADD CONSTRAINT held CHECK (VALUE <> '') NOT VALID;
-- form: held domain under domain add check
-- setup: ALTER TABLE stat ADD COLUMN l2 label2
ALTER DOMAIN label ADD CONSTRAINT held CHECK (VALUE <> '');
-- form: held domain validate
-- setup: ALTER DOMAIN posint ADD CONSTRAINT held CHECK (VALUE > 0) NOT VALID
ALTER DOMAIN posint VALIDATE CONSTRAINT held;
-- form: held domain in an array add check
-- setup: ALTER TABLE stat ADD COLUMN da label[]
-- setup: UPDATE stat SET da = '{a}'
ALTER DOMAIN label ADD CONSTRAINT held CHECK (VALUE <> '');
-- form: held domain in a composite add check
-- setup: CREATE TYPE held_c AS (l unused)
-- setup: ALTER TABLE stat ADD COLUMN cc held_c
ALTER DOMAIN unused ADD CONSTRAINT held CHECK (VALUE > 0);
-- form: held domain in a partition tree add check
-- setup: CREATE DOMAIN held_d AS int
-- setup: ALTER TABLE spt ADD COLUMN hd held_d
ALTER DOMAIN held_d ADD CHECK (VALUE > 0);
-- form: held domain set not null unused
ALTER DOMAIN unused SET NOT NULL;
-- form: held domain in a materialized view
-- setup: CREATE MATERIALIZED VIEW held AS SELECT d FROM t
ALTER DOMAIN posint ADD CHECK (VALUE > 0);
-- form: held enum value before
ALTER TYPE feel ADD VALUE 'aa' BEFORE 'b';
-- form: held enum rename value
ALTER TYPE mood RENAME VALUE 'a' TO 'z';

-- form: held reindex schema hold
-- hold: LOCK TABLE m.t2 IN ROW EXCLUSIVE MODE
-- atmost: only the table that it waits for is seen
REINDEX TABLE t2;
-- form: held reindex index verbose
REINDEX (VERBOSE) INDEX t_b_idx;
-- form: held refresh matview
REFRESH MATERIALIZED VIEW mv;
-- form: held refresh matview with no data
REFRESH MATERIALIZED VIEW macc WITH NO DATA;
-- form: held matview of two
CREATE MATERIALIZED VIEW held AS SELECT t.id, p.x FROM t JOIN p ON p.id = t.pid;
-- form: held matview set access
ALTER MATERIALIZED VIEW macc SET (fillfactor = 70);
-- form: held matview cluster
ALTER MATERIALIZED VIEW macc CLUSTER ON macc_id;
-- form: held matview index
CREATE INDEX ON macc (tenant);
-- form: held statistics expression
-- pg: 14-
CREATE STATISTICS held ON (a + 1), b FROM t2;
-- form: held statistics ndistinct
CREATE STATISTICS held (ndistinct, dependencies) ON a, b FROM t2;
-- form: held trigger for each row
CREATE TRIGGER held AFTER INSERT OR UPDATE ON t2 FOR EACH ROW EXECUTE FUNCTION tf();
-- form: held trigger with transition tables
CREATE TRIGGER held AFTER UPDATE ON t2 REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION tf();
-- form: held trigger or replace
-- pg: 14-
CREATE OR REPLACE TRIGGER clu_trigger BEFORE UPDATE OF v ON clu FOR EACH ROW EXECUTE FUNCTION tf();
-- form: held rule instead
CREATE RULE held AS ON DELETE TO t2 DO INSTEAD NOTHING;
-- form: held policy with check
CREATE POLICY held ON t2 FOR INSERT WITH CHECK (a > 0);
-- form: held disable row security
ALTER TABLE clu DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
-- form: held drop several indexes
DROP INDEX t_b_idx, t_c_idx;
-- form: held drop view restrict
DROP VIEW vvacc RESTRICT;
-- form: held drop column twice
ALTER TABLE entry DROP COLUMN tags, DROP COLUMN IF EXISTS nothing, DROP COLUMN qd;
-- form: held drop owned
DROP OWNED BY CURRENT_USER;
-- unforeseen: the owner of the system's objects cannot lose them
-- form: held truncate several
TRUNCATE t2, stat RESTART IDENTITY;
-- form: held lock nowait
LOCK TABLE t2, p IN SHARE ROW EXCLUSIVE MODE NOWAIT;
-- form: held lock share
LOCK TABLE t2 IN SHARE MODE;
-- form: held create table as values
CREATE TABLE held AS VALUES (1), (2);
-- form: held create table as select of a big one
CREATE TABLE held AS SELECT * FROM t;
-- form: held create unlogged as
CREATE UNLOGGED TABLE held AS SELECT id FROM p WHERE id > 5;
-- form: held create table like all
CREATE TABLE held (LIKE t INCLUDING ALL);
-- form: held create table as execute
-- unforeseen: there is no prepared statement
CREATE TABLE held AS EXECUTE nothing;
-- form: held comment database object
COMMENT ON STATISTICS clu_stats IS 'x';
-- form: held index on expression of function
CREATE INDEX ON t2 (ff(a));
-- form: held unique index nulls not distinct
-- pg: 15-
CREATE UNIQUE INDEX ON t2 (a) NULLS NOT DISTINCT;
-- form: held index only on parent
CREATE INDEX held ON ONLY spt (l);
-- form: held index spgist
CREATE INDEX ON ty USING spgist (txt);
-- form: held insert of many rows
INSERT INTO t2 (id) SELECT g FROM generate_series(10000, 12000) g;
-- form: held copy to
-- pg: 13-
COPY t2 TO '/dev/null';
-- form: held merge with delete
-- pg: 17-
MERGE INTO t2 USING p ON p.id = t2.id WHEN MATCHED AND p.x > 5 THEN DELETE WHEN NOT MATCHED BY SOURCE THEN DO NOTHING;
-- form: held do block with ddl
DO $$ BEGIN ALTER TABLE t2 ADD COLUMN x int DEFAULT 1; END $$;
-- form: held do block with a rewrite
DO $$ BEGIN ALTER TABLE t2 ALTER a TYPE bigint; END $$;
-- form: held multi subcommands light
ALTER TABLE t2 ADD COLUMN x int, ALTER b SET DEFAULT 'x', ALTER b SET STATISTICS 10, DROP CONSTRAINT t2_nv, ADD CHECK (a > 0) NOT VALID;
-- form: held multi subcommands heavy index
ALTER TABLE t2 ADD UNIQUE (a), ADD CHECK (a > 0);
-- form: held drop and add primary key using index
ALTER TABLE clu DROP CONSTRAINT clu_pkey, ADD CONSTRAINT clu_pkey PRIMARY KEY USING INDEX clu_w;
-- form: held create partition far from a proven default
-- setup: ALTER TABLE ptd_def ADD CHECK (k <= 3500)
CREATE TABLE held PARTITION OF ptd FOR VALUES FROM (5000) TO (6000);
-- form: held create partition below a proven default
-- setup: ALTER TABLE ptd_def ADD CHECK (k > 0)
CREATE TABLE held PARTITION OF ptd FOR VALUES FROM (-100) TO (0);
-- form: held create partition at the edge of a default
-- setup: ALTER TABLE ptd_def ADD CHECK (k <= 5000)
CREATE TABLE held PARTITION OF ptd FOR VALUES FROM (5000) TO (6000);
-- form: held create list partition beside a default with a comparison
-- setup: ALTER TABLE dp_def ADD CHECK (k < 4000 AND k IS NOT NULL)
-- atmost: the server refutes a list by a comparison, which Effects does not try
CREATE TABLE held PARTITION OF dp FOR VALUES IN (5000);
-- form: held attach dates proven by a shorter range
-- setup: CREATE TABLE hd (d date NOT NULL, v int) PARTITION BY RANGE (d)
-- setup: CREATE TABLE held (d date NOT NULL, v int, CHECK (d >= '2026-01-05' AND d < '2026-01-20'))
-- setup: INSERT INTO held SELECT '2026-01-06', g FROM generate_series(1, 2000) g
ALTER TABLE hd ATTACH PARTITION held FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
-- form: held attach dates not proven
-- setup: CREATE TABLE hd (d date NOT NULL, v int) PARTITION BY RANGE (d)
-- setup: CREATE TABLE held (d date NOT NULL, v int, CHECK (d >= '2025-12-31' AND d < '2026-01-20'))
-- setup: INSERT INTO held SELECT '2026-01-06', g FROM generate_series(1, 2000) g
ALTER TABLE hd ATTACH PARTITION held FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
-- form: held attach timestamps proven
-- setup: CREATE TABLE hd (d timestamp NOT NULL, v int) PARTITION BY RANGE (d)
-- setup: CREATE TABLE held (d timestamp NOT NULL, v int, CHECK (d >= '2026-01-01 00:00:00' AND d <= '2026-01-31 23:59:59'))
-- setup: INSERT INTO held SELECT '2026-01-06', g FROM generate_series(1, 2000) g
ALTER TABLE hd ATTACH PARTITION held FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
-- form: held attach numbers in text not proven
-- setup: CREATE TABLE hd (d text NOT NULL, v int) PARTITION BY RANGE (d)
-- setup: CREATE TABLE held (d text NOT NULL, v int, CHECK (d >= '5' AND d < '50'))
-- setup: INSERT INTO held SELECT '5', g FROM generate_series(1, 2000) g
-- atmost: how texts compare is a matter of their collation
ALTER TABLE hd ATTACH PARTITION held FOR VALUES FROM ('4') TO ('9');
-- form: held attach one of a list
-- setup: CREATE TABLE held (id int, k int NOT NULL, CHECK (k = 7001))
-- setup: INSERT INTO held SELECT g, 7001 FROM generate_series(1, 2000) g
-- setup: ALTER TABLE dp DETACH PARTITION dp_def
ALTER TABLE dp ATTACH PARTITION held FOR VALUES IN (7001, 7002);
-- form: held attach a range by a list
-- setup: CREATE TABLE held (id int NOT NULL, k int NOT NULL, v text, CHECK (k IN (3000, 3500)))
-- setup: INSERT INTO held SELECT g, 3000, 'v' FROM generate_series(1, 2000) g
ALTER TABLE pt ATTACH PARTITION held FOR VALUES FROM (3000) TO (4000);
-- form: held attach a range by a list with one outside
-- setup: CREATE TABLE held (id int NOT NULL, k int NOT NULL, v text, CHECK (k IN (3000, 4000)))
-- setup: INSERT INTO held SELECT g, 3000, 'v' FROM generate_series(1, 2000) g
ALTER TABLE pt ATTACH PARTITION held FOR VALUES FROM (3000) TO (4000);
-- form: held typed attribute cascade below
-- setup: CREATE TABLE held OF pair (PRIMARY KEY (a))
-- setup: INSERT INTO held SELECT g, 'x' FROM generate_series(1, 2000) g
ALTER TYPE pair ADD ATTRIBUTE c int CASCADE, ALTER ATTRIBUTE a TYPE bigint CASCADE;
-- form: held identity with not null
ALTER TABLE t2 ALTER a SET NOT NULL, ALTER a ADD GENERATED ALWAYS AS IDENTITY;
-- form: held logged referencing unlogged refused
-- setup: CREATE UNLOGGED TABLE held (id int REFERENCES ulog(id))
ALTER TABLE held SET LOGGED;
-- form: held unlogged referencing itself
-- setup: CREATE TABLE held (id int PRIMARY KEY, up int REFERENCES held(id))
-- atmost: no row is there, and Effects does not know it
ALTER TABLE held SET UNLOGGED;
-- form: held not null of a view refused
ALTER TABLE vacc ALTER name SET NOT NULL;
-- form: held citext from text nobody indexed
-- setup: CREATE EXTENSION IF NOT EXISTS citext SCHEMA m
ALTER TABLE p ADD COLUMN zz text, ALTER x TYPE bigint;
-- form: held citext of a free column
-- setup: CREATE EXTENSION IF NOT EXISTS citext SCHEMA m
ALTER TABLE t2 ALTER b TYPE citext;
-- form: held citext to limited
-- setup: CREATE EXTENSION IF NOT EXISTS citext SCHEMA m
-- setup: ALTER TABLE stat ADD COLUMN ci citext
ALTER TABLE stat ALTER ci TYPE varchar(10);
-- form: held at time zone of timetz
ALTER TABLE t2 ADD COLUMN x timetz DEFAULT (current_time AT TIME ZONE 'utc');
