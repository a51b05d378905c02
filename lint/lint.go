// Package lint says what is dangerous in migrations, before anyone runs them.
//
// It moves a [ddl.Schema] through a history, statement by statement, asks [ddl.Effects] what a server would do
// with each, and lets the rules judge that. Nothing is guessed from the words of a statement: a lock, a rewrite
// or a scan is reported where PostgreSQL takes or does it, which ddl's tests measure on servers of every version.
// The package is pure: it reads no file, no server and no clock.
package lint

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/replank/replank/ddl"
)

// Tx is how the tool that runs a migration sends it.
type Tx byte

// The ways to send a migration.
const (
	Each    Tx = iota // each statement for itself, as psql does; BEGIN and COMMIT of the text count
	Whole             // in one transaction around the text
	Message           // in one message, of which PostgreSQL makes a transaction when it has two statements
)

// Source is a migration to be judged, or one that only leads there.
type Source struct {
	Name string
	Path string
	Text string
	Tx   Tx
	// Deployed says that the migration is in production: it is not judged, and what it made may hold rows.
	Deployed bool
	// Theirs says that the migration is not judged although it is as new as the others: nobody here can change it.
	Theirs bool
	// Timeouts says that whoever runs the migration bounds its waiting for locks: replank does.
	Timeouts bool
	// Code are offsets in Text at which code of a framework runs that nobody can read.
	Code []int
	// Origins say where parts of Text were written; none: Text is the file at Path.
	Origins []Origin
	// Problems are what is wrong with the migration before a statement is looked at.
	Problems []Problem
	// File is what stands in the file at Path where Text has blanks for some of it; "" = Text. Only Fix looks at it.
	File string
	// Style is the tool that runs the file. Only Fix looks at it. Default: bare.
	Style Style
}

func (s *Source) judged() bool { return !s.Deployed && !s.Theirs }

// Origin says where a part of a text, from Offset to the next Origin, was written.
type Origin struct {
	Offset int
	Path   string
	Line   int
}

// Problem is a finding of whoever read the history.
type Problem struct {
	Rule, Message string
	Severity      Severity // default: that of the rule
	Statement     string   // of the workload, where it is about one
	Pos           ddl.Pos
}

// Config is what sources are judged by.
type Config struct {
	// Schema is the database before the first source. Sizes are believed where they are known.
	Schema *ddl.Schema
	// Complete says that Schema and the sources are all there is: what neither has does not exist. Default: false,
	// and a statement may speak of tables that nobody has seen.
	Complete bool
	// Off are the rules that are not asked.
	Off []string
	// SmallRows and SmallBytes are what a table may have for a scan or rewrite of it to be over before anyone
	// notices. Defaults 10,000 rows, 16 MB.
	SmallRows, SmallBytes int64
	// Today is the day on which the dates of `-- replank:allow … until=` are judged, as 2006-01-02.
	Today string
	// History is the name of the history that the sources are of, and Owners are the tables that one of several
	// histories owns alone, by their qualified names. Default: nobody owns any.
	History string
	Owners  map[ddl.Name]Owner
}

// Report is what was found.
type Report struct {
	Findings   []Finding
	Files      int // that were judged
	Statements int // in them
	// Unjudged is true when a source could not be judged wholly: a syntax error, a client's command.
	Unjudged bool
	// After is the schema behind the last source.
	After *ddl.Schema
}

// Worst is the severest severity of the findings; 0 when there is none.
func (r *Report) Worst() Severity {
	worst := Severity(0)
	for _, f := range r.Findings {
		worst = max(worst, f.Severity)
	}
	return worst
}

// Run judges sources in order.
func Run(cfg Config, sources []Source) *Report {
	l := newLinter(cfg)
	l.missed(sources)
	parse(sources, l.source)
	l.report.Findings = slices.DeleteFunc(l.report.Findings, func(f Finding) bool { return f.gone != nil && *f.gone })
	l.report.After = l.schema
	return l.report
}

func newLinter(cfg Config) *linter {
	cfg.SmallRows = cmp.Or(cfg.SmallRows, 10_000)
	cfg.SmallBytes = cmp.Or(cfg.SmallBytes, 16<<20)
	l := &linter{Config: cfg, schema: cfg.Schema.Clone(), tables: map[ddl.Name]table{}, types: map[ddl.Name]bool{}, schemas: map[string]bool{},
		temporary: map[string]*bool{}, added: map[ddl.Name]map[string]bool{}, given: map[string]bool{}, report: &Report{}}
	l.off = map[string]bool{}
	for _, id := range cfg.Off {
		l.off[id] = true
	}
	return l
}

// clone is a linter that goes on from here by itself.
func (l *linter) clone() *linter {
	c := *l
	c.schema, c.report = l.schema.Clone(), &Report{}
	c.types, c.schemas, c.temporary, c.given = maps.Clone(l.types), maps.Clone(l.schemas), map[string]*bool{}, maps.Clone(l.given)
	c.tables, c.added = maps.Clone(l.tables), map[ddl.Name]map[string]bool{}
	for n, cols := range l.added {
		c.added[n] = maps.Clone(cols)
	}
	return &c
}

// parsed is a source, or a part of a long one, and what its text says.
type parsed struct {
	*Source
	file *ddl.File
	errs []error // of the parts that could not be read
	// first and last say which part of the source it is. A source of one part is both.
	first, last bool
}

// long is a text that is read part by part, each of about partSize: rows written as statements, most likely, whose
// syntax takes a hundred times their room.
const (
	long     = 256 << 10
	partSize = 64 << 10
)

// part is what is to be parsed.
type part struct {
	source int
	ddl.Part
	first, last bool
}

// parts gives what is to be parsed, in order.
func parts(sources []Source) iter.Seq[part] {
	return func(yield func(part) bool) {
		for i := range sources {
			if len(sources[i].Text) <= long {
				if !yield(part{i, ddl.Part{Text: sources[i].Text}, true, true}) {
					return
				}
				continue
			}
			before := part{source: -1}
			for p := range ddl.Parts(sources[i].Text, partSize) {
				if before.source >= 0 && !yield(before) {
					return
				}
				before = part{i, p, before.source < 0, false}
			}
			if before.last = true; !yield(before) {
				return
			}
		}
	}
}

// parse reads the sources on all cores and gives them to do in order, without reading more ahead than cores need: a
// history of ten thousand files, or a file of a million statements, need not be in memory as syntax.
func parse(sources []Source, do func(*parsed)) {
	const ahead, aheadBytes = 64, 1 << 20
	type slot struct {
		part
		ready chan *parsed
	}
	todo, order := make(chan slot), make(chan slot, ahead)
	room := newRoom(aheadBytes)
	go func() {
		for p := range parts(sources) {
			room.take(len(p.Text))
			s := slot{p, make(chan *parsed, 1)}
			order <- s
			todo <- s
		}
		close(todo)
		close(order)
	}()
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(sources)) {
		wg.Go(func() {
			for s := range todo {
				s.ready <- s.parse(&sources[s.source])
			}
		})
	}
	for s := range order {
		do(<-s.ready)
		room.give(len(s.Text))
	}
	wg.Wait()
}

// Statements counts those that can be read.
func (s *Source) Statements() int {
	n := 0
	for p := range parts([]Source{*s}) {
		n += len(p.parse(s).file.Statements)
	}
	return n
}

func parseOne(s *Source) *parsed { return part{0, ddl.Part{Text: s.Text}, true, true}.parse(s) }

func (p part) parse(s *Source) *parsed {
	out := &parsed{Source: s, first: p.first, last: p.last}
	out.file, out.errs = p.Parse(s.Path)
	return out
}

// linter is one run.
type linter struct {
	Config
	off    map[string]bool
	schema *ddl.Schema
	tables map[ddl.Name]table // those that the sources make, by today's name
	// types and schemas are those that sources which are not deployed make.
	types   map[ddl.Name]bool
	schemas map[string]bool
	report  *Report

	src    *parsed
	tx     *transaction
	allows []*allow
	keys   []foreignKey                 // that the source makes
	more   map[string]int               // findings of a source in parts, by rule
	unrun  []int                        // offsets of code that comes behind the statement at hand
	added  map[ddl.Name]map[string]bool // columns that the sources add to tables which are there already
	// temporary are the findings about constraints that a later source may drop again: "table name" → whether it has.
	temporary map[string]*bool
	given     map[string]bool // sources that gave tables up, and have been judged
	// later are the sources behind the one that Fix rewrites.
	later []Source
	// before is called before a statement is judged, after behind that: Fix follows a history with them.
	before, after func(*pass)
	// since holds what was found in the source at hand, until its last statement has been seen: a later statement
	// may mend it.
	since []Finding
}

// source judges one source, or a part of it.
func (l *linter) source(p *parsed) {
	l.src = p
	if p.first {
		l.begin(p)
	}
	if p.judged() {
		l.report.Statements += len(p.file.Statements)
		for _, err := range p.errs {
			l.unreadable(err)
		}
		l.readAllows()
	}
	for i := range p.file.Statements {
		st := &p.file.Statements[i]
		for len(l.unrun) > 0 && l.unrun[0] <= st.Pos.Offset {
			l.code()
			l.unrun = l.unrun[1:]
		}
		l.statement(st)
		l.keys = append(l.keys, foreignKeys(st)...)
	}
	if p.last {
		l.end(p)
	}
}

func (l *linter) begin(p *parsed) {
	l.tx, l.since, l.allows, l.keys, l.unrun, l.more = newTransaction(p), nil, nil, nil, p.Code, map[string]int{}
	if !p.judged() {
		return
	}
	l.report.Files++
	for _, pr := range p.Problems {
		f := Finding{Rule: pr.Rule, Severity: pr.Severity, Message: pr.Message, Statement: pr.Statement, Pos: pr.Pos}
		if pr.Statement != "" {
			f.Why = []string{pr.Statement}
		}
		l.add(f)
	}
}

func (l *linter) end(p *parsed) {
	for range l.unrun {
		l.code()
	}
	if p.judged() {
		l.endOfSource()
		l.sayMore()
		l.settle()
	}
	l.give(p.Name)
}

// code is what nobody can read: it may fill any table that there is.
func (l *linter) code() {
	for n, t := range l.tables {
		t.filled = true
		l.tables[n] = t
	}
	l.tx.data = true
}

func (l *linter) unreadable(err error) {
	l.report.Unjudged = true
	var syntax *ddl.SyntaxError
	var client *ddl.ClientError
	switch {
	case errors.As(err, &syntax):
		l.add(Finding{Rule: "syntax", Message: syntax.Message, Pos: syntax.Pos})
	case errors.As(err, &client):
		l.add(Finding{Rule: "client-command", Message: client.Message + " (" + client.Hint + ")", Pos: client.Pos})
	default:
		l.add(Finding{Rule: "syntax", Message: err.Error(), Pos: ddl.Pos{File: l.src.Path, Line: 1, Column: 1}})
	}
}

// statement judges one statement on the schema before it, and moves the schema behind it.
func (l *linter) statement(st *ddl.Statement) {
	l.tx.begin(st)
	if !l.Complete {
		l.schema.Assume(*st)
	}
	p := &pass{linter: l, st: st}
	if !l.src.judged() {
		l.follow(p)
		return
	}
	p.effect = ddl.Effects(l.schema, *st)
	if l.before != nil {
		l.before(p)
	}
	for _, judge := range judges {
		judge(p)
	}
	l.block(st)
	if l.after != nil {
		l.after(p)
	}
	l.tx.end(p)
	l.follow(p)
}

// block judges what stands in a DO block: its work is part of the block's own effect, what old code notices is not.
func (l *linter) block(st *ddl.Statement) {
	for _, op := range st.Ops {
		do, ok := op.(ddl.Do)
		if !ok {
			continue
		}
		inside, _ := do.Statements()
		for _, s := range inside {
			s.Pos = st.Pos
			p := &pass{linter: l, st: &s}
			for _, judge := range inBlocks {
				judge(p)
			}
		}
	}
}

// follow moves the schema and the ages of tables behind the statement.
func (l *linter) follow(p *pass) {
	for _, op := range p.st.Ops {
		l.age(op)
		if d, ok := op.(ddl.DropConstraint); ok && l.temporary[l.target(d.Table).String()+" "+d.Name] != nil {
			*l.temporary[l.target(d.Table).String()+" "+d.Name] = true
		}
		l.since = slices.DeleteFunc(l.since, func(f Finding) bool { return f.mended != nil && f.Pos.Offset < p.st.Pos.Offset && f.mended(op) })
	}
	if err := l.schema.Apply(*p.st); err != nil && l.src.judged() {
		p.fails(err)
	}
}

// settle reports what stands at the end of a source, without what was allowed.
func (l *linter) settle() {
	found := l.allowed(l.since)
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Pos.Offset, b.Pos.Offset), cmp.Compare(b.Severity, a.Severity))
	})
	seen := map[string]int{}
	for i, f := range found {
		first := f.fingerprint(0)
		found[i].Fingerprint = f.fingerprint(seen[first])
		seen[first]++
		found[i].Pos = l.src.origin(f.Pos)
	}
	l.report.Findings = append(l.report.Findings, found...)
}

// add keeps a finding until the end of its source.
func (l *linter) add(f Finding) {
	if l.off[f.Rule] {
		return
	}
	if whole := l.src.first && l.src.last; !whole {
		if l.more[f.Rule]++; l.more[f.Rule] > mostOfLong {
			return
		}
	}
	l.since = append(l.since, l.made(f))
}

// mostOfLong are the findings of one rule that are told of a source which is read in parts: a statement that stands
// there a million times would be told a million times.
const mostOfLong = 100

// sayMore says of the last finding of a rule how many are not told.
func (l *linter) sayMore() {
	for i, f := range slices.Backward(l.since) {
		if n := l.more[f.Rule] - mostOfLong; n > 0 {
			l.since[i].Message += fmt.Sprintf(" (and %s more of this rule in the file)", countText(int64(n)))
			l.more[f.Rule] = 0
		}
	}
}

// made gives a finding what every finding has.
func (l *linter) made(f Finding) Finding {
	f.Migration = l.src.Name
	if f.Severity == 0 {
		f.Severity = RuleByID(f.Rule).Severity
	}
	return f
}

// origin is where a position of the text was written.
func (p *parsed) origin(pos ddl.Pos) ddl.Pos {
	for i := len(p.Origins) - 1; i >= 0; i-- {
		if o := p.Origins[i]; o.Offset <= pos.Offset {
			return ddl.Pos{File: o.Path, Line: o.Line, Column: 1, Offset: pos.Offset}
		}
	}
	return pos
}
