package history

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/replank/replank/ddl"
)

// OwnersFile is committed beside the projects, so that lint knows the owners without a database.
const OwnersFile = "replank.owners.toml"

// Owners say which history may change a table, where several migrate one database.
type Owners struct {
	Tables map[string]Owner `toml:"tables"` // by their qualified names
}

// Owner is who may change a table.
type Owner struct {
	History string `toml:"owner"`           // django, alembic
	Since   string `toml:"since,omitempty"` // the migration with which it took the table over
	// Until are the last migrations of other histories that may speak of the table: with them they gave it up.
	Until map[string]string `toml:"until,omitempty"`
}

// ReadOwners reads the file; where there is none, nobody owns a table.
func ReadOwners(path string) (*Owners, error) {
	o := &Owners{Tables: map[string]Owner{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return nil, &Error{Path: path, Err: cause(err)}
	}
	meta, err := toml.Decode(string(text), o)
	if err != nil {
		return nil, &Error{Path: path, Err: err, hint: "replank adopt writes this file"}
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, &Error{Path: path, Err: fmt.Errorf("unknown key %s", unknown[0]), hint: "known are owner, since and until of [tables.\"schema.table\"]"}
	}
	if o.Tables == nil {
		o.Tables = map[string]Owner{}
	}
	for table, owner := range o.Tables {
		if owner.History == "" {
			return nil, &Error{Path: path, Err: fmt.Errorf("%s has no owner", table), hint: `owner = "django" or "alembic"`}
		}
	}
	return o, nil
}

// Relations are the owners by the names of their tables.
func (o *Owners) Relations() map[ddl.Name]Owner {
	found := map[ddl.Name]Owner{}
	for table, owner := range o.Tables {
		found[RelationName(table)] = owner
	}
	return found
}

// RelationName reads a name as SQL writes it: invoices, billing.invoices, "Billing"."Invoices".
func RelationName(text string) ddl.Name {
	var parts []string
	for rest := text; ; {
		var part string
		if strings.HasPrefix(rest, `"`) {
			end := 1
			for end < len(rest) && (rest[end] != '"' || strings.HasPrefix(rest[end:], `""`)) {
				if rest[end] == '"' {
					end++
				}
				end++
			}
			part, rest = strings.ReplaceAll(rest[1:min(end, len(rest))], `""`, `"`), rest[min(end+1, len(rest)):]
			rest = strings.TrimPrefix(rest, ".")
		} else {
			part, rest, _ = strings.Cut(rest, ".")
		}
		if parts = append(parts, part); rest == "" {
			break
		}
	}
	if len(parts) == 1 {
		return ddl.Name{Name: parts[0]}
	}
	return ddl.Name{Schema: parts[0], Name: parts[1]}
}

// FindOwners is the path of the owners file of a folder: in it, or in the nearest one above; "" where there is none.
func FindOwners(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	for {
		if path := filepath.Join(dir, OwnersFile); exists(path) {
			return path
		}
		above := filepath.Dir(dir)
		if above == dir || exists(filepath.Join(dir, ".git")) {
			return ""
		}
		dir = above
	}
}

// Move gives a table from one history to another: since is the migration that takes it, until the one that gives it up.
func (o *Owners) Move(table ddl.Name, from, until, to, since string) {
	owner := o.Tables[table.String()]
	moved := Owner{History: to, Since: since, Until: map[string]string{}}
	for history, last := range owner.Until {
		if history != to {
			moved.Until[history] = last
		}
	}
	moved.Until[from] = until
	o.Tables[table.String()] = moved
}

// Write writes the whole file or nothing.
func (o *Owners) Write(path string) error {
	var b bytes.Buffer
	b.WriteString("# Which history may change which table. replank adopt writes this file, replank lint reads it: commit it.\n\n")
	enc := toml.NewEncoder(&b)
	enc.Indent = ""
	if err := enc.Encode(o); err != nil {
		return &Error{Path: path, Err: err}
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, b.Bytes(), 0o644); err != nil {
		return &Error{Path: path, Err: cause(err)}
	}
	if err := os.Rename(temp, path); err != nil {
		return &Error{Path: path, Err: cause(err)}
	}
	return nil
}
