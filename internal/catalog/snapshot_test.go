package catalog_test

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/catalog"
	"github.com/replank/replank/internal/pgtest"
)

// TestSnapshotRoundTrips: what is read from the file is what was written, and every relation has its drift hash.
func TestSnapshotRoundTrips(t *testing.T) {
	conn, whole := fixture(t)
	snap, err := catalog.Snapshot(context.Background(), conn, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := snap.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ddl.ReadSnapshot(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, again) {
		t.Errorf("equal snapshots, other bytes:\n%s", cmp.Diff(string(text), string(again)))
	}
	// The file has no comments and no statistics of columns; all else is there.
	opts := cmp.Options{
		cmpopts.IgnoreUnexported(ddl.Schema{}),
		cmpopts.IgnoreFields(ddl.Schema{}, "Facts"),
		cmp.FilterPath(func(p cmp.Path) bool {
			name := p.Last().String()
			return name == ".Comment" || name == ".AvgWidth" || name == ".NullFrac" || name == ".Owned" || name == ".Members"
		}, cmp.Ignore()),
	}
	if diff := cmp.Diff(whole, back.Schema, opts); diff != "" {
		t.Errorf("the shape that was read back (+) is not the one of the catalog (-):\n%s", diff)
	}
	for n, r := range back.Schema.Relations {
		if got, want := back.Schema.Hash([]ddl.Name{n}), snap.Schema.Hash([]ddl.Name{n}); r.Comment == "" && got != want && uncommented(snap.Schema, n) {
			t.Errorf("%s has another drift hash", n)
		}
		for _, x := range r.Indexes {
			if back.Schema.Indexes[x.Name] != x {
				t.Errorf("index %s is not the one of its table", x.Name)
			}
		}
	}
	if len(back.Schema.Relations) < 15 {
		t.Errorf("only %d relations", len(back.Schema.Relations))
	}
}

// uncommented reports whether nothing of a relation has a comment, which its hash covers and the file leaves out.
func uncommented(s *ddl.Schema, n ddl.Name) bool {
	r := s.Relations[n]
	return r.Comment == "" && !slices.ContainsFunc(r.Columns, func(c *ddl.RelColumn) bool { return c.Comment != "" })
}

// TestSnapshotFacts: what is not built into the server, and with what is built in all that the server knows.
func TestSnapshotFacts(t *testing.T) {
	conn, _ := fixture(t)
	ctx := context.Background()
	if _, err := conn.Exec(ctx, "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext"); err != nil {
		t.Fatal(err)
	}
	all := load(t, conn, catalog.Options{}).Facts
	plain := pgtest.Connect(t, pgtest.DB(t))
	builtin := load(t, plain, catalog.Options{}).Facts
	snap, err := catalog.Snapshot(ctx, conn, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := snap.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ddl.ReadSnapshot(text)
	if err != nil {
		t.Fatal(err)
	}
	own := back.Schema.Facts
	if own.Types[ddl.Name{Schema: "ext", Name: "citext"}] == nil || len(own.Types) > 20 || len(own.Casts) == 0 || !own.Volatile["mine"] {
		t.Errorf("%d types, %d casts, volatile %v", len(own.Types), len(own.Casts), own.Volatile)
	}
	builtin.Add(own)
	if diff := cmp.Diff(all, builtin); diff != "" {
		t.Errorf("built in and of the snapshot (+) are not what the server knows (-):\n%s", diff)
	}
}
