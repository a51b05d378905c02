package compare

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// answer reads an answer with one header.
func answer(t testing.TB, contentType, body string) *Answer {
	t.Helper()
	return answerWith(t, map[string][]string{"Content-Type": {contentType}}, body)
}

func answerWith(t testing.TB, header map[string][]string, body string) *Answer {
	t.Helper()
	a, err := Config{}.Read(200, header, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// told writes differences the way that the tables below have them.
func told(r Result) []string {
	list := []string{}
	for _, d := range r.Differences {
		list = append(list, fmt.Sprintf("%s %s %s: %s | %s", d.In, d.Path, d.Kind, d.Old, d.New))
	}
	return list
}

func TestBodies(t *testing.T) {
	const (
		asJSON = "application/json"
		asHTML = "text/html; charset=utf-8"
		asText = "text/plain"
	)
	for _, c := range []struct {
		name, typ, old, new string
		want                []string
	}{
		{"the same", asJSON, `{"a": [1, {"b": null}]}`, `{"a": [1, {"b": null}]}`, nil},
		{"order of keys, spaces", asJSON, `{"a":1,"b":2}`, "{ \"b\": 2,\n \"a\": 1 }", nil},
		{"escapes", asJSON, `"\u00e9\/"`, `"é/"`, nil},
		{"value", asJSON, `{"a":{"b":"x"}}`, `{"a":{"b":"y"}}`, []string{`body /a/b value: "x" | "y"`}},
		{"pointer escapes", asJSON, `{"a/b":{"~":1}}`, `{"a/b":{"~":2}}`, []string{`body /a~1b/~0 value: 1 | 2`}},
		{"spelling", asJSON, `[1, 100, 0.10]`, `[1.0, 1e2, 0.1]`, []string{"body /0 number spelling: 1 | 1.0", "body /1 number spelling: 100 | 1e2", "body /2 number spelling: 0.10 | 0.1"}},
		{"beyond float64", asJSON, `[9007199254740993]`, `[9007199254740992]`, []string{"body /0 value: 9007199254740993 | 9007199254740992"}},
		{"no power is computed", asJSON, `[1e999999999]`, `[10e999999998]`, []string{"body /0 number spelling: 1e999999999 | 10e999999998"}},
		{"type", asJSON, `{"n":"1"}`, `{"n":1}`, []string{`body /n type: "1" | 1`}},
		{"null is not missing", asJSON, `{"n":null}`, `{}`, []string{`body /n missing: null | `}},
		{"extra", asJSON, `{}`, `{"n":{"m":[1]}}`, []string{`body /n extra:  | {"m":[1]}`}},
		{"by position", asJSON, `[1,2,3]`, `[2,1]`, []string{"body  missing: 3 elements | 2 elements", "body /0 value: 1 | 2", "body /1 value: 2 | 1"}},
		{"no JSON", asJSON, `{"a":`, `{"b":`, []string{`body /line 1 value: {"a": | {"b":`}},
		{"two documents", asJSON, `1 2`, `1 3`, []string{`body /line 1 value: 1 2 | 1 3`}},

		{"spaces between blocks", asHTML, "<ul>\n  <li>a  b</li>\n</ul>", "<ul><li>a b</li></ul>", nil},
		{"spaces between an inline element and a block", asHTML, "<b>x</b>\n<p>a</p>\n<i>y</i> <b>z</b>", "<b>x</b><p>a</p><i>y</i>\n<b>z</b>", nil},
		{"spaces beside inline elements", asHTML, "<p>a <b>b</b></p>", "<p>a<b>b</b></p>", []string{"body /p[0]/#text value: a  | a"}},
		{"spaces in pre", asHTML, "<pre>a  b</pre>", "<pre>a b</pre>", []string{"body /pre[0]/#text value: a  b | a b"}},
		{"attributes", asHTML, `<a href="/x" class='b'>y</a>`, `<a class="b" href=/x>y</a>`, nil},
		{"comments, entities, case", asHTML, `<P>a &amp; b<!-- built 1 --></P>`, `<p>a &#38; b</p>`, nil},
		{"void elements", asHTML, `<p>a<br/>b</p>`, `<p>a<br>b</p>`, nil},
		{"text", asHTML, `<div><p>a</p><p>b</p></div>`, `<div><p>a</p><p>c</p></div>`, []string{"body /div[0]/p[1]/#text value: b | c"}},
		{"attribute", asHTML, `<a href="/x">y</a>`, `<a href="/z" id="i">y</a>`, []string{"body /a[0]/@href value: /x | /z", "body /a[0]/@id extra:  | i"}},
		{"element", asHTML, `<div><p>a</p></div>`, `<div><p>a</p><hr></div>`, []string{"body /div[0] structure:  | <hr>"}},
		{"script", asHTML, `<script>if (a < 1) b()</script>`, `<script>if (a < 2) b()</script>`, []string{`body /script[0]/#text value: if (a < 1) b() | if (a < 2) b()`}},

		{"lines", asText, "a\nb\nc", "a\nx\nc", []string{"body /line 2 value: b | x"}},
		{"another line", asText, "a\nb", "a\nx\nb", []string{"body  lines: 2 | 3", "body /line 2 value: b | x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			old, new := answer(t, c.typ, c.old), answer(t, c.typ, c.new)
			if d := cmp.Diff(append([]string{}, c.want...), told(Config{}.Diff(old, new, nil))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestStatusAndHeaders(t *testing.T) {
	old := answerWith(t, map[string][]string{
		"Date": {"Mon"}, "Server": {"Werkzeug"}, "Content-Length": {"2"}, "Content-Type": {"application/json; charset=UTF-8"}, "Vary": {"Cookie, Accept"},
		"Location": {"/old"}, "Etag": {`"1"`}, "Set-Cookie": {"session=abc; HttpOnly; Path=/", "lang=de"}, "X-Frame-Options": {"DENY"}, "X-Build": {"1"}}, "{}")
	new := answerWith(t, map[string][]string{
		"Date": {"Tue"}, "Connection": {"close"}, "Replank-Build": {"1"}, "Content-Type": {"application/json;charset=utf-8"}, "Vary": {"accept", "Cookie"},
		"Location": {"/new"}, "Etag": {`W/"2"`}, "Set-Cookie": {"session=xyz; path=/; HttpOnly; Secure; expires=Tue, 1 Jan 2030"}, "X-Build": {"2"}}, "{}")
	new.Status = 201
	want := []string{"status  value: 200 | 201", "header Location value: /old | /new", "cookie lang missing:  | ",
		"cookie session value: httponly; path=/ | expires; httponly; path=/; secure", "header X-Frame-Options missing: DENY | "}
	if d := cmp.Diff(want, told(Config{IgnoreHeaders: []string{"x-build"}}.Diff(old, new, nil))); d != "" {
		t.Error(d)
	}
}

// TestRedirects: what a redirect says in its body is shown to nobody.
func TestRedirects(t *testing.T) {
	redirect := func(status int, to, typ, body string) *Answer {
		a := answerWith(t, map[string][]string{"Location": {to}, "Content-Type": {typ}}, body)
		a.Status = status
		return a
	}
	flask := redirect(302, "/x", "text/html; charset=utf-8", "<p>You should be redirected")
	if r := (Config{}).Diff(flask, redirect(302, "/x", "text/plain", ""), nil); !r.Same() {
		t.Error(told(r))
	}
	want := []string{"status  value: 302 | 301", "header Location value: /x | /y"}
	if d := cmp.Diff(want, told(Config{}.Diff(flask, redirect(301, "/y", "text/plain", ""), nil))); d != "" {
		t.Error(d)
	}
	if r := (Config{}).Diff(flask, redirect(200, "/x", "text/plain", ""), nil); r.Total != 3 {
		t.Errorf("no redirect: %v", told(r))
	}
}

func TestNoise(t *testing.T) {
	for _, c := range []struct {
		name, typ            string
		first, second, other string
		noise                Noise
		want                 []string
	}{
		{"at all positions", "application/json", `{"at":1,"rows":[{"id":1,"seen":5}]}`, `{"at":2,"rows":[{"id":1,"seen":6}]}`,
			`{"at":3,"rows":[{"id":2,"seen":7}]}`, Noise{"body/at", "body/rows/*/seen"}, []string{"body /rows/0/id value: 1 | 2"}},
		{"its length", "application/json", `{"log":["a"],"n":1}`, `{"log":["b","a"],"n":1}`, `{"log":["c","c","c"],"n":2}`,
			Noise{"body/log", "body/log/*"}, []string{"body /n value: 1 | 2"}},
		{"sometimes missing", "application/json", `{"debug":{"t":1}}`, `{}`, `{"debug":{"u":2},"x":1}`, Noise{"body/debug"}, []string{"body /x extra:  | 1"}},
		{"text of HTML", "text/html", "<i>10:00</i><p>a</p><b>1</b>", "<i>10:01</i><p>a</p><b>2</b>", "<i>10:02</i><p>a</p><hr><b>3</b>",
			Noise{"body/b/#text", "body/i/#text"}, []string{"body  structure:  | <hr>"}},
		{"elements of HTML", "text/html", "<ul><li>a</li></ul><p>x", "<ul><li>a</li><li>b</li></ul><p>x", "<ul></ul><p>y", Noise{"body/ul"}, []string{"body /p[1]/#text value: x | y"}},
		{"a line", "text/plain", "a\n1", "a\n2", "b\n3", Noise{"body/line 2"}, []string{"body /line 1 value: a | b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			first, second, other := answer(t, c.typ, c.first), answer(t, c.typ, c.second), answer(t, c.typ, c.other)
			noise := Config{}.Noise(first, second)
			if d := cmp.Diff(c.noise, noise); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.want, told(Config{}.Diff(first, other, noise))); d != "" {
				t.Error(d)
			}
		})
	}
	first, second := answer(t, "text/plain", "x"), answer(t, "text/plain", "x")
	second.Status, second.Header["X-Trace"] = 503, []string{"1"}
	if d := cmp.Diff(Noise{"header/X-Trace", "status"}, Config{}.Noise(first, second)); d != "" {
		t.Error(d)
	}
}

const webToken = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.hunter2hunter2"

// TestSecrets: wherever hunter2 stands in for a secret, nothing of it is left; what is none is.
func TestSecrets(t *testing.T) {
	for _, c := range []struct{ typ, body, want string }{
		{"application/json", `{"password":"hunter2","n":1,"user":{"api_key":"hunter2","empty":{"token":""}}}`,
			`{"n":1,"password":"[redacted]","user":{"api_key":"[redacted]","empty":{"token":""}}}`},
		{"application/json", `{"tokens":[{"value":"hunter2","ok":true,"pin":42}]}`, `{"tokens":[{"ok":true,"pin":"[redacted]","value":"[redacted]"}]}`},
		{"application/json", `{"next":"/x?page=2&access_token=hunter2&y=1","who":"` + webToken + `"}`, `{"next":"/x?page=2&access_token=[redacted]&y=1","who":"[redacted]"}`},
		{"application/json", `{"` + webToken + `":1}`, `{"[redacted]":1}`},
		{"application/json", `{"log":"{\"secret\": \"hunter2\", \"a\": 1}"}`, `{"log":"{\"secret\": \"[redacted]\", \"a\": 1}"}`},
		{"application/json", `{"password": "hunter2"`, `{"password": "[redacted]"`},
		{"text/html", `<input type="hidden" name="csrfmiddlewaretoken" value="hunter2"><p title=x>`, `<input type="hidden" name="csrfmiddlewaretoken" value="[redacted]"><p title=x>`},
		{"text/html", `<meta content='hunter2' name=csrf-token><input type=password value=hunter2>`, `<meta content="[redacted]" name="csrf-token"><input type="password" value="[redacted]">`},
		{"text/html", `<script>var t = {"token": "hunter2", n: 1 && 2}</script>`, `<script>var t = {"token": "[redacted]", n: 1 && 2}</script>`},
		{"text/html", `<p>{&quot;token&quot;:&quot;hunter2&quot;}</p>`, `<p>{&#34;token&#34;:&#34;[redacted]&#34;}</p>`},
		{"text/html", `<a href="/reset?token=hunter2&amp;u=1">x</a><!-- secret=hunter2 -->`, `<a href="/reset?token=[redacted]&amp;u=1">x</a><!-- secret=[redacted] -->`},
		{"text/html", `<div data-session="hunter2" data-id="7">`, `<div data-session="[redacted]" data-id="7">`},
		{"text/plain", "db: postgres://app:hunter2@db/shop", "db: postgres://app:[redacted]@db/shop"},
		{"text/plain", "Authorization: Bearer hunter2\nX: 1", "Authorization: [redacted]\nX: 1"},
		{"text/plain", "form[password]=hunter2&a=b", "form[password]=[redacted]&a=b"},
		{"text/plain", `password = "hunter2 \" hunter2" x`, `password = "[redacted]" x`},
		{"text/plain", "secret: 'hunter2 hunter2", "secret: '[redacted]"},
		{"text/plain", `{\"token\": \"hunter2\", \"a\": 1}`, `{\"token\": \"[redacted]\", \"a\": 1}`},
		{"text/plain", "Proxy-Authorization: Basic hunter2 x", "Proxy-Authorization: [redacted] x"},
		{"text/plain", "Token:\nnext, token=, token=''", "Token:\nnext, token=, token=''"},
		{"text/plain", "3 of 4 passed", "3 of 4 passed"},
	} {
		a := answer(t, c.typ, c.body)
		if a.Body != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.body, a.Body, c.want)
		}
		if n := strings.Count(c.want, Redacted); a.Secrets != n {
			t.Errorf("%s: %d secrets are counted, want %d", c.body, a.Secrets, n)
		}
	}
	a := answerWith(t, map[string][]string{"Set-Cookie": {"sessionid=hunter2; Path=/", "bare"}, "X-Api-Key": {"hunter2"}, "Location": {"/?token=hunter2"},
		"Access-Control-Allow-Headers": {"Authorization"}}, "")
	want := map[string][]string{"Set-Cookie": {"sessionid=[redacted]; Path=/", "bare=[redacted]"}, "X-Api-Key": {Redacted}, "Location": {"/?token=[redacted]"},
		"Access-Control-Allow-Headers": {"Authorization"}}
	if d := cmp.Diff(want, a.Header); d != "" {
		t.Error(d)
	}
}

func TestSecretsDoNotCount(t *testing.T) {
	old, new := answer(t, "application/json", `{"token":"a","pin_token":null}`), answer(t, "application/json", `{"token":"b","pin_token":"x"}`)
	if d := cmp.Diff([]string{`body /pin_token type: null | "[redacted]"`}, told(Config{}.Diff(old, new, nil))); d != "" {
		t.Error(d)
	}
}

func compressed(t *testing.T, text string, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRead(t *testing.T) {
	c := Config{MaxBody: 1000, MaxRead: 5000}
	coded := map[string][]string{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}
	read := func(header map[string][]string, body []byte) *Answer {
		t.Helper()
		a, err := c.Read(200, header, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	small := read(coded, compressed(t, `{"a": 1}`, gzip.BestSpeed))
	if r := c.Diff(small, read(map[string][]string{"Content-Type": {"application/json"}}, []byte(`{"a":1}`)), nil); !r.Same() {
		t.Errorf("gzip differs from plain: %v", told(r))
	}
	if a := read(coded, nil); a.Body != "" || a.Size != 0 {
		t.Errorf("the answer to HEAD has a body: %+v", a)
	}
	long := strings.Repeat("x", 3000)
	a, b := read(coded, compressed(t, long, gzip.BestSpeed)), read(coded, compressed(t, long, gzip.NoCompression))
	if r := c.Diff(a, b, nil); !r.Same() || r.ByHash == "" || a.Body != "" || a.Size != 3000 {
		t.Errorf("the same large body: %+v, %+v", r, a)
	}
	if r := c.Diff(a, read(nil, []byte(long[1:]+"y")), nil); r.Total != 2 || r.Differences[1].Kind != Hash { // and the Content-Type
		t.Errorf("another large body: %v", told(r))
	}
	if r := c.Diff(a, small, nil); r.Total != 1 || r.Differences[0].Kind != Hash {
		t.Errorf("a large body and a small one: %v", told(r))
	}
	if a := read(nil, []byte("\xff\x00")); a.Body != "" || a.Digest == "" || a.ByHash == "" {
		t.Errorf("what is no text is kept: %+v", a)
	}
	if a := read(map[string][]string{"Content-Encoding": {"br"}}, []byte("token=x")); a.Body != "" || a.Digest == "" || !strings.Contains(a.ByHash, "br") {
		t.Errorf("what is not decoded is kept: %+v", a)
	}
	var large *TooLargeError
	if _, err := c.Read(200, nil, strings.NewReader(strings.Repeat("x", 5001))); !errors.As(err, &large) {
		t.Errorf("a body over MaxRead: %v", err)
	}
	if _, err := c.Read(200, coded, bytes.NewReader(compressed(t, strings.Repeat("x", 1<<20), gzip.BestSpeed))); !errors.As(err, &large) {
		t.Errorf("a gzip bomb: %v", err)
	}
	if _, err := c.Read(200, coded, strings.NewReader("no gzip")); err == nil {
		t.Error("what is no gzip is read")
	}
}

func TestBounds(t *testing.T) {
	numbers := func(n, add int) string {
		list := make([]int, n)
		for i := range list {
			list[i] = i + add
		}
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	r := Config{MaxDifferences: 3}.Diff(answer(t, "application/json", numbers(100, 0)), answer(t, "application/json", numbers(100, 1)), nil)
	if len(r.Differences) != 3 || r.Total != 100 {
		t.Errorf("%d of %d differences are kept", len(r.Differences), r.Total)
	}
	r = Config{MaxValue: 4}.Diff(answer(t, "text/plain", "aaaaaaaa"), answer(t, "text/plain", "aaaé"), nil)
	if d := cmp.Diff([]string{"body /line 1 value: aaaa… | aaa…"}, told(r)); d != "" {
		t.Error(d)
	}
	lines := strings.Repeat("a\n", 2000)
	if d := cmp.Diff(Noise{"body"}, Config{}.Noise(answer(t, "text/plain", lines), answer(t, "text/plain", strings.ReplaceAll(lines, "a", "b")))); d != "" {
		t.Error(d)
	}
	// Deep, and wide: no more than linear, or this would not end.
	for _, c := range []struct{ typ, old, new string }{
		{"application/json", strings.Repeat("[", 9000) + "1" + strings.Repeat("]", 9000), strings.Repeat("[", 9000) + "2" + strings.Repeat("]", 9000)},
		{"text/plain", strings.Repeat("token=\"", 50_000) + "1", strings.Repeat("token=\"", 50_000) + "1\n2"},
		{"text/html", strings.Repeat("<b>", 50_000) + "1", strings.Repeat("<b>", 50_000) + "2"},
		{"text/html", strings.Repeat("<b>", 50_000) + strings.Repeat("</i>", 50_000) + "1", strings.Repeat("<b>", 50_000) + strings.Repeat("</i>", 50_000) + "2"},
	} {
		if r := (Config{}).Diff(answer(t, c.typ, c.old), answer(t, c.typ, c.new), Noise{"body/x"}); r.Total != 1 {
			t.Errorf("%s: %d differences", c.typ, r.Total)
		}
	}
}

// FuzzDiff: an answer is the same as itself, whatever it is, also when it was kept; two answers differ in as many places
// from either side; and what is noise is no difference.
func FuzzDiff(f *testing.F) {
	for _, seed := range [][3]string{
		{"application/json", `{"a":[1,"x",{"token":"y"}]}`, `{"a":[1.0,null],"b":{}}`},
		{"text/html", `<!doctype html><p a=1 a=2>x <b>y</b><input name=token value=z>`, `<p>x</b></p><script>a<b</script>`},
		{"text/plain", "password: x\ny", "Bearer abcdefgh\nz"},
		{"", `{"a":1}`, `[`},
		{"text/html", "<plaintext>", "<textarea></title>"},
	} {
		f.Add(seed[0], seed[1], seed[2], "session=1; path=/", "session=2")
	}
	f.Fuzz(func(t *testing.T, typ, x, y, cookieX, cookieY string) {
		c := Config{MaxBody: 1 << 16}
		read := func(body, cookie string) *Answer {
			header := map[string][]string{"Set-Cookie": {cookie}}
			if typ != "" {
				header["Content-Type"] = []string{typ}
			}
			a, err := c.Read(200, header, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		a, b := read(x, cookieX), read(y, cookieY)
		if r := c.Diff(a, read(x, cookieX), nil); !r.Same() {
			t.Errorf("differs with itself: %v", told(r))
		}
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		kept := &Answer{}
		if err := json.Unmarshal(text, kept); err != nil {
			t.Fatal(err)
		}
		// JSON can hold no invalid UTF-8; a body has none, and HTTP allows none in headers.
		kept.Header = a.Header
		if r := c.Diff(a, kept, nil); !r.Same() {
			t.Errorf("differs from what was kept: %v", told(r))
		}
		there, back := c.Diff(a, b, nil), c.Diff(b, a, nil)
		if there.Total != back.Total {
			t.Errorf("%d differences, and %d from the other side: %v %v", there.Total, back.Total, told(there), told(back))
		}
		if there.Same() != (len(c.Noise(a, b)) == 0) {
			t.Errorf("noise %q, differences %v", c.Noise(a, b), told(there))
		}
		if r := c.Diff(a, b, c.Noise(a, b)); !r.Same() {
			t.Errorf("noise %q counts: %v", c.Noise(a, b), told(r))
		}
	})
}

func BenchmarkRead(b *testing.B) {
	row := `{"id": 1234, "name": "customer", "url": "https://shop.example/customers/1234?page=2", "note": "paid: yes"}`
	for name, c := range map[string][2]string{
		"json": {"application/json", "[" + strings.Repeat(row+",", 2000) + row + "]"},
		"html": {"text/html", strings.Repeat(`<tr class="row"><td><a href="/customers/1234?page=2">customer</a></td><td>paid: yes</td></tr>`, 2000)},
		"text": {"text/plain", strings.Repeat("customer 1234, paid: yes, https://shop.example/customers/1234?page=2\n", 2000)},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(c[1])))
			for b.Loop() {
				answer(b, c[0], c[1])
			}
		})
	}
}

func BenchmarkDiff(b *testing.B) {
	var rows []string
	for i := range 500 {
		rows = append(rows, fmt.Sprintf(`{"id": %d, "name": "customer %d", "tags": ["a", "b"], "at": "2026-01-01T00:00:00Z"}`, i, i))
	}
	body := `{"rows": [` + strings.Join(rows, ",") + `]}`
	old, new := answer(b, "application/json", body), answer(b, "application/json", strings.Replace(body, "customer 7", "Customer 7", 1))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if r := (Config{}).Diff(old, new, Noise{"body/rows/*/at"}); r.Total != 1 {
			b.Fatal(r.Total)
		}
	}
}
