// Package compare tells whether two HTTP answers say the same: status, headers, and the body as what it is (JSON, HTML,
// text). What an application does not answer the same way twice is noise, and does not count.
//
//	old, err := c.Read(res.StatusCode, res.Header, res.Body)
//	noise := c.Noise(old, again) // the old application, asked twice
//	result := c.Diff(old, new, noise)
//
// An [Answer] holds no secrets: [Config.Read] takes them out before anything else sees the answer. So their values never
// count; that there is one does.
package compare

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Config says how answers are read and compared. The zero value has all defaults.
type Config struct {
	// IgnoreHeaders are names of headers that do not count, besides those that never do. Default: none.
	IgnoreHeaders []string
	// MaxBody is the size in bytes, decoded, from which only the size and the hash of a body are kept. Default: 1 MiB.
	MaxBody int64
	// MaxRead is the size in bytes, decoded, from which a body is not read on, which is an error. Default: 64 MiB.
	MaxRead int64
	// MaxDifferences is how many differences of two answers are kept; all are counted. Default: 50.
	MaxDifferences int
	// MaxValue is how many bytes of a value are shown. Default: 200.
	MaxValue int
}

func (c Config) maxBody() int64      { return cmp.Or(c.MaxBody, 1<<20) }
func (c Config) maxRead() int64      { return max(cmp.Or(c.MaxRead, 64<<20), c.maxBody()) }
func (c Config) maxDifferences() int { return cmp.Or(c.MaxDifferences, 50) }
func (c Config) maxValue() int       { return cmp.Or(c.MaxValue, 200) }

// Kind is how two values differ.
type Kind string

const (
	Value     Kind = "value"
	Type      Kind = "type"            // a number here, a string there
	Spelling  Kind = "number spelling" // 1 and 1.0
	Missing   Kind = "missing"         // in the new answer
	Extra     Kind = "extra"           // in the new answer
	Structure Kind = "structure"       // HTML: other elements, or another number of them
	Lines     Kind = "lines"           // text: another number of lines
	Hash      Kind = "hash"            // of bodies that are too large to compare, or no text
)

// Part is what of an answer differs.
type Part string

const (
	Status Part = "status"
	Header Part = "header"
	Cookie Part = "cookie"
	Body   Part = "body"
)

// Difference is one place where two answers differ.
type Difference struct {
	In Part `json:"in"`
	// Path is the place in it: of JSON a JSON pointer, of HTML the elements down to it, of headers and cookies the name.
	Path string `json:"path,omitempty"`
	Kind Kind   `json:"kind"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// Result is what [Config.Diff] has found.
type Result struct {
	Differences []Difference `json:"differences"`
	// Total counts them all, those that are not kept too.
	Total int `json:"total"`
	// ByHash says why a body was compared by its hash only; "": it was compared as what it is.
	ByHash string `json:"by_hash,omitempty"`
}

// Same reports whether there is no difference.
func (r Result) Same() bool { return r.Total == 0 }

// Noise is where an application's answers differ with themselves: patterns, a place in an answer each, with "*" for the
// position in an array or among elements: body/items/*/seen. Everything below such a place is noise too.
type Noise []string

// Noise compares two answers of one application to one request.
func (c Config) Noise(first, second *Answer) Noise {
	places := map[string]bool{}
	c.compare(first, second, nil, func(pattern string, _ Difference) { places[pattern] = true })
	if len(places) > mostNoise {
		maps.DeleteFunc(places, func(pattern string, _ bool) bool { return strings.HasPrefix(pattern, string(Body)) })
		places[string(Body)] = true
	}
	return slices.Sorted(maps.Keys(places))
}

// mostNoise is how many places an answer's noise may have: with more, all of the body is noise.
const mostNoise = 1000

// Diff compares the answers of two applications. Places that are noise do not count.
func (c Config) Diff(old, new *Answer, noise Noise) Result {
	r := Result{Differences: []Difference{}}
	r.ByHash = c.compare(old, new, noise, func(_ string, d Difference) {
		if r.Total++; r.Total <= c.maxDifferences() {
			r.Differences = append(r.Differences, d)
		}
	})
	return r
}

// differ walks through two answers at once. The place where it is stands in path, and in pattern without positions; both
// are cut back when it leaves, so that a deep document costs no more than a flat one.
type differ struct {
	Config
	noise   map[string]bool
	in      Part
	path    []byte
	pattern []byte
	found   func(pattern string, d Difference)
}

// compare returns why bodies were compared by hash.
func (c Config) compare(old, new *Answer, noise Noise, found func(string, Difference)) string {
	d := &differ{Config: c, noise: map[string]bool{}, found: found}
	for _, pattern := range noise {
		d.noise[pattern] = true
	}
	if d.enter(Status); old.Status != new.Status && !d.noisy() {
		d.differs(Value, strconv.Itoa(old.Status), strconv.Itoa(new.Status))
	}
	redirects := old.redirects() && new.redirects()
	if redirects { // nobody sees more of them than where they lead
		d.IgnoreHeaders = append(slices.Clone(d.IgnoreHeaders), "Content-Type")
	}
	d.headers(old.Header, new.Header)
	d.enter(Body)
	if redirects || d.noisy() {
		return ""
	}
	return d.bodies(old, new)
}

func (d *differ) enter(part Part) {
	d.in, d.path, d.pattern = part, d.path[:0], append(d.pattern[:0], part...)
}

// mark is a place to come back to.
type mark struct{ path, pattern int }

// down goes to a named place below.
func (d *differ) down(name string) mark {
	m := mark{len(d.path), len(d.pattern)}
	escaped := pointerEscapes.Replace(name)
	d.path = append(append(d.path, '/'), escaped...)
	d.pattern = append(append(d.pattern, '/'), escaped...)
	return m
}

// nth goes to a numbered place below.
func (d *differ) nth(i int) mark {
	m := mark{len(d.path), len(d.pattern)}
	d.path = strconv.AppendInt(append(d.path, '/'), int64(i), 10)
	d.pattern = append(d.pattern, "/*"...)
	return m
}

func (d *differ) up(m mark) { d.path, d.pattern = d.path[:m.path], d.pattern[:m.pattern] }

// RFC 6901, section 3.
var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// noisy reports whether this very place is noise. Who walks down does not go on from there.
func (d *differ) noisy() bool { return d.noise[string(d.pattern)] }

func (d *differ) differs(kind Kind, old, new string) {
	path := string(d.path)
	if d.in != Body {
		path = strings.TrimPrefix(path, "/")
	}
	d.found(string(d.pattern), Difference{In: d.in, Path: path, Kind: kind, Old: d.shown(old), New: d.shown(new)})
}

// shown cuts a value, between two characters.
func (d *differ) shown(value string) string {
	n := d.maxValue()
	if len(value) <= n {
		return value
	}
	for n > 0 && !utf8.RuneStart(value[n]) {
		n--
	}
	return value[:n] + "…"
}

func (d *differ) bodies(old, new *Answer) string {
	if old.ByHash != "" || new.ByHash != "" {
		// One that was kept and one that was not are of different sizes, or of different kinds.
		if old.Digest != new.Digest || old.Size != new.Size {
			d.differs(Hash, old.summary(), new.summary())
		}
		return cmp.Or(old.ByHash, new.ByHash)
	}
	if old.Body == new.Body {
		return ""
	}
	a, b := old.media(), new.media()
	if a == b {
		switch a {
		case mediaJSON:
			x, errX := parseJSON(old.Body)
			y, errY := parseJSON(new.Body)
			if errX == nil && errY == nil {
				d.json(x, y)
				return ""
			}
		case mediaHTML:
			d.html(tokens(old.Body), tokens(new.Body))
			return ""
		}
	}
	d.text(old.Body, new.Body)
	return ""
}

// text compares line by line, as long as there are as many.
func (d *differ) text(old, new string) {
	a, b := strings.Split(old, "\n"), strings.Split(new, "\n")
	same := len(a) == len(b)
	if !same {
		d.differs(Lines, strconv.Itoa(len(a)), strconv.Itoa(len(b)))
	}
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		m := d.down("line " + strconv.Itoa(i+1))
		noisy := d.noisy()
		if !noisy {
			d.differs(Value, a[i], b[i])
		}
		if d.up(m); !same && !noisy { // the rest may just have moved
			return
		}
	}
}
