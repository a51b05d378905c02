package history

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ExportVersion is the version of the export's format that this program reads and its Python package writes.
const ExportVersion = 1

const exportFormat = "replank-history"

// Export is the history of a Django or Alembic project as the Python package has written it, docs/export.schema.json.
type Export struct {
	Framework Framework
	Databases map[string]Database // by alias; Alembic has none
	Routers   []string            // Django's, by their dotted names
	Heads     []string
	Warnings  []string // what the export could not find out
	// Unknown are the operations whose SQL depends on the database, those that are code among them.
	Unknown []Unknown

	path  string
	root  string
	doc   exported
	index map[string]int // name → position in doc.Migrations
	// loaded says that the project is at root, and was loaded there.
	loaded bool
}

// Framework is what wrote the history.
type Framework struct {
	Name    string `json:"name"` // django, alembic
	Version string `json:"version"`
}

// Database is one of Django's DATABASES.
type Database struct {
	Engine     string   `json:"engine"`
	Vendor     string   `json:"vendor"`
	SearchPath []string `json:"search_path"`
	Assumed    string   `json:"assumed"` // postgresql, where the settings name no database of it
}

// Unknown is an operation whose SQL is not known without a database.
type Unknown struct {
	Migration string
	What      string
	Path      string
	Line      int
	Reason    string
}

// exported is the document.
type exported struct {
	Format      string              `json:"format"`
	Version     int                 `json:"version"`
	Framework   Framework           `json:"framework"`
	Root        string              `json:"root"`
	Databases   map[string]Database `json:"databases"`
	Database    string              `json:"database"`
	Routers     []string            `json:"routers"`
	Bookkeeping bookkeeping         `json:"bookkeeping"`
	Migrations  []exportedMigration `json:"migrations"`
	Tables      json.RawMessage     `json:"tables"`
	Models      []Model             `json:"models"`
	Before      []Object            `json:"before"`
	// Unmigrated is the patch from the tables of the last migrations to those of the models, by model.
	Unmigrated map[string]json.RawMessage `json:"unmigrated"`
	Warnings   []string                   `json:"warnings"`
}

type bookkeeping struct {
	Schema string   `json:"schema"`
	Table  string   `json:"table"`
	Create []string `json:"create"`
}

type exportedMigration struct {
	App        string              `json:"app"`
	Name       string              `json:"name"`
	Path       string              `json:"path"`
	Needs      []string            `json:"needs"`
	Parents    []string            `json:"parents"` // Alembic's down revisions, without depends_on
	Replaces   [][2]string         `json:"replaces"`
	ReplacedBy string              `json:"replaced_by"`
	Labels     []string            `json:"labels"` // of Alembic's branch
	Atomic     bool                `json:"atomic"`
	Operations []exportedOperation `json:"operations"`
	State      json.RawMessage     `json:"state"`
}

func (m *exportedMigration) name() string { return dotted(m.App, m.Name) }

func dotted(app, name string) string {
	if app == "" {
		return name
	}
	return app + "." + name
}

type exportedOperation struct {
	Kind      string              `json:"kind"`
	Target    string              `json:"target"`
	What      string              `json:"what"`
	Path      string              `json:"path"`
	Line      int                 `json:"line"`
	SQL       []string            `json:"sql"`
	Deferred  []string            `json:"deferred"`
	On        map[string]sqlParts `json:"on"`
	SkippedOn []string            `json:"skipped_on"`
	Code      *exportedCode       `json:"code"`
	Error     string              `json:"error"`
}

type sqlParts struct {
	SQL      []string `json:"sql"`
	Deferred []string `json:"deferred"`
}

type exportedCode struct {
	Name    string  `json:"name"`
	Path    string  `json:"path"`
	Line    int     `json:"line"`
	At      []int   `json:"at"`
	Atomic  bool    `json:"atomic"`
	Nothing bool    `json:"nothing"`
	Schema  bool    `json:"schema"`
	Back    WayBack `json:"back"`
}

// ReadExport reads an exported document. Paths in it are taken below root; "" is the folder that it was made for.
func ReadExport(path, root string) (*Export, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, &Error{Path: path, Err: cause(err)}
	}
	return DecodeExport(b, path, root)
}

// DecodeExport is ReadExport of a document in memory. The path is for messages.
func DecodeExport(document []byte, path, root string) (*Export, error) {
	e := &Export{path: path, index: map[string]int{}}
	if err := json.Unmarshal(bytes.TrimPrefix(document, bom), &e.doc); err != nil {
		return nil, &Error{Path: path, Err: fmt.Errorf("not an export of Replank's Python package: %w", err),
			hint: "make it with `manage.py replank export -o FILE`, or `replank-alembic export -o FILE`"}
	}
	if e.doc.Format != exportFormat {
		return nil, &Error{Path: path, Err: errors.New("not an export of Replank's Python package"),
			hint: "make it with `manage.py replank export -o FILE`, or `replank-alembic export -o FILE`"}
	}
	if e.doc.Version != ExportVersion {
		return nil, &Error{Path: path, Err: fmt.Errorf("version %d of the export; this replank reads version %d", e.doc.Version, ExportVersion),
			hint: "install the Python package and the program of one release"}
	}
	e.Framework, e.Databases, e.Routers, e.Warnings = e.doc.Framework, e.doc.Databases, e.doc.Routers, e.doc.Warnings
	e.root = root
	if root == "" {
		e.root = filepath.FromSlash(e.doc.Root)
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	e.Heads = e.heads()
	for i := range e.doc.Migrations {
		m := &e.doc.Migrations[i]
		for _, op := range m.Operations {
			if op.Error != "" {
				e.Unknown = append(e.Unknown, e.unknown(m, &op))
			}
		}
	}
	return e, nil
}

func (e *Export) unknown(m *exportedMigration, op *exportedOperation) Unknown {
	return Unknown{m.name(), op.says(), e.file(op.Path, m.Path), op.Line, op.Error}
}

// check finds what a document by another hand could have wrong: every migration once, after all it needs.
func (e *Export) check() error {
	for i := range e.doc.Migrations {
		m := &e.doc.Migrations[i]
		name := m.name()
		if _, dup := e.index[name]; dup {
			return &Error{Path: e.path, Err: fmt.Errorf("migration %s stands there twice", name)}
		}
		for _, need := range m.Needs {
			if _, ok := e.index[need]; !ok && e.has(need) {
				return &Error{Path: e.path, Err: fmt.Errorf("migration %s needs %s, which comes after it", name, need)}
			} else if !ok {
				return &Error{Path: e.path, Err: fmt.Errorf("migration %s needs %s, which is not there", name, need)}
			}
		}
		e.index[name] = i
	}
	return nil
}

func (e *Export) has(name string) bool {
	return slices.ContainsFunc(e.doc.Migrations, func(m exportedMigration) bool { return m.name() == name })
}

func (e *Export) heads() []string {
	needed := map[string]bool{}
	for _, m := range e.doc.Migrations {
		for _, n := range m.Needs {
			// In Django an app's head is what nothing of the same app needs.
			if i := e.index[n]; e.Framework.Name != "django" || e.doc.Migrations[i].App == m.App {
				needed[n] = true
			}
		}
	}
	var heads []string
	for i := range e.doc.Migrations {
		if m := &e.doc.Migrations[i]; m.ReplacedBy == "" && !needed[m.name()] {
			heads = append(heads, m.name())
		}
	}
	return heads
}

// Migrations are the migrations for a database in the order in which the framework runs them on an empty one. The
// alias is one of Django's; "" is the first on PostgreSQL.
func (e *Export) Migrations(alias string) []Migration { return e.Plan(alias, nil) }

// Plan is Migrations where some are applied: a squash gives way to the migrations that it replaces when only some of
// these are. What is applied stays in the list.
func (e *Export) Plan(alias string, applied map[string]bool) []Migration {
	if alias == "" {
		alias = e.doc.Database
	}
	ms := make([]Migration, 0, len(e.doc.Migrations))
	for i := range e.doc.Migrations {
		if m := &e.doc.Migrations[i]; e.current(m, applied) {
			ms = append(ms, e.migration(m, alias, applied))
		}
	}
	return ms
}

// current says whether a migration is part of the history when these are applied.
func (e *Export) current(m *exportedMigration, applied map[string]bool) bool {
	if m.ReplacedBy != "" {
		if i, ok := e.index[m.ReplacedBy]; ok && !e.partly(&e.doc.Migrations[i], applied) {
			return false
		}
	}
	return len(m.Replaces) == 0 || !e.partly(m, applied)
}

// partly says whether only some of what a squash replaces is applied.
func (e *Export) partly(squash *exportedMigration, applied map[string]bool) bool {
	some, all := false, true
	for _, name := range e.replaced(squash) {
		some, all = some || applied[name], all && applied[name]
	}
	return some && !all
}

// replaced are the migrations that a squash replaces, those of squashes among them instead of these.
func (e *Export) replaced(squash *exportedMigration) []string {
	var names []string
	for _, r := range squash.Replaces {
		name := dotted(r[0], r[1])
		if i, ok := e.index[name]; ok && len(e.doc.Migrations[i].Replaces) > 0 && name != squash.name() {
			names = append(names, e.replaced(&e.doc.Migrations[i])...)
			continue
		}
		names = append(names, name)
	}
	return names
}

func (e *Export) migration(m *exportedMigration, alias string, applied map[string]bool) Migration {
	made := Migration{Name: m.name(), Version: m.name(), Path: e.file("", m.Path), Tx: Each, Replaces: e.replacedFiles(m)}
	if dir, err := filepath.Abs(e.root); err == nil && (e.loaded || len(projectsIn(dir)) > 0) {
		made.Place = Place{Framework: e.Framework.Name, Dir: dir, Database: alias}
	}
	if m.Atomic {
		made.Tx = Whole
	}
	for _, need := range m.Needs {
		n := &e.doc.Migrations[e.index[need]]
		if !e.current(n, applied) && len(n.Replaces) > 0 {
			// In place of a squash that gave way, its members.
			made.Needs = append(made.Needs, e.replaced(n)...)
			continue
		}
		made.Needs = append(made.Needs, need)
	}
	var text strings.Builder
	for i := range m.Operations {
		op := &m.Operations[i]
		if op.Error != "" && op.Code == nil {
			made.Unknown = append(made.Unknown, e.unknown(m, op))
		}
		start, sql := text.Len(), op.parts(alias).SQL
		e.add(&made, &text, m, op, sql)
		if op.runsOn(alias) {
			c := op.Code
			k := Code{Offset: start, Name: c.Name, Path: e.file(c.Path, m.Path), Line: c.Line,
				At: c.At, Atomic: c.Atomic, Nothing: c.Nothing, Schema: c.Schema, Back: c.Back}
			if op.byFramework() {
				k.SQL, k.End = sql, text.Len()
			}
			made.Code = append(made.Code, k)
		}
	}
	for i := range m.Operations {
		op := &m.Operations[i]
		e.add(&made, &text, m, op, op.parts(alias).Deferred)
	}
	made.Text = text.String()
	e.blind(&made, m, alias)
	made.Checksum = e.checksum(made)
	return made
}

// byFramework says that the framework has to execute an operation of SQL, because what it executes depends on the
// database.
func (op *exportedOperation) byFramework() bool {
	return op.Error != "" && op.Code != nil && op.Code.At != nil
}

// runsOn says that an operation has code for a database: routers keep some of it, and some statements, from it.
func (op *exportedOperation) runsOn(alias string) bool {
	if op.Code == nil || slices.Contains(op.SkippedOn, alias) {
		return false
	}
	return !op.byFramework() || len(op.SQL) == 0 || len(op.parts(alias).SQL) > 0
}

// blind finds the operations of which nothing is known, not even what they make, with statements behind them: these
// cannot be planned.
func (e *Export) blind(made *Migration, m *exportedMigration, alias string) {
	code := made.Code
	for i := range m.Operations {
		op := &m.Operations[i]
		if !op.runsOn(alias) {
			continue
		}
		k := code[0]
		code = code[1:]
		if op.byFramework() && len(k.SQL) == 0 && k.Offset < len(made.Text) {
			u := e.unknown(m, op)
			u.Reason += "; what stands behind it cannot be planned"
			made.Unknown = append(made.Unknown, u)
		}
	}
}

func (op *exportedOperation) parts(alias string) sqlParts {
	if there, ok := op.On[alias]; ok {
		return there
	}
	return sqlParts{op.SQL, op.Deferred}
}

// says names an operation for people: AddField book.isbn.
func (op *exportedOperation) says() string {
	if op.Target == "" {
		return op.Kind
	}
	return op.Kind + " " + op.Target
}

// add appends an operation's statements.
func (e *Export) add(made *Migration, text *strings.Builder, m *exportedMigration, op *exportedOperation, statements []string) {
	for _, sql := range statements {
		sql = strings.TrimRight(sql, " \t\r\n;")
		if strings.TrimSpace(sql) == "" {
			continue
		}
		made.Origins = append(made.Origins, Origin{text.Len(), e.file(op.Path, m.Path), op.Line, op.says()})
		text.WriteString(sql)
		// A comment at the end would take the semicolon with it.
		if line := sql[strings.LastIndexByte(sql, '\n')+1:]; strings.Contains(line, "--") {
			text.WriteByte('\n')
		}
		text.WriteString(";\n")
	}
}

// file is a path of the document as it can be opened.
func (e *Export) file(path, otherwise string) string {
	if path == "" {
		path = otherwise
	}
	path = filepath.FromSlash(path)
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(e.root, path)
}

// checksum is that of the migration's file, or of its text where the file is not at hand.
func (e *Export) checksum(m Migration) string {
	b, err := os.ReadFile(m.Path)
	if err != nil {
		b = []byte(m.Text)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
