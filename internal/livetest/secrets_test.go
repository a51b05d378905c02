package livetest

import (
	"testing"

	"github.com/replank/replank/internal/pgtest"
)

// TestNoSecretsAreKept: when a run has come to its end, nothing in the journal shows a password of its file or a value of
// a row.
func TestNoSecretsAreKept(t *testing.T) {
	role := pgtest.Role(t, "secretive", "LOGIN")
	for name, tt := range map[string]struct{ prepare, sql string }{
		"password":           {"SELECT 1", "ALTER ROLE " + role + " PASSWORD 'hunter2';"},
		"value out of range": {"CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, '42424242424242')", "-- replank: plain\nALTER TABLE t ALTER COLUMN v TYPE int USING v::int;"},
		"rejected row":       {"CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'hunter2')", "ALTER TABLE t ALTER COLUMN v TYPE int USING v::int;"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, tt.prepare, tt.sql, accept("irreversible", "column-order"))
			_, err := s.open().Apply(ctx, s.files)
			if (err == nil) != (name == "password") {
				t.Fatalf("apply: %v", err)
			}
			if name == "rejected row" {
				if n := pgtest.Value[int](t, s.dsn, "SELECT count(*)::int FROM replank.rejected WHERE sqlstate = '22P02'"); n != 1 {
					t.Errorf("%d rows are rejected", n)
				}
			}
			if d := pgtest.Value[string](t, s.dsn, `SELECT coalesce(string_agg(c.relname, ', '), '') FROM pg_class c WHERE c.relnamespace = 'replank'::regnamespace
				AND c.relkind = 'r' AND (c.relname <> 'plan' OR (SELECT state FROM replank.run) IN ('done', 'reverted'))
				AND query_to_xml('SELECT r::text FROM replank.' || quote_ident(c.relname) || ' r', false, false, '')::text ~ 'hunter2|42424242424242'`); d != "" {
				t.Errorf("it is shown in replank.%s", d)
			}
		})
	}
}
