package history

import (
	"iter"
	"strings"
)

// statementBegins yields the first words of each statement, with one blank between them: enough to know its command.
// Comments are passed over, strings, quoted names and dollar quotes are not looked into. It asks less than a parser,
// because the text may not be SQL alone (psql's commands in sqitch).
func statementBegins(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		const enough = 6 // words
		var words []string
		flush := func() bool {
			begin := strings.Join(words, " ")
			words = words[:0]
			return begin == "" || yield(begin)
		}
		for i := 0; i < len(text); {
			rest := text[i:]
			switch c := text[i]; {
			case strings.HasPrefix(rest, "--"):
				i += until(rest, "\n")
			case strings.HasPrefix(rest, "/*"):
				i += blockComment(rest)
			case c == ';':
				if !flush() {
					return
				}
				i++
			case c == '\'' || c == '"':
				i += 1 + until(rest[1:], string(c))
			case c == '$':
				i += dollarQuote(rest)
			case letter(c):
				n := 1
				for n < len(rest) && (letter(rest[n]) || rest[n] >= '0' && rest[n] <= '9' || rest[n] == '$') {
					n++
				}
				if len(words) < enough {
					words = append(words, rest[:n])
				}
				i += n
			default:
				i++
			}
		}
		flush()
	}
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

// until is the length up to and with end.
func until(s, end string) int {
	if i := strings.Index(s, end); i >= 0 {
		return i + len(end)
	}
	return len(s)
}

// blockComment is the length of a comment, which may hold others.
func blockComment(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "/*"):
			depth++
			i++
		case strings.HasPrefix(s[i:], "*/"):
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// dollarQuote is the length of a string in dollar quotes, or 1 where the dollar begins none.
func dollarQuote(s string) int {
	for n := 1; n < len(s); n++ {
		if s[n] == '$' {
			return n + 1 + until(s[n+1:], s[:n+1])
		}
		if !letter(s[n]) && (n == 1 || s[n] < '0' || s[n] > '9') {
			break
		}
	}
	return 1
}
