package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// addColumn adds a column. PostgreSQL does it in an instant when the column has no default or one that it can
// store once for all rows; everything else is taken apart: the bare column, a default for new rows, a fill for
// old ones, constraints as they are added to existing columns.
func (c *compiler) addColumn(op ddl.AddColumn, sql string) error {
	r, err := c.relation(op.Table)
	if err != nil {
		return err
	}
	col := op.Column
	if r.Column(col.Name) != nil {
		if op.IfNotExists {
			c.notice("exists", "column %s of %s exists already", qi(col.Name), r.Name)
			return nil
		}
		return fmt.Errorf("column %s of relation %s already exists", qi(col.Name), r.Name)
	}
	c.touch("table", r.Name, col.Name)
	c.noticeShape(r, "gains column "+qi(col.Name))
	back := fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", r.Name, qi(col.Name))
	if c.twins.splits[r.Name].adds(col.Name) {
		return nil // added by the split it belongs to
	}
	if fill, ok := c.directive("fill"); ok && col.NotNull && col.Default == "" {
		return c.addFilled(r, op, fill)
	}
	if col.Generated != "" && !col.Virtual && c.big(r) && !c.plain() {
		return c.refuse("generated-stored", "use GENERATED … VIRTUAL (PostgreSQL 18), or an ordinary column with a trigger",
			"PostgreSQL has no way to add a stored generated column without rewriting the table under ACCESS EXCLUSIVE")
	}
	if serialTypes[col.Type.Name] != "" || col.Identity != 0 {
		seq := ddl.Name{Schema: r.Name.Schema, Name: ddl.SequenceName(r.Name.Name, col.Name, c.taken(r.Name.Schema))}
		if c.occupied(seq) {
			return c.wait(op, sql)
		}
	}
	if (!c.big(r) || c.plain()) && !slices.ContainsFunc(col.Constraints, c.refersHeld) {
		return c.asIs(op, sql, back)
	}
	if col.Identity != 0 && r.Kind == 'p' && c.now.Version < 170000 {
		return c.refuse("partitioned-identity", "upgrade to PostgreSQL 17, or use a sequence as the default",
			"before PostgreSQL 17 a table with partitions cannot get an identity column")
	}
	serial := serialTypes[col.Type.Name]
	volatile := col.Default != "" && c.now.Volatile(col.Default)
	if !volatile && serial == "" && col.Identity == 0 && len(col.Constraints) == 0 {
		if col.NotNull && col.Default == "" && col.Generated == "" {
			return c.refuse("not-null-without-default", "give the column a DEFAULT, or say how to fill old rows: `-- replank: fill EXPRESSION`",
				"%s has rows, and a new column that is NOT NULL needs a value in each of them", r.Name)
		}
		return c.asIs(op, sql, back)
	}
	return c.addTakenApart(r, op, volatile, serial)
}

// serialTypes are the pseudo-types that ADD COLUMN replaces by an integer with a sequence.
var serialTypes = map[string]string{
	"serial2": "smallint", "smallserial": "smallint",
	"serial4": "integer", "serial": "integer",
	"serial8": "bigint", "bigserial": "bigint",
}

// addTakenApart adds a column whose definition would rewrite or scan the table.
func (c *compiler) addTakenApart(r *ddl.Relation, op ddl.AddColumn, volatile bool, serial string) error {
	col := op.Column
	typ := col.Type.SQL
	def := col.Default
	notNull := col.NotNull
	add := Step{Phase: Expand, Kind: Transaction, Title: fmt.Sprintf("add column %s to %s", qi(col.Name), r.Name)}
	var seq ddl.Name
	switch {
	case serial != "":
		typ, notNull = serial, true
		seq = ddl.Name{Schema: r.Name.Schema, Name: ddl.SequenceName(r.Name.Name, col.Name, c.taken(r.Name.Schema))}
		add.SQL = append(add.SQL, fmt.Sprintf("CREATE SEQUENCE %s AS %s", seq, serial))
		def = "nextval(" + ddl.QuoteLiteral(seq.String()) + "::regclass)"
	case col.Identity != 0:
		notNull = true
		seq = ddl.Name{Schema: r.Name.Schema, Name: internalName(r.Name.Name + "_" + col.Name)}
		add.SQL = append(add.SQL, fmt.Sprintf("CREATE SEQUENCE %s AS %s %s", seq, typ, col.IdentityOptions))
		def = "nextval(" + ddl.QuoteLiteral(seq.String()) + "::regclass)"
	}
	bare := col
	bare.Type.SQL, bare.Type.Name = typ, typ
	late := volatile || seq != (ddl.Name{})
	def1 := def
	if late {
		def1 = ""
	}
	add.SQL = append(add.SQL, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s", r.Name, columnSQL(bare, def1, notNull && !late && def != "")))
	back := []string{fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", r.Name, qi(col.Name))}
	if late {
		add.SQL = append(add.SQL, fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s", r.Name, qi(col.Name), def))
	}
	if serial != "" {
		add.SQL = append(add.SQL, fmt.Sprintf("ALTER SEQUENCE %s OWNED BY %s.%s", seq, r.Name, qi(col.Name)))
	} else if col.Identity != 0 {
		back = append(back, "DROP SEQUENCE IF EXISTS "+seq.String())
	}
	if late {
		g := c.guardNulls(r, col.Name, def, false)
		add.SQL = append(add.SQL, g.create...)
		add.Reverse = append(slices.Clone(g.drop), back...)
		c.step(add)
		if err := c.fillNulls(r, col.Name, def); err != nil {
			return err
		}
		c.step(Step{Phase: Verify, Kind: Transaction, Title: "remove the fill trigger of " + r.Name.String(), SQL: g.drop, Reverse: g.create})
	} else {
		add.Reverse = back
		c.step(add)
	}
	if notNull && late {
		c.proveNotNull(r, col.Name, col.NotNullName, identitySQL(r, col, seq))
	}
	for _, k := range col.Constraints {
		if err := c.constraint(r, op.Only, k, fmt.Sprintf("ALTER TABLE %s ADD %s", r.Name, constraintSQL(k))); err != nil {
			return err
		}
	}
	return nil
}

// identitySQL turns a filled NOT NULL column, fed by our own sequence so far, into an identity column.
func identitySQL(r *ddl.Relation, col ddl.Column, seq ddl.Name) []string {
	if col.Identity == 0 {
		return nil
	}
	always := "BY DEFAULT"
	if col.Identity == 'a' {
		always = "ALWAYS"
	}
	opts := ""
	if col.IdentityOptions != "" {
		opts = " (" + col.IdentityOptions + ")"
	}
	t, k := r.Name.String(), qi(col.Name)
	return []string{
		fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT", t, k),
		fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s ADD GENERATED %s AS IDENTITY%s", t, k, always, opts),
		fmt.Sprintf("SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence(%s, %s)::regclass, last_value, is_called) FROM %s",
			ddl.QuoteLiteral(t), ddl.QuoteLiteral(col.Name), seq),
		"DROP SEQUENCE " + seq.String(),
	}
}

// columnSQL renders the bare column: what ADD COLUMN does in an instant.
func columnSQL(col ddl.Column, def string, notNull bool) string {
	s := qi(col.Name) + " " + col.Type.SQL
	if col.Storage != "" {
		s += " STORAGE " + col.Storage
	}
	if col.Compression != "" {
		s += " COMPRESSION " + col.Compression
	}
	if col.Collation != "" {
		s += " COLLATE " + col.Collation
	}
	if def != "" {
		s += " DEFAULT " + def
	}
	if notNull {
		if col.NotNullName != "" {
			s += " CONSTRAINT " + qi(col.NotNullName)
		}
		s += " NOT NULL"
	}
	return s
}

// addFilled adds a NOT NULL column that old rows and old writers get from an expression, until complete.
func (c *compiler) addFilled(r *ddl.Relation, op ddl.AddColumn, fill string) error {
	col := op.Column
	if err := c.triggerable(r, nil, fill); err != nil {
		return err
	}
	g := c.guardNulls(r, col.Name, fill, true)
	add := Step{Phase: Expand, Kind: Transaction, Title: fmt.Sprintf("add column %s to %s", qi(col.Name), r.Name),
		SQL: slices.Concat([]string{fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s", r.Name, columnSQL(col, "", false))},
			computable(r.Name, []ddl.Assignment{{Column: col.Name, Expr: fill}}), g.create),
		Reverse: append(slices.Clone(g.drop), fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", r.Name, qi(col.Name)))}
	c.step(add)
	if err := c.fillNulls(r, col.Name, fill); err != nil {
		return err
	}
	c.proveNotNull(r, col.Name, col.NotNullName, nil)
	c.later(Step{Kind: Transaction, Leaves: true, Title: "stop filling " + qi(col.Name), SQL: g.drop})
	for _, k := range col.Constraints {
		if err := c.constraint(r, op.Only, k, fmt.Sprintf("ALTER TABLE %s ADD %s", r.Name, constraintSQL(k))); err != nil {
			return err
		}
	}
	return nil
}

// fill waits for writers that do not know the sync trigger yet, then changes the rows.
func (c *compiler) fill(r *ddl.Relation, spec FillSpec) error {
	rows, bytes := c.size(r)
	if triggers := c.updateTriggers(r); len(triggers) > 0 {
		// ALTER TYPE and ADD COLUMN fire none, so the fill must not either (RULES 4).
		checked := c.checkedByTriggers(r, spec.Set)
		spec.Quiet = !c.opt.FireTriggers && checked == ""
		switch {
		case checked != "":
			c.notice("triggers", "the fill of %s fires %s for each row: without triggers nothing would check %s", r.Name, strings.Join(triggers, ", "), checked)
		case c.opt.FireTriggers:
			c.notice("triggers", "the fill of %s fires %s for each row", r.Name, strings.Join(triggers, ", "))
		}
	}
	if err := c.fillUnderRules(r, &spec); err != nil {
		return err
	}
	c.step(Step{Phase: Fill, Kind: Quiesce, Title: "wait for transactions older than the trigger on " + r.Name.String()})
	c.step(Step{Phase: Fill, Kind: Rows, Title: "fill " + r.Name.String(), Fill: &spec, Rows: rows, Bytes: bytes})
	return nil
}

// fillUnderRules keeps rules out of a fill, which would write what they say, or not what it should. Those that are
// enabled as usual stand aside for session_replication_role = replica.
func (c *compiler) fillUnderRules(r *ddl.Relation, spec *FillSpec) error {
	for _, m := range c.family(r) {
		for _, x := range m.Rules {
			if x.Enabled == 'D' || !x.OnUpdate() {
				continue
			}
			usual := x.Enabled == 'O'
			if usual && !c.opt.FireTriggers && c.checkedByTriggers(r, spec.Set) == "" {
				spec.Quiet = true
			} else if usual || x.Enabled == 'A' || spec.Quiet {
				return c.refuse("dependent-rule", "drop the rule before and create it again after the change",
					"rule %s of %s would be carried out for the rows of the fill", qi(x.Name), m.Name)
			}
		}
	}
	return nil
}

// checkedByTriggers names a constraint on the columns of a fill that PostgreSQL checks with triggers of its own, which
// session_replication_role = replica silences like all others.
func (c *compiler) checkedByTriggers(r *ddl.Relation, set []ddl.Assignment) string {
	for _, m := range c.family(r) {
		for _, k := range m.Constraints {
			if (k.Kind == ddl.ForeignKey || k.Deferrable) &&
				slices.ContainsFunc(set, func(a ddl.Assignment) bool { return slices.Contains(k.Columns, a.Column) }) {
				return "constraint " + qi(k.Name) + " of " + m.Name.String()
			}
		}
	}
	return ""
}

// updateTriggers are the user's triggers that an UPDATE of any row of the table fires.
func (c *compiler) updateTriggers(r *ddl.Relation) []string {
	var out []string
	for _, m := range c.family(r) {
		for _, t := range m.Triggers {
			if t.OnUpdate && t.Enabled != 'D' && t.Enabled != 'A' && !ownTrigger(t) {
				out = append(out, "trigger "+qi(t.Name)+" of "+m.Name.String())
			}
		}
	}
	return out
}

func (c *compiler) fillNulls(r *ddl.Relation, col, expr string) error {
	return c.fill(r, nullsSpec(r, col, expr))
}

func nullsSpec(r *ddl.Relation, col, expr string) FillSpec {
	return FillSpec{Kind: Twin, Table: r.Name.String(), Set: []ddl.Assignment{{Column: col, Expr: expr}},
		Guard: qi(col) + " IS NULL", Flag: FillFlag}
}

// fillOwn fills the NULLs of a column that the application has, and keeps in mind which rows had them.
func (c *compiler) fillOwn(op ddl.SetNotNull, r *ddl.Relation, expr string) error {
	spec := nullsSpec(r, op.Column, expr)
	if c.beyondImages(op, r) == "" {
		spec.Key = c.walkKey(r, []string{op.Column})
	}
	if spec.Undo = spec.Key != nil; !spec.Undo {
		c.notice("revert-fill", "revert leaves in %s of %s what the fill writes: without a key nobody can tell which rows had a NULL", qi(op.Column), r.Name)
	}
	return c.fill(r, spec)
}

// proveNotNull makes a column NOT NULL without a scan under a strong lock: a CHECK that is validated beside
// the application lets SET NOT NULL believe instead of look. then is done in the same transaction.
func (c *compiler) proveNotNull(r *ddl.Relation, col, name string, then []string) {
	t := r.Name.String()
	check := qi(notNullCheck(col))
	drop := fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", t, check)
	set := fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL", t, qi(col))
	if name != "" && c.now.Version >= 180000 {
		set = fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s NOT NULL %s", t, qi(name), qi(col))
	}
	c.checkNotNull(r, col, false)
	back := c.backToNullable(r, col)
	if len(then) > 0 {
		back = append([]string{fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s DROP IDENTITY IF EXISTS", t, qi(col))}, back...)
	}
	c.step(Step{Phase: Verify, Kind: Transaction, Title: fmt.Sprintf("set %s of %s NOT NULL", qi(col), t),
		// SET NOT NULL scans nothing: the validated CHECK in the next statement proves it.
		SQL: append([]string{set, drop}, then...), Reverse: back, ReverseConcurrently: len(back) > 1 && len(then) == 0})
}

// notNullCheck names the CHECK that proves a column, or its twin, NOT NULL.
func notNullCheck(col string) string {
	return internalName(strings.TrimPrefix(col, internalPrefix) + "_not_null")
}

// checkNotNull adds and validates the CHECK that proves a column NOT NULL, only in the table or in all below it too.
func (c *compiler) checkNotNull(r *ddl.Relation, col string, only bool) {
	q := requirement{r, only}
	add, drop := q.check(col)
	t := r.Name.String()
	rows, bytes := c.size(r)
	c.step(Step{Phase: Verify, Kind: Transaction, Title: fmt.Sprintf("refuse new NULLs in %s of %s", qi(col), t),
		SQL: []string{add}, Reverse: []string{drop}})
	c.step(Step{Phase: Verify, Kind: Validate, Title: fmt.Sprintf("prove that %s of %s has no NULL", qi(col), t),
		SQL: []string{q.validate(col)}, Rows: rows, Bytes: bytes})
}

func (c *compiler) setNotNull(op ddl.SetNotNull, sql string) error {
	r, col, err := c.column(op.Table, op.Column)
	if err != nil {
		return err
	}
	c.touch("table", r.Name, op.Column)
	if col.NotNull {
		c.notice("exists", "%s of %s is NOT NULL already", qi(op.Column), r.Name)
		return nil
	}
	if op.Only && len(r.Children) > 0 {
		return c.asIs(op, sql, fmt.Sprintf("ALTER TABLE ONLY %s ALTER COLUMN %s DROP NOT NULL", r.Name, qi(op.Column)))
	}
	phys := c.physical(r.Name, op.Column)
	fill, ok := c.directive("fill")
	if ok && phys != op.Column {
		return c.refuse("held-column", "put the fill into a migration of its own, applied after this one is complete",
			"column %s of %s has two shapes until complete, and a fill would have to give its value to both", qi(op.Column), r.Name)
	}
	if ok {
		if err := c.triggerable(r, nil, fill); err != nil {
			return err
		}
		g := c.guardNulls(r, op.Column, fill, true)
		c.step(Step{Phase: Expand, Kind: Transaction, Title: fmt.Sprintf("fill NULLs of old writers in %s of %s", qi(op.Column), r.Name),
			SQL: append(computable(r.Name, []ddl.Assignment{{Column: op.Column, Expr: fill}}), g.create...), Reverse: g.drop, Temporary: true})
		if err := c.fillOwn(op, r, fill); err != nil {
			return err
		}
		c.proveNotNull(r, op.Column, "", nil)
		// Old code may go on writing NULL: a BEFORE trigger runs before NOT NULL is checked.
		c.later(Step{Kind: Transaction, Leaves: true, Title: "stop filling " + qi(op.Column), SQL: g.drop})
		return nil
	}
	c.notice("old-writers", "code that writes NULL into %s of %s fails from the moment this is applied", qi(op.Column), r.Name)
	if phys != op.Column {
		c.checkNotNull(r, phys, false)
		last := Step{Kind: Transaction, Title: "set NOT NULL", SQL: []string{
			sql, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", r.Name, qi(notNullCheck(phys)))}}
		if last.Reverse = c.backToNullable(r, op.Column); len(last.Reverse) > 1 {
			last.Reverse, last.Irreversible = nil, "the tables below that had NOT NULL before would have to be read again under the lock"
		}
		c.later(last)
		return nil
	}
	if !c.big(r) || c.plain() {
		return c.asIs(op, sql, c.backToNullable(r, op.Column)...)
	}
	c.proveNotNull(r, op.Column, "", nil)
	return nil
}

// backToNullable takes NOT NULL away again, but not from the tables below that had it before. Until 17 DROP NOT NULL
// does not tell; a CHECK keeps NULLs out of them meanwhile, and lets SET NOT NULL believe instead of look.
func (c *compiler) backToNullable(r *ddl.Relation, col string) []string {
	var before, after []string
	if c.now.Version < 180000 {
		for _, q := range c.required(r, col) {
			add, drop := q.check(col)
			before = append(before, drop, add, q.validate(col))
			after = append(after, q.set(col), drop)
		}
	}
	return slices.Concat(before, []string{fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", r.Name, qi(col))}, after)
}

// dropNotNull lets new code write NULL. The way back needs every row to have a value again.
func (c *compiler) dropNotNull(op ddl.DropNotNull, sql string) error {
	r, col, err := c.column(op.Table, op.Column)
	if err != nil {
		return err
	}
	c.touch("table", r.Name, op.Column)
	var lost []requirement
	switch {
	case op.Only && col.NotNull:
		lost = []requirement{{r, len(r.Children) > 0}}
	case col.NotNull || !op.Only && c.now.Version < 180000:
		lost = c.required(r, op.Column) // until 17 those of the tables below go, whatever the parent has
	}
	if len(lost) == 0 {
		return nil
	}
	c.notice("old-readers", "old code may read NULL from %s of %s", qi(op.Column), r.Name)
	st := Step{Phase: Expand, Kind: Transaction, Title: title(sql), SQL: []string{sql}}
	c.backToNotNull(r, op.Column, lost, &st)
	c.step(st)
	return nil
}

// backToNotNull writes the way back of a lost NOT NULL: long, but never under a strong lock. It fails, and the
// revert with it, while a row has a NULL and the user gave no expression for it (RULES 9).
func (c *compiler) backToNotNull(r *ddl.Relation, col string, lost []requirement, st *Step) {
	t := r.Name.String()
	st.ReverseConcurrently = true
	fill, ok := c.directive("fill")
	if !ok {
		fill, ok = c.inverseOf(col)
	}
	if ok {
		st.Reverse = append(st.Reverse, fmt.Sprintf("UPDATE %s SET %s = %s WHERE %s IS NULL", t, qi(col), fill, qi(col)))
	} else {
		c.notice("revert-null", "revert is refused while a row of %s has a NULL in %s; `-- replank: fill EXPRESSION` would give those rows a value", t, qi(col))
	}
	for _, q := range lost {
		add, drop := q.check(col)
		st.Reverse = append(st.Reverse, drop, add, q.validate(col))
	}
	// Here nobody reads the rows: the CHECKs prove it.
	if c.now.Version >= 180000 {
		st.Reverse = append(st.Reverse, c.namedNotNulls(r, lost, col)...)
	}
	for _, q := range lost {
		if c.now.Version < 180000 {
			st.Reverse = append(st.Reverse, q.set(col))
		}
		_, drop := q.check(col)
		st.Reverse = append(st.Reverse, drop)
	}
}

// namedNotNulls makes the NOT NULL constraints (18) of tables and of those below them, where they are their own, under
// the names they have: those of a child first, so that they are not taken for its parent's alone.
func (c *compiler) namedNotNulls(r *ddl.Relation, of []requirement, col string) []string {
	var out []string
	for _, m := range slices.Backward(c.family(r)) {
		required := slices.ContainsFunc(of, func(q requirement) bool {
			return m == q.rel || !q.only && slices.Contains(c.family(q.rel), m)
		})
		if k := m.Constraint(m.Column(col).NotNullName); required && k != nil && ownNotNull(k) {
			out = append(out, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", m.Name, qi(k.Name), k.Definition))
		}
	}
	return out
}

func (c *compiler) setDefault(op ddl.SetDefault, sql string) error {
	r, col, err := c.column(op.Table, op.Column)
	if err != nil {
		return err
	}
	if r.Kind == 'v' {
		return c.asIs(op, sql, defaultSQL(r, col))
	}
	back := []string{defaultSQL(r, col)}
	for _, m := range c.family(r)[1:] {
		if own := m.Column(col.Name); own != nil {
			back = append(back, ownDefault(m, own, col.Default)...)
		}
	}
	if op.Only {
		back = ownDefault(r, col, op.Expr)
	}
	if c.physical(r.Name, op.Column) != op.Column {
		c.touch("table", r.Name, op.Column)
		c.later(Step{Kind: Transaction, Title: title(sql), SQL: []string{sql}, Reverse: back})
		return nil
	}
	return c.asIs(op, sql, back...)
}

// defaultSQL restores the default a column has now.
func defaultSQL(r *ddl.Relation, col *ddl.RelColumn) string {
	if col.Default == "" || col.Generated != 0 {
		return fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT", r.Name, qi(col.Name))
	}
	return fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s", r.Name, qi(col.Name), col.Default)
}

// addIdentity needs the column to be NOT NULL, which PostgreSQL checks itself; then it is instant.
func (c *compiler) addIdentity(op ddl.AddIdentity, sql string) error {
	r, err := c.relation(op.Table)
	if err != nil {
		return err
	}
	live := c.live.Relations[r.Name]
	if live != nil && (c.physical(r.Name, op.Column) != op.Column || live.Column(op.Column) != nil && live.Column(op.Column).Identity != 0) {
		return c.wait(op, sql)
	}
	back := fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s DROP IDENTITY", r.Name, qi(op.Column))
	seq := ddl.Name{Schema: r.Name.Schema, Name: ddl.SequenceName(r.Name.Name, op.Column, c.taken(r.Name.Schema))}
	if !c.occupied(seq) || strings.Contains(strings.ToUpper(op.Options), "SEQUENCE NAME") {
		return c.asIs(op, sql, back)
	}
	// A serial becomes an identity: its sequence goes at complete, and the new one has a name of ours until then, since
	// writers need it now.
	tmp := ddl.Name{Schema: seq.Schema, Name: internalName(seq.Name)}
	if has(c.live, tmp) {
		return c.splitName(seq.Name)
	}
	kind := "BY DEFAULT"
	if op.Always {
		kind = "ALWAYS"
	}
	c.late[seq.String()] = true
	c.later(Step{Kind: Transaction, Title: "give sequence " + seq.String() + " its name",
		SQL:     []string{fmt.Sprintf("ALTER SEQUENCE %s RENAME TO %s", tmp, qi(seq.Name))},
		Reverse: []string{fmt.Sprintf("ALTER SEQUENCE %s RENAME TO %s", seq, qi(tmp.Name))}})
	return c.asIs(op, fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s ADD GENERATED %s AS IDENTITY (SEQUENCE NAME %s %s)", r.Name, qi(op.Column), kind, tmp, op.Options), back)
}

// dropIdentity waits for complete: old code leaves the column to its sequence.
func (c *compiler) dropIdentity(op ddl.DropIdentity, sql string) error {
	r, col, err := c.column(op.Table, op.Column)
	if err != nil {
		return err
	}
	if col.Identity == 0 && op.IfExists {
		return nil
	}
	c.touch("table", r.Name, op.Column)
	if c.fresh[r.Name] {
		return c.asIs(op, sql, "")
	}
	c.later(Step{Kind: Transaction, Title: title(sql), SQL: []string{sql},
		Destroys: fmt.Sprintf("the identity sequence of %s.%s", r.Name, qi(op.Column)), Irreversible: "the sequence is gone"})
	return nil
}

// dropColumn keeps the column until complete. New code does not know it, so it must not be required of it.
func (c *compiler) dropColumn(op ddl.DropColumn, sql string) error {
	r, err := c.relation(op.Table)
	if err != nil {
		return err
	}
	col := r.Column(op.Column)
	if col == nil {
		if op.IfExists {
			return nil
		}
		return fmt.Errorf("column %s of relation %s does not exist", qi(op.Column), r.Name)
	}
	c.touch("table", r.Name, op.Column)
	if c.fresh[r.Name] {
		return c.asIs(op, sql, "")
	}
	if !op.Cascade {
		for _, d := range r.Dependents {
			if d.Column == op.Column && blocksDrop[d.Kind] {
				return fmt.Errorf("cannot drop column %s of %s because %s depends on it; drop that first, or write CASCADE", qi(op.Column), r.Name, d.Text)
			}
		}
	}
	if r.Kind != 'v' {
		c.letLeaveOut(r, op.Column)
	}
	c.hold(r.Name).gone[op.Column] = true
	c.later(Step{Kind: Transaction, Leaves: true, Title: title(sql), SQL: []string{sql},
		Destroys:     fmt.Sprintf("column %s of %s with its values", qi(op.Column), r.Name),
		Irreversible: "the values of the column are gone"})
	return nil
}

// letLeaveOut lets new code leave out a column that goes: NOT NULL goes from the table and from every table below it
// where nothing else would give the row a value.
func (c *compiler) letLeaveOut(r *ddl.Relation, col string) {
	family := c.family(r)
	empty := func(m *ddl.Relation) bool {
		k := m.Column(col)
		return k != nil && k.Default == "" && k.Identity == 0 && k.Generated == 0
	}
	fails := func(m *ddl.Relation) bool {
		if k := m.Column(col); k == nil || !k.NotNull {
			return false
		}
		// A row that comes through a partitioned table has the default from there, not the partition's.
		return empty(m) || m.IsPartition && slices.ContainsFunc(family, func(f *ddl.Relation) bool {
			return empty(f) && slices.Contains(c.family(f), m)
		})
	}
	st := Step{Phase: Expand, Kind: Transaction, Title: fmt.Sprintf("let new code leave out %s of %s", qi(col), r.Name)}
	var lost []requirement
	drop := func(m *ddl.Relation) {
		st.SQL = append(st.SQL, fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", m.Name, qi(col)))
	}
	for _, q := range c.required(r, col) {
		below := c.family(q.rel)
		taken := c.now.Version < 180000 && slices.ContainsFunc(lost, func(l requirement) bool { return slices.Contains(c.family(l.rel), q.rel) })
		if !taken && !slices.ContainsFunc(below, fails) {
			continue
		}
		if i := slices.IndexFunc(below, func(m *ddl.Relation) bool { return keyed(m, col) }); i >= 0 {
			c.notice("new-writers", "new code must go on writing %s of %s until complete: it is part of the primary key or of the replica identity", qi(col), below[i].Name)
			continue
		}
		lost = append(lost, q)
		if c.now.Version < 180000 {
			drop(q.rel) // and from all below it
			continue
		}
		for _, m := range below {
			if k := m.Constraint(m.Column(col).NotNullName); (k == nil || ownNotNull(k)) && (m == q.rel || fails(m)) {
				drop(m)
			}
		}
	}
	if len(lost) > 0 {
		c.backToNotNull(r, col, lost, &st)
		c.step(st)
	}
}

// keyed reports whether PostgreSQL needs a column to be NOT NULL.
func keyed(m *ddl.Relation, col string) bool {
	return slices.ContainsFunc(m.Indexes, func(i *ddl.Index) bool {
		return (i.Primary || i.ReplIdent) && slices.Contains(i.Keys, col)
	})
}

// ownNotNull reports whether a NOT NULL constraint (18) is the table's own, whatever its parents have.
func ownNotNull(k *ddl.TableConstraint) bool {
	return k.Kind == ddl.NotNull && (k.Local || k.Inherited == 0)
}

// blocksDrop are the kinds of dependents that make DROP COLUMN … RESTRICT fail. Indexes, constraints,
// statistics and the column's own default go with it.
var blocksDrop = map[string]bool{
	"view": true, "materialized view": true, "rule": true, "function": true, "policy": true, "trigger": true,
	"generated column": true, "publication": true,
}

// noticeShape says what server-prepared SELECT * statements will see (RULES 17).
func (c *compiler) noticeShape(r *ddl.Relation, what string) {
	if !c.fresh[r.Name] {
		c.notice("cached-plan", "%s %s: server-prepared SELECT * on it fails once per connection with \"cached plan must not change result type\"", r.Name, what)
	}
}

// hold gives what a table keeps for complete.
func (c *compiler) hold(n ddl.Name) *held {
	h := c.held[n]
	if h == nil {
		h = &held{columns: map[string]string{}, gone: map[string]bool{}}
		c.held[n] = h
	}
	return h
}

// physical gives the column that will be col after complete; col itself when nothing is held.
func (c *compiler) physical(n ddl.Name, col string) string {
	if h := c.held[n]; h != nil {
		if p, ok := h.columns[col]; ok {
			return p
		}
	}
	return col
}
