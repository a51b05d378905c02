package migrate

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/lint"
)

// TestForeignOwner: a pending migration that changes another history's table is refused before anything is changed,
// whoever says that the table is the other's.
func TestForeignOwner(t *testing.T) {
	for _, tt := range []struct {
		name     string
		history  string
		owners   map[ddl.Name]lint.Owner // as the project has them
		recorded []Owner                 // as the journal has them
		sql      []string                // of the migrations 1, 2 …
		accept   []string
		want     []string // what is refused; none: it is applied
	}{
		{name: "nobody owns it", history: "alembic", sql: []string{"ALTER TABLE t ADD COLUMN x int"}},
		{name: "its own", history: "django", owners: ownedBy("django", ""), sql: []string{"ALTER TABLE t ADD COLUMN x int"}},
		{name: "of another", history: "alembic", owners: ownedBy("django", ""),
			sql:  []string{"CREATE TABLE other (id int)", "UPDATE t SET n = 1;\nALTER TABLE t ADD COLUMN x int"},
			want: []string{"2.sql:2:1: t belongs to the migrations of django"}},
		{name: "in a block", history: "alembic", owners: ownedBy("django", ""), sql: []string{"DO $$ BEGIN ALTER TABLE t ADD COLUMN x int; END $$"},
			want: []string{"1.sql:1:1: t belongs to the migrations of django"}},
		{name: "under a new name", history: "alembic", owners: map[ddl.Name]lint.Owner{{Schema: "public", Name: "u"}: {History: "django"}},
			sql: []string{"ALTER TABLE t RENAME TO u"}, want: []string{"1.sql:1:1: u belongs to the migrations of django"}},
		{name: "rows and references", history: "alembic", owners: ownedBy("django", ""),
			sql: []string{"UPDATE t SET n = 1 WHERE id = 1", "CREATE TABLE other (id int REFERENCES t)"}},
		{name: "until it was given up", history: "alembic", owners: ownedBy("django", "2"),
			sql:  []string{"ALTER TABLE t ADD COLUMN x int", "ALTER TABLE t ADD COLUMN y int", "ALTER TABLE t ADD COLUMN z int"},
			want: []string{"3.sql:1:1: t belongs to the migrations of django since 2 gave it up"}},
		{name: "the journal knows", history: "alembic", recorded: []Owner{{Table: "public.t", History: "django", Since: "billing.0002"}},
			sql: []string{"ALTER TABLE t ADD COLUMN x int"}, want: []string{"1.sql:1:1: t belongs to the migrations of django"}},
		{name: "the project knows better", history: "alembic", owners: ownedBy("alembic", ""), recorded: []Owner{{Table: "public.t", History: "django"}},
			sql: []string{"ALTER TABLE t ADD COLUMN x int"}},
		{name: "allowed", history: "alembic", owners: ownedBy("django", ""),
			sql: []string{"-- replank: allow foreign-owner until=2999-01-31 because the site is not deployed yet\nALTER TABLE t ADD COLUMN x int",
				"ALTER TABLE t DROP COLUMN x -- replank: allow drop-column, foreign-owner because nobody reads it"}},
		{name: "allowed until yesterday", history: "alembic", owners: ownedBy("django", ""),
			sql:  []string{"-- replank: allow foreign-owner until=2001-01-31 because the site is not deployed yet\nALTER TABLE t ADD COLUMN x int"},
			want: []string{"1.sql:2:1: t belongs to the migrations of django"}},
		{name: "accepted", history: "alembic", owners: ownedBy("django", ""), accept: []string{"foreign-owner"}, sql: []string{"ALTER TABLE t ADD COLUMN x int"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var ms []history.Migration
			for i, sql := range tt.sql {
				name := string(rune('1' + i))
				ms = append(ms, history.Migration{Name: name, Path: name + ".sql", Text: sql, Checksum: "sum of " + name})
			}
			for _, way := range []string{"apply", "direct"} {
				dsn := site(t)
				e, err := Open(ctx, Config{DSN: dsn, History: tt.history, Owners: tt.owners, Accept: tt.accept})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(e.Close)
				if len(tt.recorded) > 0 {
					if _, err := e.Adopt(ctx, tt.recorded, nil); err != nil {
						t.Fatal(err)
					}
				}
				p, err := e.Plan(ctx, ms)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(p.Foreign, tt.want) {
					t.Errorf("plan: %q, want %q", p.Foreign, tt.want)
				}
				shape := func() string {
					return pgtest.Value[string](t, dsn, "SELECT string_agg(attrelid::regclass || '.' || attname, ' ' ORDER BY attrelid, attnum) FROM pg_attribute WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)")
				}
				before := shape()
				do := e.Apply
				if way == "direct" {
					do = e.ApplyDirect
				}
				_, err = do(ctx, ms)
				if len(tt.want) == 0 {
					if err != nil {
						t.Errorf("%s: %v (%s)", way, err, HintOf(err))
					}
					if rec, err := e.Receipt(ctx, ms[0].Name); way == "apply" && (err != nil || !slices.Equal(rec.Given, tt.accept)) {
						t.Errorf("the receipt says %q, %v; %q was given", rec.Given, err, tt.accept)
					}
					continue
				}
				wantCode(t, err, ForeignOwner)
				wantCode(t, p.Err(), ForeignOwner)
				if hint := HintOf(err); !strings.Contains(err.Error(), tt.want[0]) || !strings.Contains(hint, "replank adopt TABLE --to") || !strings.Contains(hint, "--accept foreign-owner") {
					t.Errorf("%s: %v (%s)", way, err, hint)
				}
				if after := shape(); after != before {
					t.Errorf("%s has changed something: %s, before %s", way, after, before)
				}
			}
		})
	}
}

// TestForeignOwnerMeanwhile: who adopts while apply waits for its turn is heard.
func TestForeignOwnerMeanwhile(t *testing.T) {
	dsn := site(t)
	open := func(change ...func(*Config)) *Engine {
		cfg := Config{DSN: dsn, History: "alembic"}
		for _, c := range change {
			c(&cfg)
		}
		e, err := Open(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		return e
	}
	other := open()
	if _, err := other.Adopt(ctx, nil, nil); err != nil { // makes the journal
		t.Fatal(err)
	}
	waits, adopted := make(chan bool, 1), make(chan error, 1)
	late := open(func(c *Config) {
		c.Wait = true
		c.Events = func(ev Event) {
			if ev.Kind == EventWaiting {
				select {
				case waits <- true:
				default:
				}
			}
		}
	})
	err := other.lead(ctx, func(context.Context, *executor) error {
		go func() {
			_, err := late.Apply(ctx, []history.Migration{{Name: "1", Path: "1.sql", Text: "ALTER TABLE t ADD COLUMN x int", Checksum: "1"}})
			adopted <- err
		}()
		<-waits
		pgtest.Exec(t, dsn, "INSERT INTO replank.owner (table_name, history, since, requested_by) VALUES ('public.t', 'django', 'billing.0002', 'x')")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, <-adopted, ForeignOwner)
	if pgtest.Value[bool](t, dsn, "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'x')") {
		t.Error("the table was changed")
	}
}

func ownedBy(history, until string) map[ddl.Name]lint.Owner {
	return map[ddl.Name]lint.Owner{{Schema: "public", Name: "t"}: {History: history, Until: until}}
}
