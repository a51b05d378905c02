package route

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// usable reads a document with mistakes, and compiles what can be used.
func usable(t *testing.T, text []byte) (*Table, []Bad) {
	t.Helper()
	d, bad, err := ReadUsable(text)
	if err != nil {
		t.Fatal(err)
	}
	return compiled(t, Config{Modern: d}), bad
}

// spoilt is a document as JSON, a route a line, in which some texts are replaced.
func spoilt(t *testing.T, d *Document, oldnew ...string) []byte {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte(`{"template"`), []byte("\n"+`{"template"`))
	for i := 0; i < len(oldnew); i += 2 {
		if !bytes.Contains(text, []byte(oldnew[i])) {
			t.Fatalf("no %s in %s", oldnew[i], text)
		}
	}
	return []byte(strings.NewReplacer(oldnew...).Replace(string(text)))
}

// TestBadRoutesAreIsolated: each is named with its line, what may be its own is opaque, and all others are as they were.
func TestBadRoutesAreIsolated(t *testing.T) {
	ordered := spoilt(t, docOf(t, Ordered, stages("/a/{id}/", "/a/", "([0-9]+)/"), stages("/b/{id}/", "/b/x+", "([0-9]+)/"), stages("/c/{id}/", "/c/", "c([0-9]+)/"),
		stages("/d/", "/d/"), stages("/e/", "/e/"), stages("/b/xx/", "/b/xx/"), stages("/f/", "/f/"), stages("/g/", "/g/|/h/")),
		`"/b/x+"`, `"/b/x+("`, `c([0-9]+)/`, `c([0-9+/`, `"template":"/d/","methods":null`, `"template":"/d/","source":"d.py:7","methods":["get"]`,
		`"template":"/e/","methods":null,"stages":`, `"template":"/e/","methods":null,"stages":7,"colour":`, `"/g/|/h/"`, `"/g/|/h/)"`)
	table, bad := usable(t, ordered)
	for path, want := range map[string]string{
		"/a/1/": "found /a/{id}/", "/b/x/": "opaque /b/{id}/", "/b/": "opaque /b/{id}/", "/b": "opaque /e/", "/c/c7/": "opaque /c/{id}/",
		"/c/d7/": "opaque /e/", "/d/": "opaque /d/", "/d/more": "opaque /d/", "/b/xx/": "opaque /b/{id}/", "/f/": "opaque /e/", "/x": "opaque /e/",
	} {
		if got := show(table.Match(Request{Method: "GET", Path: path}).Modern); got != want {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
	for i, want := range []string{`line 3, route 2, "/b/{id}/": stage 1: `, `line 4, route 3, "/c/{id}/": stage 2: `, `line 5, route 4, "/d/", d.py:7: method "get"`,
		`line 6, route 5, "/e/": `, `line 9, route 8, "/g/": stage 1: `} {
		if i >= len(bad) || !strings.HasPrefix(bad[i].Error(), want) {
			t.Errorf("%d: want %s", i, want)
		}
	}
	if t.Failed() {
		t.Log(bad)
	}

	segments := spoilt(t, docOf(t, Segments,
		`{"template":"/a/{id}","methods":["GET"],"segments":[{"text":""},{"text":"a"},{"re":"v(?P<id>[0-9]+)"}]}`,
		`{"template":"/a/b","methods":["GET"],"segments":[{"text":""},{"text":"a"},{"text":"b"}]}`,
		`{"template":"/c","methods":["GET"],"segments":[{"text":""},{"text":"c"}]}`,
		`{"template":"/c/","methods":["GET"],"segments":[{"text":""},{"text":"c"},{"text":""}],"strict_slashes":true}`,
		`{"template":"/d/","methods":["PUT"],"segments":[{"text":""},{"text":"d"},{"text":""}],"strict_slashes":true}`,
		`{"template":"/e","methods":["GET"],"segments":[{"text":""},{"text":"e"}]}`),
		`v(?P\u003cid\u003e[0-9]+)`, `v(?P\u003cid\u003e[0-9]`, `"template":"/c","methods":["GET"]`, `"template":"/c","methods":["get"]`, `PUT`, `put`)
	table, bad = usable(t, segments)
	for path, want := range map[string]string{
		"/a/v7": "opaque /a/{id}", "/a/v": "opaque /a/{id}", "/a/x7": "missing", "/a/b": "found /a/b", "/c": "opaque /c", "/c/": "found /c/", "/cc": "opaque /c",
		"/d/": "opaque /d/", "/d": "opaque /d/", "/d/x": "opaque /d/", "/e": "found /e", "/f": "missing",
	} {
		if got := show(table.Match(Request{Method: "GET", Path: path}).Modern); got != want {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
	if len(bad) != 3 || bad[0].Line != 2 || bad[1].Number != 3 || bad[2].Template != "/d/" {
		t.Errorf("%v", bad)
	}
}

// TestBadPathsOfOpenAPI: the same for a description.
func TestBadPathsOfOpenAPI(t *testing.T) {
	table, bad := usable(t, []byte("openapi: 3.0.0\nx-replank-complete: true\ninfo: {title: x, version: '1'}\npaths:\n  /a/{id: {}\n  /b: {get: {responses: {'200': {description: ok}}}}\n"))
	if len(bad) != 1 || bad[0].Line != 5 || !strings.Contains(bad[0].Error(), "brace") {
		t.Errorf("%v", bad)
	}
	for path, want := range map[string]string{"/a/7": "opaque /a/{id", "/b": "found /b", "/c": "missing"} {
		if got := show(table.Match(Request{Method: "GET", Path: path}).Modern); got != want {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
}

// TestNobodyHasItIsNeverSaid: whatever path a route has, it is not missing when the route, and any other, is spoilt.
func TestNobodyHasItIsNeverSaid(t *testing.T) {
	for _, matching := range []string{Ordered, Segments} {
		d := large(t, matching, 300)
		whole := compiled(t, Config{Modern: d})
		for n := range 7 {
			text, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			var copied Document
			if err := decode(text, &copied); err != nil {
				t.Fatal(err)
			}
			copied.Routes = slices.Clone(copied.Routes)
			for i := n; i < len(copied.Routes); i += 7 {
				r := copied.Routes[i]
				switch i % 3 {
				case 0:
					r.Methods = []string{"none "}
				case 1:
					for j := range r.Stages {
						r.Stages[j].RE += "(" // of all: nothing can be said behind the first
					}
					for j := range r.Segments {
						if r.Segments[j].Text == nil {
							r.Segments[j].RE += "("
						}
					}
				case 2:
					r.Template = ""
				}
			}
			if text, err = json.Marshal(&copied); err != nil {
				t.Fatal(err)
			}
			table, bad := usable(t, text)
			if len(bad) == 0 {
				t.Fatal("nothing is spoilt")
			}
			for _, r := range d.Routes {
				for _, path := range r.Examples() {
					q := Request{Method: "GET", Path: path}
					before, after := whole.Match(q), table.Match(q)
					if before.Verdict == VerdictModern && after.Verdict == VerdictLegacy {
						t.Errorf("%s %s: %s, then %s", matching, path, show(before.Modern), show(after.Modern))
					}
				}
			}
		}
	}
}

// TestNoDocument: where no route can be used, or the mistake is in none, there is nothing to go on with.
func TestNoDocument(t *testing.T) {
	d := docOf(t, Ordered, stages("/a/", "/a/"), stages("/b/", "/b/"))
	for name, text := range map[string][]byte{
		"all routes": spoilt(t, d, `"/a/","end"`, `"/a/(","end"`, `"/b/","end"`, `"/b/(","end"`),
		"build":      spoilt(t, d, `"build":"1"`, `"build":""`),
		"version":    spoilt(t, d, `"version":1`, `"version":2`),
		"unknown":    spoilt(t, d, `"build":"1"`, `"build":"1","colour":1`),
		"cut":        spoilt(t, d)[:200],
		"html":       []byte("<!DOCTYPE html><title>404</title>"),
		"empty":      nil,
	} {
		if got, bad, err := ReadUsable(text); err == nil {
			t.Errorf("%s: %+v %v", name, got, bad)
		}
	}
}

// TestMutations: a document with bytes changed anywhere is refused, or what was read of it can be used.
func TestMutations(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, d := range []*Document{large(t, Ordered, 10), large(t, Segments, 10)} {
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		isolated := 0
		for range 3000 {
			mutated := slices.Clone(text)
			for range 1 + random.IntN(3) {
				mutated[random.IntN(len(mutated))] = "()[]{}|*+?\\.,:\"/x7"[random.IntN(18)]
			}
			if !ours(mutated) {
				continue // the reader of OpenAPI descriptions is not ours either
			}
			d, bad, err := ReadUsable(mutated)
			if err != nil {
				continue
			}
			table, err := Compile(Config{Modern: d, Legacy: d})
			if err != nil {
				t.Fatalf("what was read cannot be used: %v\n%s", err, mutated)
			}
			if len(bad) > 0 {
				isolated++
			}
			for _, r := range d.Routes {
				table.Match(Request{Method: "GET", Path: r.Examples()[0]})
			}
		}
		if isolated < 100 {
			t.Errorf("%d documents had some bad routes: this tries little", isolated)
		}
	}
}
