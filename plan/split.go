package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// split is one set of columns made from others:
//
//	ALTER TABLE … ADD COLUMN new; UPDATE … SET new = f(old); ALTER TABLE … DROP COLUMN old
//
// Old code goes on writing the old columns until complete, so the new ones have to follow them.
type split struct {
	table    ddl.Name
	news     []ddl.Column
	from     map[string]string // new column → what its UPDATEs make of a row as it was before the file
	olds     []string
	inverse  map[string]string
	updates  []ddl.Pos
	expanded bool
}

func (s *split) adds(col string) bool {
	return s != nil && slices.ContainsFunc(s.news, func(c ddl.Column) bool { return c.Name == col })
}

func (s *split) drops(col string) bool { return s != nil && slices.Contains(s.olds, col) }

func (s *split) computes(at ddl.Pos) bool { return s != nil && slices.Contains(s.updates, at) }

// findSplits finds the splits of a file, and what it computes once from columns and tables that it drops.
func (c *compiler) findSplits(stmts []ddl.Statement) {
	f := splitFinder{now: c.now.Clone(), adds: map[ddl.Name]*adds{}, dropped: map[ddl.Name]map[string]int{}, inverse: map[string]string{}}
	for i, st := range stmts {
		for _, d := range st.Directives {
			if col, expr, ok := inverse(d); ok && col != "" {
				f.inverse[col] = expr
			}
			f.waiting = f.waiting || d.Verb == "wait"
		}
		for _, op := range st.Ops {
			f.see(i, st, op)
		}
	}
	c.twins.splits = f.splits()
	c.twins.once = f.once(c.twins.splits)
}

// splitFinder reads a file before any of it is compiled.
type splitFinder struct {
	now     *ddl.Schema // follows the search_path that the file itself sets
	waiting bool        // behind "-- replank: wait" nothing is computed before complete
	adds    map[ddl.Name]*adds
	writes  []derived
	// dropped are the columns that go at complete, with the statement that says so; "" is the whole table.
	dropped map[ddl.Name]map[string]int
	inverse map[string]string
}

// adds is what a file makes of the columns that it adds to one table.
type adds struct {
	columns []ddl.Column
	from    map[string]string // by the UPDATEs so far, from a row as it was before the file
	updates []derived
	retyped map[string]bool // columns whose type changed before they were written
}

// derived is a statement that writes what it computes from rows.
type derived struct {
	number  int
	at      ddl.Pos
	table   ddl.Name // that it writes
	columns []string // that it writes; nil = all
	reads   ddl.Mention
	own     []string // columns of its own table that it reads
}

func (f *splitFinder) see(i int, st ddl.Statement, op ddl.Op) {
	switch op := op.(type) {
	case ddl.Set:
		_ = f.now.ApplyOp(op, st.SQL) // the statement's own turn reports what is wrong
	case ddl.AddColumn:
		if r := f.now.Relation(op.Table); r != nil && !f.waiting && !plainly(st) {
			f.add(r, op.Column)
		}
	case ddl.AlterColumnType:
		if r := f.now.Relation(op.Table); r != nil && f.adds[r.Name] != nil {
			f.adds[r.Name].retype(op)
		}
	case ddl.Update:
		if r := f.now.Relation(op.Table); r != nil && !f.waiting {
			f.update(i, st, op, r)
		}
	case ddl.Insert:
		if r := f.now.Relation(op.Table); !f.waiting && op.Query != "" {
			f.derives(i, st, op.Query, op.Table, r)
		}
	case ddl.CreateTable:
		if op.Query != "" && !f.waiting {
			f.derives(i, st, op.Query, op.Table, nil)
		}
	case ddl.DropColumn:
		f.drop(i, st, op.Table, op.Column)
	case ddl.DropTable:
		f.drop(i, st, op.Table, "")
	}
}

func (f *splitFinder) add(r *ddl.Relation, k ddl.Column) {
	if k.Identity != 0 || k.Generated != "" || serialTypes[k.Type.Name] != "" || len(k.Constraints) > 0 || k.Default != "" && f.now.Volatile(k.Default) {
		return
	}
	t := f.adds[r.Name]
	if t == nil {
		t = &adds{from: map[string]string{}, retyped: map[string]bool{}}
		f.adds[r.Name] = t
	}
	t.columns = append(t.columns, k)
	t.from[k.Name] = "NULL::" + k.Type.SQL
	if k.Default != "" {
		t.from[k.Name] = "(" + k.Default + ")::" + k.Type.SQL
	}
}

// retype makes the value of an added column what a type change makes of it.
func (t *adds) retype(op ddl.AlterColumnType) {
	_, ours := t.from[op.Column]
	if !ours || slices.ContainsFunc(t.updates, func(u derived) bool { return slices.Contains(u.columns, op.Column) }) {
		return // behind the split it is a type change like another
	}
	t.retyped[op.Column] = true
	using := op.Using
	if using == "" {
		using = qi(op.Column)
	}
	if expr, err := ddl.SubstituteColumns(using, t.from); err == nil && !ddl.OfTheMoment(using) {
		t.from[op.Column] = "(" + expr + ")::" + op.Type.SQL
	} else {
		delete(t.from, op.Column) // an UPDATE that reads or writes it is none of a split's
	}
}

func (f *splitFinder) drop(i int, st ddl.Statement, table ddl.Name, col string) {
	r := f.now.Relation(table)
	if r == nil || plainly(st) {
		return
	}
	if f.dropped[r.Name] == nil {
		f.dropped[r.Name] = map[string]int{}
	}
	f.dropped[r.Name][col] = i
}

// derives notes a statement that writes what a query reads.
func (f *splitFinder) derives(i int, st ddl.Statement, query string, into ddl.Name, r *ddl.Relation) {
	m, err := ddl.Mentions(query)
	if err != nil {
		return
	}
	if r != nil {
		into = r.Name
	}
	f.writes = append(f.writes, derived{number: i, at: st.Pos, table: into, reads: m})
}

// update notes an UPDATE. One that assigns nothing but columns which the file has added, from the row alone, is put
// behind those before it.
func (f *splitFinder) update(i int, st ddl.Statement, u ddl.Update, r *ddl.Relation) {
	w := derived{number: i, at: st.Pos, table: r.Name}
	if m, err := ddl.Mentions(st.SQL); err == nil && u.From != "" {
		w.reads = m
	}
	exprs := []string{u.Where}
	for _, a := range u.Set {
		w.columns = append(w.columns, a.Column)
		exprs = append(exprs, a.Expr)
	}
	for _, e := range exprs {
		if cols, err := ddl.Columns(e); e != "" && err == nil {
			w.own = append(w.own, cols...)
		}
	}
	f.writes = append(f.writes, w)
	t := f.adds[r.Name]
	if t == nil || u.From != "" || u.With || u.Returning || plainly(st) || u.Only && len(r.Children) > 0 {
		return
	}
	condition, err := ddl.SubstituteColumns(u.Where, t.from)
	if err != nil || ddl.OfTheMoment(u.Where) {
		return
	}
	next := map[string]string{}
	for _, a := range u.Set {
		before, ours := t.from[a.Column]
		expr, err := ddl.SubstituteColumns(a.Expr, t.from)
		if !ours || err != nil || a.Position != 0 || a.Indirection != "" || ddl.OfTheMoment(a.Expr) {
			return
		}
		if next[a.Column] = expr; u.Where != "" {
			next[a.Column] = fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", condition, expr, before)
		}
	}
	w.own = nil
	for _, col := range w.columns {
		t.from[col] = next[col]
		if cols, err := ddl.Columns(next[col]); err == nil {
			w.own = append(w.own, cols...)
		}
	}
	t.updates = append(t.updates, w)
}

// splits are the columns that the file computes from columns which it drops, with the others of the same UPDATEs.
func (f *splitFinder) splits() map[ddl.Name]*split {
	out := map[ddl.Name]*split{}
	for table, t := range f.adds {
		s := &split{table: table, from: t.from, inverse: f.inverse}
		in := map[string]bool{}
		for range t.updates { // each turn may connect one more
			for _, u := range t.updates {
				if u.derivesFrom(f.dropped[table]) || slices.ContainsFunc(u.columns, func(c string) bool { return in[c] }) {
					for _, col := range u.columns {
						in[col] = true
					}
				}
			}
		}
		for _, k := range t.columns {
			if _, goes := f.dropped[table][k.Name]; in[k.Name] && !goes {
				s.news = append(s.news, k)
			}
		}
		for _, u := range t.updates {
			if !in[u.columns[0]] {
				continue
			}
			s.updates = append(s.updates, u.at)
			for _, col := range u.own {
				if number, goes := f.dropped[table][col]; goes && number > u.number && !slices.Contains(s.olds, col) {
					s.olds = append(s.olds, col)
				}
			}
		}
		if slices.ContainsFunc(s.news, func(k ddl.Column) bool { return t.retyped[k.Name] }) {
			continue // a split makes its columns itself, when the file has changed them already
		}
		if len(s.news) > 0 && len(s.news) == len(in) && len(s.olds) > 0 {
			out[table] = s
		}
	}
	return out
}

// derivesFrom reports whether a statement reads a column of its own table that is dropped behind it.
func (w derived) derivesFrom(dropped map[string]int) bool {
	return slices.ContainsFunc(w.own, func(col string) bool { number, ok := dropped[col]; return ok && number > w.number })
}

// once says, for each statement that is not part of a split, what it computes from something that old code goes on
// writing until complete: it is computed once, and nothing carries over what is written then.
func (f *splitFinder) once(splits map[ddl.Name]*split) map[ddl.Pos]string {
	out := map[ddl.Pos]string{}
	for _, w := range f.writes {
		if splits[w.table].computes(w.at) {
			continue
		}
		goes := func(table ddl.Name, col string) bool {
			number, ok := f.dropped[table][col]
			return ok && number > w.number
		}
		if goes(w.table, "") || w.columns != nil && !slices.ContainsFunc(w.columns, func(col string) bool { return !goes(w.table, col) }) {
			continue // what it writes goes as well
		}
		var from []string
		for _, col := range w.own {
			if goes(w.table, col) {
				from = append(from, "column "+qi(col)+" of "+w.table.String())
			}
		}
		for _, n := range w.reads.Relations {
			r := f.now.Relation(n)
			if r == nil || r.Name == w.table && w.columns != nil {
				continue
			}
			if goes(r.Name, "") {
				from = append(from, "table "+r.Name.String())
			}
			for _, k := range r.Columns {
				if goes(r.Name, k.Name) && (w.reads.Has(k.Name) || w.reads.Star) {
					from = append(from, "column "+qi(k.Name)+" of "+r.Name.String())
				}
			}
		}
		if len(from) > 0 {
			slices.Sort(from)
			out[w.at] = strings.Join(slices.Compact(from), ", ")
		}
	}
	return out
}

// expandSplit adds the new columns with the triggers that keep both sides equal, and fills them.
func (c *compiler) expandSplit(sp *split) error {
	if sp.expanded {
		return nil // by the first of its UPDATEs
	}
	sp.expanded = true
	r := c.now.Relation(sp.table)
	if err := c.onePath(r); err != nil {
		return err
	}
	y := sync{table: sp.table}
	var exprs, types, named, added []string
	var set []ddl.Assignment
	st := Step{Phase: Expand, Kind: Transaction}
	for _, k := range sp.news {
		if live := c.live.Relations[r.Name]; live == nil || live.Column(k.Name) != nil {
			return c.refuse("split-file", "put it into a file of its own",
				"the name %s comes free only at complete, and the new column has to be there before", qi(k.Name))
		}
		from := sp.from[k.Name]
		set = append(set, ddl.Assignment{Column: k.Name, Expr: from})
		rc := r.Column(k.Name)
		typ := k.Type.SQL
		if rc != nil {
			typ = rc.Type
		}
		y.new = append(y.new, syncColumn{name: k.Name, typ: typ, from: from, unset: "NEW." + qi(k.Name) + " IS NULL", plainEq: plainEq(typ, k.Collation)})
		exprs, types, added = append(exprs, from), append(types, typ), append(added, k.Name)
		st.SQL = append(st.SQL, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s", r.Name, columnSQL(k, "", false)))
	}
	for _, name := range sp.olds {
		col := r.Column(name)
		o := syncColumn{name: name, typ: col.Type, from: sp.inverse[name], plainEq: plainEq(col.Type, col.Collation), always: col.Identity == 'a'}
		if col.Default == "" {
			o.unset = "NEW." + qi(name) + " IS NULL"
		} else if !col.Volatile {
			o.unset = isDefault(name, col.Default, col.Type)
			named = append(named, col.Default, "NULL::"+col.Type)
		}
		if o.from == "" {
			c.notice("read-only", "the new columns of %s cannot be written until complete: give `-- replank: inverse %s = EXPRESSION` to allow it", r.Name, qi(name))
		}
		y.old = append(y.old, o)
		exprs, types = append(exprs, o.from), append(types, col.Type)
		c.touch("table", r.Name, name)
	}
	if err := c.triggerable(r, added, slices.Concat(exprs, named)...); err != nil {
		return err
	}
	y.computing = c.computing(r, types, exprs, named...)
	if err := c.inputs(&y, r); err != nil {
		return err
	}
	tables := c.triggerTables(r)
	st.Title = fmt.Sprintf("add %s beside %s to %s, kept equal by triggers", list(y.new), list(y.old), r.Name)
	st.SQL = append(st.SQL, y.computable()...)
	st.SQL = append(append(st.SQL, y.create(tables)...), y.always(c.familyNames(r))...)
	st.Reverse = y.drop(tables)
	for _, k := range sp.news {
		st.Reverse = append(st.Reverse, fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", r.Name, qi(k.Name)))
		c.touch("table", r.Name, k.Name)
	}
	c.step(st)
	c.noticeShape(r, "gains "+list(y.new))
	spec := FillSpec{Kind: Twin, Table: r.Name.String(), Flag: FillFlag, Set: set, Guard: y.unfilled(), Kept: true}
	if err := c.fill(r, spec); err != nil {
		return err
	}
	for _, k := range sp.news {
		if k.NotNull {
			c.notice("old-writers", "code that writes rows from which %s.%s would be NULL fails from the moment this is applied", r.Name, qi(k.Name))
			c.proveNotNull(r, k.Name, k.NotNullName, nil)
		}
	}
	for _, name := range sp.olds {
		c.hold(r.Name).gone[name] = true
	}
	c.later(Step{Kind: Transaction, Leaves: true, Title: "stop keeping " + list(y.old) + " and " + list(y.new) + " equal", SQL: y.drop(tables)})
	for _, k := range sp.news {
		if k.Default != "" {
			c.defaultAtComplete(r.Name, k.Name, fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s", r.Name, qi(k.Name), k.Default))
		}
	}
	return nil
}

// defaultAtComplete sets the default of a new column of a split when the old shape goes. Until then a row that was
// written without the column gets what the old shape says, and the value of a default would look like one that a
// client wrote.
func (c *compiler) defaultAtComplete(table ddl.Name, col, sql string) {
	c.notice("at-complete", "the default of %s.%s comes at complete; until then rows get the value that is computed from the old columns", c.resolve(table), qi(col))
	c.later(Step{Kind: Transaction, Title: title(sql), SQL: []string{sql}})
}
