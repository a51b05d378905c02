package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

func (c *compiler) createTable(op ddl.CreateTable, sql string) error {
	n := ddl.Name{Schema: c.schemaFor(op.Table), Name: op.Table.Name}
	if op.Persistence == 't' {
		return c.refuse("temporary-table", "write the work as one statement, or use an ordinary table",
			"a temporary table lives in one session, and the steps of an online plan run in several")
	}
	if c.now.Relation(n) != nil && op.IfNotExists {
		c.notice("exists", "table %s exists already", n)
		return nil
	}
	c.touch("table", n, "")
	if c.occupied(n) {
		return c.wait(op, sql)
	}
	if op.PartitionOf != (ddl.Name{}) {
		parent, err := c.relation(op.PartitionOf)
		if err != nil {
			return err
		}
		c.touch("table", parent.Name, "")
		if err := c.mayBlock(sql); err != nil {
			return err
		}
	}
	c.fresh[n] = true
	back := "DROP TABLE " + n.String()
	detach := ""
	if op.PartitionOf != (ddl.Name{}) {
		// A foreign key to the parent stands in the way of dropping a partition, not of detaching it.
		detach = fmt.Sprintf("ALTER TABLE %s DETACH PARTITION %s", c.resolve(op.PartitionOf), n)
	}
	st := Step{Phase: Expand, Kind: Transaction, Title: title(sql), SQL: []string{sql}, Reverse: []string{back}}
	if detach != "" {
		st.Reverse = []string{detach, back}
	}
	if op.Query != "" {
		// It reads its sources under ACCESS SHARE, for as long as that takes, and nobody waits for it.
		st.Kind = Long
	}
	c.step(st)
	return nil
}

func (c *compiler) dropTable(op ddl.DropTable, sql string) error {
	r := c.now.Relation(op.Table)
	if r == nil {
		if op.IfExists {
			return nil
		}
		return fmt.Errorf("table %s does not exist", op.Table)
	}
	if c.fresh[r.Name] {
		c.touch("table", r.Name, "")
		return c.asIs(op, sql, "")
	}
	if !op.Cascade {
		for _, k := range r.ReferencedBy {
			if k.Table != r.Name && !c.dropped[k.Table.String()] && !slices.Contains(c.together, k.Table) {
				return fmt.Errorf("cannot drop table %s because foreign key %s of %s refers to it; drop that first, or write CASCADE", r.Name, qi(k.Name), k.Table)
			}
		}
	}
	c.hold(r.Name)
	for _, p := range r.Parents {
		if r.IsPartition {
			c.hold(p).drops = true
		}
	}
	return c.drop("table", r.Name, sql)
}

// renameRelation shows the relation under both names until complete: the new one is a view, which PostgreSQL
// lets everybody write through, under the privileges and policies of whoever does.
func (c *compiler) renameRelation(n ddl.Name, to string, ifExists bool, sql string) error {
	r := c.now.Relation(n)
	if r == nil {
		if ifExists {
			return nil
		}
		if i := c.now.Index(n); i != nil {
			return c.renameIndex(ddl.RenameIndex{Index: n, To: to}, sql)
		}
		if s := c.now.Sequences[c.resolve(n)]; s != nil {
			return c.asIs(ddl.RenameSequence{Sequence: n, To: to}, sql, fmt.Sprintf("ALTER SEQUENCE %s RENAME TO %s", ddl.Name{Schema: s.Name.Schema, Name: to}, qi(s.Name.Name)))
		}
		return fmt.Errorf("relation %s does not exist", n)
	}
	full := ddl.Name{Schema: r.Name.Schema, Name: to}
	if c.now.Relation(full) != nil && !c.dropped[full.String()] {
		return fmt.Errorf("relation %s already exists", full)
	}
	c.touch("table", r.Name, "")
	c.touch("table", full, "")
	kind := map[byte]string{'r': "TABLE", 'p': "TABLE", 'v': "VIEW", 'm': "MATERIALIZED VIEW", 'f': "FOREIGN TABLE"}[r.Kind]
	back := fmt.Sprintf("ALTER %s %s RENAME TO %s", kind, full, qi(r.Name.Name))
	if c.fresh[r.Name] {
		delete(c.fresh, r.Name)
		c.fresh[full] = true
		return c.asIs(nil, sql, back)
	}
	if c.plain() {
		return c.asIs(nil, sql, back)
	}
	c.hold(r.Name).renamedTo = to
	ends := fmt.Sprintf("the name %s of %s", r.Name, full)
	cols, there := c.shownColumns(r.Name, r)
	if c.occupied(full) || !there {
		c.notice("rename-at-complete", "%s gets its new name at complete", r.Name)
		c.later(Step{Kind: Transaction, Title: title(sql), SQL: []string{sql}, Reverse: []string{back}, Ends: ends})
		return nil
	}
	if r.RowSecurity && c.now.Version < 150000 {
		return c.refuse("rename-under-rls", "upgrade to PostgreSQL 15, or `-- replank: plain` when all code changes its name at once",
			"before PostgreSQL 15 a view runs with its owner's policies, so %s under its new name would show rows that a policy hides", r.Name)
	}
	with := ""
	if c.now.Version >= 150000 && r.Kind != 'm' {
		with = " WITH (security_invoker = true)"
	}
	st := Step{Phase: Expand, Kind: Transaction, Temporary: true, Title: fmt.Sprintf("show %s as %s", r.Name, full),
		SQL:     []string{fmt.Sprintf("CREATE VIEW %s%s AS SELECT %s FROM %s", full, with, cols, r.Name)},
		Reverse: []string{"DROP VIEW " + full.String()}}
	for _, k := range r.Columns {
		// A view applies its own defaults, and has none: without these, a default would be NULL.
		if k.Default != "" && k.Generated == 0 && r.Kind == 'v' {
			st.SQL = append(st.SQL, fmt.Sprintf("ALTER VIEW %s ALTER COLUMN %s SET DEFAULT %s", full, qi(k.Name), k.Default))
		}
	}
	for _, g := range r.ACL {
		if g.Grantee != r.Owner && viewPrivilege[g.Privilege] {
			st.SQL = append(st.SQL, fmt.Sprintf("GRANT %s ON %s TO %s%s", g.Privilege, full, grantee(g), grantOption(g)))
		}
	}
	st.SQL = append(st.SQL, fmt.Sprintf("ALTER VIEW %s OWNER TO %s", full, qi(r.Owner)))
	c.step(st)
	c.hold(r.Name).viewed = true
	c.later(Step{Kind: Transaction, Leaves: true, Title: title(sql), SQL: []string{"DROP VIEW " + full.String(), sql}, Reverse: []string{back}, Ends: ends})
	return nil
}

// viewPrivilege are the privileges of a table that a view can carry.
var viewPrivilege = map[string]bool{"SELECT": true, "INSERT": true, "UPDATE": true, "DELETE": true}

func (c *compiler) truncate(op ddl.Truncate, sql string) error {
	r, err := c.relation(op.Table)
	if err != nil {
		return err
	}
	if c.fresh[r.Name] {
		return c.asIs(op, sql, "")
	}
	c.touch("table", r.Name, "")
	c.consent("irreversible", "TRUNCATE removes every row of %s, and nothing brings them back", r.Name)
	c.later(Step{Kind: Transaction, Title: title(sql), SQL: []string{sql},
		Destroys: "all rows of " + r.Name.String(), Irreversible: "the rows are gone"})
	return nil
}

// setSchema moves at complete; until then the old name works.
func (c *compiler) setSchema(op ddl.SetSchema, sql string) error {
	n := c.resolve(op.Object)
	c.touch(strings.ToLower(op.Kind), n, "")
	back := fmt.Sprintf("ALTER %s %s SET SCHEMA %s", op.Kind, ddl.Name{Schema: op.Schema, Name: n.Name}, qi(n.Schema))
	if c.fresh[n] || c.now.Relations[n] == nil {
		return c.asIs(op, sql, back)
	}
	c.hold(n).movedTo = op.Schema
	c.notice("rename-at-complete", "%s moves to schema %s at complete", n, qi(op.Schema))
	c.later(Step{Kind: Transaction, Title: title(sql), SQL: []string{sql}, Reverse: []string{back},
		Ends: fmt.Sprintf("the name %s of %s", n, ddl.Name{Schema: op.Schema, Name: n.Name})})
	return nil
}

// attachPartition proves the bound by a CHECK that is validated beside the application, so that ATTACH
// believes instead of reads.
func (c *compiler) attachPartition(op ddl.AttachPartition, sql string) error {
	r, err := c.relation(op.Table)
	if err != nil {
		return err
	}
	p, err := c.relation(op.Partition)
	if err != nil {
		return err
	}
	c.touch("table", r.Name, "")
	c.touch("table", p.Name, "")
	back := fmt.Sprintf("ALTER TABLE %s DETACH PARTITION %s", r.Name, p.Name)
	var def *ddl.Relation
	for _, n := range r.Children {
		if ch := c.now.Relation(n); ch != nil && ch.Bound == "DEFAULT" {
			def = ch
		}
	}
	blocking := c.big(p) || def != nil && c.big(def)
	backs := append([]string{back}, c.shed(r, p)...)
	if !blocking || c.plain() {
		if err := c.mayBlock(sql); err != nil {
			return err
		}
		c.step(Step{Phase: Expand, Kind: Transaction, Title: title(sql), SQL: []string{sql}, Reverse: backs})
		return nil
	}
	within, ok := c.now.PartitionCondition(r, op.Bound)
	if !ok {
		return c.refuse("partition-bound", "add and validate a CHECK that implies the bound, then set `-- replank: plain`",
			"Replank cannot write the bound %s of %s as a CHECK, and without one ATTACH reads all rows under ACCESS EXCLUSIVE", op.Bound, p.Name)
	}
	check := internalName("bound")
	drops := []string{}
	prove := func(t *ddl.Relation, e string) {
		drop := fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", t.Name, qi(check))
		c.addThenValidate(t, check, false, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s) NOT VALID", t.Name, qi(check), e), strings.Replace(drop, "CONSTRAINT", "CONSTRAINT IF EXISTS", 1))
		drops = append(drops, drop)
	}
	if c.big(p) {
		prove(p, within)
	}
	if def != nil && c.big(def) {
		without, _ := c.now.DefaultCondition(r, op.Bound) // it can be written: the partition's can
		prove(def, without)
	}
	for _, i := range r.Indexes {
		if err := c.partitionIndex(p, i); err != nil {
			return err
		}
	}
	// ATTACH adopts a constraint that is equal to the parent's, and would build its index, or prove it for all rows,
	// if there is none.
	for _, k := range r.Constraints {
		if hasLike(p, k) {
			continue
		}
		switch k.Kind {
		case ddl.ForeignKey:
			c.addThenValidate(p, k.Name, false, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID", p.Name, qi(k.Name), k.Definition),
				fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", p.Name, qi(k.Name)))
		case ddl.PrimaryKey, ddl.Unique:
			i := c.now.Index(ddl.Name{Schema: r.Name.Schema, Name: k.Index})
			if i == nil {
				continue
			}
			name := c.attachedName(p, k)
			like := ddl.Constraint{Kind: k.Kind, Columns: k.Columns, Include: i.Include, Body: k.Definition,
				Deferrable: k.Deferrable, InitiallyDeferred: k.Deferred, NullsNotDistinct: i.NullsNotDistinct}
			if err := c.uniqueConstraint(p, name, like); err != nil {
				return err
			}
		}
	}
	if p, err = c.relation(op.Partition); err != nil { // with its new constraints
		return err
	}
	c.step(Step{Phase: Verify, Kind: Transaction, adopts: len(r.Constraints) > 0 && allAdopted(r, p), Title: title(sql), SQL: append([]string{sql}, drops...), Reverse: backs})
	return nil
}

// hasLike reports whether a partition has a constraint of its own like one of its parent.
func hasLike(p *ddl.Relation, k *ddl.TableConstraint) bool {
	return slices.ContainsFunc(p.Constraints, func(x *ddl.TableConstraint) bool {
		return x.Kind == k.Kind && slices.Equal(x.Columns, k.Columns)
	})
}

// allAdopted reports whether the partition has an index for each constraint of the parent that carries one.
func allAdopted(r, p *ddl.Relation) bool {
	for _, k := range r.Constraints {
		if (k.Kind == ddl.PrimaryKey || k.Kind == ddl.Unique || k.Kind == ddl.Exclude) && !hasLike(p, k) {
			return false
		}
	}
	return true
}

// shed drops what ATTACH gave to a partition and DETACH leaves behind: the parent's constraints it had not.
func (c *compiler) shed(r, p *ddl.Relation) []string {
	var out []string
	for _, k := range r.Constraints {
		if hasLike(p, k) || k.Kind == ddl.Check || k.Kind == ddl.NotNull {
			continue
		}
		out = append(out, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", p.Name, qi(c.attachedName(p, k))))
	}
	return out
}

// attachedName is what ATTACH calls the constraint that it gives to a partition for one of its parent.
func (c *compiler) attachedName(p *ddl.Relation, k *ddl.TableConstraint) string {
	switch k.Kind {
	case ddl.ForeignKey:
		return k.Name
	case ddl.PrimaryKey:
		return ddl.IndexName(p.Name.Name, nil, ddl.LabelPrimaryKey, c.taken(p.Name.Schema))
	}
	return ddl.IndexName(p.Name.Name, k.Columns, ddl.LabelUnique, c.taken(p.Name.Schema))
}

// partitionIndex builds the partition's part of a parent's index, so that ATTACH adopts it and builds nothing.
func (c *compiler) partitionIndex(p *ddl.Relation, i *ddl.Index) error {
	for _, have := range p.Indexes {
		if strings.Join(have.Keys, ",") == strings.Join(i.Keys, ",") && have.Unique == i.Unique && have.Method == i.Method && have.Predicate == i.Predicate {
			return nil
		}
	}
	if i.Constraint != "" {
		return nil // comes with its constraint
	}
	name := ddl.IndexName(p.Name.Name, i.Keys, "idx", c.taken(p.Name.Schema))
	table := p.Name
	sql, err := ddl.RenameIndexDef(i.Definition, name, &table, nil, true)
	if err != nil {
		return fmt.Errorf("index %s: %w", i.Name, err)
	}
	full := ddl.Name{Schema: p.Name.Schema, Name: name}
	c.concurrently(p, full, fmt.Sprintf("build index %s on %s", full, p.Name), sql)
	return nil
}

// detachPartition leaves the partition to complete: old code reads it through the parent.
func (c *compiler) detachPartition(op ddl.DetachPartition, sql string) error {
	r, err := c.relation(op.Table)
	if err != nil {
		return err
	}
	p, err := c.relation(op.Partition)
	if err != nil {
		return err
	}
	c.touch("table", r.Name, "")
	c.touch("table", p.Name, "")
	back := fmt.Sprintf("ALTER TABLE %s ATTACH PARTITION %s %s", r.Name, p.Name, p.Bound)
	hasDefault := false
	for _, n := range r.Children {
		if ch := c.now.Relation(n); ch != nil && ch.Bound == "DEFAULT" {
			hasDefault = true
		}
	}
	c.hold(p.Name)
	c.hold(r.Name).detaches = true
	if hasDefault || !c.big(p) && !op.Concurrently || op.Finalize {
		c.later(Step{Kind: Transaction, Title: title(sql), SQL: []string{sql}, Reverse: []string{back}})
		return nil
	}
	attached := fmt.Sprintf("SELECT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhrelid = pg_catalog.to_regclass(%s) AND inhparent = pg_catalog.to_regclass(%s)",
		ddl.QuoteLiteral(p.Name.String()), ddl.QuoteLiteral(r.Name.String()))
	c.later(Step{Kind: Concurrently, Title: title(sql),
		SQL:       []string{fmt.Sprintf("ALTER TABLE %s DETACH PARTITION %s CONCURRENTLY", r.Name, p.Name)},
		Probe:     "SELECT NOT (" + strings.TrimPrefix(attached, "SELECT ") + "))",
		CleanupIf: attached + " AND inhdetachpending)",
		Cleanup:   []string{fmt.Sprintf("ALTER TABLE %s DETACH PARTITION %s FINALIZE", r.Name, p.Name)},
		Reverse:   []string{back}})
	if !op.Concurrently {
		// DETACH … CONCURRENTLY leaves the bound behind as a CHECK; the user's DETACH would not.
		check := ddl.ConstraintName(p.Name.Name, c.now.PartitionColumns(r), ddl.LabelCheck, c.takenConstraint(p))
		c.later(Step{Kind: Transaction, Title: "drop what is left of the bound of " + p.Name.String(),
			SQL: []string{fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", p.Name, qi(check))}})
	}
	return nil
}
