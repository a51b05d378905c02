package parity

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/replank/replank/internal/compare"
)

// Case is one request, or one call of a program. ${NAME} in its texts stands for a variable of the environment, so that a
// file of cases need not hold passwords.
type Case struct {
	// Name is what it is called in reports. Default: its method and path, or its command.
	Name string `json:"name,omitempty"`

	// Method is the HTTP method. Default: GET.
	Method string `json:"method,omitempty"`
	// Path begins with a slash, and may have a query; it is sent as it stands.
	Path    string            `json:"path,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`

	// Argv is a program and its arguments, instead of a path.
	Argv []string `json:"argv,omitempty"`
	// ModernArgv is what Run calls instead. Default: Argv.
	ModernArgv []string `json:"modern_argv,omitempty"`
	Stdin      string   `json:"stdin,omitempty"`

	// Writes says that the program, or the request, changes something although its method is safe. Default: false.
	Writes bool `json:"writes,omitempty"`

	// Line is where it stands in its file.
	Line int `json:"-"`
	// key names it in a recording.
	key string
}

// writes reports whether the case may change something.
func (c *Case) writes() bool { return c.Writes || c.Argv == nil && !slices.Contains(safe, c.Method) }

var safe = []string{"GET", "HEAD", "OPTIONS"}

// title is what a case is called, without its secrets.
func (c *Case) title() string {
	switch {
	case c.Name != "":
		return c.Name
	case c.Argv == nil:
		return c.Method + " " + compare.Redact(c.Path)
	}
	words := slices.Clone(c.Argv)
	for i := 1; i < len(words); i++ {
		if flag := words[i-1]; strings.HasPrefix(flag, "-") && !strings.Contains(flag, "=") && compare.IsSecret(flag) {
			words[i] = compare.Redacted
		}
	}
	return compare.Redact(strings.Join(words, " "))
}

// Left counts what of an access log is no case.
type Left struct {
	Repeated   int // the request stands in the file already
	Methods    int // neither GET nor HEAD: a log has no bodies
	Unreadable int // no request that could be sent
}

// CaseError is a line of a file that is no case.
type CaseError struct {
	File string
	Line int
	What string
}

func (e *CaseError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.What) }

// Hint says what a line may be.
func (e *CaseError) Hint() string {
	return `a line is a JSON object like {"method": "GET", "path": "/orders?page=2"} or {"argv": ["report", "--month", "5"]}, or a line of an access log`
}

const (
	longestLine  = 16 << 20
	mostMistakes = 20
)

// logged is a line of an access log, in the common or the combined format, up to the status.
var logged = regexp.MustCompile(`^\S+ .*?\[[^\]]+\] "((?:[^"\\]|\\.)*)" (?:\d{3}|-)(?: |$)`)

// ReadCases reads a file of cases: JSON objects, one a line, or an access log. Of a log every request is taken once. All
// that is wrong is told at once, as CaseErrors; file is what the file is called there.
func ReadCases(r io.Reader, file string) ([]Case, Left, error) {
	var (
		cases []Case
		left  Left
		wrong []error
		lines = bufio.NewScanner(r)
		seen  = map[string]bool{} // of logs
		times = map[string]int{}  // that a key has come
	)
	lines.Buffer(nil, longestLine)
	number := 0
	for lines.Scan() && len(wrong) < mostMistakes {
		number++
		text := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		var c Case
		switch {
		case text == "" || text[0] == '#':
			continue
		case text[0] == '{':
			var err error
			if c, err = parseCase(text); err != nil {
				wrong = append(wrong, &CaseError{File: file, Line: number, What: err.Error()})
				continue
			}
		default:
			m := logged.FindStringSubmatch(text)
			if m == nil {
				wrong = append(wrong, &CaseError{File: file, Line: number, What: "neither JSON nor a line of an access log"})
				continue
			}
			words := strings.Split(m[1], " ")
			switch {
			case len(words) != 3 || strings.Contains(m[1], `\`) || checkPath(words[1]) != nil:
				left.Unreadable++
				continue
			case words[0] != "GET" && words[0] != "HEAD":
				left.Methods++
				continue
			case seen[words[0]+words[1]]:
				left.Repeated++
				continue
			}
			seen[words[0]+words[1]] = true
			c = Case{Method: words[0], Path: words[1]}
		}
		c.Line, c.key = number, c.hash()
		if times[c.key]++; times[c.key] > 1 { // the same request again, on purpose
			c.key += fmt.Sprintf("-%d", times[c.key])
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil {
		wrong = append(wrong, &CaseError{File: file, Line: number + 1, What: err.Error()})
	}
	if wrong == nil && len(cases) == 0 {
		wrong = append(wrong, &CaseError{File: file, Line: max(1, number), What: "there is no case"})
	}
	return cases, left, errors.Join(wrong...)
}

// parseCase reads a JSON object.
func parseCase(text string) (Case, error) {
	var c Case
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return c, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return c, errors.New("more than one JSON object")
	}
	switch {
	case (c.Argv == nil) == (c.Path == ""):
		return c, errors.New("want a path or an argv, one of them")
	case c.Argv != nil && (len(c.Argv) == 0 || c.Argv[0] == "" || c.ModernArgv != nil && (len(c.ModernArgv) == 0 || c.ModernArgv[0] == "")):
		return c, errors.New("argv and modern_argv begin with a program")
	case c.Argv != nil && (c.Method != "" || c.Headers != nil || c.Body != ""):
		return c, errors.New("method, headers and body are for a path, not for an argv")
	case c.Argv == nil && (c.ModernArgv != nil || c.Stdin != ""):
		return c, errors.New("modern_argv and stdin are for an argv, not for a path")
	case c.Argv != nil:
		return c, nil
	}
	if c.Method == "" {
		c.Method = "GET"
	}
	c.Method = strings.ToUpper(c.Method)
	return c, checkPath(c.Path)
}

func checkPath(path string) error {
	before, _, _ := strings.Cut(path, "?")
	if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return fmt.Errorf("path %q: want one that begins with a slash, without spaces", path)
	}
	if _, err := url.PathUnescape(before); err != nil {
		return fmt.Errorf("path %q: %w", path, err)
	}
	return nil
}

// hash names what is asked; what only the modern side does differently, and how it is called, does not take part.
func (c *Case) hash() string {
	asked := *c
	asked.Name, asked.ModernArgv, asked.Writes = "", nil, false
	text, err := json.Marshal(asked)
	if err != nil {
		panic(fmt.Sprintf("parity: write a case: %v", err)) // texts only
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expanded is the case, as it is asked now, with the variables of the environment in their places.
func (c Case) expanded(environ map[string]string) (Case, error) {
	var missing []string
	expand := func(text string) string {
		return variable.ReplaceAllStringFunc(text, func(reference string) string {
			name := reference[2 : len(reference)-1]
			value, ok := environ[name]
			if !ok && !slices.Contains(missing, name) {
				missing = append(missing, name)
			}
			return value
		})
	}
	c.Path, c.Body, c.Stdin = expand(c.Path), expand(c.Body), expand(c.Stdin)
	headers := make(map[string]string, len(c.Headers))
	for name, value := range c.Headers {
		headers[name] = expand(value)
	}
	c.Headers = headers
	c.Argv = slices.Clone(c.Argv)
	for i, word := range c.Argv {
		c.Argv[i] = expand(word)
	}
	if missing != nil {
		return c, fmt.Errorf("not in the environment: %s", strings.Join(missing, ", "))
	}
	if c.Argv == nil {
		return c, checkPath(c.Path)
	}
	return c, nil
}
