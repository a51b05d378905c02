package compare

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/html"
)

// Redacted stands where a secret was.
const Redacted = "[redacted]"

// secretWords are what names of secrets have in them, in lower case and without what separates words.
var secretWords = []string{"password", "passwd", "passphrase", "pwd", "secret", "token", "authorization", "authorisation", "cookie", "session",
	"credential", "csrf", "xsrf", "jwt", "apikey", "accesskey", "privatekey"}

var wordSeparators = strings.NewReplacer("-", "", "_", "", ".", "", " ", "")

// IsSecret reports whether a name (of a key, a header, a cookie, a field) speaks of a secret.
func IsSecret(name string) bool {
	name = wordSeparators.Replace(strings.ToLower(name))
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}

// They begin with a text, so that Go's regexp finds it as fast as strings.Index does.
var (
	jsonToken = regexp.MustCompile(`eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*`)
	bearer    = regexp.MustCompile(`(earer\s+)[\w.~+/=-]{8,}`)
	userInfo  = regexp.MustCompile(`(://[^/\s:@"'<>]*:)[^/\s@"'<>]+@`)
)

// Redact takes out of a text what looks like a secret: JSON web tokens, bearer tokens, passwords in URLs, and what is
// assigned (with = or :) to a name that speaks of a secret.
func Redact(text string) string {
	text = jsonToken.ReplaceAllString(text, Redacted)
	text = bearer.ReplaceAllString(text, "${1}"+Redacted)
	text = userInfo.ReplaceAllString(text, "${1}"+Redacted+"@")
	var b strings.Builder
	done := 0 // what stands before is written
	for at := 0; ; {
		i := strings.IndexAny(text[at:], "=:")
		if i < 0 {
			break
		}
		at += i + 1
		if !IsSecret(nameBefore(text[done : at-1])) {
			continue
		}
		if from, to := valueBehind(text, at); from < to {
			b.WriteString(text[done:from])
			b.WriteString(Redacted)
			done, at = to, to
		}
	}
	if done == 0 {
		return text
	}
	return b.String() + text[done:]
}

// longestName is how far a name is looked for.
const longestName = 64

// nameBefore is the name at the end of a text: as it is, in quotes (also escaped ones), or in the brackets of a form's
// field.
func nameBefore(text string) string {
	text = strings.TrimSuffix(strings.TrimRight(text, " \t"), "]")
	if n := len(text); n > 0 && (text[n-1] == '"' || text[n-1] == '\'') {
		text = strings.TrimRight(text[:n-1], `\`)
	}
	text = text[max(0, len(text)-longestName):]
	return text[strings.LastIndexFunc(text, func(r rune) bool {
		return r != '-' && r != '_' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})+1:]
}

// valueBehind is where the value begins and ends that stands behind an assignment, without its quotes. What is quoted and
// has no end goes on to the end of the text.
func valueBehind(text string, at int) (from, to int) {
	skip := func(at int, chars string) int { return len(text) - len(strings.TrimLeft(text[at:], chars)) }
	from = skip(at, " \t")
	escaped := skip(from, `\`)
	if escaped == len(text) {
		return from, from
	}
	quote := text[escaped]
	switch {
	case quote != '"' && quote != '\'':
		to = wordEnd(text, from)
		switch strings.ToLower(text[from:to]) { // of a header Authorization
		case "bearer", "basic", "digest", "token":
			to = wordEnd(text, skip(to, " \t"))
		}
		return from, to
	case escaped > from: // all of this stands in quotes: a quote or a backslash ends it
		if n := strings.IndexAny(text[escaped+1:], `"'\`); n >= 0 {
			return escaped + 1, escaped + 1 + n
		}
		return escaped + 1, len(text)
	}
	for to = from + 1; to < len(text) && text[to] != quote; to++ {
		if text[to] == '\\' {
			to++
		}
	}
	return from + 1, min(to, len(text))
}

func wordEnd(text string, from int) int {
	if n := strings.IndexAny(text[from:], " \t\r\n\"'<>&;,\\"); n >= 0 {
		return from + n
	}
	return len(text)
}

// redactHeader is a copy without secrets. Of cookies the names and attributes stay.
func redactHeader(header map[string][]string) map[string][]string {
	var out map[string][]string // nil where nothing counts, as it comes back from a file
	for name, values := range header {
		if !counts(name) {
			continue
		}
		list := make([]string, len(values))
		for i, value := range values {
			switch {
			case name == "Set-Cookie":
				cookie, attributes, some := strings.Cut(value, ";")
				cookie, _, _ = strings.Cut(cookie, "=")
				list[i] = strings.TrimSpace(cookie) + "=" + Redacted
				if some {
					list[i] += ";" + attributes
				}
			case IsSecret(name) && value != "" && !strings.HasPrefix(name, "Access-Control-"):
				list[i] = Redacted
			default:
				list[i] = Redact(value)
			}
		}
		if out == nil {
			out = map[string][]string{}
		}
		out[name] = list
	}
	return out
}

// redactedBody is the body without secrets. It is still of the same media: what is kept can be compared.
func (a *Answer) redactedBody() string {
	switch a.media() {
	case mediaJSON:
		if v, err := parseJSON(a.Body); err == nil {
			return writeJSON(redactJSON(v, false))
		}
	case mediaHTML:
		return redactHTML(a.Body)
	}
	return Redact(a.Body)
}

// redactJSON takes secrets out of a value: all strings and numbers below a key that speaks of one, and what looks like
// one elsewhere.
func redactJSON(v any, secret bool) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[Redact(key)] = redactJSON(value, secret || IsSecret(key))
		}
		return out
	case []any:
		for i := range v {
			v[i] = redactJSON(v[i], secret)
		}
	case string:
		if secret && v != "" {
			return Redacted
		}
		return Redact(v)
	case json.Number:
		if secret {
			return Redacted
		}
	}
	return v
}

// redactHTML takes secrets out of texts and attributes; the value of a field whose name speaks of a secret is one.
func redactHTML(text string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(text))
	raw := false // in a script or a style, where no characters are escaped
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			b.Write(z.Raw()) // of a tag that has no end
			return b.String()
		}
		source := string(z.Raw())
		t := z.Token()
		switch kind {
		case html.StartTagToken, html.SelfClosingTagToken:
			raw = rawText[t.Data]
			if redactAttributes(t.Attr) {
				source = t.String()
			}
		case html.EndTagToken:
			raw = false
		case html.TextToken:
			if clean := Redact(t.Data); raw {
				source = Redact(source)
			} else if clean != t.Data {
				source = html.EscapeString(clean)
			}
		default:
			source = Redact(source)
		}
		b.WriteString(source)
	}
}

func redactAttributes(attributes []html.Attribute) (changed bool) {
	secret := false // the field is, or the meta element
	for _, a := range attributes {
		switch a.Key {
		case "name", "id":
			secret = secret || IsSecret(a.Val)
		case "type":
			secret = secret || strings.EqualFold(a.Val, "password")
		}
	}
	for i := range attributes {
		a := &attributes[i]
		clean := Redact(a.Val)
		if (secret && (a.Key == "value" || a.Key == "content") || strings.HasPrefix(a.Key, "data-") && IsSecret(a.Key)) && a.Val != "" {
			clean = Redacted
		}
		if clean != a.Val {
			a.Val, changed = clean, true
		}
	}
	return changed
}
