package measure_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/catalog"
	"github.com/replank/replank/internal/measure"
	"github.com/replank/replank/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const testdata = "../../ddl/testdata/"

// form is one entry of forms.sql.
type form struct {
	name, sql, tz string
	setup, hold   []string
	from, to      int
	// atmost says why Effects may claim more than was seen; unforeseen, why it cannot know that the server
	// refuses.
	atmost, unforeseen string
}

func readForms(t *testing.T) []form {
	text, err := os.ReadFile(testdata + "forms.sql")
	if err != nil {
		t.Fatal(err)
	}
	var forms []form
	for _, part := range strings.Split(string(text), "-- form: ")[1:] {
		lines := strings.Split(part, "\n")
		f := form{name: lines[0], tz: "UTC", to: 99}
		var sql []string
		for _, line := range lines[1:] {
			key, value, ok := strings.Cut(strings.TrimPrefix(line, "-- "), ": ")
			if !strings.HasPrefix(line, "-- ") || !ok {
				sql = append(sql, line)
				continue
			}
			switch key {
			case "setup":
				f.setup = append(f.setup, value)
			case "hold":
				f.hold = append(f.hold, value)
			case "tz":
				f.tz = value
			case "atmost":
				f.atmost = value
			case "unforeseen":
				f.unforeseen = value
			case "pg":
				from, to, _ := strings.Cut(value, "-")
				f.from, _ = strconv.Atoi(from)
				if to != "" {
					f.to, _ = strconv.Atoi(to)
				}
			default:
				t.Fatalf("form %s: unknown key %q", f.name, key)
			}
		}
		f.sql = strings.TrimSuffix(strings.TrimSpace(strings.Join(sql, "\n")), ";")
		forms = append(forms, f)
	}
	return forms
}

// fixture creates a template database from files of ddl/testdata.
func fixture(t *testing.T, files ...string) string {
	dsn := pgtest.DB(t)
	for _, f := range files {
		text, err := os.ReadFile(testdata + f)
		if err != nil {
			t.Fatal(err)
		}
		pgtest.Exec(t, dsn, string(text))
	}
	return dsn
}

func connect(t *testing.T, dsn, tz string) *pgx.Conn {
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	if _, err := conn.Exec(context.Background(), "SELECT set_config('search_path', 'm', false), set_config('TimeZone', $1, false)", tz); err != nil {
		t.Fatal(err)
	}
	return conn
}

func load(t *testing.T, conn *pgx.Conn) *ddl.Schema {
	s, err := catalog.Load(context.Background(), conn, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func effectsOf(t *testing.T, s *ddl.Schema, sql string) ddl.Effect {
	file, err := ddl.Parse("form.sql", sql)
	if err != nil {
		t.Fatalf("parse %q: %v", sql, err)
	}
	if len(file.Statements) != 1 {
		t.Fatalf("%q has %d statements", sql, len(file.Statements))
	}
	return ddl.Effects(s, file.Statements[0])
}

// TestEffectsOfForms measures every form of forms.sql on the live server and compares it with what ddl.Effects
// says about it.
func TestEffectsOfForms(t *testing.T) {
	major := pgtest.Major(t)
	base := fixture(t, "ddl_fixture.sql", "forms_fixture.sql")
	schema := func() *ddl.Schema {
		conn, err := pgx.Connect(context.Background(), pgtest.Param(base, "search_path", "m"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		return load(t, conn)
	}()
	shared := pgtest.DB(t, pgtest.From(base))

	tried := 0
	for _, f := range readForms(t) {
		if major < f.from || major > f.to {
			continue
		}
		tried++
		t.Run(strings.ReplaceAll(f.name, " ", "_"), func(t *testing.T) {
			dsn := shared
			if f.setup != nil || f.hold != nil {
				dsn = pgtest.DB(t, pgtest.From(base))
			}
			conn := connect(t, dsn, f.tz)
			for _, sql := range f.setup {
				if _, err := conn.Exec(context.Background(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
					t.Fatalf("setup %q: %v", sql, err)
				}
			}
			s := *schema
			s.TimeZone = f.tz
			if f.setup != nil {
				s = *load(t, conn)
			}
			facts, err := perform(t, dsn, conn, f)
			e := effectsOf(t, &s, f.sql)
			if f.unforeseen == "" && f.atmost == "" && f.hold == nil {
				if v := verdict(&s, true, nil, f.sql, facts, err); v != "" {
					t.Errorf("%s\n%s", f.sql, v)
				}
				if v := verdict(withoutDatabase(t, major, f.tz), false, f.setup, f.sql, facts, err); v != "" {
					t.Errorf("%s\nwithout a database: %s", f.sql, v)
				}
			}
			if err != nil {
				if e.Refused == "" && f.unforeseen == "" {
					t.Errorf("the server refuses %s, Effects does not: %v", f.sql, err)
				}
				return
			}
			if f.unforeseen != "" {
				t.Errorf("%s: should be refused: %s", f.sql, f.unforeseen)
			}
			if diff := compare(e, facts, f.atmost != "" || f.hold != nil, f.hold != nil); diff != "" {
				t.Errorf("%s\n%s", f.sql, diff)
			}
		})
	}
	if tried < 120 {
		t.Errorf("only %d forms were tried", tried)
	}
}

// perform executes a form: rolled back, or beside a session that is in its way.
func perform(t *testing.T, dsn string, conn *pgx.Conn, f form) (measure.Facts, error) {
	ctx := context.Background()
	if f.hold == nil {
		tx, err := conn.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback(ctx)
		return measure.Tx(ctx, tx, f.sql)
	}
	holder := connect(t, dsn, f.tz)
	for _, sql := range append([]string{"BEGIN"}, f.hold...) {
		if _, err := holder.Exec(ctx, sql); err != nil {
			t.Fatalf("hold %q: %v", sql, err)
		}
	}
	facts, err := measure.Waiting(ctx, conn, connect(t, dsn, f.tz), f.sql, func() error {
		_, err := holder.Exec(ctx, "ROLLBACK")
		return err
	})
	if errors.Is(err, measure.ErrNotWaiting) {
		t.Fatal(err)
	}
	return facts, err
}

// compare lists the differences between a claim and what was seen. With atMost the claim may go beyond; with
// locksOnly nothing but locks was seen.
func compare(e ddl.Effect, facts measure.Facts, atMost, locksOnly bool) string {
	var out []string
	if e.Refused != "" {
		out = append(out, "Effects refuses it: "+e.Refused)
	}
	claimed := map[ddl.Name]ddl.LockMode{}
	for _, l := range e.Locks {
		claimed[l.Relation] = l.Mode
		if facts.Locks[l.Relation] == ddl.NoLock && !atMost {
			out = append(out, fmt.Sprintf("lock %s: claimed %s, seen none", l.Relation, l.Mode))
		}
	}
	for n, seen := range facts.Locks {
		if c := claimed[n]; c != seen && !(atMost && c > seen) {
			out = append(out, fmt.Sprintf("lock %s: claimed %s, seen %s", n, c, seen))
		}
	}
	if locksOnly {
		return strings.Join(out, "\n")
	}
	for _, set := range []struct {
		what          string
		claimed, seen []ddl.Name
	}{
		{"rewritten", e.Rewrites, facts.Rewritten},
		{"reindexed", e.Reindexes, facts.Reindexed},
		{"scanned", e.Scans, facts.Scanned},
		{"gone", e.Gone, facts.Gone},
	} {
		for _, n := range set.seen {
			if !slices.Contains(set.claimed, n) {
				out = append(out, fmt.Sprintf("%s: seen %s, not claimed", set.what, n))
			}
		}
		for _, n := range set.claimed {
			if !slices.Contains(set.seen, n) && !atMost {
				out = append(out, fmt.Sprintf("%s: claimed %s, not seen", set.what, n))
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// exceptions are the entries whose recorded facts cannot be compared as they stand.
var exceptions = map[string]string{
	"add_col_uuid_default/12": "gen_random_uuid() is no function of 12, but the schema comes from a server that has it",
}

// TestEffectsOfRecordedFacts compares ddl.Effects with facts measured once on seven major versions. The schema
// comes from the live server, with Version set to the one that was measured.
func TestEffectsOfRecordedFacts(t *testing.T) {
	all, err := measure.ReadRecorded(testdata + "ddl_effects.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 126 {
		t.Errorf("%d entries, want 126", len(all))
	}
	base := fixture(t, "ddl_fixture.sql")
	shared := pgtest.DB(t, pgtest.From(base))
	for _, m := range all {
		t.Run(m.ID, func(t *testing.T) {
			dsn := shared
			if m.Setup != nil {
				dsn = pgtest.DB(t, pgtest.From(base))
			}
			conn := connect(t, dsn, "UTC")
			var setupErr error
			for _, sql := range m.Setup {
				if _, err := conn.Exec(context.Background(), sql); err != nil {
					setupErr = err
				}
			}
			states := statesOf(t, conn, m)
			for _, seen := range m.Measured {
				for _, pg := range seen.PG {
					if setupErr != nil && seen.Err == "" {
						t.Logf("PostgreSQL %d is not compared: this server cannot do the setup: %v", pg, setupErr)
						continue
					}
					for _, s := range states {
						s.Version = pg * 10000
					}
					checkRecorded(t, states, m, pg, seen.Err, recorded(seen.Locks, seen.Rewritten, seen.Reindexed, seen.Scanned))
				}
			}
		})
	}
}

func recorded(locks map[string]string, rewritten, reindexed, scanned []string) measure.Facts {
	name := func(list []string) (out []ddl.Name) {
		for _, n := range list {
			out = append(out, ddl.Name{Schema: "m", Name: n})
		}
		return out
	}
	f := measure.Facts{Locks: map[ddl.Name]ddl.LockMode{}, Rewritten: name(rewritten), Reindexed: name(reindexed), Scanned: name(scanned)}
	for n, text := range locks {
		mode, err := ddl.ParseLockMode(text)
		if err != nil {
			panic(err)
		}
		f.Locks[ddl.Name{Schema: "m", Name: n}] = mode
	}
	return f
}

// statesOf gives the schema before each statement of an entry.
func statesOf(t *testing.T, conn *pgx.Conn, m measure.Recorded) []*ddl.Schema {
	ctx := context.Background()
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	var states []*ddl.Schema
	for _, sql := range append([]string{"SELECT 1"}, m.Pre...) {
		if _, err := tx.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		s, err := catalog.Load(ctx, tx, catalog.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if m.TZ != "" {
			s.TimeZone = m.TZ
		}
		states = append(states, s)
	}
	return states
}

func checkRecorded(t *testing.T, states []*ddl.Schema, m measure.Recorded, pg int, refused string, facts measure.Facts) {
	t.Helper()
	if why := exceptions[m.ID+"/"+strconv.Itoa(pg)]; why != "" {
		t.Log(why)
		return
	}
	var e ddl.Effect
	for i, sql := range append(slices.Clone(m.Pre), m.SQL) {
		e = both(e, effectsOf(t, states[i], sql))
	}
	if refused != "" {
		if e.Refused == "" {
			t.Errorf("PostgreSQL %d refuses %s (%s), Effects does not", pg, m.SQL, refused)
		}
		return
	}
	asRecorded(t, states[len(states)-1], m, &e, &facts)
	if diff := compare(e, facts, m.NoTx != 0, m.NoTx != 0); diff != "" {
		t.Errorf("PostgreSQL %d: %s\n%s", pg, m.SQL, diff)
	}
}

// both is the effect of two statements in one transaction. What the second refers to may be made by the first.
func both(a, b ddl.Effect) ddl.Effect {
	for _, l := range b.Locks {
		if i := slices.IndexFunc(a.Locks, func(x ddl.RelationLock) bool { return x.Relation == l.Relation }); i >= 0 {
			a.Locks[i].Mode = max(a.Locks[i].Mode, l.Mode)
		} else {
			a.Locks = append(a.Locks, l)
		}
	}
	a.Rewrites = append(a.Rewrites, b.Rewrites...)
	a.Reindexes = append(a.Reindexes, b.Reindexes...)
	a.Scans = append(a.Scans, b.Scans...)
	a.Gone = append(a.Gone, b.Gone...)
	a.Refused = b.Refused
	return a
}

// asRecorded leaves out of a claim what the recording could not hold: it joined pg_locks with pg_class by the
// names of schema m *after* the statement. So relations that were dropped, replaced or moved to another schema
// are missing, renamed ones have their new name, and views were left out; the new index of a concurrent
// REINDEX is in it although it did not exist before.
func asRecorded(t *testing.T, s *ddl.Schema, m measure.Recorded, e *ddl.Effect, facts *measure.Facts) {
	renamed := map[ddl.Name]ddl.Name{}
	moved := map[ddl.Name]bool{}
	file, err := ddl.Parse("", m.SQL)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range file.Statements[0].Ops {
		switch o := op.(type) {
		case ddl.RenameIndex:
			renamed[s.Index(o.Index).Name] = ddl.Name{Schema: "m", Name: o.To}
		case ddl.RenameConstraint:
			renamed[ddl.Name{Schema: "m", Name: o.From}] = ddl.Name{Schema: "m", Name: o.To}
		case ddl.SetSchema:
			moved[s.Relation(o.Object).Name] = true
		}
	}
	e.Locks = slices.DeleteFunc(e.Locks, func(l ddl.RelationLock) bool {
		r := s.Relations[l.Relation]
		return slices.Contains(e.Gone, l.Relation) || moved[l.Relation] || r != nil && r.Kind == 'v'
	})
	for i, l := range e.Locks {
		if n, ok := renamed[l.Relation]; ok {
			e.Locks[i].Relation = n
		}
	}
	e.Reindexes = slices.DeleteFunc(e.Reindexes, func(n ddl.Name) bool { return slices.Contains(e.Gone, n) })
	e.Gone = nil
	for n := range facts.Locks {
		if strings.HasSuffix(n.Name, "_ccnew") {
			delete(facts.Locks, n)
		}
	}
}
