package history

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// Models are the tables that a project's code wants, as its framework would make them. The migrations of the project
// may not have caught up with them.
type Models struct {
	// Path is the search_path of the project's connections; empty: as the role has it.
	Path []string
	// Before is what the tables rest on: types and sequences of SQLAlchemy's.
	Before []Object
	Tables []Model
	// Migrated says of which models Unmigrated tells: of Django's, where the app has migrations.
	Migrated map[string]bool
	// Unmigrated are the parts of tables that no migration of the project has, as changed in the code: "billing.Invoice",
	// and behind it the column, index or constraint. Only Django's states tell.
	Unmigrated map[string]map[string]bool
}

// Model is a table of Models.
type Model struct {
	Model   string   `json:"model"` // as the framework calls it: billing.Invoice
	Table   string   `json:"table"`
	Schema  string   `json:"schema"` // "" = the search_path
	Managed *bool    `json:"managed"`
	Named   []string `json:"named"`  // indexes and constraints that the framework knows by their names
	Unsure  []string `json:"unsure"` // columns of which the framework itself does not know the type
	SQL     []string `json:"sql"`    // what makes it
	After   []string `json:"after"`  // what comes behind all tables
	Path    string   `json:"path"`
}

// Reads says that the framework leaves the table to somebody else: managed = False, include_object.
func (m Model) Reads() bool { return m.Managed != nil && !*m.Managed }

// Relation is the table's name. Projects of Django write a schema as schema"."table.
func (m Model) Relation() ddl.Name {
	if schema, table, ok := strings.Cut(m.Table, `"."`); ok {
		return ddl.Name{Schema: strings.Trim(schema, `"`), Name: strings.Trim(table, `"`)}
	}
	return ddl.Name{Schema: m.Schema, Name: m.Table}
}

// Object is a type, domain or sequence.
type Object struct {
	Kind   string `json:"kind"` // TYPE, DOMAIN, SEQUENCE; "" = something else
	Schema string `json:"schema"`
	Name   string `json:"name"`
	SQL    string `json:"sql"`
}

// Models are the tables of the project's code; nil where the export has none: it was not asked for them, or
// env.py names no target_metadata.
func (e *Export) Models() *Models {
	if e.doc.Models == nil {
		return nil
	}
	m := &Models{Before: e.doc.Before, Tables: slices.Clone(e.doc.Models), Migrated: map[string]bool{}, Unmigrated: map[string]map[string]bool{}}
	for i := range m.Tables {
		m.Tables[i].Path = e.file("", m.Tables[i].Path)
	}
	// A project that says nothing of its path has that of its role.
	if path := e.Databases[e.doc.Database].SearchPath; !slices.Equal(path, []string{"public"}) {
		m.Path = path
	}
	apps := map[string]bool{}
	for _, one := range e.doc.Migrations {
		apps[one.App] = true
	}
	for _, t := range m.Tables {
		app, _, ok := strings.Cut(t.Model, ".")
		m.Migrated[t.Model] = ok && e.Framework.Name == django && apps[app]
	}
	for label, patch := range e.doc.Unmigrated {
		m.Unmigrated[label] = touched(patch)
	}
	return m
}

// touched are the names that a merge patch of a table speaks of; "" where it is all of the table.
func touched(patch json.RawMessage) map[string]bool {
	names := map[string]bool{}
	var parts map[string]json.RawMessage
	if json.Unmarshal(patch, &parts) != nil || parts == nil || parts["table"] != nil {
		return map[string]bool{"": true}
	}
	for part, inner := range parts {
		var named map[string]json.RawMessage
		if json.Unmarshal(inner, &named) == nil && named != nil {
			for name := range named {
				names[name] = true
			}
			continue
		}
		names[part] = true
	}
	return names
}
