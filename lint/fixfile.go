package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// files writes segments as the tool wants them.
func files(t *text, segments []*segment, src *Source, siblings []string) ([]File, error) {
	if len(segments) > 1 && src.Style == Sqitch {
		return nil, fmt.Errorf("several changes would have to stand in sqitch.plan")
	}
	paths := []string{src.Path}
	for range segments[1:] {
		next, err := nextPath(src.Style, paths, siblings)
		if err != nil {
			return nil, err
		}
		paths = append(paths, next)
	}
	var out []File
	for i, seg := range segments {
		f := File{Path: paths[i], Tx: src.Tx}
		head, foot, tail := t.head, "", t.tail
		if i > 0 {
			head, foot = frame(src.Style)
			tail = "\n"
			seg.pieces[0].lead = strings.TrimLeft(seg.pieces[0].lead, "\r\n")
		} else if strings.HasSuffix(head, "\n") || head == "" {
			seg.pieces[0].lead = strings.TrimLeft(seg.pieces[0].lead, "\r\n")
		}
		body := join(seg.pieces)
		if last := seg.pieces[len(seg.pieces)-1]; last.tail == "" && foot != "" {
			body += ";"
		}
		var beside *File
		if seg.alone {
			head, f.Tx, beside = outside(src, f.Path, head)
		}
		f.forward = head + body
		f.Text = head + body + tail + foot
		if i > 0 {
			f.forward = f.Text
		}
		out = append(out, f)
		if beside != nil {
			out = append(out, *beside)
		}
	}
	return out, nil
}

// frame is what a tool wants around a way forward.
func frame(s Style) (head, foot string) {
	switch s {
	case Goose:
		return "-- +goose Up\n", ""
	case Dbmate:
		return "-- migrate:up\n", "\n-- migrate:down\n"
	}
	return "", ""
}

var dbmateUp = regexp.MustCompile(`(?m)^--\s*migrate:up`)

// outside marks a file as one that must not run in a transaction.
func outside(src *Source, path, head string) (string, Tx, *File) {
	switch src.Style {
	case Goose:
		if !strings.Contains(strings.ToUpper(head), "NO TRANSACTION") {
			head = strings.Replace(head, "-- +goose Up", "-- +goose NO TRANSACTION\n-- +goose Up", 1)
		}
		return head, Each, nil
	case Dbmate:
		if !strings.Contains(head, "transaction:false") {
			head = dbmateUp.ReplaceAllString(head, "$0 transaction:false")
		}
		return head, Message, nil
	case Flyway:
		return head, Each, &File{Path: path + ".conf", Text: "executeInTransaction=false\n"}
	}
	if src.Tx == Message {
		return head, Message, nil
	}
	return head, Each, nil
}

var (
	numbered = regexp.MustCompile(`^(\d+)(.*)$`)
	flywayV  = regexp.MustCompile(`^([A-Za-z]+)([0-9._]+?)(__.*)$`)
	partOf   = regexp.MustCompile(`_(\d+)((?:\.up)?\.sql)$`)
)

// nextPath names the file that comes behind the last of paths and before every other.
func nextPath(s Style, paths, siblings []string) (string, error) {
	last := paths[len(paths)-1]
	dir, base := "", last
	if i := strings.LastIndexAny(last, `/\`); i >= 0 {
		dir, base = last[:i+1], last[i+1:]
	}
	var others []string
	for _, o := range siblings {
		if strings.HasPrefix(o, dir) && !strings.ContainsAny(o[len(dir):], `/\`) {
			others = append(others, o[len(dir):])
		}
	}
	n := len(paths) + 1
	part := func(name string) string { // x.sql → x_2.sql, x_2.sql → x_3.sql
		if n > 2 {
			return partOf.ReplaceAllString(name, fmt.Sprintf("_%d$2", n))
		}
		for _, ext := range []string{".up.sql", ".sql"} {
			if stem, ok := strings.CutSuffix(name, ext); ok {
				return fmt.Sprintf("%s_%d%s", stem, n, ext)
			}
		}
		return fmt.Sprintf("%s_%d", name, n)
	}
	switch s {
	case Goose, GolangMigrate, Dbmate:
		m := numbered.FindStringSubmatch(base)
		if m == nil {
			return "", fmt.Errorf("%s has no number that another could follow", base)
		}
		number, err := following(m[1])
		if err != nil {
			return "", err
		}
		for _, o := range others {
			if k := numbered.FindStringSubmatch(o); k != nil && strings.TrimLeft(k[1], "0") == strings.TrimLeft(number, "0") {
				return "", fmt.Errorf("the file has to be divided, and the number after %s is taken by %s: give this one a later number", m[1], o)
			}
		}
		return dir + part(number+m[2]), nil
	case Flyway:
		m := flywayV.FindStringSubmatch(base)
		if m == nil {
			return "", fmt.Errorf("%s has no version that another could follow", base)
		}
		return flywayNext(dir, m, n, others, part)
	}
	next := part(base)
	if slices.ContainsFunc(others, func(o string) bool { return o == next || o > base && o < next }) {
		return "", fmt.Errorf("the file has to be divided, and another one stands between %s and %s", base, next)
	}
	return dir + next, nil
}

// following is the next number, with as many digits. One that is a time goes on as a number: nobody reads the clock in it.
func following(number string) (string, error) {
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil {
		return "", fmt.Errorf("%s is no number that another could follow", number)
	}
	return fmt.Sprintf("%0*d", len(number), n+1), nil
}

// flywayNext is a version below the one that the file has: 42 → 42.1, 42.2, or 42.0.1 where there is a 42.1.
func flywayNext(dir string, m []string, n int, others []string, part func(string) string) (string, error) {
	version := m[2]
	if n > 2 { // of the part before: go on behind its last number
		i := strings.LastIndexAny(version, "._")
		k, err := strconv.Atoi(version[i+1:])
		if err != nil {
			return "", fmt.Errorf("%s is no version that another could follow", version)
		}
		return dir + part(m[1]+version[:i+1]+strconv.Itoa(k+1)+m[3]), nil
	}
	below := version + "."
	for slices.ContainsFunc(others, func(o string) bool {
		k := flywayV.FindStringSubmatch(o)
		return k != nil && strings.HasPrefix(strings.ReplaceAll(k[2], "_", ".")+".", strings.ReplaceAll(below, "_", ".")) && strings.Trim(k[2][min(len(k[2]), len(below)):], "0.") != "" || k != nil && strings.HasPrefix(strings.ReplaceAll(k[2], "_", "."), strings.ReplaceAll(below, "_", "."))
	}) {
		below += "0."
	}
	return dir + part(m[1]+below+"1"+m[3]), nil
}
