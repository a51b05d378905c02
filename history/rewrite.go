package history

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// rewrite builds a text from the lines of a file. A line that is replaced keeps its number, and what stands behind the
// replaced part of it gets another column. Where a value brings line ends, so that numbers move, every line gets an
// origin.
type rewrite struct {
	path    string
	moves   bool // whether a line may be replaced by several
	b       strings.Builder
	origins []Origin
	moved   bool
}

// line adds line n of the file as text.
func (w *rewrite) line(n int, line, text string) {
	if !w.moves {
		w.b.WriteString(text)
		return
	}
	if text != line && strings.Count(text, "\n") != strings.Count(line, "\n") {
		w.moved = true
	}
	for rest := text; rest != ""; {
		w.origins = append(w.origins, Origin{Offset: w.b.Len(), Path: w.path, Line: n})
		end := strings.IndexByte(rest, '\n') + 1
		if end == 0 {
			end = len(rest)
		}
		w.b.WriteString(rest[:end])
		rest = rest[end:]
	}
}

func (w *rewrite) done() (string, []Origin) {
	if !w.moved {
		return w.b.String(), nil
	}
	return w.b.String(), w.origins
}

// interpolate replaces the variables of a line as github.com/mfridman/interpolate does for goose: $V, ${V}, ${V:-d},
// ${V-d}, ${V?message}, ${V:offset:length}; \$ and $$ stand for $. A variable that is not set is an error, where goose
// would put nothing.
func interpolate(line string, env func(string) (string, bool)) (string, error) {
	s := &interpolation{in: line, env: env}
	return s.text(false, true)
}

type interpolation struct {
	in  string
	env func(string) (string, bool)
}

func (s *interpolation) text(inBraces, used bool) (string, error) {
	var out strings.Builder
	for s.in != "" && (!inBraces || s.in[0] != '}') {
		switch {
		case strings.HasPrefix(s.in, `\\`), strings.HasPrefix(s.in, `$(`):
			out.WriteString(s.in[:2])
			s.in = s.in[2:]
		case strings.HasPrefix(s.in, `\$`), strings.HasPrefix(s.in, `$$`):
			out.WriteByte('$')
			s.in = s.in[2:]
		case s.in[0] == '$' && len(s.in) > 1:
			v, err := s.variable(used)
			if err != nil {
				return "", err
			}
			out.WriteString(v)
		default:
			out.WriteByte(s.in[0])
			s.in = s.in[1:]
		}
	}
	return out.String(), nil
}

func (s *interpolation) name() (string, error) {
	if first, _ := utf8.DecodeRuneInString(s.in); !unicode.IsLetter(first) {
		return "", fmt.Errorf("$ without the name of a variable before %q", strings.TrimSpace(s.in))
	}
	end := strings.IndexFunc(s.in, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsNumber(c) && c != '_' })
	if end < 0 {
		end = len(s.in)
	}
	name := s.in[:end]
	s.in = s.in[end:]
	return name, nil
}

// variable reads one expansion. What stands in a default that is not used need not be set.
func (s *interpolation) variable(used bool) (string, error) {
	s.in = s.in[1:]
	braces := strings.HasPrefix(s.in, "{")
	if braces {
		s.in = s.in[1:]
	}
	name, err := s.name()
	if err != nil {
		return "", err
	}
	value, isSet := s.env(name)
	unset := fmt.Errorf("$%s is not set", name)
	if !braces || strings.HasPrefix(s.in, "}") {
		if braces {
			s.in = s.in[1:]
		}
		if !isSet && used {
			return "", unset
		}
		return value, nil
	}
	if s.in == "" || !strings.Contains(":-?", s.in[:1]) {
		return "", fmt.Errorf("${%s without }", name)
	}
	op := s.in[:1]
	if strings.HasPrefix(s.in, ":-") {
		op = ":-"
	}
	s.in = s.in[len(op):]
	instead := op == ":-" && value == "" || op == "-" && !isSet
	arg, err := s.text(true, used && (instead || op == "?" && !isSet))
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(s.in, "}") {
		return "", fmt.Errorf("${%s without }", name)
	}
	s.in = s.in[1:]
	switch {
	case instead:
		return arg, nil
	case !isSet && used && op == "?":
		return "", fmt.Errorf("$%s: %s", name, arg)
	case !isSet && used && op == ":":
		return "", unset
	case op == ":":
		return substring(value, arg)
	}
	return value, nil
}

// substring takes offset:length out of a value; a negative one counts from the end.
func substring(value, arg string) (string, error) {
	first, second, bounded := strings.Cut(arg, ":")
	from, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return "", fmt.Errorf("no offset: %q", first)
	}
	if from < 0 {
		from = max(0, from+len(value))
	}
	from = min(from, len(value))
	if !bounded {
		return value[from:], nil
	}
	to, err := strconv.Atoi(strings.TrimSpace(second))
	if err != nil {
		return "", fmt.Errorf("no length: %q", second)
	}
	if to >= 0 {
		to += from
	} else {
		to = max(from, to+len(value))
	}
	return value[from:min(to, len(value))], nil
}
