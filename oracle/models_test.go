package oracle_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/oracle"
)

// TestModels makes models beside what the database has, in the place of tables, views and types of their names.
func TestModels(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, "CREATE EXTENSION citext", "CREATE DOMAIN posint AS int CHECK (VALUE > 0)", "CREATE TYPE mood AS ENUM ('old')",
		"CREATE TABLE a (id int PRIMARY KEY, m mood, n posint)", "CREATE TABLE b (a int REFERENCES a)", "CREATE VIEW v AS SELECT id FROM a",
		"CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'")
	snap, err := oracle.Take(t.Context(), oracle.TakeConfig{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	clone, err := oracle.NewClone(t.Context(), snap, oracle.CloneConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer clone.Close(t.Context())
	models := &history.Models{Path: []string{"app", "public"}, Before: []history.Object{{Kind: "TYPE", Name: "mood", Schema: "public", SQL: "CREATE TYPE public.mood AS ENUM ('new')"}},
		Tables: []history.Model{
			{Model: "A", Table: "a", SQL: []string{`CREATE TABLE a (id bigint PRIMARY KEY, m public.mood, n posint, c citext, g int CHECK (f(g) > 0))`}, After: []string{"ALTER TABLE a ADD FOREIGN KEY (id) REFERENCES v"}},
			{Model: "V", Table: "v", SQL: []string{"CREATE TABLE v (id bigint PRIMARY KEY)"}},
			{Model: "X", Table: `far"."x`, SQL: []string{`CREATE TABLE "far"."x" (id int)`}},
			{Model: "Bad", Table: "bad", SQL: []string{"CREATE TABLE bad (a nosuch)", "CREATE INDEX ON bad (a)"}},
		}}
	schema, failed, err := clone.Models(t.Context(), models)
	if err != nil {
		t.Fatal(err)
	}
	if len(failed) != 1 || !strings.Contains(failed["Bad"], `type "nosuch" does not exist`) {
		t.Errorf("failed %v", failed)
	}
	a := schema.Relations[ddl.Name{Schema: "app", Name: "a"}]
	if a == nil || a.Column("id").Type != "bigint" || a.Column("c").TypeName.Name != "citext" || a.Column("n").TypeName.Name != "posint" || len(a.Constraints) < 3 {
		t.Fatalf("a is %+v", a)
	}
	if mood := schema.Type(ddl.Name{Schema: "public", Name: "mood"}); mood == nil || !slices.Equal(mood.Labels, []string{"new"}) {
		t.Errorf("mood is %+v", mood)
	}
	if v := schema.Relations[ddl.Name{Schema: "app", Name: "v"}]; v == nil || v.Kind != 'r' {
		t.Errorf("v is %+v", v)
	}
	if schema.Relations[ddl.Name{Schema: "far", Name: "x"}] == nil {
		t.Error("the table in a schema of its own is missing")
	}
	// The clone itself is as it was.
	steps, err := clone.Follow(t.Context(), []history.Migration{{Name: "1", Path: "1.sql", Text: "ALTER TABLE a ADD COLUMN q int; ALTER TABLE nosuch ADD x int"},
		{Name: "2", Path: "2.sql", Text: "BEGIN; DROP VIEW v; COMMIT"}})
	if err != nil || len(steps) != 2 {
		t.Fatalf("%v, %v", steps, err)
	}
	first, second := steps[0].Schema.Relation(ddl.Name{Name: "a"}), steps[1].Schema
	if first.Column("q") == nil || first.Column("id").Type != "integer" || second.Relation(ddl.Name{Name: "v"}) != nil || second.Relation(ddl.Name{Name: "a"}).Column("q") == nil {
		t.Error("the steps do not stand on each other")
	}
}

// TestReplay makes what a history makes, where all of it can be known.
func TestReplay(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, "CREATE EXTENSION citext", "CREATE SCHEMA app", "CREATE TABLE there (x int)")
	snap, err := oracle.Take(t.Context(), oracle.TakeConfig{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	clone, err := oracle.NewClone(t.Context(), snap, oracle.CloneConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer clone.Close(t.Context())
	one := history.Migration{Name: "1", Path: "1.sql", Text: "CREATE TABLE app.a (x citext)"}
	schema, err := clone.Replay(t.Context(), []history.Migration{one})
	if err != nil || schema == nil || schema.Relations[ddl.Name{Schema: "app", Name: "a"}] == nil || schema.Relation(ddl.Name{Name: "there"}) != nil {
		t.Errorf("%v, %v", schema, err)
	}
	for name, m := range map[string]history.Migration{
		"another history's table": {Name: "2", Path: "2.sql", Text: "ALTER TABLE there ADD y int"},
		"code":                    {Name: "2", Path: "2.py", Code: []history.Code{{Name: "fill"}}},
	} {
		if schema, err := clone.Replay(t.Context(), []history.Migration{one, m}); err != nil || schema != nil {
			t.Errorf("%s: %v, %v", name, schema, err)
		}
	}
}
