package history

import (
	"fmt"
	"maps"
	"slices"
)

// Books are the framework's own: django_migrations, or alembic_version.
func (e *Export) Books() Books {
	if e.Framework.Name == "django" {
		return &djangoBooks{e}
	}
	return newAlembicBooks(e)
}

// djangoBooks has one row for each migration that was applied, those that a squash replaces among them.
type djangoBooks struct{ e *Export }

func (b *djangoBooks) Table() string      { return "django_migrations" }
func (b *djangoBooks) Present() Statement { return present("", "django_migrations") }

func (b *djangoBooks) Create() []Statement { return plain(b.e.doc.Bookkeeping.Create) }

func (b *djangoBooks) Applied() Statement {
	return Statement{SQL: `SELECT app || '.' || name FROM "django_migrations" ORDER BY id`}
}

// Read counts a squash as applied when all are that it replaces. Rows of apps that are gone mean nothing.
func (b *djangoBooks) Read(answer []string) (map[string]bool, error) {
	applied := set(answer)
	for i := range b.e.doc.Migrations {
		if m := &b.e.doc.Migrations[i]; len(m.Replaces) > 0 {
			all := true
			for _, name := range b.e.replaced(m) {
				all = all && applied[name]
			}
			if all {
				applied[m.name()] = true
			}
		}
	}
	for i := range b.e.doc.Migrations {
		child := &b.e.doc.Migrations[i]
		if !applied[child.name()] || child.ReplacedBy != "" {
			continue
		}
		for _, need := range child.Needs {
			if parent := &b.e.doc.Migrations[b.e.index[need]]; !applied[need] && !b.e.partly(parent, applied) {
				return nil, &Error{Path: b.e.file("", child.Path),
					Err:  fmt.Errorf("%s is applied and %s, on which it depends, is not", child.name(), need),
					hint: "Django refuses this (InconsistentMigrationHistory); repair django_migrations first"}
			}
		}
	}
	return applied, nil
}

// Select takes the members of a squash instead of it where only some of them are applied.
func (b *djangoBooks) Select(ms []Migration, applied map[string]bool) []Migration {
	for _, m := range ms {
		if i, ok := b.e.index[m.Name]; ok && !b.e.current(&b.e.doc.Migrations[i], applied) {
			return b.e.Plan("", applied)
		}
	}
	return ms
}

func (b *djangoBooks) Record(m Migration) []Statement {
	return b.rows(m, `INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ($1, $2, now())`)
}

func (b *djangoBooks) Erase(m Migration) []Statement {
	return b.rows(m, `DELETE FROM "django_migrations" WHERE "app" = $1 AND "name" = $2`)
}

func (b *djangoBooks) rows(m Migration, sql string) []Statement {
	i, ok := b.e.index[m.Name]
	if !ok {
		return nil
	}
	var rows []Statement
	for _, r := range b.e.recorded(&b.e.doc.Migrations[i]) {
		rows = append(rows, Statement{SQL: sql, Args: []any{r[0], r[1]}})
	}
	return rows
}

// recorded are the rows of a migration: for a squash those of what it replaces, then its own, as the executor writes
// them together with the check at the end of `migrate`.
func (e *Export) recorded(m *exportedMigration) [][2]string {
	var rows [][2]string
	for _, r := range m.Replaces {
		if i, ok := e.index[dotted(r[0], r[1])]; ok && len(e.doc.Migrations[i].Replaces) > 0 {
			rows = append(rows, e.recorded(&e.doc.Migrations[i])...)
			continue
		}
		rows = append(rows, r)
	}
	return append(rows, [2]string{m.App, m.Name})
}

// Squashes are the rows that `migrate` writes before it ends for squashes of which all members are applied, whether it
// had anything else to do or not.
func (e *Export) Squashes(answer []string) []Statement {
	rows, have := []Statement(nil), set(answer)
	for i := range e.doc.Migrations {
		m := &e.doc.Migrations[i]
		if len(m.Replaces) == 0 || have[m.name()] {
			continue
		}
		if !slices.ContainsFunc(e.replaced(m), func(name string) bool { return !have[name] }) {
			rows = append(rows, Statement{SQL: `INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ($1, $2, now())`, Args: []any{m.App, m.Name}})
		}
	}
	return rows
}

// alembicBooks has one row for each head of what is applied.
type alembicBooks struct {
	e        *Export
	table    string              // quoted, with its schema
	children map[string][]string // revision → those that need it
}

func newAlembicBooks(e *Export) *alembicBooks {
	b := &alembicBooks{e: e, table: quoted(e.doc.Bookkeeping.Schema, e.doc.Bookkeeping.Table), children: map[string][]string{}}
	for _, m := range e.doc.Migrations {
		for _, n := range m.Needs {
			b.children[n] = append(b.children[n], m.Name)
		}
	}
	return b
}

func (b *alembicBooks) Table() string { return b.table }

func (b *alembicBooks) Present() Statement {
	return present(b.e.doc.Bookkeeping.Schema, b.e.doc.Bookkeeping.Table)
}

func (b *alembicBooks) Create() []Statement { return plain(b.e.doc.Bookkeeping.Create) }

func (b *alembicBooks) Applied() Statement {
	return Statement{SQL: "SELECT version_num FROM " + b.table + " ORDER BY version_num"}
}

// Read counts as applied what the heads come from.
func (b *alembicBooks) Read(answer []string) (map[string]bool, error) {
	applied, waiting := map[string]bool{}, slices.Clone(answer)
	for len(waiting) > 0 {
		name := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		i, ok := b.e.index[name]
		if !ok {
			return nil, &Error{Path: b.e.path, Err: fmt.Errorf("%s says %s, and the history has no such revision", b.table, name),
				hint: "export the history of the branch that was deployed"}
		}
		if !applied[name] {
			applied[name] = true
			waiting = append(waiting, b.e.doc.Migrations[i].Needs...)
		}
	}
	return applied, nil
}

// Record takes the place of the heads that a revision follows or depends on; where none of them is a head any more it
// is a head beside the others.
func (b *alembicBooks) Record(m Migration) []Statement {
	var rows []Statement
	if len(m.Needs) > 1 {
		rows = append(rows, Statement{
			SQL: "DELETE FROM " + b.table + " WHERE version_num = ANY ($1) AND version_num <> (SELECT min(version_num) FROM " +
				b.table + " WHERE version_num = ANY ($1))",
			Args: []any{m.Needs}})
	}
	return append(rows, Statement{
		SQL: "WITH moved AS (UPDATE " + b.table + " SET version_num = $1 WHERE version_num = ANY ($2) RETURNING 1) INSERT INTO " +
			b.table + " (version_num) SELECT $1 WHERE NOT EXISTS (SELECT FROM moved)",
		Args: []any{m.Version, notNil(m.Needs)}})
}

// Erase puts back those parents that no other head comes from.
func (b *alembicBooks) Erase(m Migration) []Statement {
	rows := []Statement{{SQL: "DELETE FROM " + b.table + " WHERE version_num = $1", Args: []any{m.Version}}}
	for _, parent := range m.Needs {
		rows = append(rows, Statement{
			SQL:  "INSERT INTO " + b.table + " (version_num) SELECT $1 WHERE NOT EXISTS (SELECT FROM " + b.table + " WHERE version_num = ANY ($2))",
			Args: []any{parent, b.from(parent)}})
	}
	return rows
}

// from is a revision and all that come from it.
func (b *alembicBooks) from(name string) []string {
	found, waiting := map[string]bool{}, []string{name}
	for len(waiting) > 0 {
		next := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		if !found[next] {
			found[next] = true
			waiting = append(waiting, b.children[next]...)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func plain(sql []string) []Statement {
	var statements []Statement
	for _, s := range sql {
		statements = append(statements, Statement{SQL: s})
	}
	return statements
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
