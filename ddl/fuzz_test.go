package ddl_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/replank/replank/ddl"
)

// effects are the statements of testdata/ddl_effects.json.
func effects(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/ddl_effects.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct{ SQL string }
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	var sql []string
	for _, e := range list {
		sql = append(sql, e.SQL)
	}
	if len(sql) < 100 {
		t.Fatalf("only %d statements in ddl_effects.json", len(sql))
	}
	return sql
}

// checkParse states what holds of every text.
func checkParse(t *testing.T, text string) {
	f, err := ddl.Parse("f.sql", text)
	if err != nil {
		return
	}
	at := 0
	var left strings.Builder
	for _, s := range f.Statements {
		if s.SQL == "" || len(s.Ops) == 0 {
			t.Fatalf("statement %q has %d ops", s.SQL, len(s.Ops))
		}
		if s.Pos.Offset < at || !strings.HasPrefix(text[s.Pos.Offset:], s.SQL) {
			t.Fatalf("statement %q does not stand at %+v", s.SQL, s.Pos)
		}
		if line := strings.Count(text[:s.Pos.Offset], "\n") + 1; line != s.Pos.Line {
			t.Fatalf("statement %q at %+v stands on line %d", s.SQL, s.Pos, line)
		}
		left.WriteString(text[at:s.Pos.Offset])
		at = s.Pos.Offset + len(s.SQL)
	}
	left.WriteString(text[at:])
	if rest, err := ddl.Parse("", left.String()); err == nil && len(rest.Statements) > 0 {
		t.Fatalf("the statements leave out %q", rest.Statements[0].SQL)
	}
	for i, s := range f.Statements {
		again, err := ddl.Parse("f.sql", s.SQL)
		if err != nil {
			t.Fatalf("statement %q does not parse alone: %v", s.SQL, err)
		}
		if len(again.Statements) != 1 {
			t.Fatalf("statement %q alone has %d statements", s.SQL, len(again.Statements))
		}
		if d := cmp.Diff(s.Ops, again.Statements[0].Ops); d != "" {
			t.Fatalf("statement %d, %q, alone does something else:\n%s", i, s.SQL, d)
		}
		for n := range s.Ops {
			s.Alone(n)
		}
	}
	checkParts(t, text, f)
}

// checkParts: a text that is read part by part says what it says as a whole.
func checkParts(t *testing.T, text string, whole *ddl.File) {
	t.Helper()
	// A body that ends in a column named "end" is one to the server alone: psql would send something else.
	if split, err := ddl.SplitScript(text); err != nil || len(split) != len(whole.Statements) {
		return
	}
	for _, size := range []int{0, 60} {
		var found []ddl.Statement
		for part := range ddl.Parts(text, size) {
			f, errs := part.Parse("f.sql")
			if len(errs) > 0 {
				t.Fatalf("the part %q does not parse: %v", part.Text, errs[0])
			}
			found = append(found, f.Statements...)
		}
		if d := cmp.Diff(whole.Statements, found, cmpopts.IgnoreUnexported(ddl.Statement{})); d != "" {
			t.Fatalf("%q, parts of %d bytes (-whole, +parts):\n%s", text, size, d)
		}
	}
}

// quoted are texts in which a semicolon ends no statement, or a quote begins no literal.
var quoted = []string{
	"SELECT 'a;''b', E'\\';', 'b;', E'a'\n'\\';'; SELECT \"a;\"\"b\"; SELECT 2",
	"SELECT E'a' -- it's\n, 'b'; SELECT e'\\\\'; SELECT 'a'\n'\\', ';'; SELECT 1",
	"SELECT date'2020-01-01', n';', b'1', x'f', U&'\\0061;'; SELECT interval'x'",
	"SELECT $$;'$$, $a$;$b$;$$;$a$, $ä1$;$ä1$; SELECT a$b$c FROM t$; SELECT $1, a$; SELECT b$",
	"SELECT 1 -- it's; \nFROM t; /* ; /* ' */ ; \" */ SELECT 2; -- behind\n-- replank: wait\nSELECT 3 -- replank: wait\n; SELECT 4; -- replank: wait",
	"CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b); SELECT 1",
	"CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN /* x */ ATOMIC; SELECT 1; END; CREATE PROCEDURE p() BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; BEGIN; SELECT 1; END; SELECT 3",
	"BEGIN; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1;'; END; SELECT CASE WHEN true THEN 1 END; SELECT \"begin\"; SELECT 5",
	"SELECT '\\'; SELECT ';'; SELECT 1e10, 1.5, 0x1f, 1_000; SELECT a-1--1;\n; SELECT 2/*;*/; SELECT 3*/*;*/4",
	"COPY t FROM 'stdin;'; COPY t TO STDOUT; SELECT 1 FROM stdin; COPY t FROM PROGRAM 'stdin'; SELECT 1",
}

// TestParts holds the texts of the fuzz target to what stands there.
func TestParts(t *testing.T) {
	for _, text := range quoted {
		f, err := ddl.Parse("f.sql", text)
		split, _ := ddl.SplitScript(text)
		if err != nil || len(f.Statements) < 2 || len(split) != len(f.Statements) {
			t.Errorf("%q has %v statements, split %v: %v", text, f, split, err)
			continue
		}
		checkParse(t, text)
	}
	// Data is not SQL, and what stands behind it is read.
	f, errs := ddl.ParseEach("f.sql", "SELECT 1;\nCOPY t (a) FROM STDIN WITH (FORMAT csv);\nit's;\n  \\.\n\\.\nSELECT 2;\nSELEC 3;\nSELECT 'x;\nSELECT 4")
	var client *ddl.ClientError
	if len(errs) != 3 || !errors.As(errs[0], &client) || client.Pos.Line != 2 || !strings.HasPrefix(errs[1].Error(), "f.sql:7:1: ") || !strings.HasPrefix(errs[2].Error(), "f.sql:8:8: ") {
		t.Errorf("%v", errs)
	}
	if len(f.Statements) != 2 || f.Statements[1].SQL != "SELECT 2" || f.Statements[1].Pos.Line != 6 {
		t.Errorf("%+v", f.Statements)
	}
	// One statement of megabytes is not parsed, whatever stands around it.
	f, errs = ddl.ParseEach("f.sql", "SELECT 1;\n  INSERT INTO t VALUES (0)"+strings.Repeat(", (1)", 1<<18)+";\nSELECT 2;")
	if len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), "f.sql:2:3: a statement of 1280 kB is too much") || len(f.Statements) != 2 || f.Statements[1].Pos.Line != 3 {
		t.Errorf("%v %d", errs, len(f.Statements))
	}
}

func FuzzParse(f *testing.F) {
	for _, sql := range effects(f) {
		f.Add(sql)
	}
	fixture, err := os.ReadFile("testdata/ddl_fixture.sql")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(fixture))
	for _, c := range forms {
		f.Add(c.sql)
	}
	for _, c := range newerForms {
		f.Add(c.sql)
	}
	f.Add("-- replank: wait\nSELECT 1; -- replank: plain\n/* x */ ;;\ufeff")
	f.Add("\ufeffSELECT 'ä' AS \"日本\"\r\n;\r\nCREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END; SELECT U&\"d!0061\" UESCAPE '!'")
	for _, text := range quoted {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { checkParse(t, text) })
}

// FuzzQuoteIdent: a quoted name is read back as that name.
func FuzzQuoteIdent(f *testing.F) {
	for _, s := range []string{"a", "A", "select", `"`, "a b", "ä", "1", "$1", "_", "a$b", "uescape", "日本", "int", "\\", "/*", "--"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" || len(name) > 63 || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
			return // no identifier
		}
		q := ddl.QuoteIdent(name)
		file, err := ddl.Parse("", "ALTER TABLE "+q+" ADD COLUMN "+q+" int, DROP CONSTRAINT "+q)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		ops := file.Statements[0].Ops
		add := ops[0].(ddl.AddColumn)
		if add.Table.Name != name || add.Column.Name != name || ops[1].(ddl.DropConstraint).Name != name {
			t.Fatalf("%q written as %s is read as %+v", name, q, ops)
		}
		cols, err := ddl.Columns(q + " + 1")
		if err != nil || len(cols) != 1 || cols[0] != name {
			t.Fatalf("%q written as %s is read as %q, %v", name, q, cols, err)
		}
		renamed, err := ddl.RenameColumns("x."+q+"+"+q, map[string]string{name: "new"}, "x")
		if err != nil || renamed != "x.new+new" {
			t.Fatalf("%q written as %s is renamed to %s, %v", name, q, renamed, err)
		}
	})
}

// TestSplicedStatements mixes the words of the known forms: byte-wise fuzzing seldom leaves text that parses.
func TestSplicedStatements(t *testing.T) {
	var texts [][]string
	spaced := strings.NewReplacer("(", " ( ", ")", " ) ", ",", " , ")
	for _, c := range append(append([]form{}, forms...), newerForms...) {
		texts = append(texts, strings.Fields(spaced.Replace(c.sql)))
	}
	r := rand.New(rand.NewPCG(1, 2))
	cols := map[string]string{"a": "z", "b": "B b"}
	parsed := 0
	for range 10_000 {
		words, other := slices.Clone(texts[r.IntN(len(texts))]), texts[r.IntN(len(texts))]
		at, from := r.IntN(len(words)), r.IntN(len(other))
		some := other[from : from+1+r.IntN(min(6, len(other)-from))]
		switch r.IntN(4) {
		case 0:
			words = slices.Insert(words, at, some...)
		case 1:
			words = slices.Replace(words, at, min(len(words), at+len(some)), some...)
		case 2:
			words = slices.Delete(words, at, at+1)
		case 3:
			to := r.IntN(len(words))
			words[at], words[to] = words[to], words[at]
		}
		sql := strings.Join(words, " ")
		if _, err := ddl.Parse("", sql); err != nil {
			continue
		}
		parsed++
		checkParse(t, sql)
		// Whatever these make of it, it must parse again.
		var results []string
		if s, _, err := ddl.RenameInQuery(sql, name("t"), cols); err == nil {
			results = append(results, s)
		}
		if s, err := ddl.RenameIndexDef(sql, "New I", nil, cols, true); err == nil {
			results = append(results, s)
		}
		if s, err := ddl.RenameTriggerDef(sql, "New T", nil, cols); err == nil {
			results = append(results, s)
		}
		for _, s := range results {
			if _, err := ddl.Parse("", s); err != nil {
				t.Fatalf("%s\nis rewritten to\n%s\n%v", sql, s, err)
			}
		}
	}
	if parsed < 300 {
		t.Errorf("only %d of the mixed statements parse", parsed)
	}
}
