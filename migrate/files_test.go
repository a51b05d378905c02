package migrate

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
)

// TestRealFiles takes .sql files through the compiler: the end equals what psql would have made of them, and
// the way back gives the shape of before.
func TestRealFiles(t *testing.T) {
	files := []struct{ name, sql string }{
		{"1_add", "ALTER TABLE t ADD COLUMN note text;\n"},
		{"2_index", "CREATE INDEX t_n_idx ON t (n);\n"},
		{"3_table", "CREATE TABLE made (id bigint PRIMARY KEY, t_id integer REFERENCES t (id));\n"},
		{"4_check", "ALTER TABLE t ADD CONSTRAINT n_positive CHECK (n > 0);\n"},
		{"5_drop", "ALTER TABLE t DROP COLUMN old;\n"},
	}
	dir := t.TempDir()
	psql, direct, dsn := site(t), site(t), site(t)
	before := pgtest.Dump(t, dsn)
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.name+".sql"), []byte(f.sql), 0o644); err != nil {
			t.Fatal(err)
		}
		pgtest.Exec(t, psql, f.sql)
	}
	ms, err := history.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	e := library{}.open(t, dsn, func(c *Config) { c.BigRows, c.BigBytes = -1, -1 })
	e.compile = e.compileFile
	apply := func() {
		t.Helper()
		if _, err := e.Apply(ctx, ms); err != nil {
			t.Fatalf("apply: %v (%s)", err, HintOf(err))
		}
	}
	apply()
	for {
		st, err := e.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if st.Applied+len(st.Runs) == 0 {
			break
		}
		if _, err := e.Revert(ctx, ""); err != nil {
			t.Fatalf("revert: %v (%s)", err, HintOf(err))
		}
	}
	if got := pgtest.Dump(t, dsn, pgtest.IgnoreSchema("replank")); got != before {
		t.Errorf("after revert:\n%s", pgtest.Diff(before, got))
	}
	apply()
	if _, err := e.Complete(ctx, "", CompleteOptions{NoOldReaders: true}); err != nil {
		t.Fatalf("complete: %v (%s)", err, HintOf(err))
	}
	pgtest.SameShape(t, psql, dsn, pgtest.IgnoreSchema("replank"))
	d := library{}.open(t, direct)
	if sum, err := d.ApplyDirect(ctx, ms); err != nil || len(sum.Done) != len(files) {
		t.Fatalf("apply --direct: %+v, %v", sum, err)
	}
	pgtest.SameShape(t, psql, direct, pgtest.IgnoreSchema("replank"))
	if p, err := d.Plan(ctx, ms); err != nil || len(p.Pending()) != 0 {
		t.Errorf("after apply --direct: %+v, %v", p, err)
	}
}
