package history

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// goose reads the files of a folder as goose 3 does (migration.go, internal/sqlparser): what it finds wrong is found
// wrong here, since a migration that goose cannot run tells nothing.
func (r *reader) goose(files []*file) error {
	r.h.ordered = true
	number := make(map[string]int64)
	var own []*file
	for _, f := range files {
		if strings.HasSuffix(f.name(), "_test.go") {
			continue
		}
		if n := gooseNumber(f.name()); n > 0 {
			number[f.path] = n
			own = append(own, f)
		} else if f.isSQL() {
			r.notice(f.path, "goose passes over it: its name does not begin with a number and _")
		}
	}
	slices.SortStableFunc(own, func(a, b *file) int { return cmp.Compare(number[a.path], number[b.path]) })
	for i, f := range own {
		n := number[f.path]
		if i > 0 && number[own[i-1].path] == n {
			return f.fail("give one of them another number", "version %d is taken by %s", n, own[i-1].path)
		}
		m, err := f.migration()
		if err != nil {
			return err
		}
		m.Version, m.Tx = strconv.FormatInt(n, 10), Whole
		if !f.isSQL() {
			m.Name = strings.TrimSuffix(f.name(), ".go")
			m.Code = []Code{{Name: f.name(), Path: f.path, Line: 1}}
			m.Text = ""
		} else if err := r.gooseText(f, &m); err != nil {
			return err
		}
		r.h.Migrations = append(r.h.Migrations, m)
	}
	table, _ := r.env("GOOSE_TABLE")
	r.h.Books = &gooseBooks{table: cmp.Or(r.Table, table, "goose_db_version")}
	return nil
}

// gooseNumber is the version in a file's name, 0 where there is none.
func gooseNumber(name string) int64 {
	if e := filepath.Ext(name); e != ext && e != ".go" {
		return 0
	}
	digits, _, ok := strings.Cut(name, "_")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 1 {
		return 0
	}
	return n
}

var envsub = regexp.MustCompile(`(?i)\+goose.*ENVSUB`)

// gooseText takes the way forward and the way back out of a file.
func (r *reader) gooseText(f *file, m *Migration) error {
	const (
		nowhere = iota
		up
		down
	)
	const hint = "see https://github.com/pressly/goose#sql-migrations"
	var (
		part          = nowhere
		inStatement   bool // between StatementBegin and StatementEnd
		unfinished    int  // line of a statement without its semicolon
		sub           bool
		n             int
		forward, back = rewrite{path: f.path, moves: envsub.MatchString(m.Text)}, strings.Builder{}
	)
	for line := range strings.Lines(m.Text) {
		n++
		if !gooseAnnotated(line) {
			blankLine := strings.TrimSpace(line) == ""
			comment := strings.HasPrefix(strings.TrimSpace(line), "--")
			if unfinished == 0 && !blankLine && !comment {
				unfinished = n
			}
			if part == nowhere && unfinished > 0 {
				return f.at(n, hint, "SQL before `-- +goose Up`")
			}
			text := line
			if sub && unfinished > 0 {
				var err error
				if text, err = interpolate(line, r.env); err != nil {
					return f.at(n, "set the variable where replank runs, or in .env", "ENVSUB: %w", err)
				}
			}
			if unfinished > 0 && !inStatement && gooseEnds(text) {
				unfinished = 0
			}
			if part == down {
				back.WriteString(text)
				text = blanked(line)
			}
			forward.line(n, line, text)
			continue
		}
		word, err := gooseAnnotation(line)
		if err != nil {
			return f.at(n, hint, "%w", err)
		}
		switch word {
		case "UP":
			if part != nowhere {
				return f.at(n, hint, "a second `-- +goose Up`")
			}
			part = up
		case "DOWN":
			if part != up || inStatement {
				return f.at(n, hint, "`-- +goose Down` stands before `-- +goose Up`, inside of a statement, or twice")
			}
			if unfinished > 0 {
				return f.at(unfinished, "end it with a semicolon at the end of a line", "a statement without its semicolon")
			}
			part = down
		case "STATEMENTBEGIN":
			if part == nowhere || inStatement {
				return f.at(n, hint, "`-- +goose StatementBegin` out of place")
			}
			inStatement = true
		case "STATEMENTEND":
			if !inStatement {
				return f.at(n, hint, "`-- +goose StatementEnd` without StatementBegin")
			}
			inStatement, unfinished = false, 0
		case "NO TRANSACTION":
			m.Tx = Each
		case "ENVSUB ON", "ENVSUB OFF":
			sub = word == "ENVSUB ON"
		}
		if part == down {
			forward.line(n, line, blanked(line))
		} else {
			forward.line(n, line, line)
		}
	}
	switch {
	case part == nowhere:
		return f.fail(hint, "no `-- +goose Up` in it")
	case inStatement:
		return f.fail(hint, "`-- +goose StatementBegin` without StatementEnd")
	case part == up && unfinished > 0:
		return f.at(unfinished, "end it with a semicolon at the end of a line", "a statement without its semicolon")
	}
	m.Text, m.Origins = forward.done()
	if says(back.String()) {
		m.Down = back.String()
	}
	return nil
}

func gooseAnnotated(line string) bool {
	return strings.Contains(line, "+goose") && strings.HasPrefix(strings.TrimSpace(line), "--")
}

// gooseAnnotation gives the annotation of a line, in capitals.
func gooseAnnotation(line string) (string, error) {
	if line[0] == ' ' || line[0] == '\t' {
		return "", fmt.Errorf("a blank before an annotation of goose")
	}
	word := strings.Replace(strings.ReplaceAll(line, "--", ""), "+goose", "", 1)
	word = strings.ToUpper(strings.TrimSpace(word))
	switch word {
	case "UP", "DOWN", "STATEMENTBEGIN", "STATEMENTEND", "NO TRANSACTION", "ENVSUB ON", "ENVSUB OFF":
		return word, nil
	}
	return "", fmt.Errorf("goose knows no annotation %q", strings.TrimSpace(line))
}

// gooseEnds reports whether goose ends a statement with the line: the last word before a comment ends in a semicolon.
func gooseEnds(line string) bool {
	last := ""
	for word := range strings.FieldsSeq(line) {
		if strings.HasPrefix(word, "--") {
			break
		}
		last = word
	}
	return strings.HasSuffix(last, ";")
}

func blanked(line string) string {
	b := []byte(line)
	blank(b)
	return string(b)
}

// gooseBooks is a table with a row for each applied migration, and one for version 0. A row that says is_applied =
// false is how goose 1 took a migration back.
type gooseBooks struct{ table string }

func (b *gooseBooks) Table() string      { return b.table }
func (b *gooseBooks) Present() Statement { return present(splitTable(b.table)) }

func (b *gooseBooks) Create() []Statement {
	return []Statement{
		{SQL: "CREATE TABLE " + b.table + ` (
	id integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
	version_id bigint NOT NULL,
	is_applied boolean NOT NULL,
	tstamp timestamp NOT NULL DEFAULT now()
)`},
		{SQL: "INSERT INTO " + b.table + " (version_id, is_applied) VALUES (0, true)"},
	}
}

func (b *gooseBooks) Applied() Statement {
	return Statement{SQL: "SELECT version_id::text FROM (SELECT DISTINCT ON (version_id) id, version_id, is_applied FROM " + b.table +
		" ORDER BY version_id, id DESC) AS newest WHERE is_applied AND version_id > 0 ORDER BY id"}
}

func (b *gooseBooks) Read(answer []string) (map[string]bool, error) { return set(answer), nil }

func (b *gooseBooks) Record(m Migration) []Statement {
	return []Statement{{SQL: "INSERT INTO " + b.table + " (version_id, is_applied) VALUES ($1::text::bigint, true)", Args: []any{m.Version}}}
}

func (b *gooseBooks) Erase(m Migration) []Statement {
	return []Statement{{SQL: "DELETE FROM " + b.table + " WHERE version_id = $1::text::bigint", Args: []any{m.Version}}}
}
