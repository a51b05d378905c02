package plan

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// swap is the one short transaction in which twins take the place of their columns. Inside it there are only
// renames, drops, USING INDEX and the like: nothing reads or writes rows (RULES 12). The lists are run in the
// order of the fields.
type swap struct {
	remember []string // positions of identity sequences
	detach   []string // what would stop DROP COLUMN: views, policies, triggers, statistics, foreign keys
	sync     []string // our triggers go
	columns  []string // drop the old, rename the new, identity, NOT NULL
	defaults []string // may call nextval of the sequence of an identity, which is there again
	keys     []string // constraints and indexes take their names
	attach   []string // what detach took away comes back

	// Partitioned indexes and foreign keys with their twins, as rows of SQL. What these have in partitions gets its name by
	// what the catalog says at the swap, since partitions come and go until then.
	partitioned struct{ indexes, keys []string }
}

func (s *swap) sql() []string {
	look, name := s.partitionNames()
	return slices.Concat(s.remember, look, s.detach, s.sync, s.columns, s.defaults, s.keys, s.attach, name)
}

//go:embed partitionnames.sql
var partitionNamesSQL string

// partitionNames looks, while the originals are there, for what has to be renamed in partitions, and renames it when
// their names are free.
func (s *swap) partitionNames() (look, name []string) {
	rows := func(rows []string, none string) string {
		if len(rows) == 0 {
			return none
		}
		return strings.Join(rows, ", ")
	}
	if len(s.partitioned.indexes)+len(s.partitioned.keys) == 0 {
		return nil, nil
	}
	sql := strings.NewReplacer("$index", rows(s.partitioned.indexes, "(NULL, NULL)"), "$key", rows(s.partitioned.keys, "(NULL, NULL, NULL)"),
		"$prefix", ddl.QuoteLiteral(internalPrefix)).Replace(partitionNamesSQL)
	_, sql, _ = strings.Cut(sql, "WITH ")
	return []string{"WITH " + sql}, []string{"DO 'BEGIN EXECUTE pg_catalog.current_setting(''replank.partition_names''); END'"}
}

// flushTypes finishes the type changes collected so far: fill, indexes, constraints, and the swap.
func (c *compiler) flushTypes() error {
	twins := c.twins.types
	c.twins.types = nil
	if len(twins) == 0 {
		return nil
	}
	byTable := map[ddl.Name][]*twin{}
	var tables []*ddl.Relation
	for _, t := range twins {
		if byTable[t.rel.Name] == nil {
			tables = append(tables, t.rel)
		}
		byTable[t.rel.Name] = append(byTable[t.rel.Name], t)
	}
	for _, r := range tables {
		if err := c.fillTwins(r, byTable[r.Name]); err != nil {
			return err
		}
	}
	s := &swap{}
	columns := map[ddl.Name]map[string]string{} // of each table and all below it: column → twin
	for _, r := range tables {
		cols := map[string]string{}
		for _, t := range byTable[r.Name] {
			cols[t.col.Name] = t.name
		}
		for _, m := range c.family(r) {
			columns[m.Name] = cols
		}
		if err := c.swapTable(s, r, byTable[r.Name], cols); err != nil {
			return err
		}
	}
	if err := c.swapForeignKeys(s, tables, columns); err != nil {
		return err
	}
	if err := c.swapDependents(s, tables, byTable, columns); err != nil {
		return err
	}
	var what []string
	for _, t := range twins {
		what = append(what, t.rel.Name.String()+"."+qi(t.col.Name))
		c.notice("cached-plan", "%s.%s changes its type at complete: server-prepared statements that return it fail once per connection with \"cached plan must not change result type\"", t.rel.Name, qi(t.col.Name))
		if c.rebuiltEnum(t) {
			c.notice("prepared-parameter", "server-prepared statements with a parameter of the old enum type fail after complete until they are prepared again: cast the parameter from text")
		}
		c.columnOrder(t, true)
	}
	c.later(Step{Kind: Transaction, Title: "swap " + strings.Join(what, ", "), SQL: s.sql(),
		Destroys:     "the former values of " + strings.Join(what, ", "),
		Irreversible: "the former column is gone"})
	return nil
}

// rebuiltEnum reports whether the twin has the new type of an enum that is rebuilt.
func (c *compiler) rebuiltEnum(t *twin) bool {
	return slices.ContainsFunc(c.twins.enums, func(e enumPair) bool { return strings.HasPrefix(t.typ, e.tmp.String()) })
}

// swapTable writes the swap of one table's columns with their own indexes and constraints.
func (c *compiler) swapTable(s *swap, r *ddl.Relation, twins []*twin, cols map[string]string) error {
	for _, t := range twins {
		s.sync = append(s.sync, t.sync.drop(c.triggerTables(r))...)
	}
	if err := c.twinConstraints(s, r, twins, cols); err != nil {
		return err
	}
	var keys []string
	err := c.twinIndexes(r, cols, func(m *ddl.Relation, i *ddl.Index) {
		keys = append(keys, c.takeName(s, m, i, c.presently(r.Name, cols))...)
	})
	if err != nil {
		return err
	}
	s.keys = append(s.keys, keys...)
	for _, t := range twins {
		c.swapColumn(s, t)
	}
	return nil
}

// takeName gives the twin of an index the name, and the constraint, of its original. cols are the columns that it is built
// on, by those it means.
func (c *compiler) takeName(s *swap, m *ddl.Relation, i *ddl.Index, cols map[string]string) []string {
	tmp := ddl.Name{Schema: i.Name.Schema, Name: internalName(i.Name.Name)}
	c.late[i.Name.String()] = true
	if i.Constraint != "" {
		c.late[part(m.Name, i.Constraint)] = true
	}
	var out []string
	switch k := m.Constraint(i.Constraint); {
	case k != nil && i.Partitioned:
		// Its partitions have the constraint by now, and it adopts them.
		out = append(out, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", m.Name, qi(k.Name), k.Definition))
	case k != nil:
		word := "UNIQUE"
		if k.Kind == ddl.PrimaryKey {
			word = "PRIMARY KEY"
		}
		def := ""
		if k.Deferrable {
			def += " DEFERRABLE"
		}
		if k.Deferred {
			def += " INITIALLY DEFERRED"
		}
		out = append(out, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %s%s", m.Name, qi(k.Name), word, qi(tmp.Name), def))
	default:
		out = append(out, fmt.Sprintf("ALTER INDEX %s RENAME TO %s", tmp, qi(i.Name.Name)))
		if i.Partitioned {
			s.partitioned.indexes = append(s.partitioned.indexes, fmt.Sprintf("(%s, %s)", ddl.QuoteLiteral(i.Name.String()), ddl.QuoteLiteral(tmp.String())))
		}
	}
	if !(i.Partitioned && i.Constraint != "") && (i.Constraint != "" || i.Parent.IsZero()) {
		// An index keeps the column names it was built with; nothing but \d shows them. Those of a partitioned
		// index are renamed with its partitions'; a partitioned constraint is made after the rename.
		out = append(out, renames(i, cols)...)
	}
	if k := m.Constraint(i.Constraint); k != nil && k.Comment != "" {
		out = append(out, fmt.Sprintf("COMMENT ON CONSTRAINT %s ON %s IS %s", qi(k.Name), m.Name, ddl.QuoteLiteral(k.Comment)))
	}
	return append(out, indexAttributes(m, i)...)
}

// renames gives the columns of the twin of an index their names, where one has the name that another gets behind that.
func renames(i *ddl.Index, cols map[string]string) []string {
	has := map[string]string{} // name → name that it gets
	for _, col := range slices.Concat(i.Keys, i.Include) {
		if built, ok := cols[col]; ok {
			has[built] = col
		} else if col != "" {
			has[col] = col
		}
	}
	var out []string
	for range has {
		for _, built := range slices.Sorted(maps.Keys(has)) {
			to := has[built]
			if _, taken := has[to]; built == to || taken {
				continue
			}
			out = append(out, fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", i.Name, qi(built), qi(to)))
			delete(has, built)
			has[to] = to
		}
	}
	return out
}

// indexAttributes restores what CREATE INDEX does not say.
func indexAttributes(m *ddl.Relation, i *ddl.Index) []string {
	var out []string
	if i.Comment != "" {
		out = append(out, fmt.Sprintf("COMMENT ON INDEX %s IS %s", i.Name, ddl.QuoteLiteral(i.Comment)))
	}
	if i.Clustered {
		out = append(out, fmt.Sprintf("ALTER TABLE %s CLUSTER ON %s", m.Name, qi(i.Name.Name)))
	}
	if i.ReplIdent {
		out = append(out, fmt.Sprintf("ALTER TABLE %s REPLICA IDENTITY USING INDEX %s", m.Name, qi(i.Name.Name)))
	}
	var nums []int
	for n := range i.StatsTarget {
		nums = append(nums, n)
	}
	slices.Sort(nums)
	for _, n := range nums {
		out = append(out, fmt.Sprintf("ALTER INDEX %s ALTER COLUMN %d SET STATISTICS %d", i.Name, n, i.StatsTarget[n]))
	}
	return out
}

// twinConstraints proves for the twins what NOT NULL and CHECK say of the columns.
func (c *compiler) twinConstraints(s *swap, r *ddl.Relation, twins []*twin, cols map[string]string) error {
	for _, t := range twins {
		for _, q := range c.required(r, t.col.Name) {
			c.checkNotNull(q.rel, t.name, q.only)
		}
	}
	now := c.presently(r.Name, cols)
	family := c.family(r)
	slices.Reverse(family) // what a child says itself has to be there before its parent says the same
	var comments []string
	for _, m := range family {
		for _, k := range m.Constraints {
			if k.Kind == ddl.Exclude && uses(k.Columns, cols) {
				return c.refuse("exclusion-constraint", "drop the constraint first and add it again in a quiet hour",
					"exclusion constraint %s needs the column, and PostgreSQL cannot build another one beside the application", qi(k.Name))
			}
			if k.Kind != ddl.Check || !uses(k.Columns, cols) {
				continue
			}
			if k.Comment != "" {
				comments = append(comments, fmt.Sprintf("COMMENT ON CONSTRAINT %s ON %s IS %s", qi(k.Name), m.Name, ddl.QuoteLiteral(k.Comment)))
			}
			if k.Inherited > 0 && !k.Local {
				continue
			}
			c.late[part(m.Name, k.Name)] = true
			tmp := internalName(k.Name)
			if live := c.live.Relations[m.Name]; live != nil && live.Constraint(tmp) != nil {
				return c.splitName(k.Name)
			}
			def, err := ddl.RenameConstraintDef(k.Definition, now, nil, nil)
			if err != nil {
				return fmt.Errorf("constraint %s: %w", qi(k.Name), err)
			}
			back := fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", m.Name, qi(tmp))
			c.addThenValidate(m, tmp, !k.Valid, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID", m.Name, qi(tmp), def), back)
			if k.Inherited > 0 {
				continue // it goes with the column, and gets its name with its parent's
			}
			s.detach = append(s.detach, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", m.Name, qi(k.Name)))
			s.keys = append(s.keys, fmt.Sprintf("ALTER TABLE %s RENAME CONSTRAINT %s TO %s", m.Name, qi(tmp), qi(k.Name)))
		}
	}
	s.keys = append(s.keys, comments...)
	return nil
}

// swapColumn drops the old column and gives the twin everything that belonged to it: in the table, and in each
// table below it that has something of its own.
func (c *compiler) swapColumn(s *swap, t *twin) {
	r, col := t.rel, t.col
	tbl, name := r.Name.String(), qi(col.Name)
	alter := fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s ", tbl, name)
	seq := c.now.Sequences[col.Sequence]
	position := fmt.Sprintf("replank.position_%d", len(s.remember))
	if col.Identity != 0 && seq != nil {
		// DROP COLUMN takes the sequence along; its position is carried over inside the transaction. ALTER SEQUENCE,
		// which changes nothing, locks nextval out: what it gave away after the position was read, it would give again.
		s.remember = append(s.remember, fmt.Sprintf("ALTER SEQUENCE %s CACHE %d", seq.Name, seq.Cache),
			fmt.Sprintf("SELECT pg_catalog.set_config('%s', last_value || ' ' || is_called, true) FROM %s", position, seq.Name))
	} else if seq != nil {
		s.columns = append(s.columns, fmt.Sprintf("ALTER SEQUENCE %s OWNED BY NONE", seq.Name))
	}
	s.columns = append(s.columns, c.dropInFamily(r, col.Name, col.Name)...)
	s.columns = append(s.columns, fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", tbl, qi(t.name), name))
	s.columns = append(s.columns, c.swapNotNull(t)...)
	handedDown := ""
	switch {
	case col.Identity != 0 && seq != nil:
		s.columns = append(s.columns, c.identity(t, seq, position)...)
		c.swapNextval(s, seq)
	case col.Default != "":
		handedDown = col.Default
		s.defaults = append(s.defaults, alter+"SET DEFAULT "+col.Default)
	}
	if seq != nil && col.Identity == 0 {
		s.columns = append(s.columns, fmt.Sprintf("ALTER SEQUENCE %s OWNED BY %s.%s", seq.Name, tbl, name))
	}
	c.noticeGrantors(tbl+"."+name, col.ACL)
	s.columns = append(s.columns, columnAttributes(r, col)...)
	for _, m := range c.family(r)[1:] {
		if own := m.Column(col.Name); own != nil {
			c.noticeGrantors(m.Name.String()+"."+qi(own.Name), own.ACL)
			s.defaults = append(s.defaults, ownDefault(m, own, handedDown)...)
			s.columns = append(s.columns, columnAttributes(m, own)...)
		}
	}
}

// swapNextval takes away the defaults of other columns that call nextval of the sequence of an identity: nothing but
// catalog entries, which come back as soon as the sequence is there again.
func (c *compiler) swapNextval(s *swap, seq *ddl.Sequence) {
	relations := slices.SortedFunc(maps.Values(c.now.Relations), func(a, b *ddl.Relation) int {
		return strings.Compare(a.Name.String(), b.Name.String())
	})
	for _, r := range relations {
		for _, k := range r.Columns {
			if k.Generated != 0 || !strings.Contains(k.Default, "nextval") {
				continue
			}
			m, err := ddl.Mentions("SELECT " + k.Default)
			if err != nil || !slices.ContainsFunc(m.Relations, func(n ddl.Name) bool { return c.resolve(n) == seq.Name }) {
				continue
			}
			if !r.IsPartition { // one may go any day
				c.touch("table", r.Name, k.Name)
			}
			alter := fmt.Sprintf("ALTER TABLE ONLY %s ALTER COLUMN %s ", r.Name, qi(k.Name))
			s.detach = append(s.detach, alter+"DROP DEFAULT")
			s.defaults = append(s.defaults, alter+"SET DEFAULT "+k.Default)
		}
	}
}

// ownDefault gives a member of a family its own default behind the one that its parent handed down.
func ownDefault(m *ddl.Relation, col *ddl.RelColumn, handedDown string) []string {
	alter := fmt.Sprintf("ALTER TABLE ONLY %s ALTER COLUMN %s ", m.Name, qi(col.Name))
	switch {
	case col.Default == handedDown || col.Identity != 0 || col.Generated != 0:
		return nil
	case col.Default == "":
		return []string{alter + "DROP DEFAULT"}
	}
	return []string{alter + "SET DEFAULT " + col.Default}
}

// definers are the members of a family below r, parents first, that define a column of r themselves, so that it
// stays there when r's goes.
func (c *compiler) definers(r *ddl.Relation, col string) []*ddl.Relation {
	return slices.DeleteFunc(c.family(r), func(m *ddl.Relation) bool {
		k := m.Column(col)
		return m == r || m.IsPartition || k == nil || !k.Local
	})
}

// dropInFamily drops a column that is defined where definedLike is.
func (c *compiler) dropInFamily(r *ddl.Relation, col, definedLike string) []string {
	out := []string{fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", r.Name, qi(col))}
	for _, m := range c.definers(r, definedLike) {
		out = append(out, fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", m.Name, qi(col)))
	}
	return out
}

// requirement is a table whose column is NOT NULL: with all tables below it, or only there.
type requirement struct {
	rel  *ddl.Relation
	only bool
}

// check adds and removes the CHECK that proves a requirement.
func (q requirement) check(col string) (add, drop string) {
	noInherit := ""
	if q.only {
		noInherit = " NO INHERIT"
	}
	check := qi(notNullCheck(col))
	return fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s IS NOT NULL)%s NOT VALID", q.rel.Name, check, qi(col), noInherit),
		fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", q.rel.Name, check)
}

func (q requirement) validate(col string) string {
	return fmt.Sprintf("ALTER TABLE %s VALIDATE CONSTRAINT %s", q.rel.Name, qi(notNullCheck(col)))
}

func (q requirement) set(col string) string {
	only := ""
	if q.only {
		only = "ONLY "
	}
	return fmt.Sprintf("ALTER TABLE %s%s ALTER COLUMN %s SET NOT NULL", only, q.rel.Name, qi(col))
}

// required are the topmost members of a family in which a column is NOT NULL.
func (c *compiler) required(r *ddl.Relation, col string) []requirement {
	nullable := func(m *ddl.Relation) bool { k := m.Column(col); return k == nil || !k.NotNull }
	var out []requirement
	covered := map[*ddl.Relation]bool{}
	for _, m := range c.family(r) {
		if covered[m] || nullable(m) {
			continue
		}
		below := c.family(m)
		only := slices.ContainsFunc(below, nullable)
		for _, b := range below {
			covered[b] = covered[b] || !only
		}
		out = append(out, requirement{m, only})
	}
	return out
}

// swapNotNull makes the renamed twin NOT NULL where the column was. No scan: the validated CHECKs, dropped behind
// it, prove it.
func (c *compiler) swapNotNull(t *twin) []string {
	var set, drop []string
	if c.now.Version >= 180000 {
		set = c.namedNotNulls(t.rel, c.required(t.rel, t.col.Name), t.col.Name)
	}
	for _, q := range c.required(t.rel, t.col.Name) {
		if c.now.Version < 180000 {
			set = append(set, q.set(t.col.Name))
		}
		drop = append(drop, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", q.rel.Name, qi(notNullCheck(t.name))))
	}
	return append(set, drop...)
}

// identity makes the twin the identity column with the same sequence name, options, position and privileges.
func (c *compiler) identity(t *twin, seq *ddl.Sequence, position string) []string {
	always := "BY DEFAULT"
	if t.col.Identity == 'a' {
		always = "ALWAYS"
	}
	opts := fmt.Sprintf("SEQUENCE NAME %s START WITH %d INCREMENT BY %d MINVALUE %d MAXVALUE %d CACHE %d", seq.Name, seq.Start, seq.Increment, seq.Min, seq.Max, seq.Cache)
	if seq.Cycle {
		opts += " CYCLE"
	}
	lit := ddl.QuoteLiteral(seq.Name.String())
	out := []string{
		fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s ADD GENERATED %s AS IDENTITY (%s)", t.rel.Name, qi(t.col.Name), always, opts),
		fmt.Sprintf("SELECT pg_catalog.setval(%s, pg_catalog.split_part(p, ' ', 1)::bigint, pg_catalog.split_part(p, ' ', 2)::boolean)"+
			" FROM pg_catalog.current_setting('%s') AS p", lit, position),
	}
	if seq.Comment != "" {
		out = append(out, fmt.Sprintf("COMMENT ON SEQUENCE %s IS %s", seq.Name, ddl.QuoteLiteral(seq.Comment)))
	}
	c.noticeGrantors(seq.Name.String(), seq.ACL)
	// The server makes the sequence in the name of the table's owner.
	return append(out, c.privileges('S', seq.Name, seq.Owner, seq.Owner, seq.ACL)...)
}

// columnAttributes restores what a column of a table, without those below it, has besides type, default and NOT
// NULL. A new type resets storage and compression.
func columnAttributes(r *ddl.Relation, col *ddl.RelColumn) []string {
	tbl, name := r.Name.String(), qi(col.Name)
	alter := fmt.Sprintf("ALTER TABLE ONLY %s ALTER COLUMN %s ", tbl, name)
	var out []string
	if col.StatsTarget >= 0 {
		out = append(out, fmt.Sprintf("%sSET STATISTICS %d", alter, col.StatsTarget))
	}
	if len(col.Options) > 0 {
		out = append(out, alter+"SET ("+strings.Join(col.Options, ", ")+")")
	}
	if col.Comment != "" {
		out = append(out, fmt.Sprintf("COMMENT ON COLUMN %s.%s IS %s", tbl, name, ddl.QuoteLiteral(col.Comment)))
	}
	return append(out, columnGrants(r, col.Name, col.ACL)...)
}

// swapForeignKeys gives every foreign key at either end of a twin, in the table or below it, a twin of its own,
// proven beside the application, that takes over its name.
func (c *compiler) swapForeignKeys(s *swap, tables []*ddl.Relation, columns map[ddl.Name]map[string]string) error {
	seen := map[string]bool{}
	for _, r := range tables {
		for _, m := range c.family(r) {
			for _, k := range slices.Concat(m.Constraints, m.ReferencedBy) {
				id := k.Table.String() + "/" + k.Name
				if k.Kind != ddl.ForeignKey || k.Parent != 0 || seen[id] {
					continue
				}
				mine, theirs := columns[k.Table], columns[k.RefTable]
				if !uses(k.Columns, mine) && !uses(k.RefColumns, theirs) {
					continue
				}
				seen[id] = true
				if ref := c.now.Relation(k.RefTable); ref != nil && ref.Kind == 'p' && ref.Constraint(k.Index) != nil && uses(k.RefColumns, theirs) {
					return c.refuse("partitioned-reference", "drop the foreign key first and add it again in a later migration",
						"foreign key %s of %s needs a unique constraint of the partitioned table %s on the new column, which PostgreSQL cannot have before complete", qi(k.Name), k.Table, k.RefTable)
				}
				if live := c.live.Relations[c.physicalTable(k.Table)]; live != nil && live.Constraint(internalName(k.Name)) != nil {
					return c.refuse("held-column", "change both ends of the foreign key in neighbouring statements, or one of them in a later migration",
						"foreign key %s of %s has columns that two statements of the file change", qi(k.Name), k.Table)
				}
				c.twinForeignKey(s, k, mine, theirs)
			}
		}
	}
	return nil
}

func (c *compiler) twinForeignKey(s *swap, k *ddl.TableConstraint, mine, theirs map[string]string) {
	child := c.now.Relation(k.Table)
	if child == nil {
		return
	}
	if mine == nil {
		c.touch("table", k.Table, "") // a member of the family counts with its parent: it may go any day
	}
	def, err := ddl.RenameConstraintDef(k.Definition, c.presently(k.Table, mine), nil, c.presently(k.RefTable, theirs))
	if err != nil {
		def = k.Definition
	}
	c.late[part(k.Table, k.Name)] = true
	tmp := internalName(k.Name)
	// Until complete the tables have the names that they had before the file.
	now := func(r *ddl.Relation) *ddl.Relation {
		if live := c.live.Relations[c.physicalTable(r.Name)]; live != nil {
			return live
		}
		return r
	}
	if ref := c.now.Relation(k.RefTable); ref != nil {
		table := now(ref).Name
		if body, err := ddl.RenameConstraintDef(def, nil, &table, nil); err == nil {
			def = body
		}
	}
	table := now(child).Name
	back := fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", table, qi(tmp))
	if child.Kind == 'p' && c.now.Version < 180000 {
		for _, leaf := range c.leaves(child) {
			if leaf = now(leaf); c.live.Relations[leaf.Name] == nil {
				continue // it is made at complete, with all that its parent has
			}
			b := fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", leaf.Name, qi(tmp))
			c.addThenValidate(leaf, tmp, false, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID", leaf.Name, qi(tmp), def), b)
		}
		c.step(Step{Phase: Verify, Kind: Transaction, adopts: true, Title: "add the twin of foreign key " + qi(k.Name) + " to " + table.String(),
			SQL: []string{fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", table, qi(tmp), def)}, Reverse: []string{back}})
	} else {
		c.addThenValidate(now(child), tmp, !k.Valid, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID", table, qi(tmp), def), back)
	}
	s.detach = append(s.detach, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", k.Table, qi(k.Name)))
	s.keys = append(s.keys, fmt.Sprintf("ALTER TABLE %s RENAME CONSTRAINT %s TO %s", k.Table, qi(tmp), qi(k.Name)))
	if child.Kind == 'p' {
		s.partitioned.keys = append(s.partitioned.keys, fmt.Sprintf("(%s, %s, %s)", ddl.QuoteLiteral(k.Table.String()), ddl.QuoteLiteral(k.Name), ddl.QuoteLiteral(tmp)))
	}
	if k.Comment != "" {
		s.keys = append(s.keys, fmt.Sprintf("COMMENT ON CONSTRAINT %s ON %s IS %s", qi(k.Name), k.Table, ddl.QuoteLiteral(k.Comment)))
	}
}
