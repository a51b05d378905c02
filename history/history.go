// Package history reads migration histories into one ordered form, unmodified, by the rules of the tool that they were
// written for: goose, golang-migrate, dbmate, Flyway, sqitch, or none. docs/histories.md says what is read, how the
// tool is found out, and what its bookkeeping gets.
//
// A folder that belongs to no tool is read in the byte order of names: in a folder, files and subfolders are taken
// together, sorted by name as bytes (so "10_x.sql" stands before "9_y.sql", and upper case before lower case, whatever
// the locale), and a subfolder's files stand where the subfolder stands. Several paths are taken in the order given.
// Files that do not end in .sql and names that begin with a dot or an underscore are passed over. A migration's name
// is its file name without .sql, and a name may occur only once: the journal knows migrations by name, so that a
// folder can move.
package history

import (
	"fmt"
	"slices"
)

// Migration is one step of a history: a file, or what a framework makes of one.
type Migration struct {
	Name     string // file name without .sql, or the framework's own name (app.0001_initial, a revision); unique
	Path     string // as it can be opened, for messages
	Text     string // the SQL of the way forward, without a byte order mark, which psql skips too
	Checksum string // SHA-256 of the file's bytes, hex

	// Version is how the bookkeeping of the history's own tool knows it; "" = it keeps none.
	Version string
	Tx      Tx
	// Down is the SQL of the way back that the history has itself, "" where it has none. Replank makes its own.
	Down string
	// Replaces are the files of the migrations whose place this one takes: a squash of Django's counts as applied
	// where they are.
	Replaces []string
	// Needs are the names of the migrations that must come first, where the history says it itself.
	Needs []string
	// Code are the places where the framework runs code of its own, in order, and Place is where it can be run.
	Code  []Code
	Place Place
	// Unknown are its operations whose SQL depends on the database and that cannot be run at their place: what stands
	// behind them would have to be planned, or the export does not say where they are.
	Unknown []Unknown
	// Origins say where parts of Text come from, in order of Offset. Without any, Text is the file at Path, with
	// blanks for what is not the way forward, so that positions in it are positions in the file.
	Origins []Origin
}

// Tx is how the history's own tool sends a migration's text.
type Tx byte

// The ways to send it.
const (
	Each    Tx = iota // each statement for itself, as psql does; BEGIN and COMMIT of the text count
	Whole             // in one transaction around the text
	Message           // in one message: PostgreSQL makes a transaction of it where it has two statements or more
)

// Code is what a framework runs in its own language between two statements: RunPython of Django, Python of Alembic
// that asks the database.
type Code struct {
	Offset int    // in Text, before the statement that follows
	Name   string // what runs, for people: myapp.migrations.0004_fill.forwards
	Path   string
	Line   int
	// At is its place among the migration's operations, as the export counts them. None: the migration is one function,
	// which has to be run as a whole, and Text is what is known of it.
	At []int
	// Atomic says that it runs in one transaction, Nothing that it does nothing on the way forward.
	Atomic, Nothing bool
	// Schema says that it may change the schema, as far as its text tells.
	Schema bool
	Back   WayBack
	// SQL is what it executes by itself, and Text has that from Offset to End: an operation whose statements are known
	// but for a value that depends on the database. What stands in place of that value is a guess, for judging only.
	SQL []string
	End int
}

// WayBack is what takes code back.
type WayBack string

// The ways back.
const (
	BackByCode WayBack = "code"
	BackNone   WayBack = "none"    // there is none
	BackIdle   WayBack = "nothing" // nothing has to be done
)

// Place is the project whose framework runs code. The zero Place: there is none.
type Place struct {
	Framework string // django, alembic
	Dir       string
	Database  string // one of Django's aliases
}

// Origin says where Text from Offset on was written.
type Origin struct {
	Offset int
	Path   string
	Line   int
	What   string // the operation, for people: AddField book.isbn
}

// Error is a history that cannot be read as one. It says which file, and what to do where that is known.
type Error struct {
	Path string
	hint string
	Err  error
}

func (e *Error) Error() string { return "read migrations: " + e.Path + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do, or "".
func (e *Error) Hint() string { return e.hint }

// Format is the tool whose rules a history follows.
type Format string

// The formats that Open reads.
const (
	Bare          Format = "bare" // files that psql could run, and no tool's bookkeeping
	Goose         Format = "goose"
	GolangMigrate Format = "golang-migrate"
	Dbmate        Format = "dbmate"
	Flyway        Format = "flyway"
	Sqitch        Format = "sqitch"
)

// Formats lists the formats that Open reads.
var Formats = []Format{Bare, Goose, GolangMigrate, Dbmate, Flyway, Sqitch}

// History is what Open has read.
type History struct {
	Format     Format
	Because    string // what showed the format, for people: m/1.sql:3 says -- +goose Up
	Root       string // the folder that the tool would be given, or the one with its configuration
	Migrations []Migration
	Notices    []Notice
	// Problems are forks and squashes: tools that run such a history fail, or do not do the same everywhere.
	Problems []Problem
	// Books is how the tool keeps its books; nil for Bare, which leaves them to the journal.
	Books Books

	ordered    bool // the tool refuses to go on where an earlier migration was left out
	outOfOrder bool
}

// Notice is a file in the folder of a history that its tool passes over or treats unlike a migration.
type Notice struct {
	Path string
	Line int // 0: the whole file
	Text string
}

// Config says what the folder cannot say.
type Config struct {
	Format Format // default: found out
	// Table is the bookkeeping table, with or without its schema; sqitch: the registry's schema.
	// Default: what the tool's configuration names, else what the tool does.
	Table string
	// Placeholders are values for Flyway's ${...}, before those of its configuration. Default: none.
	Placeholders map[string]string
	// OutOfOrder takes migrations that stand before applied ones, as goose -allow-missing does. Default: what the
	// tool's configuration says, else they are an error where the tool has one.
	OutOfOrder bool
	// Getenv looks up the environment, which all the tools read. Default: it is empty.
	Getenv func(string) (string, bool)
	// ReadFile reads the file of a migration. What it gives for a path that was named need not be on the disk: an editor
	// has it. It is called by several goroutines. Default: os.ReadFile.
	ReadFile func(path string) ([]byte, error)
}

// Open reads the history that folders and files hold. They are of one format.
func Open(paths ...string) (*History, error) { return Config{}.Open(paths...) }

// Read reads folders and single files as plain SQL, whatever tool they may belong to. It refuses those whose way back
// would be applied as well.
func Read(paths ...string) ([]Migration, error) {
	h, err := Config{Format: Bare}.Open(paths...)
	if err != nil {
		return nil, err
	}
	return h.Migrations, nil
}

// Pending says what is left to apply, in order. The answer is what [Books].Applied returned, nil where there are no
// books yet.
func (h *History) Pending(answer []string) ([]Migration, error) {
	if h.Books == nil {
		return h.Migrations, nil
	}
	applied, err := h.Books.Read(answer)
	if err != nil {
		return nil, err
	}
	var pending []Migration
	for i, m := range h.Migrations {
		if applied[m.Version] {
			continue
		}
		pending = append(pending, m)
		if !h.ordered || h.outOfOrder || repeats(m) {
			continue
		}
		later := slices.IndexFunc(h.Migrations[i:], func(m Migration) bool { return applied[m.Version] && !repeats(m) })
		if later >= 0 {
			return nil, &Error{Path: m.Path,
				Err:  fmt.Errorf("not applied, and %s, which stands behind it, is: %s refuses to go back", h.Migrations[i+later].Name, h.Format),
				hint: backHint[h.Format]}
		}
	}
	return pending, nil
}

// check refuses names that occur twice.
func (h *History) check() error {
	seen := make(map[string]string, len(h.Migrations))
	for _, m := range h.Migrations {
		if other, dup := seen[m.Name]; dup && same(other, m.Path) {
			return &Error{Path: m.Path, Err: fmt.Errorf("the file is named twice")}
		} else if dup {
			return &Error{Path: m.Path,
				Err:  fmt.Errorf("the name %s is taken by %s", m.Name, other),
				hint: "the journal knows a migration by its file name, or by `-- replank: name`; rename the one that was never applied"}
		}
		seen[m.Name] = m.Path
	}
	return nil
}
