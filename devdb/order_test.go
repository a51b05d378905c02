package devdb

import (
	"slices"
	"strings"
	"testing"
)

// TestOrder: needs first, else as given.
func TestOrder(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"a b c":           "a b c",
		"c<b b<a a":       "a b c",
		"d<b,c b<a c<a a": "a b c d",
		"x b<a a y":       "x a b y",
	} {
		var steps []Step
		for word := range strings.FieldsSeq(given) {
			name, needs, _ := strings.Cut(word, "<")
			s := Step{Name: name}
			if needs != "" {
				s.Needs = strings.Split(needs, ",")
			}
			steps = append(steps, s)
		}
		sorted, cycles := order(steps)
		var got []string
		for _, s := range sorted {
			got = append(got, s.Name)
		}
		if strings.Join(got, " ") != want || len(cycles) > 0 {
			t.Errorf("%s: %q %q, want %s", given, got, cycles, want)
		}
	}
}

// TestCheckTellsAllAtOnce, each by its key.
func TestCheckTellsAllAtOnce(t *testing.T) {
	t.Parallel()
	wrong := Check(Config{
		Root:      t.TempDir(),
		Apps:      []App{{Name: "legacy", Dir: "nowhere", Ready: "localhost"}},
		TestAfter: "none",
		Steps: []Step{
			{Name: "a", Run: "x", Needs: []string{"b"}}, {Name: "b", Run: "x", Needs: []string{"c", "d"}}, {Name: "c", Run: "x", Needs: []string{"a"}},
			{Name: "self", Run: "x", Needs: []string{"self"}}, {Name: "empty", App: "modern", Inputs: []string{"*.sql", "[", "sub/**"}},
		},
	})
	var got []string
	for _, m := range wrong {
		got = append(got, m.Key+": "+m.What)
	}
	for _, want := range []string{
		"apps.legacy.dir: there is no folder nowhere", "apps.legacy.ready: want a URL", "test_after: there is no step none", "steps.b.needs: there is no step d",
		"steps.a.needs: the steps need each other: a needs b needs c needs a", "steps.self.needs: the steps need each other: self needs self",
		"steps.empty: it has no command", "steps.empty.app: there is no app modern", "steps.empty.inputs: *.sql matches no file", "steps.empty.inputs: [: ", "steps.empty.inputs: sub/** matches no file",
	} {
		if !slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(g, want) }) {
			t.Errorf("no %q in\n%s", want, strings.Join(got, "\n"))
		}
	}
	if len(got) != 11 {
		t.Errorf("%d mistakes:\n%s", len(got), strings.Join(got, "\n"))
	}
}
