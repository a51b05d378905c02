package pg

import (
	"regexp"
	"strings"
)

// Secret is the place of a password in a text: the bytes [Start, End).
type Secret struct{ Start, End int }

// Words that a secret follows: PASSWORD '…', OPTIONS (sslpassword '…'), SET api_token = '…'.
const secretWords = `(?:password|passwd|pwd|passphrase|secret|token|(?:api|access|secret|private)_?key)`

var (
	secretWord = regexp.MustCompile(`(?i)` + secretWords + `$|^connection$|conninfo$`)
	// A secret inside of a constant: a connection string, a URL (maybe cut off), JSON, SQL that is put together.
	holdsSecret = regexp.MustCompile(`(?i)` + secretWords + `["']*\s*(?:[=:]|=>|'|\$)|://[^/@:\s]*:(?:[^@\s]+@|[^@\s/']*$)`)
)

// Secrets finds the constants of sql that are passwords or hold one, in order: what people may not see who may
// see the rest. It goes by tokens as [Redact] does, and never fails either. A password that stands in a column of
// an INSERT is not known for one; where data may not be seen at all, Redact is right.
func Secrets(sql string) []Secret {
	var (
		found  []Secret
		expect bool   // the next constant is a secret
		told   bool   // it was there; another one may continue it
		first  string // the first words of the statement
		words  int
	)
	for i := 0; i < len(sql); {
		n, kind := token(sql[i:])
		text := sql[i : i+n]
		switch {
		case strings.TrimSpace(text) == "":
		case kind == tokComment:
			// An apostrophe may stand anywhere in a comment, so tokens tell nothing.
			if holdsSecret.MatchString(text) {
				found = append(found, Secret{i, i + n})
			}
		case kind == tokString:
			if expect || holdsSecret.MatchString(strings.TrimSuffix(text, "'")) && !isCode(text) {
				found = append(found, Secret{i, i + n})
				told = true
			} else if text[0] == '$' {
				head := strings.IndexByte(text[1:], '$') + 2
				for _, s := range Secrets(strings.TrimSuffix(text[head:], text[:head])) {
					found = append(found, Secret{i + head + s.Start, i + head + s.End})
				}
			}
		case expect && !told && rolePassword(first) && (kind == tokNumber || isIdentStart(text[0])) && !strings.EqualFold(text, "null"):
			// A password that somebody forgot to quote: a syntax error, which is shown.
			if n = strings.IndexAny(sql[i:], " \t\r\n;"); n < 0 {
				n = len(sql) - i
			}
			found = append(found, Secret{i, i + n})
			expect = false
		case isIdentStart(text[0]) || text[0] == '"':
			if words++; words <= 2 {
				first += strings.ToLower(text) + " "
			}
			// A function of the secret, or a type before it: crypt('…', …), text '…'.
			through := expect && !strings.EqualFold(text, "is") && strings.IndexAny(strings.TrimLeft(sql[i+n:], " \t\r\n"), "('$") == 0
			expect, told = through || secretWord.MatchString(strings.Trim(text, `"`)), through && told
		case text == ";":
			expect, first, words = false, "", 0
		case strings.ContainsAny(text, "=<>~!@#%^&|*/+-:?("):
		default:
			expect = false
		}
		i += n
	}
	return found
}

// HideSecrets replaces what Secrets finds by '…'.
func HideSecrets(sql string) string {
	var b strings.Builder
	at := 0
	for _, s := range Secrets(sql) {
		b.WriteString(sql[at:s.Start] + "'…'")
		at = s.End
	}
	return b.String() + sql[at:]
}

// isCode tells the body of a function, whose constants are looked at one by one, from a long constant.
func isCode(text string) bool { return text[0] == '$' && strings.ContainsAny(text, ";\n") }

func rolePassword(first string) bool {
	switch first {
	case "create role ", "create user ", "create group ", "alter role ", "alter user ", "alter group ":
		return true
	}
	return false
}
