package journal

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
)

func TestOwners(t *testing.T) {
	dsn := pgtest.DB(t)
	j := create(t, dsn, Config{})
	l := acquire(t, j)
	s := sessionOf(t, l)
	set := func(owners ...Owner) {
		t.Helper()
		if err := s.Tx(t.Context(), pg.TxOptions{}, func(tx pgx.Tx) error { return l.SetOwners(t.Context(), tx, owners...) }); err != nil {
			t.Fatal(err)
		}
	}
	set(Owner{Table: "public.b", History: "alembic", Since: "1"}, Owner{Table: "public.a", History: "django", Since: "x.0001"})
	set(Owner{Table: "public.b", History: "django", Since: "x.0002", RequestedBy: "me"}, Owner{Table: "public.a", History: "django", Since: "x.0001"})
	got, err := j.Owners(t.Context())
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	if a, b := got[0], got[1]; a.Table != "public.a" || a.History != "django" || b.History != "django" || b.Since != "x.0002" || b.RequestedBy != "me" || b.At.IsZero() {
		t.Errorf("%+v", got)
	}
	if n := pgtest.Value[int](t, dsn, `SELECT count(*) FROM replank.event WHERE kind = 'owner'`); n != 3 {
		t.Errorf("%d events, want one for each table that changed hands", n)
	}
}

// TestUpgradeFromOne: a journal of the first version has no owners, and gets the table without losing anything.
func TestUpgradeFromOne(t *testing.T) {
	dsn := pgtest.DB(t)
	db := openDB(t, dsn)
	old, err := open(t.Context(), db, Config{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := old.upgrade(t.Context(), upgrades[:1]); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, dsn, `INSERT INTO replank.migration (name, checksum, position) VALUES ('a', 'b', 1)`)
	j, err := Open(t.Context(), db, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if owners, err := j.Owners(t.Context()); err != nil || len(owners) > 0 {
		t.Errorf("before the upgrade: %v, %v", owners, err)
	}
	if ms, err := j.Migrations(t.Context()); err != nil || len(ms) != 1 {
		t.Errorf("before the upgrade: %v, %v", ms, err)
	}
	if err := j.Upgrade(t.Context()); err != nil {
		t.Fatal(err)
	}
	if owners, err := j.Owners(t.Context()); err != nil || len(owners) > 0 {
		t.Errorf("%v, %v", owners, err)
	}
	if ms, err := j.Migrations(t.Context()); err != nil || len(ms) != 1 {
		t.Errorf("%v, %v", ms, err)
	}
}
