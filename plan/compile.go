package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// Options are the decisions that are not in the file.
type Options struct {
	Name     string // name of the migration
	Checksum string // SHA-256 of the file, hex
	// Tables with fewer rows and fewer bytes than these are changed by the plain statement under lock
	// discipline (RULES 29). Defaults 10,000 rows and 16 MB; negative values make every table big.
	BigRows  int64
	BigBytes int64
	// FireTriggers lets user triggers fire for the rows of fills (--accept triggers), for executors that may not
	// set session_replication_role. Default: they do not fire.
	FireTriggers bool
	// Owner is the role that the statements run as (--owner). Default: the schema's User.
	Owner string
	// VersionSchema names the schema of views that shows the new shape; empty = none.
	VersionSchema string
	// Fresh are relations that nobody reads yet, as those that the file itself makes: the same apply has made them.
	Fresh []ddl.Name
	// Code runs between the statements, in order of Offset, at Place.
	Code  []Code
	Place *Place
	// Books write the migration down where the history's own tool looks for it, once the new shape is there.
	Books Books
}

// FillFlag is the run-time parameter that is "on" in the transactions of a fill, so that sync triggers let
// its rows pass.
const FillFlag = "replank.filling"

// BigBytes is the default of Options.BigBytes.
const BigBytes = 16 << 20

// Compile makes the plan of one migration for the database that s describes. s itself is not changed; what it
// looks like afterwards is the caller's to compute with s.Apply.
func Compile(s *ddl.Schema, f *ddl.File, opt Options) (*Plan, error) {
	if opt.BigRows == 0 {
		opt.BigRows = 10_000
	}
	if opt.BigBytes == 0 {
		opt.BigBytes = BigBytes
	}
	c := &compiler{
		opt:     opt,
		now:     s.Clone(),
		live:    s.Clone(),
		start:   s,
		fresh:   map[ddl.Name]bool{},
		held:    map[ddl.Name]*held{},
		dropped: map[string]bool{},
		late:    map[string]bool{},
		paths:   map[string][]string{},
		twins:   &twinSet{done: map[ddl.Name][]string{}, indexes: map[ddl.Name]bool{}},
		ahead:   slices.Clone(opt.Code),
		plan: &Plan{
			Format:   Format,
			Name:     opt.Name,
			File:     f.Name,
			Checksum: opt.Checksum,
			Server:   s.Version,
			Place:    opt.Place,
			Settings: []Setting{
				{"search_path", searchPath(s.SearchPath)},
				{"TimeZone", s.TimeZone},
			},
		},
	}
	for _, n := range opt.Fresh {
		c.fresh[n] = true
	}
	if opt.Owner != "" {
		c.now.User, c.live.User = opt.Owner, opt.Owner // it owns what the file makes
	}
	if err := c.recognise(c.untilCode(f.Statements)); err != nil {
		return nil, err
	}
	if err := c.file(f); err != nil {
		return nil, err
	}
	return c.finish()
}

// compiler walks the statements of one file.
type compiler struct {
	opt   Options
	start *ddl.Schema // before the file
	now   *ddl.Schema // what psql -f would have made of it so far
	live  *ddl.Schema // what really stands there after the steps so far
	plan  *Plan

	stmt     ddl.Statement
	settings []Setting // of the file, in force at stmt
	local    []string  // those of settings that end with the file's transaction
	// temporary marks the steps whose work complete takes away again.
	temporary bool
	// waiting is true behind "-- replank: wait": everything else is done by complete, the operator's word.
	waiting bool
	applied *ddl.Schema // behind it: live as apply leaves it

	steps    []Step
	contract []Step

	fresh map[ddl.Name]bool  // relations made by this file: nobody reads them yet
	held  map[ddl.Name]*held // tables that keep an old and a new shape until complete
	// dropped are names whose object goes at complete; what the file creates under them must wait for that.
	dropped map[string]bool
	// together are the objects that the statement drops at once; they may stand on one another.
	together []ddl.Name
	// late are objects, and parts of them, that come only at complete, or are made again there.
	late  map[string]bool
	twins *twinSet
	// paths are the search_paths under which the file has said something of a relation.
	paths map[string][]string
	// ahead is the code that has not had its turn; codeWaits says that some of it is complete's.
	ahead     []Code
	codeWaits bool
	// pathSet says that the live schema has a search_path that the file has set.
	pathSet bool
}

// held is what a table of this file keeps for complete.
type held struct {
	renamedTo string            // RENAME TO
	movedTo   string            // SET SCHEMA
	viewed    bool              // a view shows it under its new name until complete
	columns   map[string]string // new name of a column → the physical column that will carry it after complete
	gone      map[string]bool   // columns that go at complete
	detaches  bool              // partitions, which until complete are part of it
	drops     bool              // partitions, as well
}

// file compiles every statement.
func (c *compiler) file(f *ddl.File) error {
	for stmts := f.Statements; len(stmts) > 0; {
		if len(c.ahead) > 0 && c.ahead[0].Offset <= stmts[0].Pos.Offset {
			var err error
			if stmts, err = c.codeUntil(stmts[0].Pos.Offset, stmts); err != nil {
				return err
			}
			if err := c.recognise(c.untilCode(stmts)); err != nil {
				return err
			}
			continue
		}
		c.stmt, stmts = stmts[0], stmts[1:]
		if _, ok := c.directive("wait"); ok {
			if err := c.wholeUntilHere(); err != nil {
				return c.at(err)
			}
		}
		if err := c.statement(); err != nil {
			return c.at(err)
		}
	}
	if _, err := c.codeUntil(len(f.Text), nil); err != nil {
		return err
	}
	if err := c.flushTypes(); err != nil {
		return c.at(err)
	}
	if !c.waiting {
		if err := c.versionSchema(); err != nil {
			return c.at(err)
		}
	}
	return nil
}

// wholeUntilHere ends what apply does. Behind "-- replank: wait" complete has carried out all that it was left until
// then, in the order of the file: no column has two shapes there, no name is taken by what goes, nothing is late. The
// same is true behind each further one.
func (c *compiler) wholeUntilHere() error {
	if err := c.flushTypes(); err != nil {
		return err
	}
	if !c.waiting {
		if err := c.versionSchema(); err != nil {
			return err
		}
		c.waiting, c.applied = true, c.live
	}
	c.live = c.applied.Clone()
	for _, st := range c.contract {
		for _, sql := range st.executes() {
			new(effects).add(c.live, sql)
		}
	}
	c.held, c.dropped, c.late = map[ddl.Name]*held{}, map[string]bool{}, map[string]bool{}
	c.twins.done, c.twins.indexes, c.twins.enums = map[ddl.Name][]string{}, map[ddl.Name]bool{}, nil
	return nil
}

// at adds the position of the statement to an error that has none.
func (c *compiler) at(err error) error {
	var r *Refusal
	if errors.As(err, &r) {
		if r.Pos == (ddl.Pos{}) {
			r.Pos = c.stmt.Pos
		}
		return err
	}
	var se *ddl.SyntaxError
	if errors.As(err, &se) {
		return err
	}
	return &StatementError{Pos: c.stmt.Pos, Err: err}
}

// StatementError is what is wrong with a statement of a file, such as a table that does not exist.
type StatementError struct {
	Pos ddl.Pos
	Err error
}

func (e *StatementError) Error() string { return e.Pos.String() + ": " + e.Err.Error() }
func (e *StatementError) Unwrap() error { return e.Err }

func (c *compiler) refuse(code, hint, reason string, args ...any) error {
	if c.waiting && (code == "held-column" || code == "split-file") {
		hint = "put another `-- replank: wait` above it"
	}
	return &Refusal{Code: code, Pos: c.stmt.Pos, Reason: fmt.Sprintf(reason, args...), Hint: hint}
}

func (c *compiler) notice(code, text string, args ...any) {
	n := Notice{Code: code, Text: fmt.Sprintf(text, args...), Source: c.stmt.Pos}
	if !slices.Contains(c.plan.Notices, n) {
		c.plan.Notices = append(c.plan.Notices, n)
	}
}

func (c *compiler) consent(class, reason string, args ...any) {
	n := Consent{Class: class, Reason: fmt.Sprintf(reason, args...), Source: c.stmt.Pos}
	if !slices.Contains(c.plan.Consents, n) {
		c.plan.Consents = append(c.plan.Consents, n)
	}
}

// touch records an object of this plan.
func (c *compiler) touch(kind string, n ddl.Name, column string) {
	o := Object{Kind: kind, Schema: n.Schema, Name: n.Name, Column: column}
	if !slices.Contains(c.plan.Touches, o) {
		c.plan.Touches = append(c.plan.Touches, o)
	}
}

// reads records the relations that a statement names beside those it is about.
func (c *compiler) reads(sql string) {
	m, err := ddl.Mentions(sql)
	if err != nil {
		return // a statement that cannot be read has been reported
	}
	for _, n := range m.Relations {
		n = c.resolve(n)
		o := Object{Kind: "table", Schema: n.Schema, Name: n.Name}
		if c.start.Relations[n] != nil && !slices.Contains(c.plan.Reads, o) {
			c.plan.Reads = append(c.plan.Reads, o)
		}
	}
}

// relation finds a relation the file names, or says what is wrong.
func (c *compiler) relation(n ddl.Name) (*ddl.Relation, error) {
	if r := c.now.Relation(n); r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("relation %s does not exist", n)
}

// column finds a column of a relation the file names.
func (c *compiler) column(n ddl.Name, col string) (*ddl.Relation, *ddl.RelColumn, error) {
	r, err := c.relation(n)
	if err != nil {
		return nil, nil, err
	}
	if k := r.Column(col); k != nil {
		return r, k, nil
	}
	return nil, nil, fmt.Errorf("column %s of relation %s does not exist", ddl.QuoteIdent(col), r.Name)
}

// big reports whether work proportional to the table must not happen under a strong lock.
func (c *compiler) big(r *ddl.Relation) bool {
	if c.fresh[r.Name] {
		return false
	}
	rows, bytes := c.size(r)
	return rows < 0 || rows >= c.opt.BigRows || bytes >= c.opt.BigBytes
}

// size is the estimate of a relation and all its partitions.
func (c *compiler) size(r *ddl.Relation) (rows, bytes int64) {
	rows, bytes = r.Rows, r.Bytes
	if len(r.Children) > 0 && r.Kind == 'p' {
		rows = 0
	}
	for _, n := range r.Children {
		ch := c.now.Relation(n)
		if ch == nil {
			continue
		}
		cr, cb := c.size(ch)
		bytes += cb
		if cr < 0 || rows < 0 {
			rows = -1
		} else {
			rows += cr
		}
	}
	return rows, bytes
}

// leaves are the relations below r that hold rows, r itself when it is not partitioned.
func (c *compiler) leaves(r *ddl.Relation) []*ddl.Relation {
	if r.Kind != 'p' {
		return []*ddl.Relation{r}
	}
	var out []*ddl.Relation
	for _, n := range r.Children {
		if ch := c.now.Relation(n); ch != nil {
			out = append(out, c.leaves(ch)...)
		}
	}
	return out
}

// family is r and everything below it: partitions of every level, inheritance children. Each comes once, after all
// of its parents.
func (c *compiler) family(r *ddl.Relation) []*ddl.Relation {
	out := []*ddl.Relation{r}
	for _, n := range r.Children {
		if ch := c.now.Relation(n); ch != nil {
			below := c.family(ch)
			out = slices.DeleteFunc(out, func(m *ddl.Relation) bool { return slices.Contains(below, m) })
			out = append(out, below...)
		}
	}
	return out
}

// step appends a step of apply.
func (c *compiler) step(st Step) {
	st.Source = c.stmt.Pos
	st.Settings = append(slices.Clone(c.settings), st.Settings...)
	st.Temporary = st.Temporary || c.temporary
	if c.waiting {
		st.Phase = Contract
		c.contract = append(c.contract, st)
		return
	}
	c.measure(&st)
	c.steps = append(c.steps, st)
}

// later appends a step of complete. Neighbours that are transactions become one, so that nobody sees the
// moment between DROP VIEW and CREATE VIEW.
func (c *compiler) later(st Step) {
	if st.Phase != Contract {
		st.Phase = Contract
		st.Source = c.stmt.Pos
		st.Settings = append(slices.Clone(c.settings), st.Settings...)
	}
	if n := len(c.contract); n > 0 && st.Kind == Transaction && st.Fill == nil {
		last := &c.contract[n-1]
		if last.Kind == Transaction && slices.Equal(last.Settings, st.Settings) {
			// A statement that drops several objects comes once for each of them.
			if len(c.together) == 0 || last.SQL[len(last.SQL)-1] != c.stmt.SQL {
				last.SQL = append(last.SQL, st.SQL...)
				last.Title += "; " + st.Title
			}
			last.Leaves = last.Leaves && st.Leaves
			last.Destroys = join(last.Destroys, st.Destroys)
			last.Ends = join(last.Ends, st.Ends)
			last.Other = last.Other || st.Other
			last.Irreversible = join(last.Irreversible, st.Irreversible)
			if len(st.Reverse) > 0 {
				last.Reverse = append(slices.Clone(st.Reverse), last.Reverse...)
			}
			return
		}
	}
	c.contract = append(c.contract, st)
}

func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + "; " + b
}

// measure fills in what the server will lock, rewrite and read, and moves the live schema forward.
func (c *compiler) measure(st *Step) {
	c.livePath(st)
	eff := effects{before: c.live.Clone()}
	for _, sql := range st.executes() {
		if st.Kind == Proof {
			break
		}
		tables := eff.add(c.live, sql)
		if st.Code == nil {
			st.Parts = append(st.Parts, c.part(tables))
		}
	}
	if st.adopts {
		eff.scan = nil
	}
	eff.fill(st)
	rev := effects{before: c.live.Clone()}
	if len(st.Reverse) > 0 {
		s := c.live.Clone()
		for _, sql := range st.Reverse {
			st.ReverseParts = append(st.ReverseParts, c.part(rev.add(s, sql)))
		}
	}
	st.Parts, st.ReverseParts = unlessNone(st.Parts), unlessNone(st.ReverseParts)
	// The way back may start when a part of the step's objects is gone already: only tables are sure to be there.
	for _, l := range rev.locks() {
		if r := c.start.Relations[rev.named[l.Relation]]; r != nil && (r.Kind == 'r' || r.Kind == 'p') {
			st.ReverseLocks = append(st.ReverseLocks, l)
		}
	}
	if st.Kind == Rows && st.Fill != nil {
		st.Locks = append(st.Locks, Lock{Relation: st.Fill.Table, Mode: "ROW EXCLUSIVE"})
	}
}

// livePath gives the live schema the search_path of a step. The file may set another one for those behind it.
func (c *compiler) livePath(st *Step) {
	path, set := c.plan.Settings[0], false
	for _, s := range slices.Concat(c.settings, st.Settings) {
		if s.Name == "search_path" {
			path, set = s, true
		}
	}
	if set || c.pathSet {
		_ = c.live.ApplyOp(ddl.Set{Name: path.Name, Value: path.Value}, "") // it was valid where the file says it
	}
	c.pathSet = set
}

// part is the partition that a statement about these tables could not do without, unless the file names it itself.
func (c *compiler) part(tables []ddl.Name) string {
	for _, n := range tables {
		r := c.live.Relation(n)
		if r == nil || !r.IsPartition || slices.Contains(c.plan.Touches, Object{Kind: "table", Schema: n.Schema, Name: n.Name}) {
			continue
		}
		// With its parent it is one of many, and the server finds those that there are.
		if !slices.ContainsFunc(r.Parents, func(p ddl.Name) bool { return slices.Contains(tables, p) }) {
			if c.plan.Partitions == nil {
				c.plan.Partitions = map[string]uint32{}
			}
			c.plan.Partitions[n.String()] = r.OID
			return n.String()
		}
	}
	return ""
}

func unlessNone(parts []string) []string {
	if slices.ContainsFunc(parts, func(p string) bool { return p != "" }) {
		return parts
	}
	return nil
}

// finish orders, numbers and checks the steps.
func (c *compiler) finish() (*Plan, error) {
	if c.waiting {
		c.live = c.applied
	}
	for i := range c.contract {
		c.measure(&c.contract[i])
	}
	c.books()
	c.plan.Steps = append(c.steps, c.contract...)
	c.plan.Reads = slices.DeleteFunc(c.plan.Reads, func(o Object) bool {
		return slices.ContainsFunc(c.plan.Touches, func(t Object) bool { return t.Schema == o.Schema && t.Name == o.Name })
	})
	for i := range c.plan.Steps {
		st := &c.plan.Steps[i]
		st.ID = fmt.Sprintf("%02d-%s", i+1, st.Phase)
	}
	c.plan.SchemaHash = c.start.Hash(c.touchedRelations())
	return c.plan, nil
}

func (c *compiler) touchedRelations() []ddl.Name {
	var out []ddl.Name
	for _, o := range c.plan.Touches {
		n := ddl.Name{Schema: o.Schema, Name: o.Name}
		if c.start.Relation(n) != nil && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// effects collects what several statements do together.
type effects struct {
	before  *ddl.Schema // locks on what the statements themselves create are nobody's concern
	mode    map[ddl.Name]ddl.LockMode
	order   []ddl.Name
	named   map[string]ddl.Name // the same, by their text
	rewrite []ddl.Name
	scan    []ddl.Name
	reindex []ddl.Name
}

// add measures one statement on s and applies it there. A statement of ours that does not parse is a bug of
// ours; it shows as an unknown effect in the plan, and the equivalence tests execute every one of them. It returns
// the tables that the statement names or locks, itself or an index of theirs.
func (e *effects) add(s *ddl.Schema, sql string) (tables []ddl.Name) {
	f, err := ddl.Parse("", sql)
	if err != nil {
		return nil
	}
	for _, st := range f.Statements {
		eff := ddl.Effects(s, st)
		for _, op := range st.Ops {
			if n, ok := tableOf(op); ok {
				tables = append(tables, tableBehind(s, n))
			}
		}
		for _, l := range eff.Locks {
			tables = append(tables, tableBehind(s, l.Relation))
			if e.mode == nil {
				e.mode = map[ddl.Name]ddl.LockMode{}
			}
			if e.before != nil && e.before.Relations[l.Relation] == nil && e.before.Indexes[l.Relation] == nil && e.before.Sequences[l.Relation] == nil {
				continue
			}
			if m, ok := e.mode[l.Relation]; !ok {
				e.order = append(e.order, l.Relation)
				e.mode[l.Relation] = l.Mode
			} else if l.Mode > m {
				e.mode[l.Relation] = l.Mode
			}
		}
		e.rewrite = union(e.rewrite, eff.Rewrites)
		e.scan = union(e.scan, eff.Scans)
		e.reindex = union(e.reindex, eff.Reindexes)
		_ = s.Apply(st) // what Apply cannot follow, psql said no to already or the executor will
	}
	return tables
}

// tableBehind is the table of an index, or the relation itself.
func tableBehind(s *ddl.Schema, n ddl.Name) ddl.Name {
	if i := s.Indexes[n]; i != nil {
		return i.Table
	}
	return n
}

func union(to, add []ddl.Name) []ddl.Name {
	for _, n := range add {
		if !slices.Contains(to, n) {
			to = append(to, n)
		}
	}
	return to
}

func texts(names []ddl.Name) []string {
	var out []string
	for _, n := range names {
		out = append(out, n.String())
	}
	return out
}

func (e *effects) locks() []Lock {
	var out []Lock
	e.named = map[string]ddl.Name{}
	for _, n := range e.order {
		e.named[n.String()] = n
		out = append(out, Lock{Relation: n.String(), Mode: e.mode[n].String()})
	}
	return out
}

func (e *effects) fill(st *Step) {
	st.Locks = append(st.Locks, e.locks()...)
	st.Rewrites, st.Scans, st.Reindex = texts(e.rewrite), texts(e.scan), texts(e.reindex)
}

// searchPath renders a search_path for set_config.
func searchPath(path []string) string {
	if len(path) == 0 {
		return `""`
	}
	q := make([]string, len(path))
	for i, s := range path {
		q[i] = ddl.QuoteIdent(s)
	}
	return strings.Join(q, ", ")
}
