package livetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/plan"
)

// TestStatementsOutsideOfTransactions: what PostgreSQL refuses in a transaction block is carried out by itself.
func TestStatementsOutsideOfTransactions(t *testing.T) {
	name := pgtest.Role(t, "outside", "NOLOGIN") // a name that nobody else has
	const prepare = "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 1); CLUSTER t USING t_pkey;"
	for _, tt := range []struct {
		name, sql string
		accept    string
		proof     string // a query that is true at the end
		undo      string
		complete  bool
		version   int
	}{
		{name: "vacuum", sql: "VACUUM (ANALYZE) t;", proof: "SELECT relpages = 1 AND reltuples = 1 FROM pg_class WHERE oid = 't'::regclass"},
		{name: "vacuum full of everything", sql: "-- replank: plain\nVACUUM FULL;", proof: "SELECT true"},
		{name: "cluster of everything", sql: "-- replank: plain\nCLUSTER;", proof: "SELECT true"},
		{name: "cluster of a partitioned table", version: 15, sql: "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);\nCREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);\n-- replank: plain\nCLUSTER p USING p_pkey;",
			proof: "SELECT count(*) = 1 FROM pg_index WHERE indisclustered AND indrelid = 'p1'::regclass"},
		{name: "reindex database", sql: "REINDEX DATABASE CONCURRENTLY {db};", proof: "SELECT true"},
		{name: "reindex schema", sql: "REINDEX SCHEMA public;", proof: "SELECT true"},
		{name: "alter system", accept: "irreversible", sql: "ALTER SYSTEM SET cursor_tuple_fraction = 0.2;", undo: "ALTER SYSTEM RESET cursor_tuple_fraction",
			proof: "SELECT count(*) = 1 FROM pg_file_settings WHERE name = 'cursor_tuple_fraction'"},
		{name: "create database", accept: "irreversible", sql: "CREATE DATABASE {name};", undo: "DROP DATABASE {name}",
			proof: "SELECT count(*) = 1 FROM pg_database WHERE datname = '{name}'"},
		{name: "drop database", sql: "DROP DATABASE {name};", complete: true, proof: "SELECT count(*) = 0 FROM pg_database WHERE datname = '{name}'"},
		{name: "drop subscription", sql: "DROP SUBSCRIPTION s;", complete: true, proof: "SELECT count(*) = 0 FROM pg_subscription WHERE subname = 's'"},
		{name: "drop and create subscription", sql: "DROP SUBSCRIPTION s;\nCREATE SUBSCRIPTION s CONNECTION 'dbname=other' PUBLICATION q WITH (connect = false);",
			complete: true, undo: "ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s", proof: "SELECT subpublications = '{q}' FROM pg_subscription WHERE subname = 's'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.version > 0 {
				pgtest.AtLeast(t, tt.version)
			}
			dsn := pgtest.DB(t)
			in := strings.NewReplacer("{db}", pgtest.Database(dsn), "{name}", name).Replace
			if strings.HasPrefix(tt.sql, "DROP DATABASE") {
				pgtest.Exec(t, dsn, in("CREATE DATABASE {name}"))
			}
			if strings.HasPrefix(tt.sql, "DROP SUBSCRIPTION") {
				pgtest.Exec(t, dsn, "CREATE SUBSCRIPTION s CONNECTION 'dbname=none' PUBLICATION p WITH (connect = false, slot_name = NONE)")
			}
			s := siteOn(t, dsn, prepare, in(tt.sql))
			if tt.accept != "" {
				wantConsent(t, s, tt.accept)
			}
			if s.cfg = append(s.cfg, accept(tt.accept)); tt.undo != "" {
				t.Cleanup(func() { pgtest.Exec(t, dsn, strings.Split(in(tt.undo), "; ")...) })
			}
			if s.apply(); tt.complete {
				s.complete()
			}
			if !pgtest.Value[bool](t, dsn, in(tt.proof)) {
				t.Error("it was not done")
			}
			if got := s.state(); got != "done" {
				t.Errorf("the run is %s", got)
			}
		})
	}
}

// TestOutsideOfTransactionFails: such a statement has done nothing when it fails, and so the file is taken back. What
// was there under its name stays.
func TestOutsideOfTransactionFails(t *testing.T) {
	for name, sql := range map[string]string{
		"08006": "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1 password=S3cret' PUBLICATION p;",
		"42P04": "CREATE DATABASE postgres;",
		"42704": "ALTER SYSTEM SET no_such_parameter = 1;",
		"58P01": "CREATE TABLESPACE far LOCATION '/nonexistent/far';",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "", "CREATE TABLE made_before (id int);\n"+sql, accept("irreversible"))
			_, err := s.open().Apply(ctx, s.files)
			var failed *migrate.Error
			if !errors.As(err, &failed) || !failed.TakenBack || sqlstate(err) != name {
				t.Errorf("apply: %v (%s)", err, sqlstate(err))
			}
			if got := s.state(); got != "reverted" {
				t.Errorf("the run is %s", got)
			}
			if pgtest.Value[bool](t, s.dsn, "SELECT to_regclass('made_before') IS NOT NULL") {
				t.Error("the statement before it was not taken back")
			}
			if pgtest.Value[bool](t, s.dsn, "SELECT plan::text LIKE '%S3cret%' FROM replank.plan") {
				t.Error("the journal keeps the password")
			}
		})
	}
}

// TestSessionStatementsAreRefused: they would change what Replank's own session relies on, or cannot run beside others.
func TestSessionStatementsAreRefused(t *testing.T) {
	for sql, code := range map[string]string{
		"DISCARD ALL":            "discard-all",
		"REINDEX SYSTEM":         "reindex-system",
		"COMMIT PREPARED 'gid'":  "transaction-control",
		"VACUUM FULL":            "blocking",
		"CLUSTER":                "blocking",
		"REINDEX SYSTEM nowhere": "reindex-system",
	} {
		s := newSite(t, "CREATE TABLE t (id int PRIMARY KEY); CLUSTER t USING t_pkey", sql)
		p, err := s.open().Plan(ctx, s.files)
		var r *plan.Refusal
		if err == nil {
			err = p.Err()
		}
		if !errors.As(err, &r) || r.Code != code {
			t.Errorf("%s: %v, want a refusal with code %s", sql, err, code)
		}
	}
}
