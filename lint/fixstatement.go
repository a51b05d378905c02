package lint

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// editor rewrites the statements of one source.
type editor struct {
	*linter
	text    *text
	at      map[int][]Finding // by offset of their statement
	reasons map[int]string    // why a statement was left
}

// rewrite goes through the source and puts steps in the place of statements that something was found in.
func (e *editor) rewrite(p *parsed) {
	i := 0
	e.after = func(ps *pass) {
		pc := e.text.pieces[i]
		i++
		found := e.at[ps.st.Pos.Offset]
		if len(found) == 0 {
			return
		}
		steps, reason := ps.steps(found)
		if reason != "" {
			e.reasons[ps.st.Pos.Offset] = reason
		} else if steps != nil && !slices.Equal(steps, []string{ps.st.SQL}) {
			pc.steps, pc.changed = steps, true
		}
	}
	e.source(p)
}

// steps are the statements that take the place of one; nil when it may stay as it is.
func (p *pass) steps(found []Finding) (steps []string, reason string) {
	rules := map[string]bool{}
	for _, f := range found {
		rules[f.Rule] = true
	}
	parts := map[int][]string{}
	for i, op := range p.st.Ops {
		s, reason := p.stepsOf(op, p.st.Alone(i), rules)
		if reason != "" {
			return nil, reason
		}
		if s != nil {
			parts[i] = s
		}
	}
	if len(parts) == 0 {
		return nil, ""
	}
	// As PostgreSQL does it: columns and what is said of them first, constraints last.
	steps, last := []string{}, []string(nil)
	for i, op := range p.st.Ops {
		s, changed := parts[i]
		_, column := op.(ddl.AddColumn)
		switch {
		case !changed:
			steps = append(steps, p.st.Alone(i))
		case column:
			steps = append(steps, s...)
		default:
			last = append(last, s...)
		}
	}
	return append(steps, last...), ""
}

// stepsOf is steps for one operation, whose text is sql.
func (p *pass) stepsOf(op ddl.Op, sql string, rules map[string]bool) ([]string, string) {
	switch op := op.(type) {
	case ddl.CreateIndex:
		return p.createIndexSteps(op, sql, rules)
	case ddl.DropIndex:
		i := p.schema.Index(op.Index)
		if rules["lock-timeout"] && i != nil && !op.Concurrently && !op.Cascade && !i.Partitioned && i.Parent.IsZero() {
			return concurrently(sql)
		}
	case ddl.Reindex:
		if rules["reindex-not-concurrently"] {
			return concurrently(sql)
		}
	case ddl.RefreshMaterializedView:
		return p.refreshSteps(op, sql, rules)
	case ddl.AddConstraint:
		return p.constraintSteps(op, sql, rules)
	case ddl.AddColumn:
		return p.columnSteps(op, sql, rules)
	case ddl.SetNotNull:
		if rules["set-not-null"] {
			return p.notNullSteps(op.Table, op.Only, op.Column, "")
		}
	case ddl.SetDefault:
		if rules["default-dropped"] && op.Expr == "" && p.isNew(op.Table, op.Column) {
			return []string{}, ""
		}
	case ddl.AttachPartition:
		if rules["attach-partition"] || rules["default-partition"] {
			return p.attachSteps(op, sql)
		}
	case ddl.CreateTable:
		if rules["default-partition"] {
			return p.partitionSteps(op, sql)
		}
	}
	return nil, ""
}

func concurrently(sql string) ([]string, string) {
	s, err := ddl.Concurrently(sql)
	if err != nil {
		return nil, err.Error()
	}
	return []string{s}, ""
}

func (p *pass) createIndexSteps(op ddl.CreateIndex, sql string, rules map[string]bool) ([]string, string) {
	if rules["duplicate-index"] {
		for _, s := range p.later {
			if op.Name == "" || strings.Contains(s.Text, op.Name) {
				return nil, fmt.Sprintf("%s may name it later", s.Path)
			}
		}
		return []string{}, ""
	}
	if !rules["index-not-concurrently"] && !(rules["if-not-exists"] && op.Concurrently) {
		return nil, ""
	}
	r := p.schema.Relation(op.Table)
	switch {
	case r == nil:
		return nil, fmt.Sprintf("%s is not known", op.Table)
	case r.Kind == 'p' && op.IfNotExists:
		return nil, "what IF NOT EXISTS would leave of an attempt that failed is not known"
	case r.Kind == 'p':
		return p.partitionedIndexSteps(op, r, sql)
	}
	steps, reason := concurrently(sql)
	if !op.IfNotExists || reason != "" {
		return steps, reason
	}
	name := ddl.Name{Schema: r.Name.Schema, Name: op.Name}
	if i := p.schema.Index(name); i != nil && i.Valid {
		return nil, fmt.Sprintf("%s exists: the statement does nothing", name)
	}
	if op.Table.Schema == "" {
		name.Schema = ""
	}
	return append([]string{"DROP INDEX CONCURRENTLY IF EXISTS " + name.String()}, steps...), ""
}

// partitionedIndexSteps build an index of a partitioned table: one that is not valid yet, and one for each partition,
// which is attached to it.
func (p *pass) partitionedIndexSteps(op ddl.CreateIndex, r *ddl.Relation, sql string) ([]string, string) {
	after := p.schema.Clone()
	if err := after.ApplyOp(op, sql); err != nil {
		return nil, err.Error()
	}
	var top *ddl.Index
	for _, i := range after.Relation(r.Name).Indexes {
		if p.schema.Index(i.Name) == nil {
			top = i
		}
	}
	if top == nil {
		return nil, "the name of the index is not known"
	}
	steps, err := p.indexTree(after, sql, top, op.Table)
	if err != nil {
		return nil, err.Error()
	}
	// What shares a transaction, or needs none, stands together: the fewer files.
	slices.SortStableFunc(steps, func(a, b string) int { return cmp.Compare(indexStep(a), indexStep(b)) })
	return steps, ""
}

func indexStep(sql string) int {
	switch {
	case strings.HasPrefix(sql, "ALTER INDEX "):
		return 2
	case strings.Contains(sql, "INDEX CONCURRENTLY "):
		return 1
	}
	return 0
}

// indexTree are the steps for one index of the tree that after has; table is as the statement names it.
func (p *pass) indexTree(after *ddl.Schema, sql string, top *ddl.Index, table ddl.Name) ([]string, error) {
	named := func(n ddl.Name) ddl.Name { // as short as the statement is
		if table.Schema == "" && len(after.SearchPath) > 0 && n.Schema == after.SearchPath[0] {
			n.Schema = ""
		}
		return n
	}
	r := after.Relations[top.Table]
	if r.Kind != 'p' {
		made, err := ddl.RenameIndexDef(sql, top.Name.Name, &table, nil, true)
		return []string{made}, err
	}
	made, err := ddl.RenameIndexDef(sql, top.Name.Name, &table, nil, false)
	if err != nil {
		return nil, err
	}
	on, err := regexp.Compile(`(?i)\s+ON\s+` + regexp.QuoteMeta(table.String()))
	if err != nil {
		return nil, err
	}
	at := on.FindStringIndex(made)
	if at == nil {
		return nil, fmt.Errorf("cannot find the table in %s", made)
	}
	steps := []string{made[:at[0]] + " ON ONLY " + table.String() + made[at[1]:]}
	for _, n := range r.Children {
		child := after.Relations[n]
		if child == nil {
			continue
		}
		for _, i := range child.Indexes {
			if i.Parent != top.Name {
				continue
			}
			if p.schema.Index(i.Name) == nil {
				below, err := p.indexTree(after, sql, i, named(child.Name))
				if err != nil {
					return nil, err
				}
				steps = append(steps, below...)
			}
			steps = append(steps, fmt.Sprintf("ALTER INDEX %s ATTACH PARTITION %s", named(top.Name), named(i.Name)))
		}
	}
	return steps, nil
}

func (p *pass) refreshSteps(op ddl.RefreshMaterializedView, sql string, rules map[string]bool) ([]string, string) {
	if !rules["refresh-materialized-view"] || op.Concurrently {
		return nil, ""
	}
	r := p.schema.Relation(op.View)
	if r == nil || !slices.ContainsFunc(r.Indexes, func(i *ddl.Index) bool { return i.Unique && i.Valid && i.Predicate == "" && !i.HasExpr }) {
		return nil, "CONCURRENTLY needs a unique index of the view, without WHERE, over plain columns"
	}
	if !r.Populated {
		return nil, "the view has no data yet, which CONCURRENTLY needs"
	}
	return concurrently(sql)
}

// alter is ALTER TABLE t, as the statement named it.
func alter(table ddl.Name, only bool) string {
	if only {
		return "ALTER TABLE ONLY " + table.String()
	}
	return "ALTER TABLE " + table.String()
}

// chosen are the names which the constraint and the index get that op makes: those that PostgreSQL would choose.
func (p *pass) chosen(op ddl.Op, sql string, table ddl.Name) (constraint string, err error) {
	after := p.schema.Clone()
	had := map[string]bool{}
	if r := after.Relation(table); r != nil {
		for _, c := range r.Constraints {
			had[c.Name] = true
		}
	}
	if err := after.ApplyOp(op, sql); err != nil {
		return "", err
	}
	r := after.Relation(table)
	if r == nil {
		return "", fmt.Errorf("%s is not known", table)
	}
	for _, c := range r.Constraints {
		if !had[c.Name] && c.Kind != ddl.NotNull {
			return c.Name, nil
		}
	}
	return "", fmt.Errorf("the name of the constraint is not known")
}

func (p *pass) constraintSteps(op ddl.AddConstraint, sql string, rules map[string]bool) ([]string, string) {
	c := op.Constraint
	wrong := rules["foreign-key-validated"] && c.Kind == ddl.ForeignKey || rules["check-validated"] && c.Kind == ddl.Check ||
		rules["unique-constraint"] && (c.Kind == ddl.Unique || c.Kind == ddl.PrimaryKey) || rules["set-not-null"] && c.Kind == ddl.NotNull
	if !wrong || c.NotValid || c.NotEnforced {
		return nil, ""
	}
	if c.Kind == ddl.NotNull {
		return p.notNullSteps(op.Table, op.Only, c.Columns[0], c.Name)
	}
	name := c.Name
	if name == "" {
		var err error
		if name, err = p.chosen(op, sql, op.Table); err != nil {
			return nil, err.Error()
		}
	}
	r := p.schema.Relation(op.Table)
	if c.Kind == ddl.Unique || c.Kind == ddl.PrimaryKey {
		return p.uniqueSteps(op, r, name)
	}
	if r != nil && r.Kind == 'p' && c.Kind == ddl.ForeignKey && p.schema.Version < 180000 {
		return nil, "a foreign key of a partitioned table cannot be NOT VALID before PostgreSQL 18: add it to each partition first"
	}
	return []string{
		alter(op.Table, op.Only) + " ADD CONSTRAINT " + ddl.QuoteIdent(name) + " " + c.Body + " NOT VALID",
		alter(op.Table, false) + " VALIDATE CONSTRAINT " + ddl.QuoteIdent(name),
	}, ""
}

// uniqueSteps build the index of a constraint first.
func (p *pass) uniqueSteps(op ddl.AddConstraint, r *ddl.Relation, name string) ([]string, string) {
	c := op.Constraint
	body := " " + strings.ToUpper(c.Body) + " "
	switch {
	case r == nil || r.Kind == 'p':
		return nil, "an index of a partitioned table cannot be built CONCURRENTLY, and its constraint cannot take one over"
	case c.Temporal || strings.Contains(body, " WITH ") || strings.Contains(body, " TABLESPACE "):
		return nil, "the constraint says more of its index than can be said again"
	}
	var steps []string
	kind := "UNIQUE"
	if c.Kind == ddl.PrimaryKey {
		kind = "PRIMARY KEY"
		for _, col := range c.Columns {
			if have := r.Column(col); have != nil && !have.NotNull {
				s, reason := p.notNullSteps(op.Table, false, col, "")
				if reason != "" {
					return nil, reason
				}
				steps = append(steps, s...)
			}
		}
	}
	index := fmt.Sprintf("CREATE UNIQUE INDEX CONCURRENTLY %s ON %s (%s)", ddl.QuoteIdent(name), op.Table, ddl.QuoteIdents(c.Columns))
	if len(c.Include) > 0 {
		index += " INCLUDE (" + ddl.QuoteIdents(c.Include) + ")"
	}
	if c.NullsNotDistinct {
		index += " NULLS NOT DISTINCT"
	}
	add := fmt.Sprintf("%s ADD CONSTRAINT %s %s USING INDEX %s", alter(op.Table, op.Only), ddl.QuoteIdent(name), kind, ddl.QuoteIdent(name))
	if c.Deferrable {
		add += " DEFERRABLE"
	}
	if c.InitiallyDeferred {
		add += " INITIALLY DEFERRED"
	}
	return append(steps, index, add), ""
}

// notNullSteps prove that a column has no NULL before it becomes NOT NULL.
func (p *pass) notNullSteps(table ddl.Name, only bool, column, name string) ([]string, string) {
	r := p.schema.Relation(table)
	if r == nil {
		return nil, fmt.Sprintf("%s is not known", table)
	}
	taken := func(s string) bool { return r.Constraint(s) != nil }
	col := ddl.QuoteIdent(column)
	if p.schema.Version >= 180000 {
		proof := ddl.QuoteIdent(cmp.Or(name, ddl.ConstraintName(r.Name.Name, []string{column}, ddl.LabelNotNull, taken)))
		return []string{
			fmt.Sprintf("%s ADD CONSTRAINT %s NOT NULL %s NOT VALID", alter(table, only), proof, col),
			fmt.Sprintf("%s VALIDATE CONSTRAINT %s", alter(table, false), proof),
		}, ""
	}
	// Not the name that 18 gives to the NOT NULL constraint itself.
	proof := ddl.QuoteIdent(ddl.ConstraintName(r.Name.Name, []string{column}, "set", taken))
	return []string{
		fmt.Sprintf("%s ADD CONSTRAINT %s CHECK (%s IS NOT NULL) NOT VALID", alter(table, only), proof, col),
		fmt.Sprintf("%s VALIDATE CONSTRAINT %s", alter(table, false), proof),
		fmt.Sprintf("%s ALTER COLUMN %s SET NOT NULL", alter(table, only), col),
		fmt.Sprintf("%s DROP CONSTRAINT %s", alter(table, only), proof),
	}, ""
}

// columnSteps take the constraints out of ADD COLUMN.
func (p *pass) columnSteps(op ddl.AddColumn, sql string, rules map[string]bool) ([]string, string) {
	c := op.Column
	if rules["required-column"] {
		return p.requiredSteps(c, sql)
	}
	if rules["volatile-default"] || rules["generated-stored"] || rules["domain-column"] {
		return nil, ""
	}
	wrong := slices.ContainsFunc(c.Constraints, func(k ddl.Constraint) bool { return rules[constraintRule(k)] })
	if !wrong {
		return nil, ""
	}
	if op.IfNotExists {
		return nil, "with IF NOT EXISTS the column's constraints are added only where the column is"
	}
	// The names are those that PostgreSQL would choose with the column there, and each constraint before.
	bare := c
	bare.Constraints = nil
	after := *p
	after.linter = p.linter.clone()
	add := ddl.AddColumn{Table: op.Table, Only: op.Only, Column: bare}
	steps := []string{alter(op.Table, op.Only) + " ADD COLUMN " + columnSQL(bare)}
	if err := after.schema.ApplyOp(add, steps[0]); err != nil {
		return nil, err.Error()
	}
	for _, k := range c.Constraints {
		one := ddl.AddConstraint{Table: op.Table, Only: op.Only, Constraint: k}
		text := alter(op.Table, op.Only) + " ADD " + named(k)
		s, reason := after.constraintSteps(one, text, map[string]bool{constraintRule(k): true})
		if reason != "" {
			return nil, reason
		}
		if s == nil {
			s = []string{text}
		}
		steps = append(steps, s...)
		if err := after.schema.ApplyOp(one, text); err != nil {
			return nil, err.Error()
		}
	}
	return steps, ""
}

func named(k ddl.Constraint) string {
	if k.Name == "" {
		return k.Body
	}
	return "CONSTRAINT " + ddl.QuoteIdent(k.Name) + " " + k.Body
}

// columnSQL is a column without its CHECK, UNIQUE, PRIMARY KEY and REFERENCES.
func columnSQL(c ddl.Column) string {
	s := ddl.QuoteIdent(c.Name) + " " + c.Type.SQL
	if c.Storage != "" {
		s += " STORAGE " + c.Storage
	}
	if c.Compression != "" {
		s += " COMPRESSION " + c.Compression
	}
	if c.Collation != "" {
		s += " COLLATE " + c.Collation
	}
	if c.Default != "" {
		s += " DEFAULT " + c.Default
	}
	if c.NotNull {
		if c.NotNullName != "" {
			s += " CONSTRAINT " + ddl.QuoteIdent(c.NotNullName)
		}
		s += " NOT NULL"
		if c.NotNullNoInherit {
			s += " NO INHERIT"
		}
	}
	switch {
	case c.Generated != "" && c.Virtual:
		s += " GENERATED ALWAYS AS (" + c.Generated + ") VIRTUAL"
	case c.Generated != "":
		s += " GENERATED ALWAYS AS (" + c.Generated + ") STORED"
	case c.Identity != 0:
		how := "BY DEFAULT"
		if c.Identity == 'a' {
			how = "ALWAYS"
		}
		s += " GENERATED " + how + " AS IDENTITY"
		if c.IdentityOptions != "" {
			s += " (" + c.IdentityOptions + ")"
		}
	}
	return s
}

// requiredSteps give a NOT NULL column the value that the file names.
func (p *pass) requiredSteps(c ddl.Column, sql string) ([]string, string) {
	for _, d := range p.st.Directives {
		if d.Verb != "fill" {
			continue
		}
		value := d.Arg
		if col, v, ok := strings.Cut(d.Arg, "="); ok && strings.TrimSpace(col) == c.Name {
			value = strings.TrimSpace(v)
		}
		cols, err := ddl.Columns(value)
		switch {
		case err != nil:
			return nil, err.Error()
		case len(cols) > 0 || p.schema.Volatile(value):
			return nil, "the value differs from row to row: the rows have to be filled in batches, which replank apply does"
		}
		return []string{sql + " DEFAULT " + value}, ""
	}
	return nil, reasonFor("required-column")
}

// attachSteps prove the bounds before ATTACH.
func (p *pass) attachSteps(op ddl.AttachPartition, sql string) ([]string, string) {
	parent, part := p.schema.Relation(op.Table), p.schema.Relation(op.Partition)
	if parent == nil || part == nil {
		return nil, "the tables are not known"
	}
	var before, after []string
	for _, n := range p.effect.Scans {
		r := p.schema.Relations[n]
		condition, ok := p.schema.PartitionCondition(parent, op.Bound)
		switch {
		case r == part:
		case r != nil && r.Bound == "DEFAULT":
			condition, ok = p.schema.DefaultCondition(parent, op.Bound)
		default:
			continue
		}
		if !ok {
			return nil, "no CHECK proves these bounds to PostgreSQL"
		}
		first, last := p.proof(r, cmpName(r, op), condition)
		before, after = append(before, first...), append(after, last)
	}
	if before == nil {
		return nil, "the table is read for something else than its bounds: an index or a foreign key of the parent that it has not got"
	}
	return append(append(before, sql), after...), ""
}

// cmpName is the table as the statement names it, where it does.
func cmpName(r *ddl.Relation, op ddl.AttachPartition) ddl.Name {
	if op.Partition.Name == r.Name.Name && (op.Partition.Schema == "" || op.Partition.Schema == r.Name.Schema) {
		return op.Partition
	}
	return r.Name
}

// proof is a CHECK that stands for as long as it is needed.
func (p *pass) proof(r *ddl.Relation, name ddl.Name, condition string) (before []string, after string) {
	check := ddl.QuoteIdent(ddl.ConstraintName(r.Name.Name, []string{"bound"}, ddl.LabelCheck, func(s string) bool { return r.Constraint(s) != nil }))
	return []string{
		fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s) NOT VALID", name, check, condition),
		fmt.Sprintf("ALTER TABLE %s VALIDATE CONSTRAINT %s", name, check),
	}, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", name, check)
}

// partitionSteps prove that the default partition has no rows of a new one.
func (p *pass) partitionSteps(op ddl.CreateTable, sql string) ([]string, string) {
	parent := p.schema.Relation(op.PartitionOf)
	if parent == nil {
		return nil, "the parent is not known"
	}
	for _, n := range parent.Children {
		d := p.schema.Relations[n]
		if d == nil || d.Bound != "DEFAULT" {
			continue
		}
		condition, ok := p.schema.DefaultCondition(parent, op.Bound)
		if !ok {
			return nil, "no CHECK proves these bounds to PostgreSQL"
		}
		name := d.Name
		if op.PartitionOf.Schema == "" && name.Schema == parent.Name.Schema {
			name.Schema = ""
		}
		before, after := p.proof(d, name, condition)
		return append(append(before, sql), after), ""
	}
	return nil, "the default partition is not known"
}
