package pg

import "strings"

// Redact replaces every string constant in sql by '…' and every number by 0
// for logs, events and the queries of other people that we show. It is a
// lexer, not a parser: it never fails, whatever it is given, and an unclosed
// constant swallows the rest. Identifiers, comments' places and operators stay.
func Redact(sql string) string {
	var b strings.Builder
	for i := 0; i < len(sql); {
		n, kind := token(sql[i:])
		switch kind {
		case tokString:
			b.WriteString("'…'")
		case tokNumber:
			b.WriteByte('0')
		case tokComment:
			b.WriteByte(' ')
		default:
			b.WriteString(sql[i : i+n])
		}
		i += n
	}
	return b.String()
}

type tokenKind int

const (
	tokOther tokenKind = iota
	tokString
	tokNumber
	tokComment
)

// token measures the first token of s, which is not empty.
func token(s string) (int, tokenKind) {
	c := s[0]
	switch {
	case c == '\'':
		return quoted(s, 1, '\'', false), tokString
	case c == '"':
		return quoted(s, 1, '"', false), tokOther
	case strings.HasPrefix(s, "--"):
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			return i, tokComment
		}
		return len(s), tokComment
	case strings.HasPrefix(s, "/*"):
		return blockComment(s), tokComment
	case c == '$':
		return dollar(s)
	case isDigit(c) || c == '.' && len(s) > 1 && isDigit(s[1]):
		return number(s), tokNumber
	case isIdentStart(c):
		return word(s)
	}
	return 1, tokOther
}

// word measures an identifier, or a constant with a prefix: E”, B”, X”, N”, U&”.
func word(s string) (int, tokenKind) {
	n := 1
	for n < len(s) && (isIdentStart(s[n]) || isDigit(s[n]) || s[n] == '$') {
		n++
	}
	rest := s[n:]
	if n == 1 && strings.HasPrefix(rest, "'") && strings.ContainsRune("eEbBxXnN", rune(s[0])) {
		return quoted(s, 2, '\'', s[0] == 'e' || s[0] == 'E'), tokString
	}
	if n == 1 && (s[0] == 'u' || s[0] == 'U') && strings.HasPrefix(rest, "&'") {
		return quoted(s, 3, '\'', false), tokString
	}
	return n, tokOther
}

// quoted measures up to the closing quote; a doubled one does not close.
func quoted(s string, from int, q byte, backslash bool) int {
	for i := from; i < len(s); i++ {
		switch {
		case backslash && s[i] == '\\':
			i++
		case s[i] == q && i+1 < len(s) && s[i+1] == q:
			i++
		case s[i] == q:
			return i + 1
		}
	}
	return len(s)
}

func blockComment(s string) int {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch s[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// dollar measures $tag$...$tag$; $1 is a parameter.
func dollar(s string) (int, tokenKind) {
	n := 1
	for n < len(s) && (isIdentStart(s[n]) || n > 1 && isDigit(s[n])) {
		n++
	}
	if n == len(s) || s[n] != '$' {
		for n < len(s) && isDigit(s[n]) {
			n++
		}
		return n, tokOther
	}
	tag := s[:n+1]
	if i := strings.Index(s[n+1:], tag); i >= 0 {
		return n + 1 + i + len(tag), tokString
	}
	return len(s), tokString
}

func number(s string) int {
	n := 0
	for n < len(s) && (isDigit(s[n]) || isIdentStart(s[n]) || s[n] == '.' ||
		(s[n] == '+' || s[n] == '-') && (s[n-1] == 'e' || s[n-1] == 'E') && s[0] != '0') {
		n++
	}
	return n
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isIdentStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
