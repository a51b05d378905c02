package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// twin is a column with a second column beside it that a sync trigger keeps equal until complete.
type twin struct {
	rel   *ddl.Relation
	col   *ddl.RelColumn
	name  string // the second column: internal for a type change, the new name for a rename
	typ   string // its type
	coll  string
	using string // expression over the old shape
	sync  sync
}

// twinSet holds the type changes of neighbouring statements. They swap together, because a foreign key needs
// both of its ends.
type twinSet struct {
	types  []*twin
	splits map[ddl.Name]*split
	once   map[ddl.Pos]string // statements that compute something once from what the file drops

	dropDefault map[madeRoom]typed // DROP DEFAULT that makes room for a new type
	rebuilt     map[string]string  // enum that is built again → what the old one is called then
	enums       []enumPair
	done        map[ddl.Name][]string // columns of either shape, per table
	indexes     map[ddl.Name]bool     // under the name they have until complete
}

// swapped are the columns of a table that have a twin under an internal name.
func (s *twinSet) swapped(t ddl.Name) []string { return s.done[t] }

// typeChange reports whether PostgreSQL would rewrite the table, read it, or build its indexes again.
func (c *compiler) typeChange(op ddl.AlterColumnType, sql string) bool {
	if slices.ContainsFunc(c.twins.enums, func(e enumPair) bool { return e.name == op.Type.Name }) {
		return true
	}
	return costly(c.now.Clone(), sql)
}

// costly reports whether a statement rewrites, reads or rebuilds anything.
func costly(s *ddl.Schema, sql string) bool {
	var e effects
	e.add(s, sql)
	return len(e.rewrite)+len(e.scan)+len(e.reindex) > 0
}

// alterType changes the type of a column: in an instant where PostgreSQL can, by a twin column where it would
// rewrite or scan the table.
func (c *compiler) alterType(op ddl.AlterColumnType, sql string) error {
	r, col, err := c.column(op.Table, op.Column)
	if err != nil {
		return err
	}
	c.touch("table", r.Name, op.Column)
	if r.Kind != 'r' && r.Kind != 'p' || c.fresh[r.Name] {
		return c.asIs(op, sql, "")
	}
	// Also where PostgreSQL would have nothing to do: the column that is there is not the one that is meant.
	if c.physical(r.Name, col.Name) != col.Name {
		return c.refuse("held-column", "change it in a migration of its own, applied after this one is complete",
			"column %s of %s has two shapes until complete already", qi(col.Name), r.Name)
	}
	change := c.typeChange(op, sql)
	back := fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE %s", r.Name, qi(col.Name), col.Type)
	if col.Collation != "" {
		back += " COLLATE " + col.Collation
	}
	if !change || c.plain() {
		st := Step{Phase: Expand, Kind: Transaction, Title: title(sql), SQL: []string{sql}}
		if err := c.mayBlock(sql); err != nil {
			return err
		}
		c.noticeShape(r, "changes the type of "+qi(col.Name))
		if after := c.now.Clone(); c.big(r) && (after.ApplyOp(op, sql) != nil || costly(after, back)) {
			st.Irreversible = fmt.Sprintf("PostgreSQL has no instant way from %s back to %s", op.Type.SQL, col.Type)
		} else {
			st.Reverse = append([]string{back}, c.storedAs(r, col.Name)...)
		}
		c.step(st)
		return nil
	}
	if err := c.twinnable(r, col); err != nil {
		return err
	}
	if err := c.replaceable(r, col); err != nil {
		return err
	}
	t := &twin{rel: r, col: col, name: internalName(col.Name), typ: op.Type.SQL, coll: op.Collation, using: op.Using}
	if err := c.newEnum(t, op); err != nil {
		return err
	}
	inverse := reversed(t.name, t.typ, col.Type)
	if t.using == "" {
		t.using = qi(col.Name)
	} else if !ddl.IsCast(t.using, col.Name) {
		inverse = ""
	}
	if e, ok := c.inverseOf(col.Name); ok {
		if inverse, err = ddl.RenameColumns(e, map[string]string{col.Name: t.name}); err != nil {
			return err
		}
	}
	if inverse == "" {
		c.notice("read-only", "the new type of %s.%s can be read but not written until complete: give `-- replank: inverse EXPRESSION` to allow it", r.Name, qi(col.Name))
	}
	if err := c.sync(t, inverse); err != nil {
		return err
	}
	if mayRaise(t.using, col.Name, col.Type, t.typ) && !c.rebuiltEnum(t) {
		c.notice("old-writers", "code that writes a value into %s.%s which is no %s fails from the moment this is applied", r.Name, qi(col.Name), t.typ)
	}
	if inverse != "" && mayRaise(inverse, t.name, t.typ, col.Type) {
		c.notice("new-writers", "until complete, code that writes a value into the new shape of %s.%s which is no %s fails", r.Name, qi(col.Name), col.Type)
	}
	c.hold(r.Name).columns[col.Name] = t.name
	c.twins.types = append(c.twins.types, t)
	c.twins.done[r.Name] = append(c.twins.done[r.Name], col.Name)
	return nil
}

// storedAs says again how a column is stored and watched, in the table and each one below it: a type change gives it what
// the type has.
func (c *compiler) storedAs(r *ddl.Relation, col string) []string {
	var out []string
	for _, m := range c.family(r) {
		for _, action := range []string{"SetStorage", "SetStatistics"} {
			out = append(out, "ALTER TABLE ONLY "+m.Name.String()+" "+c.reverseAlter(ddl.AlterTable{Action: action, Column: col}, m))
		}
	}
	return out
}

// newEnum lets a twin use the new enum under the name it has until complete.
func (c *compiler) newEnum(t *twin, op ddl.AlterColumnType) error {
	for _, e := range c.twins.enums {
		if op.Type.Name == e.name {
			t.typ = e.tmp.String() + strings.Repeat("[]", op.Type.Array)
		}
		if t.using == "" {
			continue
		}
		var err error
		if t.using, err = ddl.RenameTypeIn(t.using, e.name, e.tmp); err != nil {
			return err
		}
	}
	return nil
}

// inverse reads "-- replank: inverse [column =] expression".
func inverse(d ddl.Directive) (col, expr string, ok bool) {
	if d.Verb != "inverse" {
		return "", "", false
	}
	if left, right, equals := strings.Cut(d.Arg, "="); equals && identifier(strings.TrimSpace(left)) {
		return unquote(strings.TrimSpace(left)), strings.TrimSpace(right), true
	}
	return "", d.Arg, true
}

// inverseOf finds the inverse that the statement gives for a column.
func (c *compiler) inverseOf(column string) (string, bool) {
	for _, d := range c.stmt.Directives {
		if col, expr, ok := inverse(d); ok && (col == "" || col == column) {
			return expr, true
		}
	}
	return "", false
}

func identifier(s string) bool { return s != "" && (qi(s) == s || qi(unquote(s)) == s) }

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return strings.ReplaceAll(s[1:len(s)-1], `""`, `"`)
	}
	return s
}

// twinnable says why a column cannot have a twin.
func (c *compiler) twinnable(r *ddl.Relation, col *ddl.RelColumn) error {
	if err := c.onePath(r); err != nil {
		return err
	}
	if slices.Contains(r.PartitionBy, col.Name) {
		return c.refuse("partition-key", "create a new partitioned table and move the rows", "PostgreSQL cannot alter column %s because it is part of the partition key of %s", qi(col.Name), r.Name)
	}
	if r.IsPartition || col.Inherited > 0 {
		return c.refuse("inherited-column", "change the parent table", "PostgreSQL cannot alter inherited column %s", qi(col.Name))
	}
	if col.Generated != 0 {
		return c.refuse("generated-column", "drop the column and add it again", "the values of %s are computed, so a twin of it cannot be written", qi(col.Name))
	}
	family := c.family(r)
	for _, m := range family {
		if k := m.Column(col.Name); m != r && k != nil && k.Inherited > parentsIn(m, family) {
			return c.refuse("inherited-column", "change the parent table", "PostgreSQL cannot alter column %s of %s, which inherits it from another table than %s too", qi(col.Name), m.Name, r.Name)
		}
		for _, t := range m.Triggers {
			if t.Row && t.Before && t.OnUpdate && slices.Contains(t.UsesColumns, col.Name) && !slices.Contains(t.Columns, col.Name) {
				return c.refuse("trigger-when", "write the condition into the trigger's function", "BEFORE trigger %s of %s looks at the column in its WHEN, before a write through the new shape has reached it", qi(t.Name), m.Name)
			}
			if t.Row && t.Before && t.Name > triggerPrefix && !ownTrigger(t) {
				return c.refuse("trigger-order", "rename the trigger", "BEFORE trigger %s of %s would run behind the sync trigger, which has to be last", qi(t.Name), m.Name)
			}
		}
	}
	return nil
}

// replaceable says why another column cannot take the place of a column: what stands on it would have to be made again
// and cannot. Views, policies, triggers and statistics are (swapDependents).
func (c *compiler) replaceable(r *ddl.Relation, col *ddl.RelColumn) error {
	if seq := c.now.Sequences[col.Sequence]; seq != nil && col.Identity != 0 && len(seq.UsedBy) > 0 {
		return c.refuse("dependent-sequence", "drop it before and create it again after the change",
			"%s depends on sequence %s, which the identity column %s cannot hand over to another column", seq.UsedBy[0], seq.Name, qi(col.Name))
	}
	for _, m := range c.family(r) {
		for _, d := range m.Dependents {
			if d.Column != col.Name {
				continue
			}
			switch d.Kind {
			case "generated column":
				return c.refuse("generated-dependent", "drop the generated column in an earlier migration and add it again in a later one",
					"PostgreSQL cannot alter the type of a column that a generated column uses (%s)", d.Text)
			case "rule":
				if slices.ContainsFunc(m.Dependents, func(v ddl.Dependent) bool {
					return v.Column == col.Name && v.Kind == "view" && v.Name == d.Table
				}) {
					continue // made again with its view
				}
				fallthrough
			case "publication", "function", "column":
				return c.refuse("dependent-"+d.Kind, "drop it before and create it again after the change",
					"%s depends on column %s", d.Text, qi(col.Name))
			}
		}
	}
	return nil
}

// parentsIn counts the parents of a table that are of a family.
func parentsIn(m *ddl.Relation, family []*ddl.Relation) int {
	n := 0
	for _, f := range family {
		if slices.Contains(m.Parents, f.Name) {
			n++
		}
	}
	return n
}

// sync adds the second column with the triggers that keep both equal from the first moment on.
func (c *compiler) sync(t *twin, inverse string) error {
	r, col := t.rel, t.col
	def := ""
	if col.Default != "" && !col.Volatile && col.Identity == 0 {
		def = col.Default
	}
	live := c.live.Relation(r.Name).Column(col.Name)
	old := syncColumn{name: col.Name, typ: col.Type, from: inverse, plainEq: plainEq(col.Type, col.Collation), always: col.Identity == 'a'}
	neu := syncColumn{name: t.name, typ: t.typ, from: t.using, plainEq: plainEq(t.typ, t.coll)}
	if c.rebuiltEnum(t) {
		old.typ = "" // labels are what both types share
	} else if live != nil {
		old.typ = live.Type // the file may have given the type another name by now, which it gets at complete
	}
	isUnset := func(k syncColumn, def string) string {
		if def == "" {
			return "NEW." + qi(k.name) + " IS NULL"
		}
		// The column has the default on its own side: whoever left it out wrote the default's value.
		return isDefault(k.name, def, c.columnType(t, k.name))
	}
	// What is written straight into a table below gets the default that the old column has there.
	required, own := col.NotNull, ddl.Name{}
	defaults, hidden := []string{def}, live != nil && (live.Default != "" || live.Identity != 0) && def == ""
	for _, m := range c.family(r)[1:] {
		k := m.Column(col.Name)
		required = required && (k == nil || k.NotNull)
		if k != nil && k.Identity == 0 && !slices.Contains(defaults, k.Default) {
			defaults = append(defaults, k.Default)
			hidden, own = hidden || k.Volatile, m.Name
		}
	}
	// Where a table below has a default of its own, the new shape could have either. A trigger sees the same row of an
	// INSERT through the parent that writes the own default into the old shape, and of one straight into that table that
	// writes the parent's default into the new one; it knows the table the row is for, not the one that was named. The
	// first is what code does. Without a default in the new shape nothing is mixed up but NULL, which a NOT NULL column
	// has no use for.
	newDef := def
	switch {
	case len(defaults) == 1 || def == "":
	case required:
		newDef = ""
	default:
		c.notice("own-default", "until complete, an INSERT straight into %s that writes the default of %s into the new shape of column %s is taken for one that leaves it out, and gets the default of %[1]s", own, r.Name, qi(col.Name))
	}
	neu.unset = isUnset(neu, newDef)
	// An identity, a volatile default, or one that the file drops before the new type, hides what was left out.
	if !hidden {
		var alternatives []string
		for _, d := range defaults {
			alternatives = append(alternatives, isUnset(old, d))
		}
		old.unset = "(" + strings.Join(alternatives, " OR ") + ")"
	} else if !col.NotNull {
		c.notice("default-for-null", "until complete, an INSERT that writes NULL into the new shape of %s.%s gets the default of the old one", r.Name, qi(col.Name))
	}
	named := append([]string{t.using, inverse}, defaults...)
	if len(defaults) > 1 || def != "" {
		named = append(named, "NULL::"+col.Type, "NULL::"+t.typ)
	}
	if err := c.triggerable(r, []string{t.name}, named...); err != nil {
		return err
	}
	t.sync = sync{table: r.Name, old: []syncColumn{old}, new: []syncColumn{neu},
		computing: c.computing(r, []string{col.Type, t.typ}, append([]string{t.using, inverse}, defaults...), named...)}
	if err := c.inputs(&t.sync, r); err != nil {
		return err
	}
	coll := ""
	if t.coll != "" {
		coll = " COLLATE " + t.coll
	}
	st := Step{Phase: Expand, Kind: Transaction, Title: fmt.Sprintf("add %s beside %s to %s, kept equal by triggers", qi(t.name), qi(col.Name), r.Name)}
	// A child that defines the column itself defines its twin, too; its parent's merges with it.
	members := append([]*ddl.Relation{r}, c.definers(r, col.Name)...)
	for _, m := range slices.Backward(members) {
		st.SQL = append(st.SQL, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s%s", m.Name, qi(t.name), t.typ, coll))
	}
	if newDef != "" {
		// A default set after ADD COLUMN is for new rows only: old ones stay NULL until the fill.
		st.SQL = append(st.SQL, fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET DEFAULT (%s)::%s", r.Name, qi(t.name), newDef, t.typ))
	}
	tables := c.triggerTables(r)
	st.SQL = append(st.SQL, t.sync.computable()...)
	st.SQL = append(st.SQL, t.sync.create(tables)...)
	st.SQL = append(st.SQL, t.sync.always(c.familyNames(r))...)
	st.SQL = append(st.SQL, columnGrants(r, t.name, col.ACL)...)
	st.Reverse = append(t.sync.drop(tables), c.dropInFamily(r, t.name, col.Name)...)
	c.bothNames(t, &st)
	c.step(st)
	c.noticeShape(r, "gains column "+qi(t.name))
	c.noticeBefore(r, col.Name)
	return nil
}

func (c *compiler) columnType(t *twin, name string) string {
	if name == t.name {
		return t.typ
	}
	return t.col.Type
}

// bothNames makes triggers that look at UPDATE OF the column look at its twin as well (RULES 8): our trigger
// changes the column without naming it in a SET list.
func (c *compiler) bothNames(t *twin, st *Step) {
	for _, m := range c.family(t.rel) {
		for _, tr := range m.Triggers {
			if tr.Parent != 0 || !slices.Contains(tr.Columns, t.col.Name) {
				continue
			}
			both, err := ddl.AddUpdateOf(tr.Definition, t.name)
			if err != nil {
				continue
			}
			drop := fmt.Sprintf("DROP TRIGGER %s ON %s", qi(tr.Name), m.Name)
			st.SQL = append(st.SQL, drop, both)
			st.SQL = append(st.SQL, c.triggerState(m, tr)...)
			st.Reverse = append([]string{drop, tr.Definition}, append(c.triggerState(m, tr), st.Reverse...)...)
		}
	}
}

// triggerState restores what CREATE TRIGGER does not say of a trigger, and of its clones in partitions: each table for
// itself, because the state of a clone need not be its parent's.
func (c *compiler) triggerState(r *ddl.Relation, t *ddl.Trigger) []string {
	var out []string
	for _, m := range c.family(r) {
		for _, own := range m.Triggers {
			if own != t && (m == r || own.Parent == 0 || own.Name != t.Name) {
				continue
			}
			if word := triggerStates[own.Enabled]; own.Enabled != 'O' {
				out = append(out, fmt.Sprintf("ALTER TABLE ONLY %s %s TRIGGER %s", m.Name, word, qi(own.Name)))
			}
			if own.Comment != "" {
				out = append(out, fmt.Sprintf("COMMENT ON TRIGGER %s ON %s IS %s", qi(own.Name), m.Name, ddl.QuoteLiteral(own.Comment)))
			}
		}
	}
	return out
}

// triggerStates are the words for pg_trigger.tgenabled.
var triggerStates = map[byte]string{'O': "ENABLE", 'D': "DISABLE", 'A': "ENABLE ALWAYS", 'R': "ENABLE REPLICA"}

// fillTwins fills all twins of a table in one pass.
func (c *compiler) fillTwins(r *ddl.Relation, twins []*twin) error {
	spec := FillSpec{Kind: Twin, Table: r.Name.String(), Flag: FillFlag, Kept: true}
	var guards []string
	for _, t := range twins {
		spec.Set = append(spec.Set, ddl.Assignment{Column: t.name, Expr: t.using})
		guards = append(guards, t.sync.unfilled())
	}
	spec.Guard = strings.Join(guards, " OR ")
	return c.fill(r, spec)
}

// renameColumn keeps both names until complete: a second column under the new name, kept equal by triggers,
// with the indexes that queries on the new name need. At complete the second column goes and the first takes
// its name, so that everything which depends on the column stays as it is and in its place.
func (c *compiler) renameColumn(op ddl.RenameColumn, sql string) error {
	r, col, err := c.column(op.Table, op.From)
	if err != nil {
		return err
	}
	if r.Column(op.To) != nil {
		return fmt.Errorf("column %s of relation %s already exists", qi(op.To), r.Name)
	}
	c.touch("table", r.Name, op.From)
	c.touch("table", r.Name, op.To)
	back := fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", r.Name, qi(op.To), qi(op.From))
	if c.fresh[r.Name] || c.plain() {
		return c.asIs(op, sql, back)
	}
	if c.physical(r.Name, op.From) != op.From {
		return c.refuse("held-column", "rename it in a migration of its own, applied after this one is complete",
			"column %s of %s has two shapes until complete already", qi(op.From), r.Name)
	}
	ends := fmt.Sprintf("the name %s of column %s of %s", qi(op.From), qi(op.To), r.Name)
	if c.opt.VersionSchema != "" || r.Kind != 'r' && r.Kind != 'p' || c.untwinned(r, col) || c.occupiedColumn(r, op.To) {
		// The new name exists in the version schema, or only from complete on.
		c.notice("rename-at-complete", "column %s of %s gets its new name at complete", qi(op.From), r.Name)
		if c.occupiedColumn(r, op.To) {
			c.hold(r.Name).gone[op.To] = true // until then the name is another column's
		}
		c.hold(r.Name).columns[op.To] = op.From
		c.later(Step{Kind: Transaction, Title: title(sql), SQL: []string{sql}, Reverse: []string{back}, Ends: ends})
		return nil
	}
	if err := c.twinnable(r, col); err != nil {
		return err
	}
	for _, d := range r.Dependents {
		if d.Kind == "rule" && d.Column == col.Name && d.Table == r.Name {
			return c.refuse("dependent-"+d.Kind, "drop the rule before and create it again after the change",
				"%s reads column %s of the statement, where a write through the new name has not reached it", d.Text, qi(col.Name))
		}
	}
	t := &twin{rel: r, col: col, name: op.To, typ: col.Type, coll: col.Collation, using: qi(op.From)}
	c.temporary = true
	defer func() { c.temporary = false }()
	if err := c.sync(t, qi(op.To)); err != nil {
		return err
	}
	c.columnOrder(t, false)
	if err := c.fillTwins(r, []*twin{t}); err != nil {
		return err
	}
	if err := c.twinIndexes(r, map[string]string{op.From: op.To}, nil); err != nil {
		return err
	}
	c.hold(r.Name).columns[op.To] = op.From
	swap := t.sync.drop(c.triggerTables(r))
	swap = append(swap, c.originalTriggers(t)...)
	swap = append(swap, c.dropInFamily(r, op.To, op.From)...)
	swap = append(swap, fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", r.Name, qi(op.From), qi(op.To)))
	c.later(Step{Kind: Transaction, Leaves: true, Title: title(sql), SQL: swap, Reverse: []string{back}, Ends: ends})
	return nil
}

// untwinned reports columns for which a second one is impossible but a plain rename is not.
func (c *compiler) untwinned(r *ddl.Relation, col *ddl.RelColumn) bool {
	return col.Generated != 0 || col.Identity == 'a' || slices.Contains(r.PartitionBy, col.Name)
}

// originalTriggers puts back the triggers that bothNames widened.
func (c *compiler) originalTriggers(t *twin) []string {
	var out []string
	for _, m := range c.family(t.rel) {
		for _, tr := range m.Triggers {
			if tr.Parent == 0 && slices.Contains(tr.Columns, t.col.Name) {
				out = append(out, fmt.Sprintf("DROP TRIGGER %s ON %s", qi(tr.Name), m.Name), tr.Definition)
				out = append(out, c.triggerState(m, tr)...)
			}
		}
	}
	return out
}

// twinIndexes builds, beside the application, a twin of every index that needs one of the columns: leaves
// first, then the partitioned indexes above them, which adopt what they find. built, when given, is called for
// each with the original.
func (c *compiler) twinIndexes(r *ddl.Relation, cols map[string]string, built func(m *ddl.Relation, i *ddl.Index)) error {
	now := c.presently(r.Name, cols)
	family := c.family(r)
	slices.Reverse(family)
	for _, m := range family {
		for _, i := range m.Indexes {
			if !uses(i.Columns, cols) || !i.Valid {
				continue
			}
			if built != nil && i.Partitioned && i.Constraint != "" {
				built(m, i) // a partitioned constraint adopts its partitions' at the swap
				continue
			}
			tmp := internalName(i.Name.Name)
			full := ddl.Name{Schema: i.Name.Schema, Name: tmp}
			if c.twins.indexes[full] || has(c.live, full) {
				if built == nil && !i.Unique {
					continue // queries under the new names do without it until complete
				}
				return c.refuse("held-column", "change all its columns in one ALTER TABLE, or the others in a later migration",
					"index %s has columns that two statements of the file change", i.Name)
			}
			c.twins.indexes[full] = true
			if i.Partitioned {
				sql, err := ddl.RenameIndexDef(i.Definition, tmp, nil, now, false)
				if err != nil {
					return fmt.Errorf("index %s: %w", i.Name, err)
				}
				c.step(Step{Phase: Verify, Kind: Transaction, adopts: true, Title: "adopt the indexes of the partitions as " + full.String(),
					SQL: []string{indexDef(sql, false)}, Reverse: []string{"DROP INDEX IF EXISTS " + full.String()}})
			} else if err := c.buildTwinIndex(m, i, full, now); err != nil {
				return fmt.Errorf("index %s: %w", i.Name, err)
			}
			if built != nil {
				built(m, i)
			}
		}
	}
	return nil
}

func (c *compiler) buildTwinIndex(m *ddl.Relation, i *ddl.Index, full ddl.Name, cols map[string]string) error {
	sql, err := ddl.RenameIndexDef(i.Definition, full.Name, nil, cols, true)
	if err != nil {
		return err
	}
	c.concurrently(m, full, fmt.Sprintf("build the twin of index %s", i.Name), sql)
	if !i.Unique {
		return nil
	}
	// ON CONFLICT knows one of the two indexes as its arbiter; in the other one a conflict is an error.
	c.notice("second-unique", "until complete, of two sessions that INSERT … ON CONFLICT the same new key into %s at the same moment, one may get a unique violation (23505) of %s: it works when tried again", m.Name, full.Name)
	if k := m.Constraint(i.Constraint); k != nil && k.Deferrable {
		c.notice("deferrable", "until complete, the check of %s on %s cannot be deferred: an UPDATE that moves values past one another fails (23505)", qi(k.Name), m.Name)
	}
	return nil
}

func uses(cols []string, m map[string]string) bool {
	return slices.ContainsFunc(cols, func(c string) bool { _, ok := m[c]; return ok })
}
