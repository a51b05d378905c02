package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// dml turns a statement on rows into a backfill: in ranges of an immutable key, each row exactly once. What
// looks at other rows of its own target has one meaning only as one statement, and stays one.
func (c *compiler) dml(op ddl.Op, sql string) error {
	spec, r, err := c.fillSpec(op)
	if err != nil {
		return err
	}
	c.touch("table", r.Name, "")
	if h := c.held[r.Name]; h != nil && slices.ContainsFunc(c.twins.swapped(r.Name), func(col string) bool { return names(op, col) }) {
		return c.refuse("held-column", "put the statement into a migration of its own, applied after this one is complete",
			"it names a column of %s that has two shapes until complete", r.Name)
	}
	_, backfill := c.directive("backfill") // rows are about to come that the size of today does not tell
	if spec == nil || c.fresh[r.Name] && !backfill {
		if backfill {
			return c.refuse("whole-statement", "write it so that no row depends on another, give the table a primary key where it has none, or remove `-- replank: backfill` to run it as one",
				"it is marked as a backfill and cannot be split into ranges (%s)", c.whyWhole(op, r))
		}
		if !c.fresh[r.Name] && c.big(r) && !isValues(op) && !c.plain() {
			return c.refuse("whole-statement", "give the table a primary key where it has none, write the statement so that no row depends on another, or set `-- replank: plain` to run it as one",
				"it cannot be split into ranges (%s), and as one statement it would lock rows of %s for as long as it takes", c.whyWhole(op, r), r.Name)
		}
		st := Step{Phase: Fill, Kind: Long, Title: title(sql), SQL: []string{sql}}
		if !c.fresh[r.Name] {
			st.Irreversible = "no record is kept of the rows that one whole statement changed"
		}
		c.step(st)
		return nil
	}
	rows, bytes := c.size(r)
	st := Step{Phase: Fill, Kind: Rows, Title: title(sql), Fill: spec, Rows: rows, Bytes: bytes, Irreversible: c.beyondImages(op, r)}
	if _, ok := c.directive("no-undo"); ok {
		st.Irreversible = "`-- replank: no-undo` keeps no before-images"
	}
	spec.Undo = st.Irreversible == ""
	if !spec.Undo {
		c.consent("irreversible", "no before-images are kept of the rows of %s: %s", r.Name, st.Irreversible)
	}
	c.step(st)
	return nil
}

// beyondImages says why before-images of a table's rows would not give back what a statement does; "" where they do.
func (c *compiler) beyondImages(op ddl.Op, r *ddl.Relation) string {
	if u, updates := op.(ddl.Update); updates && u.From != "" && u.Where != "" && c.now.Version < 180000 {
		// A sub-select is taken to be as stable as its tables.
		if tables, err := ddl.Tables(u.Where); err == nil && len(tables) == 0 && c.now.Volatile(u.Where) {
			return "before PostgreSQL 18 a statement with FROM that keeps before-images evaluates its WHERE twice, and this one is volatile"
		}
	}
	_, deletes := op.(ddl.Delete)
	if _, inserts := op.(ddl.Insert); inserts {
		return ""
	}
	if r.Kind == 'r' && len(r.Children) > 0 {
		return "rows of tables that inherit from it may have equal keys"
	}
	family := c.familyNames(r)
	assigns := func(col string) bool { u, _ := op.(ddl.Update); return assigned(u, col) }
	for _, from := range c.now.Relations {
		for _, k := range from.Constraints {
			if k.Kind != ddl.ForeignKey || !slices.Contains(family, k.RefTable) {
				continue
			}
			if deletes && (strings.Contains(k.Definition, "ON DELETE CASCADE") || strings.Contains(k.Definition, "ON DELETE SET ")) {
				return "foreign keys to it change rows of other tables (ON DELETE CASCADE, SET NULL, SET DEFAULT)"
			}
			if strings.Contains(k.Definition, "ON UPDATE SET ") && slices.ContainsFunc(k.RefColumns, assigns) {
				return "foreign keys to it take the references from rows of other tables (ON UPDATE SET NULL, SET DEFAULT)"
			}
		}
	}
	if !deletes {
		return ""
	}
	for _, m := range c.family(r) {
		for _, t := range m.Triggers {
			if t.Row && t.Before && t.OnInsert && t.Enabled != 'D' && !ownTrigger(t) {
				return fmt.Sprintf("BEFORE INSERT trigger %s of %s would change the rows that come back", qi(t.Name), m.Name)
			}
		}
	}
	return ""
}

func assigned(u ddl.Update, col string) bool {
	return slices.ContainsFunc(u.Set, func(a ddl.Assignment) bool { return a.Column == col })
}

func isValues(op ddl.Op) bool {
	i, ok := op.(ddl.Insert)
	return ok && i.Query == ""
}

// names reports whether a statement's text-level parts name a column.
func names(op ddl.Op, col string) bool {
	has := func(exprs ...string) bool {
		for _, e := range exprs {
			if e == "" {
				continue
			}
			cols, err := ddl.Columns(e)
			if err != nil || slices.Contains(cols, col) {
				return true
			}
		}
		return false
	}
	switch op := op.(type) {
	case ddl.Update:
		for _, s := range op.Set {
			if s.Column == col || has(s.Expr) {
				return true
			}
		}
		return has(op.Where)
	case ddl.Delete:
		return has(op.Where)
	case ddl.Insert:
		return slices.Contains(op.Columns, col) || has(op.Targets...)
	}
	return false
}

// CompileDML makes the fill of one UPDATE, DELETE or INSERT … SELECT, as `replank backfill` runs it.
func CompileDML(s *ddl.Schema, st ddl.Statement) (FillSpec, error) {
	c := &compiler{now: s, live: s, start: s, plan: &Plan{}, stmt: st, twins: &twinSet{}, held: map[ddl.Name]*held{}, fresh: map[ddl.Name]bool{}}
	if len(st.Ops) != 1 {
		return FillSpec{}, fmt.Errorf("%s: a backfill is one UPDATE, DELETE or INSERT … SELECT", st.Pos)
	}
	spec, r, err := c.fillSpec(st.Ops[0])
	if err != nil {
		return FillSpec{}, c.at(err)
	}
	if spec == nil {
		return FillSpec{}, &Refusal{Code: "whole-statement", Pos: st.Pos, Reason: "it cannot be split into ranges: " + c.whyWhole(st.Ops[0], r),
			Hint: "run it with psql in a quiet hour, or rewrite it so that each row is computed from itself"}
	}
	return *spec, nil
}

// fillSpec says how the rows are walked; nil when the statement has to run whole.
func (c *compiler) fillSpec(op ddl.Op) (*FillSpec, *ddl.Relation, error) {
	switch op := op.(type) {
	case ddl.Update:
		r, err := c.relation(op.Table)
		if err != nil {
			return nil, nil, err
		}
		var assigned, exprs []string
		for _, a := range op.Set {
			if r.Column(a.Column) == nil {
				return nil, nil, fmt.Errorf("column %s of relation %s does not exist", qi(a.Column), r.Name)
			}
			assigned = append(assigned, a.Column)
			exprs = append(exprs, a.Expr)
		}
		key := c.walkKey(r, assigned)
		if key == nil || op.With || op.Returning || c.readsTable(r, append(exprs, op.Where, op.From)...) || c.refersToItself(r, assigned) {
			return nil, r, nil
		}
		return &FillSpec{Kind: Update, Table: r.Name.String(), Alias: op.Alias, Set: op.Set, From: op.From, Where: op.Where, Key: key}, r, nil
	case ddl.Delete:
		r, err := c.relation(op.Table)
		if err != nil {
			return nil, nil, err
		}
		key := c.walkKey(r, nil)
		if key == nil || op.With || op.Returning || c.readsTable(r, op.Where, op.Using) || c.refersToItself(r, nil) {
			return nil, r, nil
		}
		return &FillSpec{Kind: Delete, Table: r.Name.String(), Alias: op.Alias, From: op.Using, Where: op.Where, Key: key}, r, nil
	case ddl.Insert:
		r, err := c.relation(op.Table)
		if err != nil {
			return nil, nil, err
		}
		if op.Source.IsZero() || op.With {
			return nil, r, nil
		}
		src, err := c.relation(op.Source)
		if err != nil {
			return nil, nil, err
		}
		key := c.walkKey(src, nil)
		pk := r.PrimaryKey()
		if key == nil || pk == nil || src.Name == r.Name || c.readsTable(r, append(op.Targets, op.SourceWhere)...) {
			return nil, r, nil
		}
		into := "INSERT INTO " + r.Name.String()
		if len(op.Columns) > 0 {
			into += " (" + qis(op.Columns) + ")"
		}
		return &FillSpec{Kind: Insert, Table: src.Name.String(), Alias: op.SourceAlias, Where: op.SourceWhere, Key: key,
			Into: into + " SELECT " + strings.Join(op.Targets, ", "), OnConflict: op.OnConflict,
			Target: r.Name.String(), TargetKey: pk.Columns}, r, nil
	}
	return nil, nil, fmt.Errorf("%T changes no rows", op)
}

// walkKey finds an immutable unique NOT NULL key (RULES 1): the primary key, else a unique index, none of
// whose columns the statement assigns.
func (c *compiler) walkKey(r *ddl.Relation, assigned []string) []string {
	var want []string // "-- replank: key a, b" chooses among the keys there are
	if arg, ok := c.directive("key"); ok {
		for _, k := range strings.Split(arg, ",") {
			want = append(want, unquote(strings.TrimSpace(k)))
		}
	}
	fits := func(cols []string) bool {
		if len(cols) == 0 || want != nil && !slices.Equal(want, cols) {
			return false
		}
		for _, n := range cols {
			k := r.Column(n)
			if k == nil || !k.NotNull || slices.Contains(assigned, n) {
				return false
			}
		}
		return true
	}
	if pk := r.PrimaryKey(); pk != nil && fits(pk.Columns) {
		return c.keyNow(r, pk.Columns)
	}
	for _, i := range r.Indexes {
		if i.Unique && i.Valid && i.Immediate && i.Predicate == "" && !i.HasExpr && fits(i.Keys) {
			return c.keyNow(r, i.Keys)
		}
	}
	return nil
}

// keyNow gives the columns of a key that are NOT NULL until complete: the second name of a renamed column is not.
func (c *compiler) keyNow(r *ddl.Relation, cols []string) []string {
	live := c.live.Relations[r.Name]
	if live == nil {
		return cols
	}
	out := slices.Clone(cols)
	for i, col := range cols {
		if k := live.Column(col); k == nil || !k.NotNull {
			out[i] = c.physical(r.Name, col)
		}
	}
	return out
}

// readsTable reports whether an expression looks at other rows of the target.
func (c *compiler) readsTable(r *ddl.Relation, exprs ...string) bool {
	for _, e := range exprs {
		if e == "" {
			continue
		}
		tables, err := ddl.Tables(e)
		if err != nil {
			return true
		}
		for _, t := range tables {
			if t.Name == r.Name.Name && (t.Schema == "" || t.Schema == r.Name.Schema) {
				return true
			}
		}
	}
	return false
}

// refersToItself reports whether rows of the table refer to others that the statement deletes, or changes in one of the
// assigned columns. What a foreign key then makes of it depends on the rows that go together: NO ACTION looks when the
// statement has ended, and SET NULL changes rows before their own range has come. Only CASCADE ends the same way in any
// order.
func (c *compiler) refersToItself(r *ddl.Relation, assigned []string) bool {
	family := c.familyNames(r)
	for _, m := range c.family(r) {
		for _, k := range m.Constraints {
			if k.Kind != ddl.ForeignKey || !slices.Contains(family, k.RefTable) {
				continue
			}
			if assigned == nil && !strings.Contains(k.Definition, "ON DELETE CASCADE") ||
				slices.ContainsFunc(assigned, func(col string) bool { return slices.Contains(k.RefColumns, col) }) {
				return true
			}
		}
	}
	return false
}

func (c *compiler) whyWhole(op ddl.Op, r *ddl.Relation) string {
	switch op := op.(type) {
	case ddl.Update:
		if op.With || op.Returning {
			return "it has a WITH or RETURNING clause"
		}
	case ddl.Delete:
		if op.With || op.Returning {
			return "it has a WITH or RETURNING clause"
		}
		if c.walkKey(r, nil) != nil && c.refersToItself(r, nil) {
			return "a foreign key of " + r.Name.String() + " to itself is checked when all the rows have gone"
		}
	case ddl.Insert:
		if isValues(op) {
			return "it inserts VALUES"
		}
		if op.Source.IsZero() {
			return "its SELECT is more than a filter of one table"
		}
		if r.PrimaryKey() == nil {
			return r.Name.String() + " has no primary key"
		}
	}
	if c.walkKey(r, nil) == nil {
		return r.Name.String() + " has no unique key of NOT NULL columns"
	}
	return "its result depends on other rows of " + r.Name.String() + ", or it assigns the key"
}
