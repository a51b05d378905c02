// Package history reads migration histories into one ordered form.
//
// Today it knows plain folders of .sql files. Order is the byte order of names: in a folder, files and
// subfolders are taken together, sorted by name as bytes (so "10_x.sql" stands before "9_y.sql", and upper
// case before lower case, whatever the locale), and a subfolder's files stand where the subfolder stands.
// Several paths are taken in the order given. Files that do not end in .sql and names that begin with a dot
// or an underscore are passed over. A migration's name is its file name without .sql, and a name may occur
// only once: the journal knows migrations by name, so that a folder can move.
package history

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
)

// Migration is one file.
type Migration struct {
	Name     string // file name without .sql; unique
	Path     string // as it can be opened, for messages
	Text     string // without a byte order mark, which psql skips too
	Checksum string // SHA-256 of the file's bytes, hex
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

// Read reads folders and single files, in order.
func Read(paths ...string) ([]Migration, error) {
	var files []string
	for _, p := range paths {
		found, err := list(p)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	ms := make([]Migration, len(files))
	for i, path := range files {
		ms[i] = Migration{Name: strings.TrimSuffix(filepath.Base(path), ext), Path: path}
	}
	var g errgroup.Group
	g.SetLimit(2 * runtime.GOMAXPROCS(0))
	// One goroutine for a stretch of files, not for each: the files are small.
	for chunk := range chunks(ms, 64) {
		g.Go(func() error {
			for i := range chunk {
				if err := chunk[i].load(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	seen := make(map[string]string, len(ms))
	for _, m := range ms {
		if other, dup := seen[m.Name]; dup && filepath.Clean(other) == filepath.Clean(m.Path) {
			return nil, &Error{Path: m.Path, Err: errors.New("the file is named twice")}
		} else if dup {
			return nil, &Error{Path: m.Path,
				Err:  fmt.Errorf("the name %s is taken by %s", m.Name, other),
				hint: "the journal knows a migration by its file name, or by `-- replank: name`; rename the one that was never applied"}
		}
		seen[m.Name] = m.Path
	}
	return ms, nil
}

const ext = ".sql"

func chunks(ms []Migration, n int) func(yield func([]Migration) bool) {
	return func(yield func([]Migration) bool) {
		for len(ms) > 0 {
			k := min(n, len(ms))
			if !yield(ms[:k]) {
				return
			}
			ms = ms[k:]
		}
	}
}

// list gives the files of a path in order, without reading them.
func list(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &Error{Path: path, Err: cause(err)}
	}
	if !info.IsDir() {
		if !strings.HasSuffix(path, ext) {
			return nil, &Error{Path: path, Err: errors.New("not a .sql file"),
				hint: "give a folder of .sql files, or one .sql file"}
		}
		return []string{path}, nil
	}
	var files []string
	if err := listFolder(path, &files); err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, &Error{Path: path, Err: errors.New("no .sql file in this folder")}
	}
	return files, nil
}

func listFolder(dir string, files *[]string) error {
	entries, err := os.ReadDir(dir) // sorted by name, as bytes
	if err != nil {
		return &Error{Path: dir, Err: cause(err)}
	}
	for _, e := range entries {
		name := e.Name()
		if name[0] == '.' || name[0] == '_' {
			continue
		}
		path := filepath.Join(dir, name)
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := os.Stat(path)
			if err != nil {
				return &Error{Path: path, Err: cause(err)}
			}
			// A link to a folder could lead back here.
			if info.IsDir() {
				return &Error{Path: path, Err: errors.New("a symbolic link to a folder"),
					hint: "give that folder as a path of its own"}
			}
		}
		switch {
		case isDir:
			if err := listFolder(path, files); err != nil {
				return err
			}
		case strings.HasSuffix(name, ".down"+ext):
			return &Error{Path: path, Err: errors.New("a down migration in a folder of plain SQL"),
				hint: "every .sql file here is applied; replank makes the way back itself"}
		case strings.HasSuffix(name, ext):
			*files = append(*files, path)
		}
	}
	return nil
}

var (
	bom   = []byte("\xef\xbb\xbf")
	goose = []byte("-- +goose Down")
)

func (m *Migration) load() error {
	b, err := os.ReadFile(m.Path)
	if err != nil {
		return &Error{Path: m.Path, Err: cause(err)}
	}
	sum := sha256.Sum256(b)
	m.Checksum = hex.EncodeToString(sum[:])
	text := bytes.TrimPrefix(b, bom)
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return &Error{Path: m.Path, Err: fmt.Errorf("a zero byte at offset %d: not SQL text", i),
			hint: "save the file as UTF-8"}
	}
	if !utf8.Valid(text) {
		return &Error{Path: m.Path, Err: fmt.Errorf("line %d is not UTF-8", badLine(text)), hint: "save the file as UTF-8"}
	}
	if bytes.Contains(text, goose) {
		return &Error{Path: m.Path, Err: errors.New("a goose migration: its Down part would be applied as well"),
			hint: "keep only the Up part"}
	}
	m.Text = string(text)
	if name := nameDirective(text); name != "" {
		m.Name = name
	}
	return nil
}

// nameDirective finds "-- replank: name NAME" among the comments at the top of a file. The parser judges
// directives later; here only the name is needed, for thousands of files that are never parsed.
func nameDirective(text []byte) string {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		comment, ok := bytes.CutPrefix(line, []byte("--"))
		if !ok && len(line) > 0 {
			return ""
		}
		directive, ok := bytes.CutPrefix(bytes.TrimSpace(comment), []byte("replank:"))
		if !ok {
			continue
		}
		verb, arg, _ := strings.Cut(string(bytes.TrimSpace(directive)), " ")
		if strings.EqualFold(verb, "name") {
			return strings.TrimSpace(arg)
		}
	}
	return ""
}

// badLine is the number of the first line that is not UTF-8.
func badLine(text []byte) int {
	n := 1
	for line := range bytes.Lines(text) {
		if !utf8.Valid(line) {
			return n
		}
		n++
	}
	return n
}

// cause strips the path, which Error names itself.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
