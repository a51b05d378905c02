package equivalence

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/plan"
)

// randomSeeds is how many files are made by default, from the seeds 1 and up. REPLANK_TEST_RANDOM=N makes N instead,
// REPLANK_TEST_SEED=S one from seed S alone, both together N from S on.
const randomSeeds = 12

// everything are all consents: what a person accepts must still end where psql ends.
var everything = []string{"irreversible", "column-order", "lost-writes", "triggers", "subscribers", "room"}

// TestRandomFiles: a file of a few statements about the same tables, where one defers something to complete and the
// next meets it, is refused before anything is changed or ends where psql ends. A finding is cut down to the fewest
// statements that show it.
func TestRandomFiles(t *testing.T) {
	roles(t)
	var templates [2]string
	for i, parted := range []bool{false, true} {
		templates[i] = pgtest.DB(t)
		pgtest.Exec(t, templates[i], randomFixture(parted))
	}
	first, files := uint64(1), uint64(randomSeeds)
	if s := os.Getenv("REPLANK_TEST_SEED"); s != "" {
		first, files = number(t, s), 1
	}
	if s := os.Getenv("REPLANK_TEST_RANDOM"); s != "" {
		files = number(t, s)
	}
	var said [3]atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		for seed := first; seed < first+files; seed++ {
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				file, parted := randomFile(seed)
				template := templates[0]
				if parted {
					template = templates[1]
				}
				v, why := tryFile(t, template, file)
				if v != wrong {
					said[v].Add(1)
					t.Logf("%s\n%s", strings.Join(file, "\n"), why)
					return
				}
				t.Errorf("REPLANK_TEST_SEED=%d, partitioned %v:\n%s\n\n%s", seed, parted, strings.Join(file, "\n"), why)
				if small, why := smallest(t, template, file); len(small) < len(file) {
					t.Errorf("the same with fewer statements:\n%s\n\n%s", strings.Join(small, "\n"), why)
				}
			})
		}
	})
	t.Logf("%d files done as psql does them, %d refused, %d that psql refuses", said[done].Load(), said[refused].Load(), said[discarded].Load())
	if files >= randomSeeds && said[discarded].Load()*2 > int64(files) {
		t.Errorf("psql refuses %d of %d files: the grammar tests too little", said[discarded].Load(), files)
	}
}

func number(t *testing.T, s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// verdict is what a file came to.
type verdict int

const (
	done      verdict = iota // as psql does it
	refused                  // before anything was changed
	discarded                // psql refuses it
	wrong
)

// tryFile carries a file out by psql and by replank and says how they differ.
func tryFile(t *testing.T, template string, file []string) (verdict, string) {
	ctx := context.Background()
	sql := strings.Join(file, "\n")
	oracle := pgtest.DB(t, pgtest.From(template))
	if out, err := pgtest.Psql(t, oracle, sql); err != nil {
		return discarded, out
	}
	online := pgtest.DB(t, pgtest.From(template))
	e := open(t, migrate.Config{DSN: online, Accept: everything, BigRows: -1, BigBytes: -1})
	defer e.Close()
	look := pgtest.Look(t, online, pgtest.IgnoreColumnOrder())
	shape, rows := look.Dump(), look.Data()
	differs := func(what, shape, rows string) string {
		if d := pgtest.Diff(shape, look.Dump()); d != "" {
			return fmt.Sprintf("shape %s differs (-want +got):\n%s", what, d)
		}
		if d := pgtest.Diff(rows, look.Data()); d != "" {
			return fmt.Sprintf("rows %s differ (-want +got):\n%s", what, d)
		}
		return ""
	}
	ms := migration(t, "0001_random.sql", sql)
	if _, err := e.Apply(ctx, ms); err != nil {
		var r *plan.Refusal
		if !errors.As(err, &r) || r.Code == "" {
			return wrong, "apply: " + err.Error()
		}
		if d := differs("after a refusal", shape, rows); d != "" {
			return wrong, d
		}
		return refused, r.Error()
	}
	if _, err := e.Revert(ctx, ""); err == nil {
		if d := differs("after revert", shape, rows); d != "" {
			return wrong, d
		}
		if _, err := e.Apply(ctx, ms); err != nil {
			return wrong, "apply again: " + err.Error()
		}
	} else if migrate.VerdictOf(err) != migrate.VerdictRefused {
		return wrong, "revert: " + err.Error()
	}
	if _, err := e.Complete(ctx, "", migrate.CompleteOptions{NoOldReaders: true}); err != nil {
		return wrong, "complete: " + err.Error()
	}
	want := pgtest.Look(t, oracle, pgtest.IgnoreColumnOrder())
	if d := differs("after complete", want.Dump(), want.Data()); d != "" {
		return wrong, d
	}
	return done, ""
}

// smallest leaves out statements for as long as what is left goes wrong.
func smallest(t *testing.T, template string, file []string) (small []string, why string) {
	for i := 0; i < len(file); {
		less := slices.Delete(slices.Clone(file), i, i+1)
		if v, w := tryFile(t, template, less); v == wrong && len(less) > 0 {
			file, why, i = less, w, 0
		} else {
			i++
		}
	}
	return file, why
}

// randomFixture has one of each thing that may stand in the way of a change.
func randomFixture(parted bool) string {
	by, parts := "", ""
	if parted {
		by = " PARTITION BY RANGE (id)"
		parts = `CREATE TABLE ord_1 PARTITION OF ord FOR VALUES FROM (0) TO (40); CREATE TABLE ord_2 PARTITION OF ord FOR VALUES FROM (40) TO (1000);`
	}
	return `CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE cust (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text NOT NULL, age int CONSTRAINT cust_age CHECK (age > 0),
  status text DEFAULT 'new', score numeric(8,2), code int NOT NULL CONSTRAINT cust_code UNIQUE, feel mood DEFAULT 'ok', digits text);
CREATE TABLE ord (id int PRIMARY KEY, cust_id int CONSTRAINT ord_cust REFERENCES cust, total int NOT NULL DEFAULT 0,
  label varchar(30), amount numeric(10,2), note text, qty int CONSTRAINT ord_qty CHECK (qty >= 0))` + by + `;
` + parts + `
INSERT INTO cust (name, age, score, code, digits) SELECT 'first' || g || ' last' || g, g, g / 3.0, g, g::text FROM generate_series(1, 60) g;
UPDATE cust SET status = 'old', feel = 'sad' WHERE id % 3 = 0;
INSERT INTO ord SELECT g, g % 60 + 1, g, 'label' || g, g / 7.0, CASE WHEN g % 2 = 0 THEN 'note' || g END, g FROM generate_series(1, 80) g;
CREATE INDEX cust_name ON cust (name);
CREATE INDEX cust_age_i ON cust (age);
CREATE INDEX ord_cust_i ON ord (cust_id);
CREATE INDEX ord_part ON ord (qty) WHERE total > 5;
CREATE VIEW cust_v AS SELECT id, status FROM cust;
CREATE TRIGGER ord_touch AFTER UPDATE OF note ON ord FOR EACH ROW EXECUTE FUNCTION touch();
COMMENT ON COLUMN cust.age IS 'years';
COMMENT ON TABLE ord IS 'orders';
COMMENT ON CONSTRAINT ord_qty ON ord IS 'none is less than zero';
GRANT SELECT ON cust TO replank_test_reader;
GRANT SELECT (total) ON ord TO replank_test_other;`
}

// randomModel knows what the file calls things so far. It may be wrong: then psql refuses the file.
type randomModel struct {
	*rand.Rand
	tables []*randomTable
	views  []string
	enums  map[string][]string
	free   []string // names that something had before
	made   int
}

type randomTable struct {
	name     string
	key      string
	cols     []*randomColumn
	checks   []randomPart
	indexes  []randomPart
	triggers []string
	last     *randomColumn // that the file spoke of
}

type randomColumn struct {
	name, typ      string
	null, def      bool
	viewed, opaque bool // a view stands on it; psql cannot change its type for another reason
}

// randomPart is a constraint or index and the columns that it goes with.
type randomPart struct {
	name   string
	cols   []string
	unique bool // a constraint with an index
	ref    bool // a foreign key
}

// randomFile is the file of a seed, for the partitioned fixture or the other.
func randomFile(seed uint64) (file []string, parted bool) {
	m := &randomModel{Rand: rand.New(rand.NewPCG(seed, 0)), enums: map[string][]string{"mood": {"sad", "ok"}}, views: []string{"cust_v"}}
	parted = m.IntN(3) == 0
	m.tables = []*randomTable{
		{name: "cust", key: "id",
			cols: []*randomColumn{{name: "id", typ: "int", viewed: true}, {name: "name", typ: "text"}, {name: "age", typ: "int", null: true},
				{name: "status", typ: "text", null: true, def: true, viewed: true}, {name: "score", typ: "numeric(8,2)", null: true},
				{name: "code", typ: "int"}, {name: "feel", typ: "mood", null: true, def: true}, {name: "digits", typ: "text", null: true}},
			checks:  []randomPart{{name: "cust_age", cols: []string{"age"}}, {name: "cust_code", cols: []string{"code"}, unique: true}},
			indexes: []randomPart{{name: "cust_name", cols: []string{"name"}}, {name: "cust_age_i", cols: []string{"age"}}}},
		{name: "ord", key: "id",
			cols: []*randomColumn{{name: "id", typ: "int", opaque: parted}, {name: "cust_id", typ: "int", null: true}, {name: "total", typ: "int", def: true},
				{name: "label", typ: "varchar(30)", null: true}, {name: "amount", typ: "numeric(10,2)", null: true},
				{name: "note", typ: "text", null: true, opaque: true}, {name: "qty", typ: "int", null: true}},
			checks:   []randomPart{{name: "ord_cust", cols: []string{"cust_id"}, ref: true}, {name: "ord_qty", cols: []string{"qty"}}},
			indexes:  []randomPart{{name: "ord_cust_i", cols: []string{"cust_id"}}, {name: "ord_part", cols: []string{"qty", "total"}}},
			triggers: []string{"ord_touch"}},
	}
	for want := 2 + m.IntN(4); len(file) < want; {
		t := m.tables[m.IntN(2)]
		if m.IntN(3) > 0 {
			t = m.tables[seed%2] // most of a file is about one table
		}
		if s := m.statement(t); s != "" {
			file = append(file, strings.Split(s, "\n")...)
		}
	}
	return file, parted
}

// name is a new name, or one that was something else's.
func (m *randomModel) name(kind string) string {
	if len(m.free) > 0 && m.IntN(3) == 0 {
		i := m.IntN(len(m.free))
		n := m.free[i]
		m.free = slices.Delete(m.free, i, i+1)
		return n
	}
	m.made++
	return fmt.Sprintf("%s%d", kind, m.made)
}

func one[T any](m *randomModel, of []T) T { return of[m.IntN(len(of))] }

// column is a column that fits, often the one that the file spoke of before.
func (m *randomModel) column(t *randomTable, ok func(*randomColumn) bool) *randomColumn {
	var fit []*randomColumn
	for _, k := range t.cols {
		if ok(k) {
			fit = append(fit, k)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	if !slices.Contains(fit, t.last) || m.IntN(2) == 0 {
		t.last = one(m, fit)
	}
	return t.last
}

func anyColumn(*randomColumn) bool { return true }

func (k *randomColumn) isInt() bool { return k.typ == "int" || k.typ == "bigint" }

func (k *randomColumn) isText() bool { return k.typ == "text" || strings.HasPrefix(k.typ, "varchar") }

// value is an expression of a column's type over its table.
func (m *randomModel) value(t *randomTable, k *randomColumn) string {
	switch {
	case k.isText():
		other := m.column(t, (*randomColumn).isText)
		return one(m, []string{"'v'", "upper(" + other.name + ")", other.name, "split_part(" + other.name + ", ' ', 1)", k.name + " || '!'"})
	case m.enums[k.typ] != nil:
		return "'" + one(m, m.enums[k.typ]) + "'"
	}
	other := m.column(t, (*randomColumn).isInt)
	if other == nil {
		return "7"
	}
	return one(m, []string{"5", other.name, other.name + " + 1", k.name + " * 2"})
}

func (m *randomModel) constant(k *randomColumn) string {
	switch {
	case k.isText():
		return one(m, []string{"''", "'x'"})
	case m.enums[k.typ] != nil:
		return "'" + one(m, m.enums[k.typ]) + "'"
	}
	return one(m, []string{"0", "42"})
}

// rename renames a column wherever the model has it.
func (t *randomTable) rename(from, to string) {
	for _, parts := range [][]randomPart{t.checks, t.indexes} {
		for _, p := range parts {
			for i, c := range p.cols {
				if c == from {
					p.cols[i] = to
				}
			}
		}
	}
	if t.key == from {
		t.key = to
	}
}

// statement is the next of the file, "" when it does not fit.
func (m *randomModel) statement(t *randomTable) string {
	alter := "ALTER TABLE " + t.name + " "
	switch m.IntN(42) {
	case 0, 1: // add a column
		k := &randomColumn{name: m.name("col"), typ: one(m, []string{"int", "text", "bigint", "mood", "numeric(8,2)"}), null: true}
		if m.enums[k.typ] == nil && k.typ == "mood" {
			return ""
		}
		s := alter + "ADD COLUMN " + k.name + " " + k.typ
		if m.IntN(2) == 0 {
			s += " DEFAULT " + m.constant(k)
			k.def = true
			if m.IntN(2) == 0 {
				s += " NOT NULL"
				k.null = false
			}
		} else if k.typ == "int" && m.IntN(4) == 0 {
			s += fmt.Sprintf(" CONSTRAINT %s CHECK (%s > 0)", m.name("chk"), k.name)
		}
		t.cols = append(t.cols, k)
		return s + ";"
	case 2, 3, 4: // drop a column
		k := m.column(t, func(k *randomColumn) bool { return k.name != t.key && !k.viewed && !k.opaque })
		if k == nil {
			return ""
		}
		t.cols = slices.DeleteFunc(t.cols, func(o *randomColumn) bool { return o == k })
		goes := func(p randomPart) bool {
			if slices.Contains(p.cols, k.name) {
				m.free = append(m.free, p.name)
				return true
			}
			return false
		}
		t.checks, t.indexes = slices.DeleteFunc(t.checks, goes), slices.DeleteFunc(t.indexes, goes)
		m.free = append(m.free, k.name)
		return alter + "DROP COLUMN " + k.name + ";"
	case 5, 6, 7, 8: // rename a column
		k := m.column(t, anyColumn)
		from := k.name
		k.name = m.name("col")
		t.rename(from, k.name)
		m.free = append(m.free, from)
		return alter + "RENAME COLUMN " + from + " TO " + k.name + ";"
	case 9, 10, 11, 12: // change a type
		k := m.column(t, func(k *randomColumn) bool { return !k.viewed && !k.opaque && m.enums[k.typ] == nil && !k.def })
		if k == nil {
			return ""
		}
		var using string
		switch {
		case k.isInt():
			k.typ = one(m, []string{"bigint", "bigint", "numeric(8,2)"})
		case k.isText():
			if k.name == "digits" && m.IntN(2) == 0 {
				k.typ, using = "int", " USING digits::int"
			} else {
				k.typ = one(m, []string{"varchar(60)", "varchar(40)", "text"})
				if m.IntN(3) == 0 {
					using = " USING upper(" + k.name + ")"
				}
			}
		default:
			k.typ = one(m, []string{"numeric(12,4)", "int"})
		}
		return alter + "ALTER COLUMN " + k.name + " TYPE " + k.typ + using + ";"
	case 13: // set a default
		k := m.column(t, func(k *randomColumn) bool { return k.name != t.key })
		k.def = true
		return alter + "ALTER COLUMN " + k.name + " SET DEFAULT " + m.constant(k) + ";"
	case 14: // drop one
		k := m.column(t, func(k *randomColumn) bool { return k.name != t.key })
		k.def = false
		return alter + "ALTER COLUMN " + k.name + " DROP DEFAULT;"
	case 15: // NOT NULL
		k := m.column(t, func(k *randomColumn) bool { return k.name != t.key && k.name != "note" })
		k.null = false
		return alter + "ALTER COLUMN " + k.name + " SET NOT NULL;"
	case 16:
		k := m.column(t, func(k *randomColumn) bool { return k.name != t.key && !k.null })
		if k == nil {
			return ""
		}
		k.null = true
		return alter + "ALTER COLUMN " + k.name + " DROP NOT NULL;"
	case 17, 18: // add a constraint
		k := m.column(t, func(k *randomColumn) bool { return k.isInt() && k.name != t.key })
		if k == nil {
			return ""
		}
		p := randomPart{name: m.name("con"), cols: []string{k.name}}
		var s string
		switch m.IntN(3) {
		case 0:
			s = fmt.Sprintf("CHECK (%s >= 0)", k.name)
		case 1:
			p.unique, p.cols = true, []string{k.name, t.key}
			s = fmt.Sprintf("UNIQUE (%s, %s)", k.name, t.key)
		default:
			p.ref = true
			s = fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (%s) NOT VALID", k.name, m.tables[0].name, m.tables[0].key)
		}
		t.checks = append(t.checks, p)
		return alter + "ADD CONSTRAINT " + p.name + " " + s + ";"
	case 19: // drop a constraint
		if len(t.checks) == 0 {
			return ""
		}
		i := m.IntN(len(t.checks))
		p := t.checks[i]
		t.checks = slices.Delete(t.checks, i, i+1)
		m.free = append(m.free, p.name)
		return alter + "DROP CONSTRAINT " + p.name + ";"
	case 20: // rename one
		if len(t.checks) == 0 {
			return ""
		}
		p := &t.checks[m.IntN(len(t.checks))]
		from := p.name
		p.name = m.name("con")
		m.free = append(m.free, from)
		return alter + "RENAME CONSTRAINT " + from + " TO " + p.name + ";"
	case 21, 22: // create an index
		k, l := m.column(t, anyColumn), m.column(t, anyColumn)
		p := randomPart{name: m.name("idx"), cols: []string{k.name, l.name}}
		t.indexes = append(t.indexes, p)
		switch {
		case k.isText() && m.IntN(2) == 0:
			return fmt.Sprintf("CREATE INDEX %s ON %s (lower(%s), %s);", p.name, t.name, k.name, l.name)
		case m.IntN(3) == 0:
			return fmt.Sprintf("CREATE INDEX %s ON %s (%s) WHERE %s IS NOT NULL;", p.name, t.name, k.name, l.name)
		case k == l:
			return fmt.Sprintf("CREATE INDEX %s ON %s (%s);", p.name, t.name, k.name)
		}
		return fmt.Sprintf("CREATE INDEX %s ON %s (%s, %s);", p.name, t.name, k.name, l.name)
	case 23: // drop or rename one
		if len(t.indexes) == 0 {
			return ""
		}
		i := m.IntN(len(t.indexes))
		from := t.indexes[i].name
		m.free = append(m.free, from)
		if m.IntN(2) == 0 {
			t.indexes = slices.Delete(t.indexes, i, i+1)
			return "DROP INDEX " + from + ";"
		}
		t.indexes[i].name = m.name("idx")
		return "ALTER INDEX " + from + " RENAME TO " + t.indexes[i].name + ";"
	case 24: // rename the table
		from := t.name
		t.name = m.name("tab")
		m.free = append(m.free, from)
		return "ALTER TABLE " + from + " RENAME TO " + t.name + ";"
	case 25: // a view comes or goes
		if len(m.views) > 0 && m.IntN(2) == 0 {
			v := m.views[0]
			m.views = m.views[1:]
			m.free = append(m.free, v)
			if v == "cust_v" {
				for _, k := range m.tables[0].cols {
					k.viewed = false
				}
			}
			return "DROP VIEW " + v + ";"
		}
		k, l := m.column(t, anyColumn), m.column(t, anyColumn)
		k.viewed, l.viewed = true, true
		v := m.name("view")
		m.views = append(m.views, v)
		return fmt.Sprintf("CREATE VIEW %s AS SELECT %s AS one, %s AS two FROM %s;", v, k.name, l.name, t.name)
	case 26, 27: // rows
		k := m.column(t, func(k *randomColumn) bool { return k.name != t.key })
		s := fmt.Sprintf("UPDATE %s SET %s = %s", t.name, k.name, m.value(t, k))
		if m.IntN(2) == 0 {
			s += fmt.Sprintf(" WHERE %s > 20", t.key)
		}
		if from := m.column(t, func(k *randomColumn) bool { return k.isText() && !k.viewed && !k.opaque }); from != nil && m.IntN(3) == 0 {
			a, b := m.name("col"), m.name("col")
			t.cols = append(t.cols, &randomColumn{name: a, typ: "text", null: true}, &randomColumn{name: b, typ: "text", null: true})
			s = fmt.Sprintf("%[1]sADD COLUMN %[2]s text, ADD COLUMN %[3]s text;\nUPDATE %[4]s SET %[2]s = split_part(%[5]s, ' ', 1), %[3]s = split_part(%[5]s, ' ', 2)", alter, a, b, t.name, from.name)
		}
		return s + ";"
	case 28: // comments and grants
		k := m.column(t, anyColumn)
		return one(m, []string{
			fmt.Sprintf("COMMENT ON COLUMN %s.%s IS 'said';", t.name, k.name),
			fmt.Sprintf("COMMENT ON TABLE %s IS 'said';", t.name),
			fmt.Sprintf("GRANT UPDATE (%s) ON %s TO replank_test_other;", k.name, t.name),
			fmt.Sprintf("GRANT INSERT ON %s TO replank_test_reader;", t.name),
		})
	case 29: // two in one
		for range 10 {
			a, b := m.statement(t), m.statement(t)
			if !strings.HasPrefix(a, alter) || !strings.HasPrefix(b, alter) || strings.Contains(a+b, " RENAME ") || strings.Contains(a+b, "\n") {
				continue // what has not been said after all may be missed later: psql says so
			}
			return strings.TrimSuffix(a, ";") + ", " + strings.TrimPrefix(b, alter)
		}
		return ""
	case 30: // without a name
		k, l := m.column(t, anyColumn), m.column(t, (*randomColumn).isInt)
		return one(m, []string{
			fmt.Sprintf("CREATE INDEX ON %s (%s);", t.name, k.name),
			fmt.Sprintf("CREATE UNIQUE INDEX ON %s (%s, %s);", t.name, t.key, k.name),
			fmt.Sprintf("%sADD CHECK (%s IS NOT NULL OR %s > 0);", alter, k.name, l.name),
			fmt.Sprintf("%sADD UNIQUE (%s, %s);", alter, k.name, t.key),
		})
	case 31, 32: // a table that refers to it
		n := m.name("new")
		k := m.column(t, anyColumn)
		s := fmt.Sprintf("CREATE TABLE %s (%s %s PRIMARY KEY, ref int REFERENCES %s (%s));", n, "id", "int", t.name, t.key)
		return s + one(m, []string{"",
			fmt.Sprintf("\nCREATE INDEX ON %s (ref);", n),
			fmt.Sprintf("\nINSERT INTO %s SELECT %s, %s FROM %s;", n, t.key, t.key, t.name),
			fmt.Sprintf("\n%sADD COLUMN %s int REFERENCES %s;", alter, m.name("col"), n),
			fmt.Sprintf("\nUPDATE %s SET %s = %s;", t.name, k.name, m.value(t, k)),
		})
	case 33:
		return fmt.Sprintf("DELETE FROM %s WHERE %s > 50;", m.tables[1].name, m.tables[1].key)
	case 34: // one table from the other
		from, to := m.column(m.tables[0], (*randomColumn).isInt), m.column(m.tables[1], func(k *randomColumn) bool { return k.isInt() && k.name != m.tables[1].key })
		if from == nil || to == nil {
			return ""
		}
		return fmt.Sprintf("UPDATE %[1]s SET %[2]s = f.%[3]s FROM %[4]s f WHERE f.%[5]s = %[1]s.%[6]s;",
			m.tables[1].name, to.name, from.name, m.tables[0].name, m.tables[0].key, m.tables[1].key)
	case 35: // what else stands on columns
		k, l := m.column(t, anyColumn), m.column(t, anyColumn)
		if k == l {
			return ""
		}
		k.opaque, l.opaque = true, true
		return one(m, []string{
			fmt.Sprintf("CREATE POLICY %s ON %s USING (%s IS NOT NULL);", m.name("pol"), t.name, k.name),
			fmt.Sprintf("CREATE STATISTICS %s ON %s, %s FROM %s;", m.name("stat"), k.name, l.name, t.name),
			fmt.Sprintf("CREATE MATERIALIZED VIEW %s AS SELECT %s, %s AS o FROM %s;", m.name("mat"), k.name, l.name, t.name),
		})
	case 36: // what is said of other things
		if len(t.checks) == 0 || len(t.indexes) == 0 {
			return ""
		}
		s := []string{
			fmt.Sprintf("COMMENT ON CONSTRAINT %s ON %s IS 'said';", one(m, t.checks).name, t.name),
			fmt.Sprintf("COMMENT ON INDEX %s IS 'said';", one(m, t.indexes).name),
		}
		if len(m.views) > 0 {
			s = append(s, fmt.Sprintf("COMMENT ON VIEW %s IS 'said';", m.views[0]), fmt.Sprintf("GRANT SELECT ON %s TO replank_test_other;", m.views[0]))
		}
		return one(m, s)
	case 37: // a view gets another name, or all that stands on a column goes
		if k := m.column(t, func(k *randomColumn) bool { return k.viewed && k.name != t.key }); k != nil && m.IntN(2) == 0 {
			t.cols = slices.DeleteFunc(t.cols, func(o *randomColumn) bool { return o == k })
			return alter + "DROP COLUMN " + k.name + " CASCADE;"
		}
		if len(m.views) == 0 {
			return ""
		}
		from := m.views[0]
		m.views[0] = m.name("view")
		return "ALTER VIEW " + from + " RENAME TO " + m.views[0] + ";"
	case 38: // columns that bring more along
		k := &randomColumn{name: m.name("col"), typ: "int", null: true}
		t.cols = append(t.cols, k)
		return alter + "ADD COLUMN " + k.name + one(m, []string{" serial", " int UNIQUE", " int REFERENCES " + m.tables[0].name, " int NOT NULL DEFAULT 3 CHECK (" + k.name + " > 0)"}) + ";"
	case 39: // a split in one
		from := m.column(t, func(k *randomColumn) bool { return k.isText() && !k.viewed && !k.opaque })
		if from == nil {
			return ""
		}
		a := m.name("col")
		k := &randomColumn{name: a, typ: "text", null: true}
		t.cols = append(slices.DeleteFunc(t.cols, func(o *randomColumn) bool { return o == from }), k)
		m.free = append(m.free, from.name)
		return fmt.Sprintf("%[1]sADD COLUMN %[2]s text;\nUPDATE %[3]s SET %[2]s = upper(%[4]s);\n%[1]sDROP COLUMN %[4]s;", alter, a, t.name, from.name)
	case 40: // an enum made again
		k := m.column(m.tables[0], func(k *randomColumn) bool { return k.typ == "mood" && !k.viewed && !k.opaque })
		if k == nil {
			return ""
		}
		k.def = false
		t = m.tables[0]
		return fmt.Sprintf(`ALTER TYPE mood RENAME TO mood_old;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad');
ALTER TABLE %[1]s ALTER COLUMN %[2]s DROP DEFAULT, ALTER COLUMN %[2]s TYPE mood USING %[2]s::text::mood;
DROP TYPE mood_old;`, t.name, k.name)
	default: // enums and triggers
		switch m.IntN(4) {
		case 0:
			v := m.name("label")
			return "ALTER TYPE mood ADD VALUE '" + v + "';"
		case 1:
			n := m.name("enum")
			m.enums[n] = []string{"a", "b"}
			k := &randomColumn{name: m.name("col"), typ: n, null: true}
			t.cols = append(t.cols, k)
			return fmt.Sprintf("CREATE TYPE %s AS ENUM ('a', 'b');\n%sADD COLUMN %s %s;", n, alter, k.name, n)
		case 2:
			if len(t.triggers) > 0 {
				n := t.triggers[0]
				t.triggers = t.triggers[1:]
				for _, k := range t.cols {
					k.opaque = k.opaque && k.name == t.key
				}
				return fmt.Sprintf("DROP TRIGGER %s ON %s;", n, t.name)
			}
			return ""
		}
		k := m.column(t, anyColumn)
		k.opaque = true
		n := m.name("trg")
		t.triggers = append(t.triggers, n)
		return fmt.Sprintf("CREATE TRIGGER %s AFTER UPDATE OF %s ON %s FOR EACH ROW EXECUTE FUNCTION touch();", n, k.name, t.name)
	}
}
