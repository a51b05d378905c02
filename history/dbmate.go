package history

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

var dbmateName = regexp.MustCompile(`^(\d+).*\.sql$`)

// dbmate reads the files of its folders as dbmate 2 does (pkg/dbmate/migration.go): in the byte order of names over
// all folders, with the two parts up and down in each.
func (r *reader) dbmate(files []*file) error {
	const hint = "dbmate wants `-- migrate:up`, then `-- migrate:down`, in each file"
	taken := make(map[string]*file)
	slices.SortStableFunc(files, func(a, b *file) int { return strings.Compare(a.name(), b.name()) })
	for _, f := range files {
		part := dbmateName.FindStringSubmatch(f.name())
		if part == nil {
			if f.isSQL() {
				r.notice(f.path, "dbmate passes over it: its name does not begin with a number")
			}
			continue
		}
		m, err := f.migration()
		if err != nil {
			return err
		}
		m.Version, m.Tx = part[1], Whole
		if other := taken[m.Version]; other != nil {
			return f.fail("give one of them another number", "version %s is taken by %s", m.Version, other.path)
		}
		taken[m.Version] = f
		up, down := dbmateUp.FindStringIndex(m.Text), dbmateDown.FindStringIndex(m.Text)
		switch {
		case up == nil:
			return f.fail(hint, "no `-- migrate:up` in it")
		case down == nil:
			return f.fail(hint, "no `-- migrate:down` in it")
		case down[0] < up[0]:
			return f.fail(hint, "`-- migrate:down` stands before `-- migrate:up`")
		case says(m.Text[:up[0]]):
			return f.fail(hint, "SQL before `-- migrate:up`")
		}
		if dbmateUp.MatchString(m.Text[down[0]:]) {
			// dbmate 2.36 runs each pair, and fails when it writes the version down a second time.
			return f.fail(hint, "a second `-- migrate:up`")
		}
		line, _, _ := strings.Cut(m.Text[up[0]:], "\n")
		if slices.Contains(strings.Fields(line), "transaction:false") {
			m.Tx = Message
		}
		if back := m.Text[down[0]:]; says(back) {
			m.Down = back
		}
		text := []byte(m.Text)
		blank(text[down[0]:])
		m.Text = string(text)
		r.h.Migrations = append(r.h.Migrations, m)
	}
	table, _ := r.env("DBMATE_MIGRATIONS_TABLE")
	schema, name := splitQuoted(cmp.Or(r.Table, table, "schema_migrations"))
	r.h.Books = &dbmateBooks{schema: schema, table: name}
	if strict, _ := r.env("DBMATE_STRICT"); strict == "true" || strict == "1" {
		r.h.ordered = true
	}
	return nil
}

// dbmateBooks is a table with a row for each applied version, as text.
type dbmateBooks struct{ schema, table string }

func (b *dbmateBooks) name() string       { return quoted(b.schema, b.table) }
func (b *dbmateBooks) Table() string      { return b.name() }
func (b *dbmateBooks) Present() Statement { return present(b.schema, b.table) }

func (b *dbmateBooks) Create() []Statement {
	return []Statement{{SQL: "create table if not exists " + b.name() + " (version varchar primary key)"}}
}

func (b *dbmateBooks) Applied() Statement {
	return Statement{SQL: "SELECT version::text FROM " + b.name() + ` ORDER BY version COLLATE "C"`}
}

func (b *dbmateBooks) Read(answer []string) (map[string]bool, error) { return set(answer), nil }

func (b *dbmateBooks) Record(m Migration) []Statement {
	return []Statement{{SQL: "INSERT INTO " + b.name() + " (version) VALUES ($1)", Args: []any{m.Version}}}
}

func (b *dbmateBooks) Erase(m Migration) []Statement {
	return []Statement{{SQL: "DELETE FROM " + b.name() + " WHERE version = $1", Args: []any{m.Version}}}
}
