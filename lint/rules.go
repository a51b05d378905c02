package lint

import "strings"

// Rule is what a finding says, for people: the catalogue, `replank rules`, SARIF and docs/lint-rules.md are made of it.
type Rule struct {
	ID     string `json:"id"`
	Family string `json:"family"`
	// Severity is that of a finding where neither the rule's circumstances nor the size of the table say another.
	Severity Severity `json:"severity"`
	Title    string   `json:"title"`          // one line
	Doc      string   `json:"doc"`            // one paragraph: what happens, and who waits for whom
	Safe     string   `json:"safe,omitempty"` // what to write instead, as SQL; "" where that is not a question of SQL
	Apply    string   `json:"apply"`          // what `replank apply` does with the statement
}

// The families, in the order of the catalogue.
const (
	familyEffects     = "Locks, rewrites and scans"
	familyTransaction = "The shape of a transaction"
	familyCompat      = "Old and new code together"
	familyLoss        = "Loss, and many rows at once"
	familyIndexes     = "Indexes"
	familyShapes      = "Definitions that hurt later"
	familyHistory     = "The history itself"
	familyWorkload    = "The workload"
)

// Families are the headings of the catalogue in order.
var Families = []string{familyEffects, familyTransaction, familyCompat, familyLoss, familyIndexes, familyShapes, familyHistory, familyWorkload}

// RuleByID finds a rule; nil when there is none of this name.
func RuleByID(id string) *Rule { return byID[id] }

var byID = func() map[string]*Rule {
	m := map[string]*Rule{}
	for i := range Rules {
		r := &Rules[i]
		if m[r.ID] != nil {
			panic("two rules " + r.ID)
		}
		r.Doc, r.Safe = strings.TrimSpace(r.Doc), strings.TrimSpace(r.Safe)
		m[r.ID] = r
	}
	return m
}()

// queue is the story behind every strong lock.
const queue = "A lock is waited for in a queue: while this statement waits for one long query to end, every query that comes after it waits behind it, and so does everyone while it works."

// Rules is every rule there is.
var Rules = []Rule{
	// Locks, rewrites and scans.
	{
		ID: "column-type", Family: familyEffects, Severity: Error,
		Title: "a column type change writes or checks every row under ACCESS EXCLUSIVE",
		Doc:   `ALTER COLUMN … TYPE takes ACCESS EXCLUSIVE. Where the bytes on disk fit the new type (varchar(20) to varchar(40) or text, numeric(10,2) to numeric(12,2)) it is over at once and not reported; otherwise PostgreSQL writes the whole table and its indexes anew, or reads it to check constraints, and nobody reads or writes meanwhile. ` + queue,
		Safe: `
ALTER TABLE t ADD COLUMN c_new bigint;
-- a trigger that keeps c_new equal to c; then, in batches:
UPDATE t SET c_new = c WHERE id BETWEEN 1 AND 10000;
-- indexes CONCURRENTLY, constraints NOT VALID and VALIDATE, then in one short transaction:
ALTER TABLE t DROP COLUMN c;
ALTER TABLE t RENAME COLUMN c_new TO c;`,
		Apply: "does it online: a shadow column, a two-way trigger, a fill in ranges, twins of indexes and constraints, one short swap at complete; the way back stays open until then",
	},
	{
		ID: "volatile-default", Family: familyEffects, Severity: Error,
		Title: "a new column whose default differs from row to row rewrites the table",
		Doc:   `Since PostgreSQL 11 a constant default, and a stable one such as now(), is stored once and costs nothing. A volatile one (random(), gen_random_uuid(), clock_timestamp(), nextval() of serial and identity columns) has to be computed for every row: the table is written anew under ACCESS EXCLUSIVE. ` + queue,
		Safe: `
ALTER TABLE t ADD COLUMN token uuid;
ALTER TABLE t ALTER COLUMN token SET DEFAULT gen_random_uuid();
-- the rows there are, in batches:
UPDATE t SET token = gen_random_uuid() WHERE token IS NULL AND id BETWEEN 1 AND 10000;`,
		Apply: "does it online: nullable column, default, fill in ranges, constraint",
	},
	{
		ID: "generated-stored", Family: familyEffects, Severity: Error,
		Title: "GENERATED ALWAYS AS (…) STORED computes and writes every row",
		Doc:   `Adding a stored generated column, or giving one another expression, writes the whole table anew under ACCESS EXCLUSIVE. PostgreSQL 18 has VIRTUAL ones, which cost nothing. ` + queue,
		Safe: `
ALTER TABLE t ADD COLUMN total numeric;
-- a BEFORE INSERT OR UPDATE trigger that computes it, and the rows there are in batches`,
		Apply: "refuses it (generated-stored), and says so in plan",
	},
	{
		ID: "domain-column", Family: familyEffects, Severity: Error,
		Title: "a new column of a domain with constraints rewrites the table",
		Doc:   `PostgreSQL checks a domain's constraints for every row, so a new column of such a domain is written into each of them under ACCESS EXCLUSIVE, even where it stays NULL. ` + queue,
		Safe: `
ALTER TABLE t ADD COLUMN email text;
ALTER TABLE t ADD CONSTRAINT t_email_check CHECK (email ~ '@') NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT t_email_check;`,
		Apply: "refuses it (blocking), and says so in plan",
	},
	{
		ID: "domain-constraint", Family: familyEffects, Severity: Error,
		Title: "a constraint of a domain is checked in every table that uses it",
		Doc:   `ALTER DOMAIN … ADD CONSTRAINT and VALIDATE CONSTRAINT read every table with a column of the domain, and hold SHARE on each: nobody writes to any of them until the last has been read. NOT VALID leaves out the reading, but not VALIDATE's lock. ` + queue,
		Safe: `
ALTER DOMAIN posint ADD CONSTRAINT posint_check CHECK (VALUE > 0) NOT VALID;
-- on each table that uses it, without keeping writers out:
ALTER TABLE t ADD CONSTRAINT t_n_check CHECK (n > 0) NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT t_n_check;`,
		Apply: "refuses it where a table that uses the domain is big, and says so in plan",
	},
	{
		ID: "refresh-materialized-view", Family: familyEffects, Severity: Error,
		Title: "REFRESH MATERIALIZED VIEW keeps readers out",
		Doc:   `REFRESH without CONCURRENTLY holds ACCESS EXCLUSIVE on the view while its query runs. With CONCURRENTLY readers go on; that needs a unique index without WHERE over plain columns. ` + queue,
		Safe:  "REFRESH MATERIALIZED VIEW CONCURRENTLY v;",
		Apply: "runs it as it is under lock discipline, or refuses it where the view is big",
	},
	{
		ID: "table-rewrite", Family: familyEffects, Severity: Error,
		Title: "the whole table is written anew under ACCESS EXCLUSIVE",
		Doc:   `VACUUM FULL, CLUSTER, SET LOGGED and UNLOGGED, SET ACCESS METHOD, SET TABLESPACE and others write every row and build every index anew, and nobody reads or writes the table meanwhile. ` + queue,
		Safe:  "-- for bloat: pg_repack or pg_squeeze; VACUUM without FULL keeps nobody out\nVACUUM (ANALYZE) t;",
		Apply: "refuses it for tables that are not small, and says so in plan",
	},
	{
		ID: "index-not-concurrently", Family: familyEffects, Severity: Error,
		Title: "CREATE INDEX keeps writers out until the index is built",
		Doc:   `CREATE INDEX holds SHARE on the table: nobody writes to it for as long as the build takes. CONCURRENTLY lets writers pass; it cannot run inside a transaction, takes longer, and leaves an INVALID index behind when it fails. A partitioned table's index is built per partition and attached. ` + queue,
		Safe:  "CREATE INDEX CONCURRENTLY t_a_idx ON t (a);",
		Apply: "builds it CONCURRENTLY, per partition where there are some, and clears away what a failed attempt left",
	},
	{
		ID: "foreign-key-validated", Family: familyEffects, Severity: Error,
		Title: "ADD FOREIGN KEY reads the table while writers of two tables wait",
		Doc:   `A new foreign key holds SHARE ROW EXCLUSIVE on both tables while every row is looked up: nobody writes to either. NOT VALID makes the first step short, and VALIDATE CONSTRAINT reads the table without keeping anyone out. ` + queue,
		Safe: `
ALTER TABLE t ADD CONSTRAINT t_p_fkey FOREIGN KEY (p) REFERENCES p (id) NOT VALID;
-- in a transaction of its own:
ALTER TABLE t VALIDATE CONSTRAINT t_p_fkey;`,
		Apply: "does it in these two steps",
	},
	{
		ID: "check-validated", Family: familyEffects, Severity: Error,
		Title: "ADD CHECK reads the table under ACCESS EXCLUSIVE",
		Doc:   `A new CHECK constraint holds ACCESS EXCLUSIVE while every row is checked. NOT VALID makes the first step short, and VALIDATE CONSTRAINT reads the table without keeping anyone out. A CHECK on a column that the same statement adds is checked for every row, too. ` + queue,
		Safe: `
ALTER TABLE t ADD CONSTRAINT t_a_check CHECK (a > 0) NOT VALID;
-- in a transaction of its own:
ALTER TABLE t VALIDATE CONSTRAINT t_a_check;`,
		Apply: "does it in these two steps",
	},
	{
		ID: "unique-constraint", Family: familyEffects, Severity: Error,
		Title: "ADD UNIQUE or PRIMARY KEY builds its index under ACCESS EXCLUSIVE",
		Doc:   `A new UNIQUE or PRIMARY KEY constraint builds an index while nobody reads or writes the table. An index that was built CONCURRENTLY becomes the constraint's in an instant. A primary key also needs its columns NOT NULL, which is proven by reading the table unless they are already. ` + queue,
		Safe: `
CREATE UNIQUE INDEX CONCURRENTLY t_a_key ON t (a);
ALTER TABLE t ADD CONSTRAINT t_a_key UNIQUE USING INDEX t_a_key;`,
		Apply: "does it in these steps",
	},
	{
		ID: "exclude-constraint", Family: familyEffects, Severity: Error,
		Title: "ADD EXCLUDE builds its index under ACCESS EXCLUSIVE",
		Doc:   `An EXCLUDE constraint builds an index and compares every row with others while nobody reads or writes the table. PostgreSQL has no way to do that beside writers: neither NOT VALID nor USING INDEX. ` + queue,
		Apply: "refuses it for tables that are not small, and says so in plan",
	},
	{
		ID: "set-not-null", Family: familyEffects, Severity: Error,
		Title: "SET NOT NULL reads the table under ACCESS EXCLUSIVE",
		Doc:   `SET NOT NULL looks at every row, unless a valid CHECK (c IS NOT NULL) proves that there is no NULL (PostgreSQL 12), or the constraint is NOT VALID first (PostgreSQL 18). ` + queue,
		Safe: `
ALTER TABLE t ADD CONSTRAINT t_c_not_null CHECK (c IS NOT NULL) NOT VALID;
-- in a transaction of its own:
ALTER TABLE t VALIDATE CONSTRAINT t_c_not_null;
-- and then, in an instant:
ALTER TABLE t ALTER COLUMN c SET NOT NULL;
ALTER TABLE t DROP CONSTRAINT t_c_not_null;`,
		Apply: "does it in these steps; on 18 with NOT NULL … NOT VALID",
	},
	{
		ID: "attach-partition", Family: familyEffects, Severity: Error,
		Title: "ATTACH PARTITION reads the table to prove its bounds",
		Doc:   `ATTACH PARTITION reads the whole table under ACCESS EXCLUSIVE, and a default partition as well, unless a valid CHECK constraint proves the bounds. ` + queue,
		Safe: `
ALTER TABLE p1 ADD CONSTRAINT p1_bound CHECK (at IS NOT NULL AND at >= '2026-01-01' AND at < '2026-02-01') NOT VALID;
ALTER TABLE p1 VALIDATE CONSTRAINT p1_bound;
ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
ALTER TABLE p1 DROP CONSTRAINT p1_bound;`,
		Apply: "proves the bounds by such a CHECK first, in the form that PostgreSQL believes",
	},
	{
		ID: "default-partition", Family: familyEffects, Severity: Error,
		Title: "a new partition beside a default one reads the default partition",
		Doc:   `Where there is a default partition, its rows could belong to the new one: CREATE TABLE … PARTITION OF and ATTACH PARTITION read all of it under ACCESS EXCLUSIVE, unless a valid CHECK proves that no row does. ` + queue,
		Safe: `
ALTER TABLE p_default ADD CONSTRAINT p_default_not CHECK (NOT (at IS NOT NULL AND at >= '2026-01-01' AND at < '2026-02-01')) NOT VALID;
ALTER TABLE p_default VALIDATE CONSTRAINT p_default_not;`,
		Apply: "proves that first, by such a CHECK on the default partition",
	},
	{
		ID: "blocking-scan", Family: familyEffects, Severity: Error,
		Title: "a whole table is read while others wait",
		Doc:   `The statement holds a lock that keeps writers or everyone out of a table while it reads all of one. ` + queue,
		Apply: "refuses what would read a table that is not small under such a lock, or finds another way, which plan shows",
	},
	{
		ID: "reindex-not-concurrently", Family: familyEffects, Severity: Error,
		Title: "REINDEX keeps writers out, and readers of the index",
		Doc:   `REINDEX holds SHARE on the table and ACCESS EXCLUSIVE on the index until it is built. CONCURRENTLY (PostgreSQL 12) lets both pass. ` + queue,
		Safe:  "REINDEX INDEX CONCURRENTLY t_a_idx;",
		Apply: "reindexes CONCURRENTLY",
	},
	{
		ID: "opaque", Family: familyEffects, Severity: Notice,
		Title: "what this does cannot be read from its text",
		Doc:   `DO blocks, CALL and functions run code that may lock, read and write anything. Replank does not guess: try it with replank verify, which runs it on a clone of the schema and looks.`,
		Apply: "runs it as it is under lock discipline",
	},
	{
		ID: "fails", Family: familyEffects, Severity: Error,
		Title: "PostgreSQL will refuse this statement",
		Doc:   `On the schema as the migrations before leave it, or on this version of PostgreSQL, the statement cannot run.`,
		Apply: "refuses it before anything is changed",
	},

	// The shape of a transaction.
	{
		ID: "concurrently-in-transaction", Family: familyTransaction, Severity: Error,
		Title: "a statement that cannot run inside a transaction is in one",
		Doc:   `CREATE INDEX CONCURRENTLY and its like commit by themselves, so PostgreSQL refuses them inside a transaction block (25001). Migration tools open one around a file unless the file says otherwise, and a message with several statements is one.`,
		Safe:  "-- goose:      -- +goose NO TRANSACTION\n-- dbmate:     -- migrate:up transaction:false\n-- Flyway:     executeInTransaction=false\n-- golang-migrate: a file with this statement alone\n-- Django:     atomic = False\n-- Alembic:    with op.get_context().autocommit_block():\nCREATE INDEX CONCURRENTLY t_a_idx ON t (a);",
		Apply: "runs it outside of transactions by itself",
	},
	{
		ID: "nested-transaction", Family: familyTransaction, Severity: Warning,
		Title: "BEGIN or COMMIT inside the transaction of the migration tool",
		Doc:   `The tool has opened a transaction around the file, to record the migration together with it. COMMIT in the file ends that one: what follows runs without, and a failure leaves half a migration that the tool does not know of.`,
		Safe:  "-- leave BEGIN and COMMIT to the tool, or tell it not to open a transaction",
		Apply: "honours BEGIN and COMMIT of plain files",
	},
	{
		ID: "lock-timeout", Family: familyTransaction, Severity: Notice,
		Title: "no bound on the wait for a lock",
		Doc:   queue + ` Without lock_timeout the wait has no end; with a short one the statement fails, the queue goes on, and the migration is tried again. Reported once a file, and not for plain folders, which replank runs with bounds of its own.`,
		Safe:  "SET lock_timeout = '2s';",
		Apply: "tries for locks in short attempts, with an empty queue between them",
	},
	{
		ID: "several-locks", Family: familyTransaction, Severity: Warning,
		Title: "several tables are locked against everyone in one transaction",
		Doc:   `A transaction keeps its locks until its end. While the second is waited for, the first keeps everyone out, and an application that uses the two tables in the other order makes a deadlock.`,
		Safe:  "-- one file, or one transaction, for each table",
		Apply: "takes the locks of one table at a time, and where several are needed at once, all or none in a short attempt",
	},
	{
		ID: "work-under-lock", Family: familyTransaction, Severity: Error,
		Title: "long work while an earlier statement's lock is held",
		Doc:   `A transaction keeps its locks until its end: whoever waits for the table that an earlier statement locked, waits for this long one as well.`,
		Safe:  "-- COMMIT before the long statement: a file of its own",
		Apply: "does the long work before, outside of the transaction that holds the strong lock",
	},
	{
		ID: "validate-in-same-transaction", Family: familyTransaction, Severity: Error,
		Title: "NOT VALID and VALIDATE in one transaction gain nothing",
		Doc:   `ADD CONSTRAINT … NOT VALID takes its strong lock for an instant, VALIDATE reads the table under a weak one. In one transaction the strong lock is held while the table is read.`,
		Safe:  "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;\n-- in another transaction, another file:\nALTER TABLE t VALIDATE CONSTRAINT c;",
		Apply: "does the two in transactions of their own",
	},
	{
		ID: "data-with-schema", Family: familyTransaction, Severity: Warning,
		Title: "rows and schema are changed in one transaction",
		Doc:   `The change of rows takes its time while the schema change's lock is held, or the schema change waits for its lock while the changed rows are locked. Either way everyone waits for both.`,
		Safe:  "-- the schema change in one file, the rows in another, in batches",
		Apply: "does the two apart: short steps for the schema, a backfill for the rows",
	},
	{
		ID: "enum-value-in-transaction", Family: familyTransaction, Severity: Error,
		Title: "an enum value is used in the transaction that adds it",
		Doc:   `Since PostgreSQL 12 ALTER TYPE … ADD VALUE may stand in a transaction, but the value cannot be used before COMMIT (55P04), unless the type was made in the same transaction.`,
		Safe:  "-- ADD VALUE in a file of its own, before the one that uses it",
		Apply: "adds the value in a transaction of its own",
	},

	// Old and new code together.
	{
		ID: "drop-column", Family: familyCompat, Severity: Warning,
		Title: "old code reads or writes the column that goes",
		Doc:   `A deploy is not one moment: instances with the old code run beside the new ones, and come back with a rollback. What they still name fails for them from the COMMIT of this migration on. ORMs name every column they know in SELECT and INSERT. The values are gone for good.`,
		Safe:  "-- 1. deploy code that does not name the column (Django: remove the field with SeparateDatabaseAndState; Rails: ignored_columns)\n-- 2. when no old code runs any more:\nALTER TABLE t DROP COLUMN c;",
		Apply: "leaves the column in place until complete, filled for old code and invisible to new code where a version schema is used",
	},
	{
		ID: "drop-table", Family: familyCompat, Severity: Warning,
		Title: "old code uses the table that goes",
		Doc:   `Instances with the old code run beside the new ones, and come back with a rollback. The rows are gone for good, and foreign keys of other tables go with CASCADE.`,
		Safe:  "-- when no code uses it any more; rename it first and wait, to be able to go back:\nALTER TABLE t RENAME TO t_dropped;",
		Apply: "drops it at complete, not before",
	},
	{
		ID: "drop-view", Family: familyCompat, Severity: Warning,
		Title: "old code reads the view that goes",
		Doc:   `Instances with the old code run beside the new ones: what still reads the view fails for them from the COMMIT of this migration on.`,
		Apply: "drops it at complete, not before",
	},
	{
		ID: "rename-column", Family: familyCompat, Severity: Warning,
		Title: "old code uses the old name, new code the new one",
		Doc:   `There is no moment at which both are right: until COMMIT the new code fails, from then on the old code. In the database the rename takes an instant; in production it is an outage for the length of a deploy.`,
		Safe: `
ALTER TABLE t ADD COLUMN new_name text;
-- a trigger that keeps both equal, a fill in batches; deploy; then
ALTER TABLE t DROP COLUMN old_name;`,
		Apply: "keeps both names alive, with two-way triggers or a version schema, until complete",
	},
	{
		ID: "rename-table", Family: familyCompat, Severity: Warning,
		Title: "old code uses the old name of the table, new code the new one",
		Doc:   `There is no moment at which both are right. A view under the old name, made in the same transaction, serves old code: a simple view can be written to.`,
		Safe:  "BEGIN;\nALTER TABLE t RENAME TO u;\nCREATE VIEW t AS SELECT * FROM u;\nCOMMIT;\n-- when no old code runs any more: DROP VIEW t;",
		Apply: "keeps both names alive until complete",
	},
	{
		ID: "set-schema", Family: familyCompat, Severity: Warning,
		Title: "old code finds the table in its old schema",
		Doc:   `Who names the schema, or has a search_path without the new one, does not find the table any more.`,
		Safe:  "BEGIN;\nALTER TABLE a.t SET SCHEMA b;\nCREATE VIEW a.t AS SELECT * FROM b.t;\nCOMMIT;",
		Apply: "keeps both places alive until complete",
	},
	{
		ID: "required-column", Family: familyCompat, Severity: Error,
		Title: "a new NOT NULL column without a default",
		Doc:   `It fails where the table has rows. Where it has none yet, INSERTs of old code, which does not know the column, fail from then on. An ORM's own default is not one: only the database's counts for old code.`,
		Safe:  "ALTER TABLE t ADD COLUMN c int NOT NULL DEFAULT 0;",
		Apply: "does it with the value that `-- replank: fill c = …` names, and keeps old INSERTs alive until complete",
	},
	{
		ID: "not-null", Family: familyCompat, Severity: Warning,
		Title: "old code may leave out, or write NULL to, what becomes NOT NULL",
		Doc:   `The column has no default: INSERTs of old code that do not name it, or write NULL, fail from COMMIT on.`,
		Safe:  "ALTER TABLE t ALTER COLUMN c SET DEFAULT '';\n-- and SET NOT NULL when all code writes it",
		Apply: "keeps NULLs of old code alive until complete, where the file names a value for them",
	},
	{
		ID: "default-dropped", Family: familyCompat, Severity: Error,
		Title: "a NOT NULL column loses the default that old INSERTs rely on",
		Doc:   `ORMs add a NOT NULL column with a default for the rows there are and drop the default in the next statement, since new code sends the value itself. Old code does not know the column: its INSERTs fail (23502) until the last old instance is gone.`,
		Safe:  "-- keep the database's default (Django: db_default=…; SQLAlchemy: server_default=…), and drop it later\nALTER TABLE t ADD COLUMN c int NOT NULL DEFAULT 0;",
		Apply: "does DROP DEFAULT at complete",
	},
	{
		ID: "default-changed", Family: familyCompat, Severity: Notice,
		Title: "code that leaves the column out writes another value",
		Doc:   `Old code with partial INSERTs gets the new default; an ORM that sends its own default goes on writing the old one. Rows that are there keep what they have.`,
		Apply: "does it in one short step",
	},
	{
		ID: "drop-not-null", Family: familyCompat, Severity: Notice,
		Title: "old readers meet NULL where there was none",
		Doc:   `Old code was written when the column could not be NULL: what it does with one is decided when new code writes the first.`,
		Safe:  "-- deploy code that can read NULL; then\nALTER TABLE t ALTER COLUMN c DROP NOT NULL;",
		Apply: "does it in one short step; SET NOT NULL takes it back while no NULL was written",
	},
	{
		ID: "new-constraint", Family: familyCompat, Severity: Notice,
		Title: "old writers meet a constraint they do not know",
		Doc:   `From COMMIT on (NOT VALID or not) a row that the constraint forbids is refused, also where old code writes it.`,
		Apply: "adds it in short steps, and counts the rows that are in its way first",
	},
	{
		ID: "narrowing", Family: familyCompat, Severity: Warning,
		Title: "the new type cannot hold every value of the old one",
		Doc:   `Values that do not fit make the change fail half-way through the table, or are rounded or cut; old code goes on writing such values.`,
		Safe:  "-- find them first:\nSELECT count(*) FROM t WHERE length(c) > 20;",
		Apply: "finds them during the fill, before anything is lost, and names the rows",
	},
	{
		ID: "enum-value", Family: familyCompat, Severity: Notice,
		Title: "old readers meet an enum value they do not know",
		Doc:   `Code that maps the labels to constants fails at one that it has not got. PostgreSQL cannot remove a value of an enum again.`,
		Safe:  "-- deploy code that can read it; then\nALTER TYPE mood ADD VALUE 'new';",
		Apply: "adds it in a transaction of its own",
	},
	{
		ID: "rename-enum-value", Family: familyCompat, Severity: Warning,
		Title: "old code writes and compares the old label",
		Doc:   `From COMMIT on the old label is no value of the type: statements that name it fail.`,
		Safe:  "ALTER TYPE mood ADD VALUE 'new';\n-- deploy; UPDATE in batches; 'old' stays",
		Apply: "does it at complete",
	},
	{
		ID: "function-body", Family: familyCompat, Severity: Warning,
		Title: "a function's body names what goes",
		Doc:   `PostgreSQL keeps bodies in quotes as text and finds out when the function runs next. A trigger function makes every write to its table fail.`,
		Safe:  "-- CREATE OR REPLACE FUNCTION with the new name, in the same transaction",
		Apply: "refuses it, and names the function",
	},
	{
		ID: "column-order", Family: familyCompat, Severity: Warning,
		Title: "code that counts columns from the left",
		Doc:   `INSERT without a column list, SELECT * into a record, %ROWTYPE and COPY without a list depend on how many columns there are, and in which order.`,
		Apply: "asks for consent (column-order) where the order of columns is not psql's",
	},
	{
		ID: "logical-replication", Family: familyCompat, Severity: Warning,
		Title: "subscribers do not get the DDL",
		Doc:   `Logical replication sends rows, not DDL: a subscriber whose table has not got the new column stops at the first row, and its slot keeps WAL on the publisher until the disk is full.`,
		Safe:  "-- on every subscriber first:\nALTER TABLE t ADD COLUMN c int;",
		Apply: "asks for consent (subscribers)",
	},

	// Loss, and many rows at once.
	{
		ID: "truncate", Family: familyLoss, Severity: Error,
		Title: "TRUNCATE removes all rows, under ACCESS EXCLUSIVE",
		Doc:   `The rows are gone for good at COMMIT, for old snapshots as well, and nobody reads or writes the table until then. ` + queue,
		Apply: "asks for consent (irreversible)",
	},
	{
		ID: "delete-all", Family: familyLoss, Severity: Error,
		Title: "DELETE without WHERE",
		Doc:   `All rows are gone for good.`,
		Apply: "does it as a backfill and keeps the rows, so that revert brings them back",
	},
	{
		ID: "bulk-write", Family: familyLoss, Severity: Warning,
		Title: "many rows in one transaction",
		Doc:   `Every changed row is locked until COMMIT, so writers of any of them wait for the last; the table grows by the changed rows, the WAL arrives at replicas in one piece, vacuum cannot clean what is younger than this transaction, and a failure takes all of it back.`,
		Safe:  "-- in batches, each in a transaction of its own:\nUPDATE t SET a = 1 WHERE id BETWEEN 1 AND 10000 AND a IS DISTINCT FROM 1;",
		Apply: "does it as a backfill: small ranges, paced, resumable, each row once, the old values kept for revert",
	},
	{
		ID: "cascade", Family: familyLoss, Severity: Warning,
		Title: "CASCADE takes what it does not name",
		Doc:   `CASCADE drops views, foreign keys, defaults, columns and policies of other objects without a word but a NOTICE, and differently on each database.`,
		Safe:  "-- drop what depends on it by name, and then without CASCADE",
		Apply: "lists what goes and asks for consent (irreversible)",
	},
	{
		ID: "drop-schema", Family: familyLoss, Severity: Error,
		Title: "a whole schema, database or a role's possessions go",
		Doc:   `Everything in it goes for good, under one transaction that locks each of its tables.`,
		Apply: "asks for consent (irreversible)",
	},

	// Indexes.
	{
		ID: "if-not-exists", Family: familyIndexes, Severity: Warning,
		Title: "IF NOT EXISTS accepts whatever has the name",
		Doc:   `It compares names, never definitions. An INVALID index that a failed CREATE INDEX CONCURRENTLY left, a table with other columns or a column of another type is taken for done, and databases drift apart without an error.`,
		Safe:  "DROP INDEX CONCURRENTLY IF EXISTS t_a_idx;\nCREATE INDEX CONCURRENTLY t_a_idx ON t (a);",
		Apply: "compares definitions, and clears away an INVALID index before it builds",
	},
	{
		ID: "invalid-index", Family: familyIndexes, Severity: Warning,
		Title: "the table has an INVALID index",
		Doc:   `A CREATE INDEX CONCURRENTLY that failed leaves an index that every write maintains and no query uses; a unique one guarantees nothing.`,
		Safe:  "DROP INDEX CONCURRENTLY t_a_idx;",
		Apply: "clears away what its own attempts left; replank doctor lists the others",
	},
	{
		ID: "duplicate-index", Family: familyIndexes, Severity: Warning,
		Title: "an index that another one makes superfluous",
		Doc:   `An index whose columns are the first ones of another serves no query that the other does not, and costs every write, room and HOT updates.`,
		Safe:  "-- leave it out, or drop the shorter one:\nDROP INDEX CONCURRENTLY t_a_idx;",
		Apply: "builds it as written",
	},
	{
		ID: "foreign-key-index", Family: familyIndexes, Severity: Warning,
		Title: "a foreign key without an index on its columns",
		Doc:   `PostgreSQL indexes the referenced side, not the referring one: every DELETE of a referenced row and every UPDATE of its key reads the whole referring table, once a row, while it holds its locks.`,
		Safe:  "CREATE INDEX CONCURRENTLY t_p_idx ON t (p);",
		Apply: "builds what is written, no more",
	},

	// Definitions that hurt later.
	{
		ID: "int4-key", Family: familyShapes, Severity: Notice,
		Title: "a counted key of four or two bytes",
		Doc:   `Sequences never give back numbers: rolled back INSERTs and ON CONFLICT use them up, too. To widen the key of a big table means to rewrite it and every table that refers to it; eight bytes now cost nothing where alignment pads them anyway.`,
		Safe:  "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);",
		Apply: "makes it as written; a later change of the type goes online",
	},
	{
		ID: "identifier-length", Family: familyShapes, Severity: Warning,
		Title: "a name that PostgreSQL cuts",
		Doc:   `Names have at most 63 bytes. A longer one is cut with a NOTICE that nobody reads; code that looks for the whole name does not find it, and two long names may become one.`,
		Apply: "makes it as PostgreSQL would",
	},
	{
		ID: "column-budget", Family: familyShapes, Severity: Warning,
		Title: "the table will run out of columns",
		Doc:   `A table can have 1,600 columns in its life: dropped ones count, because old rows still have their places. Only a copy of the table starts anew.`,
		Apply: "refuses what would not fit",
	},

	// The history itself.
	{
		ID: "syntax", Family: familyHistory, Severity: Error,
		Title: "not SQL that PostgreSQL accepts",
		Doc:   `The statement cannot be read, so nothing is known of it. The others of its file are judged all the same. The exit code is 2.`,
		Apply: "refuses the file before anything is changed",
	},
	{
		ID: "client-command", Family: familyHistory, Severity: Error,
		Title: "work for psql, not for the server",
		Doc:   `Meta-commands, variables and the data of COPY FROM STDIN mean something to psql alone. The exit code is 2.`,
		Apply: "refuses the file before anything is changed",
	},
	{
		ID: "history", Family: familyHistory, Severity: Error,
		Title: "the history does not fit together",
		Doc:   `Two heads of a graph; a migration that stands before deployed ones, so that databases which have run those run it late or never; a squashed migration beside some only of those that it replaces; a deployed migration that was edited or is gone: what is run depends on who merges first, and databases drift apart. What only looks odd (a number that is missing or there twice, a file that the tool passes over, an operation of Django's that nobody can know without a database) is a notice.`,
		Apply: "refuses the history before anything is changed",
	},
	{
		ID: foreignOwner, Family: familyHistory, Severity: Error,
		Title: "the table belongs to another history",
		Doc:   `Two frameworks migrate one database, and replank.owners.toml, which replank adopt writes, says that this table's migrations stand in the other history. A change from here leaves that one's models and migrations wrong: its next migration fails, or takes the change back. To refer to the table, and to change its rows, is allowed.`,
		Safe:  "-- write the migration in the history that owns the table, or move the table here:\n-- replank adopt TABLE --to django",
		Apply: "refuses the history before anything is changed, unless `--accept foreign-owner` is given",
	},
	{
		ID: "allow", Family: familyHistory, Severity: Warning,
		Title: "a replank:allow comment that is expired, unused or wrong",
		Doc:   "`-- replank:allow RULE until=2027-01-31 owner=team because …` stands above its statement, `allow-file` at the top of the file. One whose date is over allows nothing; one that nothing needs, names no rule or gives no reason should go.",
		Apply: "does not look at it",
	},

	// The workload.
	{
		ID: "breaks-query", Family: familyWorkload, Severity: Error,
		Title: "a statement that applications send stops to compile",
		Doc:   `The snapshot has the normalised statements of pg_stat_statements. Each was prepared on a clone of the schema before and after the migration: this one compiles before and fails after it. The number of calls says how often that will happen.`,
		Apply: "keeps the old shape alive until complete, and complete waits until nobody uses it, where it is asked to",
	},
	{
		ID: "changes-query", Family: familyWorkload, Severity: Warning,
		Title: "a statement that applications send gets other types or columns",
		Doc:   `It compiles before and after the migration, but its parameters or its result have other types, or another number of columns: code that reads the result may not understand it, and connections that have prepared it fail once (cached plan must not change result type).`,
		Apply: "keeps the old shape alive until complete",
	},
	{
		ID: "unjudged-query", Family: familyWorkload, Severity: Notice,
		Title: "a statement of the workload that could not be judged",
		Doc:   `pg_stat_statements has lost its constants, and neither their types could be found nor the statement prepared without them, or it did not compile before the migration either.`,
		Apply: "does not look at it",
	},
}
