package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// Style is the tool that runs a history: how its files are named, and how one says that it must not run in a
// transaction.
type Style string

// The styles.
const (
	Bare          Style = "bare" // psql, or whoever takes plain files
	Goose         Style = "goose"
	GolangMigrate Style = "golang-migrate"
	Dbmate        Style = "dbmate"
	Flyway        Style = "flyway"
	Sqitch        Style = "sqitch"
)

// File is a file that Fix writes.
type File struct {
	Path string `json:"path"`
	Text string `json:"text"`
	Tx   Tx     `json:"-"`

	forward string // Text without what is not the way forward
}

// Source is the file as one of a history, in the place of the source that it was made from.
func (f File) Source(of Source) Source {
	of.Path, of.Text, of.File, of.Tx = f.Path, f.forward, f.Text, f.Tx
	of.Name = strings.TrimSuffix(f.Path[strings.LastIndexByte(f.Path, '/')+1:], ".sql")
	return of
}

// Migration reports whether the file is a migration, and not a configuration that stands beside one.
func (f File) Migration() bool { return strings.HasSuffix(f.Path, ".sql") }

// Fixed is what Fix makes of a source.
type Fixed struct {
	Source int    `json:"-"`     // its place among the sources
	Files  []File `json:"files"` // the first takes the place of the source's file; none: nothing could be mended
	// Mended are the findings that Files do not have any more, Left the others.
	Mended []Finding `json:"mended"`
	Left   []Left    `json:"left"`
}

// Left is a finding that no rewriting mends, or that was left alone.
type Left struct {
	Finding
	Reason string `json:"reason"`
}

// Fix rewrites the sources that are not deployed and in which something is found, so that a tool which runs the files
// reaches the same end without keeping anyone waiting: statements become several, and files are split where
// transactions must be. What needs no change stays byte for byte.
func Fix(cfg Config, sources []Source) []Fixed { return fixSome(cfg, sources, 0, len(sources)) }

// FixOne is Fix for one source, whose place among the others is given. It has no Files where nothing was found in it.
func FixOne(cfg Config, sources []Source, i int) Fixed {
	for _, f := range fixSome(cfg, sources, i, i+1) {
		return f
	}
	return Fixed{Source: i}
}

// fixSome is Fix for the sources in [from, to).
func fixSome(cfg Config, sources []Source, from, to int) []Fixed {
	// What is found where, first: the state of the history is kept only before sources that are rewritten.
	found := make([][]Finding, len(sources))
	l := newLinter(cfg)
	i := 0
	parse(sources, func(p *parsed) {
		seen := len(l.report.Findings)
		if l.source(p); p.last {
			found[i] = l.report.Findings[seen:]
			i++
		}
	})
	var fixed []Fixed
	l = newLinter(cfg)
	i = 0
	parse(sources[:to], func(p *parsed) {
		here := slices.DeleteFunc(slices.Clone(found[i]), func(f Finding) bool { return f.gone != nil && *f.gone })
		if len(here) > 0 && i >= from && p.first {
			fixed = append(fixed, l.clone().fix(i, sources, p, here))
		}
		if l.source(p); p.last {
			i++
		}
	})
	return fixed
}

// fix is Fix for one source, with the linter as it stands before it.
func (l *linter) fix(i int, sources []Source, p *parsed, found []Finding) Fixed {
	out := Fixed{Source: i}
	leave := func(reason string) Fixed {
		out.Files = nil
		for _, f := range found {
			out.Left = append(out.Left, Left{f, reason})
		}
		return out
	}
	switch {
	case !p.last:
		return leave("the file is too long to be rewritten")
	case len(p.Origins) > 0:
		return leave("a framework writes this SQL: change the migration's source")
	case len(p.errs) > 0:
		return leave("the file cannot be read as SQL")
	case len(p.Code) > 0:
		return leave("the migration runs code")
	}
	text, err := split(p)
	if err != nil {
		return leave(err.Error())
	}
	l.later = sources[i+1:]
	e := &editor{linter: l.clone(), text: text, at: map[int][]Finding{}, reasons: map[int]string{}}
	for _, f := range found {
		e.at[f.Pos.Offset] = append(e.at[f.Pos.Offset], f)
	}
	e.rewrite(p)
	l.distribute(text, p)
	if out.Files, err = l.clone().cut(text, p, siblings(i, sources)); err != nil {
		return leave(err.Error())
	}
	out.compare(l, p, found, e.reasons)
	for k := range out.Files {
		out.Files[k].Text = lineEnds(out.Files[k].Text, p.Text)
	}
	return out
}

// lineEnds gives a text the line ends of the file that it is made from.
func lineEnds(s, of string) string {
	if n := strings.Count(of, "\r\n"); n == 0 || n != strings.Count(of, "\n") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// siblings are the paths of the other sources, in order.
func siblings(i int, sources []Source) []string {
	var out []string
	for k, s := range sources {
		if k != i {
			out = append(out, s.Path)
		}
	}
	return out
}

// compare judges the new files and says which findings they do not have any more. Files that are worse than what was
// there are thrown away.
func (out *Fixed) compare(l *linter, p *parsed, found []Finding, reasons map[int]string) {
	after := l.clone()
	for _, f := range out.Files {
		if !f.Migration() {
			continue
		}
		s := f.Source(*p.Source)
		after.source(parseOne(&s))
	}
	key := func(f Finding) string { return f.Rule + "\x00" + strings.Join(strings.Fields(f.Statement), " ") }
	still, same, had := map[string]int{}, map[string]int{}, map[string]int{}
	for _, f := range after.report.Findings {
		if f.gone == nil || !*f.gone {
			still[f.Rule]++
			same[key(f)]++
		}
	}
	for _, f := range found {
		had[f.Rule]++
	}
	worse := ""
	for rule, n := range still {
		if n > had[rule] && (rule == "syntax" || rule == "fails" || rule == "client-command" || RuleByID(rule).Severity > Notice && had[rule] == 0) {
			worse = rule
		}
	}
	leave := func(f Finding) {
		reason := reasons[f.Pos.Offset]
		switch {
		case worse != "":
			reason = "what would be written breaks " + worse
		case reason == "":
			reason = reasonFor(f.Rule)
		}
		out.Left = append(out.Left, Left{f, reason})
	}
	var rest []Finding
	for _, f := range found { // those whose statements are as they were come first
		if worse != "" || same[key(f)] > 0 {
			same[key(f)]--
			still[f.Rule]--
			leave(f)
		} else {
			rest = append(rest, f)
		}
	}
	for _, f := range rest {
		if still[f.Rule] > 0 {
			still[f.Rule]--
			leave(f)
		} else {
			out.Mended = append(out.Mended, f)
		}
	}
	slices.SortStableFunc(out.Left, func(a, b Left) int { return cmp.Compare(a.Pos.Offset, b.Pos.Offset) })
	if len(out.Mended) == 0 {
		out.Files = nil
	}
}

func reasonFor(rule string) string {
	switch rule {
	case "column-type", "volatile-default", "generated-stored", "domain-column", "bulk-write", "delete-all":
		return "the rows have to be changed in batches, which no file of SQL can say: replank apply does it"
	case "drop-column", "drop-table", "drop-view", "rename-column", "rename-table", "set-schema", "not-null", "narrowing", "rename-enum-value", "enum-value", "drop-not-null", "new-constraint", "default-changed":
		return "a question of when which code runs: replank apply keeps both shapes alive"
	case "required-column":
		return "no value is known for the rows there are: say it with -- replank: fill COLUMN = VALUE"
	}
	return "no rewriting mends it (replank rules " + rule + ")"
}

// text is a file in pieces.
type text struct {
	head   string // before the first statement's own comments
	pieces []*piece
	tail   string // behind the last statement
}

// piece is a statement with the text around it.
type piece struct {
	lead string // blanks and comments before it
	sql  string
	tail string // semicolon, comment on its line
	op   ddl.Op // the first

	steps []string // what takes the place of sql, where changed
	// changed says that steps are meant: none of them means that the statement goes.
	changed bool
	// comments stand above each of the steps.
	comments []string
}

// split cuts a source into its statements.
func split(p *parsed) (*text, error) {
	file := strings.TrimPrefix(p.File, "\ufeff")
	if file == "" {
		file = p.Text
	}
	if len(file) != len(p.Text) {
		return nil, fmt.Errorf("the file is not what runs: something in it is replaced")
	}
	t := &text{}
	from := 0
	for i := range p.file.Statements {
		st := &p.file.Statements[i]
		end := st.Pos.Offset + len(st.SQL)
		if file[st.Pos.Offset:end] != st.SQL {
			return nil, fmt.Errorf("the file is not what runs: something in it is replaced")
		}
		next := len(file)
		if i+1 < len(p.file.Statements) {
			next = p.file.Statements[i+1].Pos.Offset
		}
		tail, err := ending(file[end:next], p.Text[end:next], next == len(file))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", st.Pos.Line, err)
		}
		pc := &piece{lead: file[from:st.Pos.Offset], sql: st.SQL, tail: tail}
		if len(st.Ops) > 0 {
			pc.op = st.Ops[0]
		}
		t.pieces = append(t.pieces, pc)
		from = end + len(tail)
	}
	t.tail = file[from:]
	if len(t.pieces) == 0 {
		return nil, fmt.Errorf("there is no statement")
	}
	t.head, t.pieces[0].lead = heading(t.pieces[0].lead)
	return t, nil
}

// ending is what belongs to a statement of the text behind it: the semicolon and a comment on its line, and an
// annotation of goose that closes it. forward is the same without what is not the way forward.
func ending(gap, forward string, last bool) (string, error) {
	rest := strings.TrimLeft(gap, " \t\r\n")
	if !strings.HasPrefix(rest, ";") {
		if last && strings.TrimSpace(stripComments(forward)) == "" {
			return "", nil
		}
		return "", fmt.Errorf("a comment stands before the semicolon")
	}
	n := len(gap) - len(rest) + 1
	line, _, _ := strings.Cut(gap[n:], "\n")
	if c := strings.TrimLeft(line, " \t"); strings.HasPrefix(c, "--") {
		n += len(strings.TrimRight(line, "\r"))
	}
	after := strings.TrimLeft(gap[n:], "\r\n")
	if line, _, _ := strings.Cut(after, "\n"); isAnnotation(line) && strings.HasSuffix(strings.ToLower(strings.TrimSpace(line)), "statementend") {
		n = len(gap) - len(after) + len(line)
	}
	return gap[:n], nil
}

// stripComments takes line comments out of what stands between statements.
func stripComments(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		code, _, _ := strings.Cut(line, "--")
		b.WriteString(code)
	}
	return b.String()
}

// heading divides what stands before the first statement: the comments directly above it are its own, unless they
// speak to the tool or of the whole file.
func heading(lead string) (head, own string) {
	lines := strings.SplitAfter(lead, "\n")
	i := len(lines)
	for i > 0 && (i == len(lines) || strings.TrimSpace(lines[i-1]) != "") && !isAnnotation(lines[i-1]) {
		i--
	}
	return strings.Join(lines[:i], ""), strings.Join(lines[i:], "")
}

func isAnnotation(line string) bool {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "--") {
		return false
	}
	for _, mark := range []string{"+goose", "migrate:up", "migrate:down", "replank:allow-file", "replank: allow-file", "replank: name", "replank:name", "lint: "} {
		if strings.Contains(line, mark) {
			return true
		}
	}
	return false
}

// expanded are the pieces with steps in the place of what they replace.
func (t *text) expanded() []*piece {
	var out []*piece
	for _, pc := range t.pieces {
		if !pc.changed {
			out = append(out, pc)
			continue
		}
		for k, sql := range pc.steps {
			step := &piece{lead: "\n", sql: sql, tail: ";"}
			if k == 0 {
				step.lead, step.tail = pc.lead, pc.tail
				if step.tail == "" {
					step.tail = ";"
				}
			}
			if k < len(pc.comments) {
				step.lead += pc.comments[k]
			}
			out = append(out, step)
		}
	}
	return out
}

func join(pieces []*piece) string {
	var b strings.Builder
	for i, pc := range pieces {
		tail := pc.tail
		if tail == "" && i+1 < len(pieces) {
			tail = ";"
		}
		b.WriteString(pc.lead + pc.sql + tail)
	}
	return b.String()
}
