package history

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// reader reads one history.
type reader struct {
	Config
	h      *History
	dotenv map[string]string // see env
}

// claim is what shows that files belong to a tool.
type claim struct {
	because string
	dirs    map[string]bool // where such files lie
}

var (
	gooseUp    = regexp.MustCompile(`(?mi)^--.*\+goose[- \t]*up[- \t\r]*$`)
	dbmateUp   = regexp.MustCompile(`(?m)^--\s*migrate:up(\s*$|\s+\S+)`)
	dbmateDown = regexp.MustCompile(`(?m)^--\s*migrate:down(\s*$|\s+\S+)`)
	gooseDown  = regexp.MustCompile(`(?mi)^--.*\+goose[- \t]*down[- \t\r]*$`)
	migrateGo  = regexp.MustCompile(`^([0-9]+)_(.*)\.(down|up)\.(.*)$`)
	flywayName = regexp.MustCompile(`^(V[0-9][0-9._]*|R)__.*\.sql$`)
)

// Open reads the history that folders and files hold. They are of one format.
func (c Config) Open(paths ...string) (*History, error) {
	r, l, err := c.detect(paths)
	if err != nil {
		return nil, err
	}
	return r.open(paths, l)
}

// Detect says which format Open takes folders and files for, without reading them as one. It takes those for Bare that
// show no tool's mark, whatever they are.
func (c Config) Detect(paths ...string) (Format, error) {
	r, _, err := c.detect(paths)
	if err != nil {
		return "", err
	}
	return r.h.Format, nil
}

// detect finds the format of the paths. The listing is nil where none was needed.
func (c Config) detect(paths []string) (*reader, *listing, error) {
	if len(paths) == 0 {
		return nil, nil, errors.New("no migrations were named")
	}
	if c.Format != "" && !slices.Contains(Formats, c.Format) {
		return nil, nil, fmt.Errorf("no format of a history: %q (there are %s)", c.Format, formats(Formats))
	}
	if c.Getenv == nil {
		c.Getenv = func(string) (string, bool) { return "", false }
	}
	if c.ReadFile == nil {
		c.ReadFile = os.ReadFile
	}
	r := &reader{Config: c, h: &History{Format: c.Format, Because: "chosen", Root: paths[0], outOfOrder: c.OutOfOrder}}
	if c.Format != "" {
		return r, nil, nil
	}
	for _, path := range paths {
		if root, plan := sqitchRoot(path); plan != "" {
			r.h.Format, r.h.Because, r.h.Root = Sqitch, plan+" is there", root
			return r, nil, nil
		}
	}
	for _, path := range paths {
		if conf := flywayConfigIn(path); conf != "" {
			r.h.Format, r.h.Because, r.h.Root = Flyway, conf+" is there", path
			return r, nil, nil
		}
	}
	l, err := r.listAndLoad(paths, ofSomeTool)
	if err != nil {
		return nil, nil, err
	}
	claims := l.claims()
	found := slices.Sorted(maps.Keys(claims))
	switch {
	case len(found) == 0:
		r.h.Format, r.h.Because = Bare, "nothing in it is a tool's"
	case len(found) > 1:
		var because []string
		for _, f := range found {
			because = append(because, string(f)+": "+claims[f].because)
		}
		return nil, nil, &Error{Path: r.h.Root, Err: fmt.Errorf("this may be a history of %s (%s)", formats(found), strings.Join(because, "; ")),
			hint: fmt.Sprintf("say which in replank.toml: history = %q", found[0])}
	default:
		r.h.Format, r.h.Because = found[0], claims[found[0]].because
	}
	return r, l, nil
}

func (l *listing) claims() map[Format]*claim {
	if l.claimed == nil {
		l.claimed = claimsOf(l.files)
	}
	return l.claimed
}

// claimsOf says which tools the files show to be theirs.
func claimsOf(files []*file) map[Format]*claim {
	claims := make(map[Format]*claim)
	add := func(f Format, by *file, because string) {
		c := claims[f]
		if c == nil {
			c = &claim{because: because, dirs: make(map[string]bool)}
			claims[f] = c
		}
		c.dirs[by.dir()] = true
	}
	// The plain word first: most files have none of them, and a search for it costs next to nothing.
	contains := func(f *file, word string, line *regexp.Regexp) bool {
		return bytes.Contains(f.text, []byte(word)) && line.Match(f.text)
	}
	for _, f := range files {
		name := f.name()
		switch {
		case strings.HasSuffix(name, ".go"):
			if bytes.Contains(f.text, []byte("pressly/goose")) {
				add(Goose, f, f.path+" registers a migration of goose")
			}
			continue
		case contains(f, "+goose", gooseUp):
			add(Goose, f, f.path+" says -- +goose Up")
		case contains(f, "migrate:up", dbmateUp):
			add(Dbmate, f, f.path+" says -- migrate:up")
		}
		switch {
		case migrateGo.MatchString(name):
			if strings.Contains(name, ".up.") {
				add(GolangMigrate, f, f.path+" is named as a migration of golang-migrate")
			}
		case flywayName.MatchString(name):
			add(Flyway, f, f.path+" is named as a migration of Flyway")
		}
	}
	return claims
}

// open reads the history by the rules of its format. The listing is nil where nobody needed one so far.
func (r *reader) open(paths []string, l *listing) (*History, error) {
	var err error
	switch r.h.Format {
	case Sqitch:
		err = r.sqitch(paths)
	case Flyway:
		err = r.flyway(paths)
	default:
		if l == nil {
			wants := ofSomeTool
			if r.h.Format == Bare {
				wants = func(name string) bool { return strings.HasSuffix(name, ext) }
			}
			l, err = r.listAndLoad(paths, wants)
		}
		if err == nil && r.h.Format == Bare {
			err = r.bare(paths, l)
		} else if err == nil {
			err = r.flat(paths, l)
		}
	}
	if err == nil {
		err = r.h.check()
	}
	if err != nil {
		return nil, err
	}
	r.h.numbers()
	return r.h, nil
}

// ofSomeTool reports whether a file can be a migration of a tool that keeps them in one folder.
func ofSomeTool(path string) bool {
	name := filepath.Base(path)
	return strings.HasSuffix(name, ext) || gooseNumber(name) > 0 || migrateGo.MatchString(name)
}

func (r *reader) listAndLoad(paths []string, wants func(string) bool) (*listing, error) {
	l := &listing{wants: wants, read: r.ReadFile}
	for i, path := range paths {
		if err := l.list(path, i); err != nil {
			return nil, err
		}
	}
	return l, r.load(l.files)
}

// bare reads files that belong to no tool: all that end in .sql.
func (r *reader) bare(paths []string, l *listing) error {
	if len(l.loops) > 0 {
		return l.loops[0]
	}
	files := slices.DeleteFunc(l.files, func(f *file) bool { return !f.isSQL() })
	for i, path := range paths {
		if !slices.ContainsFunc(files, func(f *file) bool { return f.from == i }) {
			return &Error{Path: path, Err: errors.New("no .sql file in this folder")}
		}
	}
	for _, f := range files {
		const hint = "keep only the way forward in it"
		switch {
		case strings.HasSuffix(f.name(), ".down"+ext):
			return f.fail("every .sql file here is applied; replank makes the way back itself", "a down migration in a folder of plain SQL")
		case bytes.Contains(f.text, []byte("+goose")) && gooseDown.Match(f.text):
			return f.fail(hint, "a goose migration: its Down part would be applied as well")
		case bytes.Contains(f.text, []byte("migrate:down")) && dbmateDown.Match(f.text):
			return f.fail(hint, "a migration of dbmate: its down part would be applied as well")
		}
		m, err := f.migration()
		if err != nil {
			return err
		}
		r.h.Migrations = append(r.h.Migrations, m)
	}
	return nil
}

// flat reads the tools that keep all migrations in one folder: the one that was named, or the one below it where the
// files of the tool lie.
func (r *reader) flat(paths []string, l *listing) error {
	c := l.claims()[r.h.Format]
	if c == nil {
		return &Error{Path: r.h.Root, Err: fmt.Errorf("no migration of %s in it", r.h.Format),
			hint: "name the folder that the tool is given, or say in replank.toml what it is: history = \"bare\""}
	}
	var files []*file
	for i, path := range paths {
		var dirs []string
		for _, f := range l.files {
			if f.from == i && c.dirs[f.dir()] {
				files = append(files, f)
				dirs = append(dirs, f.dir())
			}
		}
		slices.Sort(dirs)
		if dirs = slices.Compact(dirs); len(dirs) > 1 {
			return &Error{Path: path, Err: fmt.Errorf("migrations of %s lie in %s", r.h.Format, strings.Join(dirs, " and ")),
				hint: "each is a history of its own: name one of these folders"}
		}
		if i == 0 && len(dirs) > 0 {
			r.h.Root = dirs[0]
		}
	}
	return map[Format]func([]*file) error{Goose: r.goose, GolangMigrate: r.golangMigrate, Dbmate: r.dbmate}[r.h.Format](files)
}

func (r *reader) notice(path, format string, args ...any) {
	r.h.Notices = append(r.h.Notices, Notice{Path: path, Text: fmt.Sprintf(format, args...)})
}

func formats(fs []Format) string {
	var s []string
	for _, f := range fs {
		s = append(s, string(f))
	}
	return strings.Join(s, ", ")
}

// env looks a variable up as goose and dbmate do: the environment, else .env of the folder they are started in, which
// is that of the migrations or one above.
func (r *reader) env(key string) (string, bool) {
	if v, ok := r.Getenv(key); ok {
		return v, true
	}
	if r.dotenv == nil {
		r.dotenv = make(map[string]string)
		for dir := range upwards(r.h.Root) {
			if text, err := readIfThere(filepath.Join(dir, ".env")); err == nil && text != nil {
				parseDotenv(string(text), r.dotenv)
				break
			}
		}
	}
	v, ok := r.dotenv[key]
	return v, ok
}

// parseDotenv reads KEY=value lines, with export, quotes and comments.
func parseDotenv(text string, into map[string]string) {
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		value = strings.TrimSpace(value)
		if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && strings.IndexByte(value[1:], value[0]) >= 0 {
			value = value[1 : 1+strings.IndexByte(value[1:], value[0])]
		} else if i := strings.Index(value, " #"); i >= 0 {
			value = strings.TrimSpace(value[:i])
		}
		into[strings.TrimSpace(key)] = value
	}
}
