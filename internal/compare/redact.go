package compare

import (
	"encoding/json"
	"regexp"
	"strings"

	"golang.org/x/net/html"
)

// Redacted stands where a secret was.
const Redacted = "[redacted]"

const secretWords = `pass(?:word|wd|phrase)|pwd|secret|token|authori[sz]ation|cookie|session|(?:api|access|private)[-_. ]?key|credential|[cx]srf|jwt`

var (
	secretName = regexp.MustCompile(`(?i)` + secretWords)
	jsonToken  = regexp.MustCompile(`\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*`)
	bearer     = regexp.MustCompile(`(?i)\b(bearer\s+)[\w.~+/=-]{8,}`)
	userInfo   = regexp.MustCompile(`(://[^/\s:@"'<>]*:)[^/\s@"'<>]+@`)
	// A name, = or :, and a value: in quotes, in quotes that are escaped because it all stands in quotes, or a word.
	assigned = regexp.MustCompile(`(?i)([\w.-]*(?:` + secretWords + `)[\w.-]*(?:\\*["'])?\]?\s*[:=]\s*)(\\+["'][^"'\\]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(?:(?:bearer|basic|digest|token)\s+)?[^\s"'<>&;,\\]+)`)
)

// Redact takes out of a text what looks like a secret: JSON web tokens, bearer tokens, passwords in URLs, and what is
// assigned to a name that speaks of a secret.
func Redact(text string) string {
	text = jsonToken.ReplaceAllString(text, Redacted)
	text = bearer.ReplaceAllString(text, "${1}"+Redacted)
	text = userInfo.ReplaceAllString(text, "${1}"+Redacted+"@")
	at := assigned.FindAllStringSubmatchIndex(text, -1)
	if at == nil {
		return text
	}
	var b strings.Builder
	end := 0
	for _, m := range at {
		value := text[m[4]:m[5]]
		open := value[:len(value)-len(strings.TrimLeft(value, `\`))]
		if rest := value[len(open):]; rest != "" && (rest[0] == '"' || rest[0] == '\'') {
			open += rest[:1]
		}
		closing := ""
		if open == `"` || open == `'` {
			closing = open
		}
		b.WriteString(text[end:m[4]])
		if value == open+closing {
			b.WriteString(value) // nothing is no secret
		} else {
			b.WriteString(open + Redacted + closing)
		}
		end = m[5]
	}
	b.WriteString(text[end:])
	return b.String()
}

// IsSecret reports whether a name (of a key, a header, a cookie, a field) speaks of a secret.
func IsSecret(name string) bool { return secretName.MatchString(name) }

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
