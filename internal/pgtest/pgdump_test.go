package pgtest

import (
	"strings"
	"testing"
)

func TestPgDump(t *testing.T) {
	one, fill := sink(t)
	two := DB(t)
	if out, err := Psql(t, two, fill(sinkSQL)); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	Exec(t, two, "CREATE SCHEMA replank; CREATE TABLE replank.run (id int)")
	if d := Diff(PgDump(t, one), PgDump(t, two)); d != "" {
		t.Errorf("pg_dump differs:\n%s", d)
	}
	SameShape(t, one, two)
	if dump := PgDump(t, one); !strings.Contains(dump, "CREATE TABLE app.customer") {
		t.Errorf("no table in %s", dump)
	}
	if out, err := Psql(t, two, "SELECT 1/0; SELECT 'after'"); err == nil || strings.Contains(out, "after") {
		t.Errorf("psql went on after an error: %v\n%s", err, out)
	}
}
