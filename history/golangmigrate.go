package history

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// golangMigrate reads the files of a folder as golang-migrate 4 does (source/parse.go): N_title.up.sql and its
// .down.sql, in the order of numbers.
func (r *reader) golangMigrate(files []*file) error {
	type step struct {
		version  uint64
		up, down *file
	}
	var steps []*step
	byVersion := make(map[uint64]*step)
	for _, f := range files {
		part := migrateGo.FindStringSubmatch(f.name())
		if part == nil {
			if f.isSQL() {
				r.notice(f.path, "golang-migrate passes over it: its name is not NUMBER_TITLE.up.sql or NUMBER_TITLE.down.sql")
			}
			continue
		}
		v, err := strconv.ParseUint(part[1], 10, 64)
		if err != nil {
			return f.fail("", "the version %s is too great a number", part[1])
		}
		s := byVersion[v]
		if s == nil {
			s = &step{version: v}
			byVersion[v] = s
			steps = append(steps, s)
		}
		side := &s.up
		if part[3] == "down" {
			side = &s.down
		}
		if *side != nil {
			return f.fail("give one of them another number", "the way %s of version %d is taken by %s", part[3], v, (*side).path)
		}
		*side = f
	}
	slices.SortFunc(steps, func(a, b *step) int { return cmp.Compare(a.version, b.version) })
	for _, s := range steps {
		f := s.up
		if f == nil {
			// It counts as a version that does nothing on the way forward.
			f = s.down
			r.notice(f.path, "version %d has no way up: golang-migrate counts it and runs nothing", s.version)
		}
		m, err := f.migration()
		if err != nil {
			return err
		}
		m.Version, m.Tx = strconv.FormatUint(s.version, 10), Message
		title, _, _ := strings.Cut(f.name(), map[bool]string{true: ".up.", false: ".down."}[s.up != nil])
		if m.Name == strings.TrimSuffix(f.name(), ext) {
			m.Name = title
		}
		if s.up == nil {
			m.Text = blanked(m.Text)
		}
		if s.down != nil {
			down, err := s.down.migration()
			if err != nil {
				return err
			}
			if says(down.Text) {
				m.Down = down.Text
			}
		}
		r.h.Migrations = append(r.h.Migrations, m)
	}
	schema, table := splitQuoted(cmp.Or(r.Table, "schema_migrations"))
	r.h.Books = &migrateBooks{schema: schema, table: table, h: r.h}
	return nil
}

// splitQuoted takes a name apart whose parts are quoted by the tool itself.
func splitQuoted(name string) (schema, table string) {
	if first, second, ok := strings.Cut(name, "."); ok {
		return strings.Trim(first, `"`), strings.Trim(second, `"`)
	}
	return "", strings.Trim(name, `"`)
}

// migrateBooks is a table of one row: the version that the database is at, and whether a migration to it has failed.
type migrateBooks struct {
	schema, table string
	h             *History
}

func (b *migrateBooks) name() string       { return quoted(b.schema, b.table) }
func (b *migrateBooks) Table() string      { return b.name() }
func (b *migrateBooks) Present() Statement { return present(b.schema, b.table) }

func (b *migrateBooks) Create() []Statement {
	return []Statement{{SQL: "CREATE TABLE IF NOT EXISTS " + b.name() + " (version bigint not null primary key, dirty boolean not null)"}}
}

const dirty = " dirty"

func (b *migrateBooks) Applied() Statement {
	return Statement{SQL: "SELECT version::text || CASE WHEN dirty THEN '" + dirty + "' ELSE '' END FROM " + b.name()}
}

// Read takes the one version for all up to it, as golang-migrate does.
func (b *migrateBooks) Read(answer []string) (map[string]bool, error) {
	applied := make(map[string]bool)
	if len(answer) == 0 {
		return applied, nil
	}
	version, isDirty := strings.CutSuffix(answer[0], dirty)
	switch {
	case len(answer) > 1:
		return nil, &Error{Path: b.Table(), Err: fmt.Errorf("%d rows, where golang-migrate keeps one", len(answer)),
			hint: "is it the table of another tool?"}
	case isDirty:
		return nil, &Error{Path: b.Table(), Err: fmt.Errorf("version %s is dirty: golang-migrate has failed in the middle of it", version),
			hint: "see what of it is in the database, take it back or do the rest by hand, then say so with `migrate force VERSION`"}
	}
	last := slices.IndexFunc(b.h.Migrations, func(m Migration) bool { return m.Version == version })
	if last < 0 {
		return nil, &Error{Path: b.Table(), Err: fmt.Errorf("the database is at version %s, which is not in %s", version, b.h.Root),
			hint: "get the files that were applied (another branch?), or say with `migrate force VERSION` where the database is"}
	}
	for _, m := range b.h.Migrations[:last+1] {
		applied[m.Version] = true
	}
	return applied, nil
}

// Record leaves what golang-migrate's TRUNCATE and INSERT leave, without the lock of TRUNCATE, behind which a pg_dump
// would wait.
func (b *migrateBooks) Record(m Migration) []Statement { return b.put(m.Version) }

// Erase goes back to the version before.
func (b *migrateBooks) Erase(m Migration) []Statement {
	i := slices.IndexFunc(b.h.Migrations, func(o Migration) bool { return o.Version == m.Version })
	if i > 0 {
		return b.put(b.h.Migrations[i-1].Version)
	}
	return []Statement{{SQL: "DELETE FROM " + b.name()}}
}

func (b *migrateBooks) put(version string) []Statement {
	return []Statement{
		{SQL: "DELETE FROM " + b.name()},
		{SQL: "INSERT INTO " + b.name() + " (version, dirty) VALUES ($1::text::bigint, false)", Args: []any{version}},
	}
}
