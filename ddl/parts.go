package ddl

import (
	"iter"
	"strings"
)

// Part is some whole statements of a text.
type Part struct {
	Text string
	At   Pos // where it begins; the zero value is the beginning of the text
}

var beginning = Pos{Line: 1, Column: 1}

// Parts cuts a text into parts of whole statements, each as short as it can be with size bytes or more. Nothing is
// parsed and nothing is kept, so that a text of any length can be read part by part. The statements are those that
// psql would send; the data behind COPY FROM STDIN is in no part.
func Parts(text string, size int) iter.Seq[Part] {
	return func(yield func(Part) bool) {
		at := beginning
		c := &cutter{text: text}
		for c.i < len(text) {
			from := c.i
			copies := false
			for c.i < len(text) && (c.i-from < size || c.i == from) && !copies {
				copies = c.statement()
			}
			if strings.Trim(text[c.i:], spaces) == "" {
				c.i = len(text)
			}
			if !yield(Part{text[from:c.i], at}) {
				return
			}
			at = behind(at, text[from:c.i])
			if copies {
				from = c.i
				c.data()
				at = behind(at, text[from:c.i])
			}
		}
	}
}

// cutter finds the ends of statements. It knows what PostgreSQL's scanner knows of quotes and comments, and no more.
type cutter struct {
	text string
	i    int
}

// statement goes behind the next statement, its semicolon and the comment on its line. It reports whether a client
// would send data behind it.
func (c *cutter) statement() (copies bool) {
	depth, begin, words := 0, 0, 0
	var first string
	routine, from, stdin := false, false, false
	for c.i < len(c.text) {
		switch b := c.text[c.i]; {
		case b == ';' && depth <= 0 && begin == 0:
			c.i++
			c.restOfLine()
			return first == "copy" && stdin
		case b == '(':
			depth++
			c.i++
		case b == ')':
			depth--
			c.i++
		case isWordStart(b):
			word := c.word()
			if words++; words == 1 {
				first = word
			}
			switch {
			case depth > 0:
			case word == "function" || word == "procedure":
				routine = routine || first == "create"
			case word == "begin" || word == "case":
				if routine && (begin > 0 || c.comes("atomic")) {
					begin++
				}
			case word == "end" && begin > 0:
				begin--
			case word == "from":
				from = true
				continue
			case word == "stdin" && from:
				stdin = true
			}
			from = false
		default:
			c.token(b)
		}
	}
	return false
}

// token goes behind a token that is neither a word, a bracket nor a semicolon.
func (c *cutter) token(b byte) {
	rest := c.text[c.i:]
	switch {
	case strings.HasPrefix(rest, "--"):
		c.i = c.behind(c.i, "\n")
	case strings.HasPrefix(rest, "/*"):
		c.comment()
	case b == '\'', b == '"':
		c.quoted(b)
	case b == '$':
		c.dollar()
	case isDigit(b):
		for c.i < len(c.text) && isWordPart(c.text[c.i]) {
			c.i++
		}
	default:
		c.i++
	}
}

// behind is the place after the next end, or the end of the text.
func (c *cutter) behind(from int, end string) int {
	if n := strings.Index(c.text[from:], end); n >= 0 {
		return from + n + len(end)
	}
	return len(c.text)
}

// comment goes behind a comment, and those inside it.
func (c *cutter) comment() {
	if n := lexComment(c.text[c.i:]); n > 0 {
		c.i += n
		return
	}
	c.i = len(c.text)
}

// quoted goes behind a literal or a name in quotes. A quote written twice ends it and begins another: it is the same.
func (c *cutter) quoted(quote byte) { c.i = c.behind(c.i+1, string(quote)) }

// escaped goes behind E'…', where a backslash takes the quote behind it along; also behind what continues it on
// another line (the server lets a comment stand between, its parser outside of the server does not).
func (c *cutter) escaped() {
	for {
		for c.i++; c.i < len(c.text) && c.text[c.i] != '\''; c.i++ {
			if c.text[c.i] == '\\' {
				c.i++
			}
		}
		c.i = min(c.i+1, len(c.text))
		if c.i < len(c.text) && c.text[c.i] == '\'' {
			continue
		}
		rest := strings.TrimLeft(c.text[c.i:], spaces)
		next := len(c.text) - len(rest)
		if !strings.HasPrefix(rest, "'") || !strings.ContainsAny(c.text[c.i:next], "\n\r") {
			return
		}
		c.i = next
	}
}

// dollar goes behind $tag$ … $tag$, or a parameter, or the sign alone.
func (c *cutter) dollar() {
	end := c.i + 1
	for end < len(c.text) && isWordPart(c.text[end]) && c.text[end] != '$' {
		end++
	}
	if end < len(c.text) && c.text[end] == '$' && (end == c.i+1 || isWordStart(c.text[c.i+1])) {
		c.i = c.behind(end+1, c.text[c.i:end+1])
		return
	}
	c.i++
}

// word goes behind a word, with the literal that it begins if there is one, and gives it in lower case.
func (c *cutter) word() string {
	from := c.i
	for c.i < len(c.text) && isWordPart(c.text[c.i]) {
		c.i++
	}
	if c.i-from == 1 && c.i < len(c.text) && c.text[c.i] == '\'' && (c.text[from] == 'e' || c.text[from] == 'E') {
		c.escaped()
		return ""
	}
	if c.i-from > len("procedure") {
		return "" // none that matters
	}
	return lowerASCII(c.text[from:c.i])
}

// comes reports whether a word is the next token.
func (c *cutter) comes(word string) bool {
	look := *c
	look.blanks()
	return look.i < len(look.text) && isWordStart(look.text[look.i]) && look.word() == word
}

// blanks goes behind white space and comments.
func (c *cutter) blanks() {
	for c.i < len(c.text) {
		switch rest := c.text[c.i:]; {
		case isSpace(rest[0]):
			c.i++
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "/*"):
			c.token(rest[0])
		default:
			return
		}
	}
}

// restOfLine goes behind a comment that stands on the line: it belongs to the statement.
func (c *cutter) restOfLine() {
	rest := strings.TrimLeft(c.text[c.i:], " \t")
	if strings.HasPrefix(rest, "--") {
		c.i = c.behind(len(c.text)-len(rest), "\n")
	}
}

// data goes behind the rows that psql would send, and the line \. that ends them.
func (c *cutter) data() {
	for c.i < len(c.text) {
		end := c.behind(c.i, "\n")
		line := strings.TrimRight(c.text[c.i:end], "\r\n")
		c.i = end
		if line == `\.` {
			return
		}
	}
}

const spaces = " \t\r\n\f\v"
