package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/replank/replank"
	root   = "../.."
)

// pure packages compute: what they return depends on their arguments alone.
var pure = []string{"burndown", "ddl", "drift", "internal/compare", "internal/route", "lint", "plan"}

// source is one Go file without its tests' freedom: tests may import what they like.
type source struct {
	pkg    string // directory below the root: "internal/pg"
	path   string
	file   *ast.File
	isTest bool
}

// short is how the design page names a package: cmd for all below cmd, no "internal/".
func (s source) short() string {
	if first, _, ok := strings.Cut(s.pkg, "/"); ok && (first == "cmd" || first == "bench") {
		return first
	}
	return strings.TrimPrefix(s.pkg, "internal/")
}

// imports returns the import paths of a file.
func (s source) imports() []string {
	var paths []string
	for _, spec := range s.file.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

// TestArrows fails on every import between our packages that the design page does not draw.
func TestArrows(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "design.md"))
	if err != nil {
		t.Fatal(err)
	}
	arrows, err := parseArrows(string(page))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sources(t) {
		if s.isTest {
			continue
		}
		for _, violation := range violations(arrows, s) {
			t.Errorf("%s: %s; draw it in docs/design.md, section 3, or do without", s.path, violation)
		}
	}
}

// violations returns what is wrong with a file's imports.
func violations(arrows map[string][]string, s source) []string {
	from := s.short()
	allowed, known := arrows[from]
	var wrong []string
	if !known {
		wrong = append(wrong, "package "+from+" is not in the house")
	}
	for _, path := range s.imports() {
		if path != module && !strings.HasPrefix(path, module+"/") {
			continue
		}
		to := strings.TrimPrefix(strings.TrimPrefix(path, module+"/"), "internal/")
		if to != from && !slices.Contains(allowed, to) && !slices.Contains(allowed, "all") {
			wrong = append(wrong, fmt.Sprintf("no arrow %s → %s", from, to))
		}
	}
	return wrong
}

// parseArrows reads the house and the paragraph "Arrows" of the design page: package → packages it may import.
// A package of the house for which no arrow is drawn may import none.
func parseArrows(page string) (map[string][]string, error) {
	_, section, ok := strings.Cut(page, "## 3. The house")
	_, house, ok2 := strings.Cut(section, "```")
	house, after, ok3 := strings.Cut(house, "```")
	_, paragraph, ok4 := strings.Cut(after, "Arrows (a test fails on any other):")
	if !ok || !ok2 || !ok3 || !ok4 {
		return nil, fmt.Errorf("docs/design.md has no section 3 with a house and its arrows")
	}
	arrows := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^\s*(\w+)(?:/\w+)?/ `).FindAllStringSubmatch(house, -1) {
		arrows[m[1]] = nil
	}
	paragraph, _, _ = strings.Cut(paragraph, "\n\n")
	paragraph, _, _ = strings.Cut(paragraph, "PURE packages")
	paragraph = regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(paragraph, "")
	names := regexp.MustCompile(`\w+`)
	for arrow := range strings.SplitSeq(paragraph, "·") {
		from, to, ok := strings.Cut(arrow, "→")
		if !ok {
			return nil, fmt.Errorf("docs/design.md, section 3: no arrow in %q", strings.TrimSpace(arrow))
		}
		targets := names.FindAllString(to, -1)
		if slices.Contains(targets, "only") {
			targets = nil // "only pgx and the standard library"
		}
		for _, name := range names.FindAllString(from, -1) {
			arrows[name] = append(arrows[name], targets...)
		}
	}
	// What goes without saying.
	arrows["bench"] = append(arrows["bench"], "all")
	arrows["pgtest"] = append(arrows["pgtest"], "localpg")
	return arrows, nil
}

// TestOnlyTestsImportPgtest: it starts servers, which no product code may do behind a user's back.
func TestOnlyTestsImportPgtest(t *testing.T) {
	for _, s := range sources(t) {
		if !s.isTest && s.short() != "bench" && slices.Contains(s.imports(), module+"/internal/pgtest") {
			t.Errorf("%s imports pgtest outside a test", s.path)
		}
	}
}

// impurities returns what a pure package must not import or call.
func impurities(s source) []string {
	var wrong []string
	for _, path := range s.imports() {
		first, _, _ := strings.Cut(path, "/")
		switch {
		case slices.Contains([]string{"net", "os", "log", "syscall", "plugin"}, first),
			strings.HasPrefix(path, "math/rand"), path == "crypto/rand", path == "database/sql",
			strings.HasPrefix(path, "github.com/jackc/pgx"):
			wrong = append(wrong, "imports "+path)
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && x.Name == "time" &&
			slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "Tick", "NewTimer", "NewTicker", "AfterFunc"}, selector.Sel.Name) {
			wrong = append(wrong, "uses time."+selector.Sel.Name)
		}
		return true
	})
	return wrong
}

// TestPure keeps clocks, files, networks, logs and databases out of the pure packages.
func TestPure(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest || !slices.Contains(pure, s.pkg) {
			continue
		}
		for _, impurity := range impurities(s) {
			t.Errorf("%s %s, but package %s is pure", s.path, impurity, s.pkg)
		}
	}
}

// TestOneImporterOfTheParser: the parser is behind ddl, so that it can be exchanged there.
func TestOneImporterOfTheParser(t *testing.T) {
	importers := map[string]bool{}
	for _, s := range sources(t) {
		for _, path := range s.imports() {
			if strings.Contains(path, "pg_query") || strings.Contains(path, "pgquery") {
				importers[s.pkg] = true
				if s.pkg != "ddl" {
					t.Errorf("%s imports the SQL parser %s; only ddl may", s.path, path)
				}
			}
		}
	}
	if _, err := os.Stat(filepath.Join(root, "ddl")); err == nil && !importers["ddl"] {
		t.Error("ddl does not import the parser: this test looks for the wrong name")
	}
}

// TestShardIsLight: applications import shard, so it brings neither cgo nor our dependencies.
func TestShardIsLight(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest || s.pkg != "shard" {
			continue
		}
		for _, path := range s.imports() {
			first, _, _ := strings.Cut(path, "/")
			if path == "C" || strings.Contains(first, ".") && !strings.HasPrefix(path, "github.com/jackc/pgx/v5") && !strings.HasPrefix(path, module+"/shard") {
				t.Errorf("%s imports %s; shard may use pgx and the standard library only", s.path, path)
			}
		}
	}
}

var (
	updateSet     = regexp.MustCompile(`(?is)\bupdate\s+(?:only\s+)?[\w."%{}$+\[\]]+(?:\s+(?:as\s+)?\w+)?\s+set\b(.*?)(?:\bwhere\b|\bfrom\b|;|$)`)
	stateAssigned = regexp.MustCompile(`(?i)(?:^|[^.\w"])"?state"?\s*[=,)]`)
	sqlComment    = regexp.MustCompile(`--[^\n]*`)
)

// writesState counts the UPDATE statements in SQL text that assign a column named state.
func writesState(sql string) int {
	n := 0
	for _, m := range updateSet.FindAllStringSubmatch(sqlComment.ReplaceAllString(sql, ""), -1) {
		if stateAssigned.MatchString(m[1]) {
			n++
		}
	}
	return n
}

// TestOneWriterOfState: journal.Advance checks state, version, lease and epoch; a second writer would not.
func TestOneWriterOfState(t *testing.T) {
	found := map[string]int{} // path → statements
	for _, s := range sources(t) {
		if s.isTest || strings.HasPrefix(s.path, "bench/") { // the benchmarks' applications have columns of their own
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					found[s.path] += writesState(text)
				}
			}
			return true
		})
	}
	walk(t, ".sql", func(path string) {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		found[path] += writesState(string(text))
	})
	inJournal := 0
	for path, n := range found {
		if n > 0 && !strings.HasPrefix(path, "internal/journal/") {
			t.Errorf("%s updates a column state; only internal/journal may", path)
		} else {
			inJournal += n
		}
	}
	if _, err := os.Stat(filepath.Join(root, "internal", "journal")); err == nil && inJournal != 2 {
		t.Errorf("internal/journal has %d statements UPDATE ... SET state, want exactly 2: Advance for runs, SetStep for steps", inJournal)
	}
}

// sources parses all Go files of the module.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	files := token.NewFileSet()
	walk(t, ".go", func(path string) {
		file, err := parser.ParseFile(files, filepath.Join(root, path), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, source{
			pkg: filepath.ToSlash(filepath.Dir(path)), path: path, file: file, isTest: strings.HasSuffix(path, "_test.go"),
		})
	})
	if len(all) == 0 {
		t.Fatal("no Go files found")
	}
	return all
}

// walk visits the files of the repository with a suffix; not inputs of tests, nor what is fetched or generated.
func walk(t *testing.T, suffix string, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || slices.Contains([]string{"testdata", "node_modules", "bin", "dist", "vendor"}, name)) {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(name, suffix) {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			visit(filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
