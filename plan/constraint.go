package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

func (c *compiler) addConstraint(op ddl.AddConstraint, sql string) error {
	r, err := c.relation(op.Table)
	if err != nil {
		return err
	}
	return c.constraint(r, op.Only, op.Constraint, sql)
}

// constraint adds a constraint to an existing table. sql is the user's statement for it.
func (c *compiler) constraint(r *ddl.Relation, only bool, k ddl.Constraint, sql string) error {
	name := c.constraintName(r, k)
	if r.Constraint(name) != nil {
		return fmt.Errorf("constraint %s of relation %s already exists", qi(name), r.Name)
	}
	c.touch("table", r.Name, "")
	for _, col := range k.Columns {
		c.touch("table", r.Name, col)
	}
	back := fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", r.Name, qi(name))
	asSaid := k
	if h := c.held[r.Name]; h != nil && len(h.columns)+len(h.gone) > 0 {
		k = c.physicalConstraint(r, k)
	}
	// Until its name comes free, the constraint has one of ours.
	own, last := name, ""
	if c.occupiedConstraint(r, k, name) {
		own = internalName(name)
		if live := c.live.Relations[r.Name]; r.Kind == 'p' && k.Kind == ddl.ForeignKey || live.Constraint(own) != nil || has(c.live, ddl.Name{Schema: r.Name.Schema, Name: own}) {
			return c.splitName(name)
		}
		back = fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", r.Name, qi(own))
		last = fmt.Sprintf("ALTER TABLE %s RENAME CONSTRAINT %s TO %s", r.Name, qi(own), qi(name))
		c.late[part(r.Name, name)] = true
		c.late[ddl.Name{Schema: r.Name.Schema, Name: name}.String()] = true
	}
	named := last == "" && !c.refersHeld(k)
	if (c.fresh[r.Name] || c.plain()) && named {
		return c.asIs(nil, sql, back)
	}
	if k.Kind != ddl.PrimaryKey && k.Kind != ddl.Unique && !k.NotValid {
		c.notice("old-writers", "code that writes rows against constraint %s of %s fails from the moment this is applied", qi(name), r.Name)
	}
	if !c.big(r) && c.unheld(r) && named {
		return c.asIs(nil, sql, back)
	}
	if last != "" && k.Kind != ddl.PrimaryKey && k.Kind != ddl.Unique {
		defer c.later(Step{Kind: Transaction, Leaves: true, Title: "give constraint " + qi(name) + " of " + r.Name.String() + " its name", SQL: []string{last},
			Reverse: []string{fmt.Sprintf("ALTER TABLE %s RENAME CONSTRAINT %s TO %s", r.Name, qi(name), qi(own))}})
	}
	switch k.Kind {
	case ddl.Check:
		c.addThenValidate(r, own, k.NotValid, checkSQL(r, only, own, k), back)
	case ddl.ForeignKey:
		return c.foreignKey(r, own, k, back)
	case ddl.Unique, ddl.PrimaryKey:
		return c.uniqueConstraint(r, name, asSaid)
	case ddl.NotNull:
		if c.now.Version >= 180000 && k.Name != "" {
			c.addThenValidate(r, own, k.NotValid, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s NOT NULL %s NOT VALID", r.Name, qi(own), qi(k.Columns[0])), back)
			return nil
		}
		c.proveNotNull(r, k.Columns[0], k.Name, nil)
	default:
		return c.refuse("exclusion-constraint", "use a unique index on an expression, or `-- replank: plain` in a quiet hour",
			"PostgreSQL builds the index of an exclusion constraint under SHARE and ACCESS EXCLUSIVE: it has neither CONCURRENTLY, USING INDEX nor NOT VALID for it")
	}
	return nil
}

// refersHeld reports whether a foreign key refers to a table that has two shapes or two names.
func (c *compiler) refersHeld(k ddl.Constraint) bool {
	if k.Kind != ddl.ForeignKey {
		return false
	}
	ref := c.now.Relation(k.RefTable)
	if ref == nil {
		return false
	}
	table := c.physicalTable(ref.Name)
	return table != ref.Name || c.held[table] != nil && c.refersToNew(table, k)
}

// physicalTable gives the table that will be n after complete.
func (c *compiler) physicalTable(n ddl.Name) ddl.Name {
	for from, h := range c.held {
		if h.name(from) == n {
			return from
		}
	}
	return n
}

// unheld reports whether the table keeps no second shape in this file.
func (c *compiler) unheld(r *ddl.Relation) bool {
	h := c.held[r.Name]
	return h == nil || len(h.columns)+len(h.gone) == 0 && h.renamedTo == ""
}

// presently are the columns of a table under the names that they have until complete; cols says so of those that get
// another column beside them, and wins.
func (c *compiler) presently(n ddl.Name, cols map[string]string) map[string]string {
	out := map[string]string{}
	if r := c.now.Relation(n); r != nil {
		for _, parent := range r.Parents {
			maps.Copy(out, c.presently(parent, nil))
		}
	}
	if h := c.held[c.physicalTable(n)]; h != nil {
		maps.Copy(out, h.columns)
	}
	maps.Copy(out, cols)
	return out
}

// physicalConstraint says the constraint over the columns that survive complete.
func (c *compiler) physicalConstraint(r *ddl.Relation, k ddl.Constraint) ddl.Constraint {
	h := c.held[r.Name]
	k.Columns = c.physicals(r, k.Columns)
	k.Include = c.physicals(r, k.Include)
	if k.Expr != "" {
		if e, err := ddl.RenameColumns(k.Expr, h.columns); err == nil {
			k.Expr = e
		}
	}
	return k
}

func (c *compiler) physicals(r *ddl.Relation, cols []string) []string {
	out := slices.Clone(cols)
	for i := range out {
		out[i] = c.physical(r.Name, out[i])
	}
	return out
}

func checkSQL(r *ddl.Relation, only bool, name string, k ddl.Constraint) string {
	s := "ALTER TABLE "
	if only {
		s += "ONLY "
	}
	s += fmt.Sprintf("%s ADD CONSTRAINT %s CHECK (%s)", r.Name, qi(name), k.Expr)
	if k.NoInherit {
		s += " NO INHERIT"
	}
	if k.NotEnforced {
		return s + " NOT ENFORCED"
	}
	return s + " NOT VALID"
}

// constraintSQL renders a constraint behind ADD.
func constraintSQL(k ddl.Constraint) string {
	s := k.Body
	if k.Name != "" {
		s = "CONSTRAINT " + qi(k.Name) + " " + s
	}
	if k.NotValid {
		s += " NOT VALID"
	}
	return s
}

// addThenValidate adds a constraint that only new rows must meet, then proves it for the old ones under a
// lock that lets readers and writers pass.
func (c *compiler) addThenValidate(r *ddl.Relation, name string, only bool, add, back string) {
	c.step(Step{Phase: Verify, Kind: Transaction, Title: fmt.Sprintf("add constraint %s to %s for new rows", qi(name), r.Name),
		SQL: []string{add}, Reverse: []string{back}})
	if only || strings.HasSuffix(add, "NOT ENFORCED") {
		return
	}
	c.validate(r, name)
}

func (c *compiler) validate(r *ddl.Relation, name string) {
	rows, bytes := c.size(r)
	c.step(Step{Phase: Verify, Kind: Validate, Title: fmt.Sprintf("validate constraint %s of %s", qi(name), r.Name),
		SQL:  []string{fmt.Sprintf("ALTER TABLE %s VALIDATE CONSTRAINT %s", r.Name, qi(name))},
		Rows: rows, Bytes: bytes})
}

// foreignKey adds a foreign key. Before 18 PostgreSQL knows no NOT VALID for one on a partitioned table; there
// every partition gets its own, and the parent's adopts them without looking at a row.
func (c *compiler) foreignKey(r *ddl.Relation, name string, k ddl.Constraint, back string) error {
	ref := c.now.Relation(k.RefTable)
	if ref == nil {
		return fmt.Errorf("relation %s does not exist", k.RefTable)
	}
	c.touch("table", ref.Name, "")
	body := c.foreignKeyBody(r, ref, k)
	if r.Kind != 'p' || c.now.Version >= 180000 {
		c.addThenValidate(r, name, k.NotValid, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID", r.Name, qi(name), body), back)
		return nil
	}
	if ref.Kind == 'p' && ref.Name == r.Name {
		return c.refuse("partitioned-self-reference", "upgrade to PostgreSQL 18, or `-- replank: plain` in a quiet hour",
			"before PostgreSQL 18 a foreign key of a partitioned table cannot be NOT VALID")
	}
	for _, leaf := range c.leaves(r) {
		b := fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", leaf.Name, qi(name))
		c.addThenValidate(leaf, name, false, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID", leaf.Name, qi(name), body), b)
	}
	// The parent's constraint finds a valid equal one in every partition and adopts it without a scan.
	c.step(Step{Phase: Verify, Kind: Transaction, adopts: true, Title: fmt.Sprintf("add foreign key %s to %s", qi(name), r.Name),
		SQL: []string{fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", r.Name, qi(name), body)}, Reverse: []string{back}})
	return nil
}

// foreignKeyBody is the definition with qualified names and physical columns.
func (c *compiler) foreignKeyBody(r, ref *ddl.Relation, k ddl.Constraint) string {
	cols, refCols := map[string]string{}, map[string]string{}
	name := c.physicalTable(ref.Name)
	if pk := ref.PrimaryKey(); pk != nil && len(k.RefColumns) == 0 {
		// The key of the table as it is on the server may be that of the columns that go.
		if body, err := ddl.ReferColumns(k.Body, pk.Columns); err == nil {
			k.Body = body
		}
	}
	if h := c.held[r.Name]; h != nil {
		cols = h.columns
	}
	if h := c.held[name]; h != nil {
		refCols = h.columns
	}
	if body, err := ddl.RenameConstraintDef(k.Body, cols, &name, refCols); err == nil {
		return body
	}
	return k.Body
}

// uniqueConstraint builds the index beside the application and adopts it in an instant. k is as the file says it: the
// index is built on the columns that carry its columns after complete.
func (c *compiler) uniqueConstraint(r *ddl.Relation, name string, k ddl.Constraint) error {
	if k.UsingIndex != "" {
		return c.usingIndex(r, name, k)
	}
	word := "UNIQUE"
	var nullable []string
	if k.Kind == ddl.PrimaryKey {
		word = "PRIMARY KEY"
		for _, col := range k.Columns {
			if rc := r.Column(col); rc != nil && !rc.NotNull {
				nullable = append(nullable, col)
				c.checkNotNull(r, c.physical(r.Name, col), false)
			}
		}
	}
	tail := ""
	if k.Deferrable {
		tail += " DEFERRABLE"
	}
	if k.InitiallyDeferred {
		tail += " INITIALLY DEFERRED"
	}
	idx := ddl.CreateIndex{Unique: true, Method: "btree", Include: c.physicals(r, k.Include), NullsNotDistinct: k.NullsNotDistinct}
	for _, col := range c.physicals(r, k.Columns) {
		idx.Elems = append(idx.Elems, ddl.IndexElem{Column: col})
	}
	names := map[ddl.Name]string{r.Name: name}
	members := []*ddl.Relation{r}
	if r.Kind == 'p' {
		members = c.family(r)
		slices.Reverse(members)
	}
	// Where a name, or the place of the primary key, comes free only at complete, the index waits for it.
	waits := c.occupiedConstraint(r, k, name)
	for _, m := range members {
		if m != r {
			names[m.Name] = c.constraintName(m, ddl.Constraint{Kind: k.Kind, Columns: k.Columns, Include: k.Include})
			waits = waits || c.occupied(ddl.Name{Schema: m.Name.Schema, Name: names[m.Name]})
		}
	}
	body := k.Body // at complete, behind the swap, columns have the names that the file says
	if !waits && !c.unheld(r) {
		var err error
		if body, err = ddl.RenameConstraintDef(k.Body, c.held[r.Name].columns, nil, nil); err != nil {
			return fmt.Errorf("constraint %s: %w", qi(name), err)
		}
	}
	adopt := Step{Phase: Verify, Kind: Transaction, adopts: true, Title: fmt.Sprintf("make constraint %s of %s from the index", qi(name), r.Name),
		Reverse: []string{fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", r.Name, qi(name))}}
	for _, m := range members {
		add := fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s ", m.Name, qi(names[m.Name]))
		if m.Kind == 'p' {
			// Every partition has the constraint by now: the parent's finds and adopts them, and builds nothing.
			adopt.SQL = append(adopt.SQL, add+body)
			continue
		}
		i := idx
		i.Table, i.Name = m.Name, internalName(names[m.Name])
		c.buildIndex(m, i)
		adopt.SQL = append(adopt.SQL, fmt.Sprintf("%s%s USING INDEX %s%s", add, word, qi(i.Name), tail))
	}
	for i, col := range nullable {
		adopt.SQL = append(adopt.SQL, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", r.Name, qi(notNullCheck(c.physical(r.Name, col)))))
		if !waits {
			col = c.physical(r.Name, nullable[i])
		}
		adopt.Reverse = append(adopt.Reverse, fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", r.Name, qi(col)))
	}
	if waits {
		c.late[part(r.Name, name)] = true
		c.late[ddl.Name{Schema: r.Name.Schema, Name: name}.String()] = true
		c.later(adopt)
	} else {
		c.step(adopt)
	}
	for _, m := range members {
		// Until complete the parent's index has the names of its partitions'; one that is made there has the new ones.
		if m == r && !waits || m.Kind != 'p' && waits {
			c.nameIndexColumns(r, ddl.Name{Schema: m.Name.Schema, Name: names[m.Name]}, slices.Concat(k.Columns, k.Include))
		}
	}
	return nil
}

// usingIndex adopts an index of the user's; a primary key needs the proof of NOT NULL first.
func (c *compiler) usingIndex(r *ddl.Relation, name string, k ddl.Constraint) error {
	i := c.now.Index(ddl.Name{Schema: r.Name.Schema, Name: k.UsingIndex})
	if i == nil {
		return fmt.Errorf("index %s does not exist", qi(k.UsingIndex))
	}
	var drops []string
	if k.Kind == ddl.PrimaryKey {
		for _, col := range i.Keys {
			if rc := r.Column(col); rc != nil && !rc.NotNull {
				col = c.physical(r.Name, col)
				c.checkNotNull(r, col, false)
				drops = append(drops, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", r.Name, qi(notNullCheck(col))))
			}
		}
	}
	sql := fmt.Sprintf("ALTER TABLE %s ADD %s", r.Name, constraintSQL(k))
	// The way back drops the constraint and its index; the index existed before, so it is built again.
	st := Step{Phase: Verify, Kind: Transaction, Title: title(sql), SQL: append([]string{sql}, drops...),
		Irreversible: "dropping the constraint would drop the index that existed before"}
	if c.occupiedConstraint(r, k, name) {
		c.later(st)
		return nil
	}
	c.step(st)
	return nil
}

func (c *compiler) validateConstraint(op ddl.ValidateConstraint, sql string) error {
	r, err := c.relation(op.Table)
	if err != nil {
		return err
	}
	k := r.Constraint(op.Name)
	if k == nil {
		return fmt.Errorf("constraint %s of relation %s does not exist", qi(op.Name), r.Name)
	}
	c.touch("table", r.Name, "")
	if k.Valid {
		return nil
	}
	c.step(Step{Phase: Verify, Kind: Validate, Title: title(sql), SQL: []string{sql},
		Reverse: unvalidate(r, k)})
	return nil
}

// unvalidate puts a constraint back as NOT VALID.
func unvalidate(r *ddl.Relation, k *ddl.TableConstraint) []string {
	return []string{
		fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", r.Name, qi(k.Name)),
		fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID", r.Name, qi(k.Name), k.Definition),
	}
}

func (c *compiler) renameConstraint(op ddl.RenameConstraint, sql string) error {
	r, err := c.relation(op.Table)
	if err != nil {
		return err
	}
	if k := r.Constraint(op.From); k != nil && c.occupiedConstraint(r, ddl.Constraint{Kind: k.Kind, Name: op.To}, op.To) {
		return c.wait(op, sql)
	}
	return c.asIs(op, sql, fmt.Sprintf("ALTER TABLE %s RENAME CONSTRAINT %s TO %s", r.Name, qi(op.To), qi(op.From)))
}

// dropConstraint loosens at once what only stops writers: new code needs it gone. What carries an index goes
// at complete, since ON CONFLICT of old code needs it.
func (c *compiler) dropConstraint(op ddl.DropConstraint, sql string) error {
	r, err := c.relation(op.Table)
	if err != nil {
		return err
	}
	k := r.Constraint(op.Name)
	if k == nil {
		if op.IfExists {
			return nil
		}
		return fmt.Errorf("constraint %s of relation %s does not exist", qi(op.Name), r.Name)
	}
	c.touch("table", r.Name, "")
	for _, col := range k.Columns {
		c.touch("table", r.Name, col)
	}
	if c.fresh[r.Name] {
		return c.asIs(op, sql, "")
	}
	switch k.Kind {
	case ddl.Check, ddl.ForeignKey:
		st := Step{Phase: Expand, Kind: Transaction, Title: title(sql), SQL: []string{sql}}
		definition := k.Definition
		if live := c.live.Relations[k.Table]; live != nil && live.Constraint(k.Name) != nil {
			definition = live.Constraint(k.Name).Definition // in the names of now: a renamed column has another in k
		}
		def := fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", r.Name, qi(k.Name), definition)
		switch {
		case !c.big(r) || k.Kind == ddl.ForeignKey && r.Kind == 'p' && c.now.Version < 180000:
			st.Reverse = []string{def + notValid(!k.Valid)}
		default:
			st.ReverseConcurrently = true
			st.Reverse = []string{fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", r.Name, qi(k.Name)), def + " NOT VALID"}
			if k.Valid {
				st.Reverse = append(st.Reverse, fmt.Sprintf("ALTER TABLE %s VALIDATE CONSTRAINT %s", r.Name, qi(k.Name)))
			}
		}
		if k.Comment != "" {
			st.Reverse = append(st.Reverse, fmt.Sprintf("COMMENT ON CONSTRAINT %s ON %s IS %s", qi(k.Name), r.Name, ddl.QuoteLiteral(k.Comment)))
		}
		c.notice("revert-constraint", "revert is refused while rows of %s break %s", r.Name, qi(k.Name))
		c.step(st)
	case ddl.NotNull:
		return c.dropNotNull(ddl.DropNotNull{Table: op.Table, Column: k.Columns[0]}, sql)
	default:
		c.dropped[ddl.Name{Schema: r.Name.Schema, Name: k.Index}.String()] = true
		c.later(Step{Kind: Transaction, Title: title(sql), SQL: []string{sql},
			Destroys: "constraint " + qi(k.Name) + " with its index", Irreversible: "the index of the constraint is gone"})
	}
	return nil
}

func notValid(yes bool) string {
	if yes {
		return " NOT VALID"
	}
	return ""
}

func (c *compiler) alterDomain(op ddl.AlterDomain, sql string) error {
	t := c.resolve(op.Type)
	k := op.Constraint
	if op.Action == "add constraint" && !k.NotValid && k.Kind == ddl.Check {
		// Also VALIDATE reads the tables that use the domain under SHARE, which keeps writers out.
		if err := c.mayBlock(sql); err != nil {
			return err
		}
		name := k.Name
		if name == "" {
			name = ddl.IndexName(op.Type.Name, nil, "check", func(string) bool { return false })
		}
		c.touch("type", t, "")
		c.step(Step{Phase: Verify, Kind: Transaction, Title: title(sql),
			SQL:     []string{fmt.Sprintf("ALTER DOMAIN %s ADD CONSTRAINT %s CHECK (%s) NOT VALID", t, qi(name), k.Expr)},
			Reverse: []string{fmt.Sprintf("ALTER DOMAIN %s DROP CONSTRAINT %s", t, qi(name))}})
		c.step(Step{Phase: Verify, Kind: Validate, Title: "validate constraint " + qi(name) + " of domain " + t.String(),
			SQL: []string{fmt.Sprintf("ALTER DOMAIN %s VALIDATE CONSTRAINT %s", t, qi(name))}})
		return nil
	}
	return c.asIs(op, sql, c.reverseDomain(op, t))
}

// reverseDomain takes an ALTER DOMAIN back from what the domain is now.
func (c *compiler) reverseDomain(op ddl.AlterDomain, t ddl.Name) string {
	ty := c.now.Type(op.Type)
	alter := "ALTER DOMAIN " + t.String() + " "
	switch op.Action {
	case "add constraint":
		if op.Constraint.Name != "" {
			return alter + "DROP CONSTRAINT " + qi(op.Constraint.Name)
		}
	case "set default", "drop default":
		if ty != nil && ty.Default != "" {
			return alter + "SET DEFAULT " + ty.Default
		}
		return alter + "DROP DEFAULT"
	case "set not null":
		return alter + "DROP NOT NULL"
	case "drop not null":
		return alter + "SET NOT NULL"
	case "drop constraint":
		if ty != nil {
			for _, k := range ty.Constraints {
				if k.Name == op.Constraint.Name {
					return alter + "ADD CONSTRAINT " + qi(k.Name) + " " + k.Definition + notValid(!k.Valid)
				}
			}
		}
	}
	return ""
}
