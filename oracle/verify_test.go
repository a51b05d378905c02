package oracle_test

import (
	"context"
	"strings"
	"testing"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/oracle"
)

// TestVerify: locks, new heaps, new indexes and scans are seen on a clone without rows.
func TestVerify(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, strings.ReplaceAll(testdata(t, "fixture.sql"), "CREATE EXTENSION pg_stat_statements;", ""))
	t.Cleanup(func() { pgtest.Exec(t, dsn, "DROP OWNED BY fixture_reader; DROP ROLE fixture_reader") })
	c := clone(t, take(t, dsn))
	const text = `BEGIN;
SET LOCAL lock_timeout = '1s';
ALTER TABLE item ALTER COLUMN id TYPE bigint;
ALTER TABLE orders ADD CONSTRAINT note_given CHECK (note <> '') NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT note_given;
ALTER TABLE orders ALTER COLUMN note SET NOT NULL;
ALTER TABLE customer ADD COLUMN more int DEFAULT 7;
CREATE INDEX orders_note ON orders (note);
ALTER TABLE event ADD COLUMN late int;
ALTER TABLE billing.invoice ADD FOREIGN KEY (id) REFERENCES item NOT VALID;
UPDATE orders SET note = 'x';
GRANT SELECT ON item TO somebody_new;
DROP TABLE billing.invoice;
ALTER TABLE nosuch ADD COLUMN a int;
COMMIT;
CREATE INDEX CONCURRENTLY orders_total ON orders (total);
REINDEX INDEX CONCURRENTLY orders_total;
DROP INDEX CONCURRENTLY orders_note;
VACUUM item;`
	ms := []history.Migration{{Name: "one", Path: "one.sql", Text: text}}
	for range 2 { // the first leaves the clone as it was
		got, err := c.Verify(context.Background(), ms)
		if err != nil {
			t.Fatal(err)
		}
		checkVerified(t, got)
	}
}

func checkVerified(t *testing.T, got []oracle.Measured) {
	t.Helper()
	by := map[string]oracle.Measured{}
	for _, m := range got {
		by[m.SQL] = m
		if len(m.Differences) > 0 {
			t.Errorf("%s\n  %s", m.SQL, strings.Join(m.Differences, "\n  "))
		}
	}
	name := func(n string) ddl.Name {
		schema, rel, _ := strings.Cut(n, ".")
		return ddl.Name{Schema: schema, Name: rel}
	}
	for _, want := range []struct {
		sql, lock string
		mode      ddl.LockMode
		has       string // rewrites, scans, reindexes, gone: of the relation
	}{
		{"ALTER TABLE item ALTER COLUMN id TYPE bigint", "public.item", ddl.AccessExclusive, "rewrites"},
		{"ALTER TABLE orders VALIDATE CONSTRAINT note_given", "public.orders", ddl.ShareUpdateExclusive, "scans"},
		{"ALTER TABLE orders ALTER COLUMN note SET NOT NULL", "public.orders", ddl.AccessExclusive, "scans"},
		{"ALTER TABLE customer ADD COLUMN more int DEFAULT 7", "public.customer", ddl.AccessExclusive, ""},
		{"CREATE INDEX orders_note ON orders (note)", "public.orders", ddl.Share, "scans"},
		{"ALTER TABLE event ADD COLUMN late int", "public.event_2026", ddl.AccessExclusive, ""},
		{"UPDATE orders SET note = 'x'", "public.orders", ddl.RowExclusive, ""},
		{"DROP TABLE billing.invoice", "billing.invoice", ddl.AccessExclusive, "gone"},
		{"CREATE INDEX CONCURRENTLY orders_total ON orders (total)", "public.orders", ddl.ShareUpdateExclusive, ""},
		{"REINDEX INDEX CONCURRENTLY orders_total", "public.orders", ddl.ShareUpdateExclusive, ""},
		{"DROP INDEX CONCURRENTLY orders_note", "public.orders", ddl.ShareUpdateExclusive, ""},
	} {
		m, ok := by[want.sql]
		if !ok {
			t.Errorf("%s was not measured", want.sql)
			continue
		}
		if is := m.Seen.Lock(name(want.lock)); is != want.mode {
			t.Errorf("%s: lock on %s: %s, want %s", want.sql, want.lock, is, want.mode)
		}
		for what, list := range map[string][]ddl.Name{"rewrites": m.Seen.Rewrites, "scans": m.Seen.Scans, "gone": m.Seen.Gone} {
			found := len(list) > 0 && list[0] == name(want.lock)
			if found != (want.has == what) && !(what == "scans" && want.has == "rewrites") {
				t.Errorf("%s: %s %v", want.sql, what, list)
			}
		}
	}
	if m := by["ALTER TABLE nosuch ADD COLUMN a int"]; !strings.Contains(m.Seen.Refused, "does not exist") || m.Claimed.Refused == "" {
		t.Errorf("a table that is not there: %+v", m)
	}
	if m := by["GRANT SELECT ON item TO somebody_new"]; m.Seen.Refused != "" {
		t.Errorf("a role that is not there: %s", m.Seen.Refused)
	}
	if m := by["VACUUM item"]; len(m.Notes) != 1 || len(m.Seen.Locks) > 0 {
		t.Errorf("VACUUM: %+v", m)
	}
	if len(got) != 17 {
		t.Errorf("%d statements were measured", len(got))
	}
}
