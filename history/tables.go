package history

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Table is a table as the models of a framework want it. Nothing of it was read from a database.
type Table struct {
	Name       string            `json:"table"`        // as the framework quotes it: schema"."table where a project does that
	Schema     string            `json:"schema"`       // SQLAlchemy's; "" = the search_path
	Managed    *bool             `json:"managed"`      // false: the framework leaves it alone; nil is true
	ManyToMany string            `json:"many_to_many"` // the field that it belongs to
	Comment    string            `json:"comment"`
	Tablespace string            `json:"tablespace"`
	PrimaryKey []string          `json:"primary_key"` // where it has several columns
	Columns    map[string]Column `json:"columns"`
	Indexes    map[string]Index  `json:"indexes"`
	// Constraints are those that no column has for itself.
	Constraints map[string]Constraint `json:"constraints"`
}

// Column is a column of a model.
type Column struct {
	Field      string `json:"field"` // as the application calls it
	Type       string `json:"type"`
	Null       bool   `json:"null"`
	PrimaryKey bool   `json:"primary_key"`
	Unique     bool   `json:"unique"`   // by a constraint of its own, whose name depends on how it came to be
	Identity   string `json:"identity"` // BY DEFAULT, ALWAYS
	Collation  string `json:"collation"`
	Check      string `json:"check"`
	Default    string `json:"default"` // of the database
	// ApplicationDefault is what the application writes and the database does not know.
	ApplicationDefault string     `json:"application_default"`
	Generated          string     `json:"generated"`
	Stored             bool       `json:"stored"`
	Comment            string     `json:"comment"`
	References         *Reference `json:"references"`
}

// Reference is what a column's foreign key refers to.
type Reference struct {
	Table      string `json:"table"`
	Schema     string `json:"schema"`
	Column     string `json:"column"`
	Constraint string `json:"constraint"` // "" = the application alone keeps it
	OnDelete   string `json:"on_delete"`
}

// Index is an index of a model: the statement that makes it.
type Index struct {
	SQL string `json:"sql"`
}

// Constraint is a constraint of a model over one or more columns.
type Constraint struct {
	Kind    string   `json:"kind"` // unique, check, exclude, foreign key, other
	Columns []string `json:"columns"`
	SQL     string   `json:"sql"` // the statement that makes it; "" where CREATE TABLE does
}

// Tables are the tables of the project's models after a migration, by the models' names; "" is after all of them. For
// Alembic they are those of target_metadata, which has no history.
func (e *Export) Tables(after string) (map[string]Table, error) {
	state := map[string]any{}
	if e.Framework.Name != "django" {
		if after != "" {
			return nil, &Error{Path: e.path, Err: errors.New("the tables after one revision are not known: SQLAlchemy has only those of now")}
		}
		if err := unmarshal(e.doc.Tables, &state); err != nil {
			return nil, &Error{Path: e.path, Err: err}
		}
		return tables(e.path, state)
	}
	if after != "" {
		if _, ok := e.index[after]; !ok {
			return nil, &Error{Path: e.path, Err: fmt.Errorf("there is no migration %s", after)}
		}
	}
	for i := range e.doc.Migrations {
		m := &e.doc.Migrations[i]
		if m.ReplacedBy == "" {
			var patch map[string]any
			if err := unmarshal(m.State, &patch); err != nil {
				return nil, &Error{Path: e.path, Err: fmt.Errorf("state of %s: %w", m.name(), err)}
			}
			merge(state, patch)
		}
		if m.name() == after {
			break
		}
	}
	return tables(e.path, state)
}

func unmarshal(raw json.RawMessage, into *map[string]any) error {
	if len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, into)
}

// merge applies a JSON Merge Patch (RFC 7386).
func merge(state, patch map[string]any) {
	for k, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(state, k)
		case map[string]any:
			inner, ok := state[k].(map[string]any)
			if !ok {
				inner = map[string]any{}
				state[k] = inner
			}
			merge(inner, v)
		default:
			state[k] = v
		}
	}
}

func tables(path string, state map[string]any) (map[string]Table, error) {
	b, err := json.Marshal(state)
	if err != nil {
		return nil, &Error{Path: path, Err: err}
	}
	var found map[string]Table
	if err := json.Unmarshal(b, &found); err != nil {
		return nil, &Error{Path: path, Err: fmt.Errorf("tables: %w", err)}
	}
	return found, nil
}
