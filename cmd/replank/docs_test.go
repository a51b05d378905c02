package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/parity"
	"github.com/replank/replank/plan"
)

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestExitCodesAreDocumented compares the table of docs/errors.md with the one that help prints, word by word.
func TestExitCodesAreDocumented(t *testing.T) {
	text := strings.ReplaceAll(page(t, "errors.md"), "`", "")
	for _, c := range exitCodes {
		row := fmt.Sprintf("| %d | %s | %s | %s | %s |", c.code, c.name, c.doc, c.changed, c.whatNext)
		contains(t, text, strings.ReplaceAll(row, "|  |", "| |"))
	}
}

// TestCodesAreDocumented finds every refusal, consent and notice in the source and asks for it in docs/errors.md.
func TestCodesAreDocumented(t *testing.T) {
	text := page(t, "errors.md")
	find := func(pattern, glob string) (found int) {
		re := regexp.MustCompile(pattern)
		files, err := filepath.Glob(filepath.Join("..", "..", glob))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			source, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range re.FindAllStringSubmatch(string(source), -1) {
				found++
				if !strings.Contains(text, "`"+m[1]) {
					t.Errorf("docs/errors.md lacks %s, which %s uses", m[1], f)
				}
			}
		}
		return found
	}
	for _, c := range []struct {
		pattern, glob string
		atLeast       int
	}{
		{`(?:refuse|Code:)\(?\s*"([a-z-]+)"`, "plan/*.go", 15},
		{`consent\("([a-z-]+)"`, "plan/*.go", 2},
		{`notice\("([a-z-]+)"`, "plan/*.go", 10},
		{`(?m)^\t\w+\s+Code = "([a-z-]+)"`, "migrate/errors.go", 10},
		{`(?m)^const accept\w+ = "([a-z-]+)"`, "migrate/*.go", 2},
		{`"(RP\d{3})"`, "plan/sync.go", 2},
	} {
		if n := find(c.pattern, c.glob); n < c.atLeast {
			t.Errorf("%s finds only %d codes in %s: the pattern is out of date", c.pattern, n, c.glob)
		}
	}
}

// TestConsentsAreDocumented compares the classes that --accept takes with the table of docs/errors.md.
func TestConsentsAreDocumented(t *testing.T) {
	_, text, _ := strings.Cut(page(t, "errors.md"), "\n## Consents\n")
	text, _, _ = strings.Cut(text, "\n## ")
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(text, -1) {
		listed = append(listed, m[1])
	}
	if !slices.Equal(listed, consents) {
		t.Errorf("docs/errors.md has %q, --accept takes %q", listed, consents)
	}
}

// TestJSONIsDocumented finds every field of what --json prints and asks for it in the guide; a length of time says
// its unit.
func TestJSONIsDocumented(t *testing.T) {
	text := page(t, "guide-cli.md") + page(t, "guide-verify.md") + page(t, "adopt.md") + page(t, "errors.md") + page(t, "guide-parity.md")
	seen := map[reflect.Type]bool{reflect.TypeFor[time.Time](): true, reflect.TypeFor[plan.Plan](): true, reflect.TypeFor[ddl.Pos](): true}
	var visit func(reflect.Type)
	visit = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			visit(typ.Elem())
		case reflect.Struct:
			if seen[typ] {
				return
			}
			seen[typ] = true
			for i := range typ.NumField() {
				f := typ.Field(i)
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if name == "-" || !f.IsExported() {
					continue
				}
				if name == "" && !f.Anonymous || f.Type == reflect.TypeFor[time.Duration]() {
					t.Errorf("%s.%s: JSON without a name, or a time without a unit", typ, f.Name)
				}
				if name != "" && !strings.Contains(text, "`"+name+"`") {
					t.Errorf("the guide lacks the field %s of %s", name, typ)
				}
				visit(f.Type)
			}
		}
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[statusJSON](), reflect.TypeFor[planJSON](), reflect.TypeFor[eventJSON](),
		reflect.TypeFor[verifyJSON](), reflect.TypeFor[driftJSON](), reflect.TypeFor[adoptJSON](), reflect.TypeFor[parityRecordJSON](), reflect.TypeFor[parityRunJSON](), reflect.TypeFor[parity.Recording](),
		reflect.TypeFor[parity.Recorded](), reflect.TypeFor[parity.Case](), reflect.TypeFor[migrate.Summary](), reflect.TypeFor[migrate.Finding](), reflect.TypeFor[migrate.Receipt]()} {
		visit(typ)
	}
	if len(seen) < 15 {
		t.Errorf("only %d types were found", len(seen))
	}
}

// TestDirectivesAreDocumented compares the table of docs/guide-migrations.md with the verbs that the parser knows.
func TestDirectivesAreDocumented(t *testing.T) {
	var listed, known []string
	for _, m := range regexp.MustCompile("(?m)^\\| `-- replank: ([a-z-]+)").FindAllStringSubmatch(page(t, "guide-migrations.md"), -1) {
		listed = append(listed, m[1])
	}
	for _, v := range ddl.DirectiveVerbs {
		known = append(known, v.Verb)
	}
	slices.Sort(listed)
	slices.Sort(known)
	if !slices.Equal(listed, known) {
		t.Errorf("docs/guide-migrations.md lists %q, the parser knows %q", listed, known)
	}
}

func TestOptionsAreDocumented(t *testing.T) {
	text := page(t, "configuration.md")
	for _, o := range options {
		contains(t, text, "`"+o.env()+"`", "| `"+o.toml()+"` |")
		if o.scope != nowhere {
			contains(t, text, "| `--"+o.name+"`")
		}
	}
}

// TestHelp asks every command for examples, and every example for a command and flags that exist.
func TestHelp(t *testing.T) {
	root := newApp(process{getenv: func(string) string { return "" }, out: os.Stdout, err: os.Stderr}).root()
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
		if !cmd.Runnable() {
			return
		}
		if cmd.Example == "" || cmd.Short == "" {
			t.Errorf("%s --help has no example or no description", cmd.CommandPath())
		}
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			line, _, _ = strings.Cut(line, "#")
			words := strings.Fields(strings.ReplaceAll(line, "'", " "))
			if len(words) < 2 || words[0] != "replank" {
				continue
			}
			found, _, err := root.Find(words[1:])
			if err != nil {
				t.Errorf("%q: %v", line, err)
				continue
			}
			for _, w := range words {
				name, _, _ := strings.Cut(strings.TrimPrefix(w, "--"), "=")
				if strings.HasPrefix(w, "--") && found.Flags().Lookup(name) == nil && found.InheritedFlags().Lookup(name) == nil {
					t.Errorf("%q: %s has no flag --%s", line, found.CommandPath(), name)
				}
			}
		}
	}
	visit(root)
	if n := len(root.Commands()); n < 15 {
		t.Errorf("only %d commands", n)
	}
}
