package history

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
)

const ext = ".sql"

// file is a file of a folder, read once.
type file struct {
	path string
	from int // index of the argument that led to it
	sum  string
	all  []byte
	text []byte // all, without a byte order mark
}

func (f *file) name() string { return filepath.Base(f.path) }
func (f *file) dir() string  { return filepath.Dir(f.path) }
func (f *file) isSQL() bool  { return strings.HasSuffix(f.path, ext) }

// fail is an error about the file.
func (f *file) fail(hint, format string, args ...any) error {
	return &Error{Path: f.path, Err: fmt.Errorf(format, args...), hint: hint}
}

// at is fail with a line number.
func (f *file) at(line int, hint, format string, args ...any) error {
	return &Error{Path: fmt.Sprintf("%s:%d", f.path, line), Err: fmt.Errorf(format, args...), hint: hint}
}

// listing is the files of the paths, in the order of their bytes, and what must not be there if they are plain SQL.
type listing struct {
	files []*file
	wants func(name string) bool
	read  func(path string) ([]byte, error)
	loops []*Error // links to folders

	claimed map[Format]*claim // see claims
}

// list finds the files of a path that are wanted, without reading them.
func (l *listing) list(path string, from int) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = l.read(path)
	}
	if err != nil {
		return &Error{Path: path, Err: cause(err)}
	}
	if info != nil && info.IsDir() {
		return l.folder(path, from)
	}
	if !l.wants(path) {
		return &Error{Path: path, Err: errors.New("not a .sql file"), hint: "give a folder of .sql files, or one .sql file"}
	}
	l.files = append(l.files, &file{path: path, from: from})
	return nil
}

func (l *listing) folder(dir string, from int) error {
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
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := os.Stat(path)
			if err != nil {
				return &Error{Path: path, Err: cause(err)}
			}
			// A link to a folder could lead back here.
			if info.IsDir() {
				l.loops = append(l.loops, &Error{Path: path, Err: errors.New("a symbolic link to a folder"),
					hint: "give that folder as a path of its own"})
				continue
			}
		}
		switch {
		case e.IsDir():
			if err := l.folder(path, from); err != nil {
				return err
			}
		case l.wants(name):
			l.files = append(l.files, &file{path: path, from: from})
		}
	}
	return nil
}

// load reads the files.
func (r *reader) load(files []*file) error {
	var g errgroup.Group
	g.SetLimit(2 * runtime.GOMAXPROCS(0))
	// One goroutine for a stretch of files, not for each: the files are small.
	for chunk := range chunks(files, 64) {
		g.Go(func() error {
			for _, f := range chunk {
				if err := f.load(r.ReadFile); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func chunks(files []*file, n int) iter.Seq[[]*file] {
	return func(yield func([]*file) bool) {
		for len(files) > 0 {
			k := min(n, len(files))
			if !yield(files[:k]) {
				return
			}
			files = files[k:]
		}
	}
}

var bom = []byte("\xef\xbb\xbf")

func (f *file) load(read func(string) ([]byte, error)) error {
	b, err := read(f.path)
	if err != nil {
		return &Error{Path: f.path, Err: cause(err)}
	}
	sum := sha256.Sum256(b)
	f.sum = hex.EncodeToString(sum[:])
	f.all, f.text = b, bytes.TrimPrefix(b, bom)
	return nil
}

// migration is the file as a migration, with all of its text.
func (f *file) migration() (Migration, error) {
	m := Migration{Name: strings.TrimSuffix(f.name(), ext), Path: f.path, Checksum: f.sum}
	if i := bytes.IndexByte(f.text, 0); i >= 0 {
		return m, f.fail("save the file as UTF-8", "a zero byte at offset %d: not SQL text", i)
	}
	if !utf8.Valid(f.text) {
		return m, f.fail("save the file as UTF-8", "line %d is not UTF-8", badLine(f.text))
	}
	m.Text = string(f.text)
	if name := nameDirective(f.text); name != "" {
		m.Name = name
	}
	return m, nil
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

func same(a, b string) bool { return filepath.Clean(a) == filepath.Clean(b) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// blank replaces all but line ends by spaces, so that what stands behind keeps its place.
func blank(text []byte) {
	for i, c := range text {
		if c != '\n' && c != '\r' {
			text[i] = ' '
		}
	}
}

// says reports whether SQL holds anything but comments of whole lines.
func says(sql string) bool {
	for line := range strings.Lines(sql) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
			return true
		}
	}
	return false
}

// upwards yields a folder and those above it: up to the one that holds .git, or five of them.
func upwards(dir string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for range 6 {
			if !yield(dir) || exists(filepath.Join(dir, ".git")) {
				return
			}
			dir = filepath.Join(dir, "..")
		}
	}
}
