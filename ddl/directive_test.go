package ddl_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replank/replank/ddl"
)

func TestDirectives(t *testing.T) {
	f, err := ddl.Parse("", `-- replank: name  The name
-- an ordinary comment, replank: wait
--replank: WAIT until monday

ALTER TABLE t -- replank: plain
  ALTER a TYPE int; -- replank: inverse a = b::text
SELECT '-- replank: nonsense', $$
-- replank: nonsense
$$; SELECT 2; -- replank: key id, n
-- replank: no-undo
  -- replank: key id
DELETE FROM t
`)
	if err != nil {
		t.Fatal(err)
	}
	show := func(ds []ddl.Directive) string {
		var out []string
		for _, d := range ds {
			out = append(out, d.Pos.String()+" "+d.Verb+"("+d.Arg+")")
		}
		return strings.Join(out, "; ")
	}
	got := []string{show(f.Directives)}
	for _, s := range f.Statements {
		got = append(got, show(s.Directives))
	}
	want := []string{
		"1:1 name(The name); 3:1 wait(until monday)",
		"1:1 name(The name); 3:1 wait(until monday); 5:15 plain(); 6:21 inverse(a = b::text)",
		"",
		"9:15 key(id, n)",
		"10:1 no-undo(); 11:3 key(id)",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestDirectivesOfAFileWithoutStatements(t *testing.T) {
	f, err := ddl.Parse("", "-- replank: name x")
	if err != nil || len(f.Directives) != 1 || len(f.Statements) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestDirectiveErrors(t *testing.T) {
	for _, c := range []struct{ text, pos, contains string }{
		{"-- replank: inverze a\nSELECT 1", "1:1", "inverse, fill, name"},
		{"SELECT 1; -- replank:", "1:11", "without a verb"},
		{"-- replank: inverse\nSELECT 1", "1:1", "needs an argument"},
		{"-- replank: plain x\nSELECT 1", "1:1", "takes no argument"},
		{"SELECT 1;\n-- replank: plain", "2:1", "behind the last statement"},
	} {
		_, err := ddl.Parse("", c.text)
		var se *ddl.SyntaxError
		if !errors.As(err, &se) || se.Pos.String() != c.pos || !strings.Contains(se.Message, c.contains) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

func TestEveryVerbIsDocumented(t *testing.T) {
	for _, v := range ddl.DirectiveVerbs {
		text := "-- replank: " + v.Verb
		if v.Argument != "" {
			text += " x"
		}
		f, err := ddl.Parse("", text+"\nSELECT 1")
		if err != nil || f.Statements[0].Directives[0].Verb != v.Verb || v.Doc == "" {
			t.Errorf("%s: %v", v.Verb, err)
		}
	}
}
