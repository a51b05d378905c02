package ddl

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// Assume enters what st takes for granted and no statement has made: relations, columns, indexes, sequences, types and
// schemas, marked as assumed. With it a part of a history can be judged: Effects then says what is certain, sets Unknown
// where more is possible, and Apply moves on. What the history itself has dropped or renamed is not assumed, nor are
// columns of a table whose CREATE was seen; there the statement is refused as before.
//
// Call it before Effects and Apply for each statement of a history that need not be complete.
func (s *Schema) Assume(st Statement) {
	s.own()
	s.assuming = true
	coming := map[string]bool{} // columns that the statement itself adds or names anew
	for _, op := range st.Ops {
		switch o := op.(type) {
		case AddColumn:
			coming[o.Column.Name] = true
		case RenameColumn:
			coming[o.To] = true
		}
	}
	for _, op := range st.Ops {
		if o, ok := op.(DropColumn); ok {
			delete(coming, o.Column) // drops come first, whatever the order
		}
	}
	for _, op := range st.Ops {
		if o, ok := op.(AddIdentity); ok && slices.ContainsFunc(st.Ops, func(op Op) bool { n, ok := op.(SetNotNull); return ok && n.Column == o.Column }) {
			continue // what SET NOT NULL assumes is enough: the column need not be NOT NULL before
		}
		s.assumeOp(op, &st, coming)
	}
}

func (s *Schema) assumeOp(op Op, st *Statement, coming map[string]bool) {
	column := func(table Name, columns ...string) {
		s.assumeColumns(s.assumeRelation(table, 'r'), coming, columns...)
	}
	switch o := op.(type) {
	case CreateTable:
		s.assumeForTable(o)
	case DropTable:
		s.assumeRelation(o.Table, 'r')
	case RenameTable:
		s.assumeAny(o.Table, 'r')
	case Truncate:
		s.assumeRelation(o.Table, 'r')
	case SetSchema:
		s.assumeMoved(o)
	case AddColumn:
		r := s.assumeRelation(o.Table, 'r')
		s.assumeType(o.Column.Type)
		for _, c := range o.Column.Constraints {
			s.assumeConstraint(r, c, coming)
		}
	case DropColumn:
		column(o.Table, o.Column)
	case RenameColumn:
		if s.Type(o.Table) == nil {
			column(o.Table, o.From)
		}
	case AlterColumnType:
		s.assumeType(o.Type)
		column(o.Table, append(columnsNamed(o.Using), o.Column)...)
	case SetDefault:
		column(o.Table, o.Column)
	case SetNotNull:
		column(o.Table, o.Column)
	case DropNotNull:
		column(o.Table, o.Column)
	case AddIdentity:
		column(o.Table, o.Column)
		if c := s.openColumn(o.Table, o.Column); c != nil {
			c.NotNull, c.NotNullValid = true, true // or the server would refuse it
		}
	case DropIdentity:
		column(o.Table, o.Column)
		if c := s.openColumn(o.Table, o.Column); c != nil && c.Identity == 0 {
			c.Identity = 'd'
		}
	case DropExpression:
		column(o.Table, o.Column)
		if c := s.openColumn(o.Table, o.Column); c != nil && c.Generated == 0 {
			c.Generated = 's'
		}
	case AddConstraint:
		s.assumeConstraint(s.assumeRelation(o.Table, 'r'), o.Constraint, coming)
	case ValidateConstraint:
		s.assumeRelation(o.Table, 'r')
	case DropConstraint:
		s.assumeRelation(o.Table, 'r')
	case RenameConstraint:
		s.assumeRelation(o.Table, 'r')
	default:
		s.assumeRest(op, st, coming)
	}
}

func (s *Schema) assumeRest(op Op, st *Statement, coming map[string]bool) {
	switch o := op.(type) {
	case CreateIndex:
		r := s.assumeRelation(o.Table, 'r')
		columns := append(slices.Clone(o.Include), columnsNamed(o.Where)...)
		for _, e := range o.Elems {
			columns = append(append(columns, e.Column), columnsNamed(e.Expr)...)
		}
		s.assumeColumns(r, coming, columns...)
		if r != nil {
			s.forgetAssumed(Name{r.Name.Schema, o.Name}, o.IfNotExists)
		}
	case DropIndex:
		s.assumeIndex(o.Index, nil)
	case RenameIndex:
		s.assumeAny(o.Index, 'i')
	case Reindex:
		switch o.Kind {
		case "INDEX":
			s.assumeIndex(o.Name, nil)
		case "TABLE":
			s.assumeRelation(o.Name, 'r')
		}
	case AttachPartition:
		p, r := s.assumeRelation(o.Table, 'p'), s.assumeRelation(o.Partition, 'r')
		if p != nil && r != nil && r.incomplete() {
			for _, c := range p.Columns {
				s.assumeLike(r, c, false)
			}
		}
	case DetachPartition:
		s.assumePartition(s.assumeRelation(o.Table, 'p'), s.assumeRelation(o.Partition, 'r'))
	case AttachIndex:
		s.assumeIndex(o.Index, nil)
		s.assumeIndex(o.Partition, nil)
	case CreateTrigger:
		s.assumeColumns(s.assumeRelation(o.Table, 'r'), coming, o.Columns...)
	case DropTrigger:
		s.assumeRelation(o.Table, 'r')
	case AlterTable:
		s.assumeAltered(o, coming)
	case CreateView:
		s.assumeRead(parseTree(o.Query))
		s.forgetAssumed(o.View, o.IfNotExists || o.Replace)
	case DropView:
		s.assumeRelation(o.View, viewKind(o.Materialized))
	case RenameView:
		s.assumeRelation(o.View, 'v')
	case RefreshMaterializedView:
		s.assumeRelation(o.View, 'm')
	case Update:
		s.assumeData(o.Table, st, o.With || o.From != "" || o.Where != "")
	case Delete:
		s.assumeData(o.Table, st, o.With || o.Using != "" || o.Where != "")
	case Insert:
		s.assumeData(o.Table, st, o.With || o.Query != "")
	case Do:
		statements, _ := o.Statements()
		made := map[Name]bool{}
		for _, st := range statements {
			s.assumeBeside(st, made)
		}
	case Other:
		s.assumeOther(o, st)
	default:
		s.assumeObject(op)
	}
}

// assumeBeside is Assume for a statement of a block, others of which make the relations in made.
func (s *Schema) assumeBeside(st Statement, made map[Name]bool) {
	for _, op := range st.Ops {
		if c, ok := op.(CreateTable); ok {
			made[s.assumedName(c.Table)] = true
		}
		if !slices.ContainsFunc(append(relationsNamed(op), opTable(op)), func(n Name) bool { return made[s.assumedName(n)] }) {
			s.assumeOp(op, &st, nil)
		}
	}
}

// opTable is the table of operations that relationsNamed leaves out.
func opTable(op Op) Name {
	switch o := op.(type) {
	case AddColumn:
		return o.Table
	case AlterColumnType:
		return o.Table
	case SetNotNull:
		return o.Table
	case SetDefault:
		return o.Table
	case Insert:
		return o.Table
	case Update:
		return o.Table
	}
	return Name{}
}

// assumeObject is for sequences and types.
func (s *Schema) assumeObject(op Op) {
	switch o := op.(type) {
	case CreateEnum:
		s.forgetAssumed(o.Type, false)
	case CreateDomain:
		s.assumeType(o.Base)
		s.forgetAssumed(o.Type, false)
	case AddEnumValue:
		s.assumeNamedType(o.Type, 'e')
	case RenameEnumValue:
		s.assumeNamedType(o.Type, 'e')
	case AlterDomain:
		s.assumeNamedType(o.Type, 'd')
	case RenameType:
		if s.lookup(o.Type) == nil {
			s.assumeNamedType(o.Type, 'b')
		}
	case DropType:
		s.assumeNamedType(o.Type, 'b')
	case CreateSequence:
		s.assumeHome(o.Sequence)
		if i := strings.LastIndexByte(o.OwnedBy, '.'); i > 0 {
			s.assumeRelation(splitTypeName(o.OwnedBy[:i]), 'r')
		}
	case AlterSequence:
		s.assumeSequence(o.Sequence)
	case DropSequence:
		s.assumeSequence(o.Sequence)
	case RenameSequence:
		s.assumeSequence(o.Sequence)
	}
}

func (s *Schema) assumeForTable(o CreateTable) {
	s.forgetAssumed(o.Table, o.IfNotExists)
	for _, n := range o.Inherits {
		s.assumeRelation(n, 'r')
	}
	for _, n := range o.Like {
		s.assumeRelation(n, 'r')
	}
	if !o.PartitionOf.IsZero() {
		s.assumeRelation(o.PartitionOf, 'p')
	}
	if !o.OfType.IsZero() {
		s.assumeNamedType(o.OfType, 'c')
	}
	if o.Query != "" {
		s.assumeRead(parseTree(o.Query))
	}
	constraints := slices.Clone(o.Constraints)
	for _, c := range o.Columns {
		s.assumeType(c.Type)
		constraints = append(constraints, c.Constraints...)
	}
	for _, c := range constraints {
		if c.Kind == ForeignKey && !s.names(c.RefTable, o.Table) {
			s.assumeColumns(s.assumeRelation(c.RefTable, 'r'), nil, c.RefColumns...)
		}
	}
}

// names reports whether a name means the table that is about to be made.
func (s *Schema) names(n, table Name) bool {
	return n == table || s.assumedName(n) == s.assumedName(table)
}

func (s *Schema) assumeMoved(o SetSchema) {
	if !slices.Contains(s.Schemas, o.Schema) {
		s.Schemas = append(slices.Clone(s.Schemas), o.Schema)
		s.resolvePath()
	}
	switch o.Kind {
	case "TABLE":
		s.assumeAny(o.Object, 'r')
	case "VIEW":
		s.assumeRelation(o.Object, 'v')
	case "MATERIALIZED VIEW":
		s.assumeRelation(o.Object, 'm')
	case "FOREIGN TABLE":
		s.assumeRelation(o.Object, 'f')
	case "SEQUENCE":
		s.assumeSequence(o.Object)
	case "TYPE", "DOMAIN":
		s.assumeNamedType(o.Object, 'b')
	}
}

// assumeConstraint enters what a constraint of r names.
func (s *Schema) assumeConstraint(r *Relation, c Constraint, coming map[string]bool) {
	s.assumeColumns(r, coming, append(append(columnsNamed(c.Expr), c.Columns...), c.Include...)...)
	if c.Kind == ForeignKey {
		s.assumeColumns(s.assumeRelation(c.RefTable, 'r'), nil, c.RefColumns...)
	}
	if c.UsingIndex != "" && r != nil && r.incomplete() {
		s.assumeIndex(Name{r.Name.Schema, c.UsingIndex}, r)
	}
}

func (s *Schema) assumeAltered(o AlterTable, coming map[string]bool) {
	kinds := map[string]byte{"INDEX": 'i', "VIEW": 'v', "MATERIALIZED VIEW": 'm', "SEQUENCE": 'S', "FOREIGN TABLE": 'f'}
	kind, ok := kinds[o.Kind]
	if !ok {
		kind = 'r'
	}
	s.assumeAny(o.Table, kind)
	if kind == 'i' || kind == 'S' {
		return
	}
	r := s.lookup(o.Table)
	if o.Column != "" {
		s.assumeColumns(r, coming, o.Column)
	}
	if r == nil {
		return
	}
	switch o.Action {
	case "AddInherit", "DropInherit":
		p := s.assumeRelation(parseName(o.Arg), 'r')
		if p == nil {
			return
		}
		if o.Action == "DropInherit" {
			s.assumeChild(p, r)
		} else if r.incomplete() {
			for _, c := range p.Columns {
				s.assumeLike(r, c, false)
			}
		}
	}
}

// assumeData is for INSERT, UPDATE and DELETE: a target, and in a larger statement what it reads.
func (s *Schema) assumeData(target Name, st *Statement, more bool) {
	if !more {
		s.assumeRelation(target, 'r')
	} else if !s.assumeRead(st.trees()) {
		s.assumeRelation(target, 'r')
	}
}

// assumeRead enters the relations that a query names, and reports whether it could be read.
func (s *Schema) assumeRead(tree []*pg.RawStmt) bool {
	for _, v := range rangeVars(tree, first[pg.IntoClause](tree).GetRel()) {
		if n := relName(v); s.sequence(n) == nil {
			s.assumeAny(n, 'r')
		}
	}
	return tree != nil
}

// assumeOther is for statements without an Op.
func (s *Schema) assumeOther(o Other, st *Statement) {
	switch o.Tag {
	case "SELECT", "VALUES", "TABLE", "SELECT INTO", "CREATE TABLE AS", "MERGE", "LOCK TABLE", "COPY", "EXPLAIN", "PREPARE":
		if o.Tag != "SELECT INTO" && o.Tag != "CREATE TABLE AS" {
			s.assumeRead(st.trees())
		}
	case "ANALYZE", "VACUUM", "CLUSTER", "CREATE STATISTICS", "CREATE POLICY", "ALTER POLICY", "CREATE RULE", "DROP RULE", "DROP POLICY", "ALTER RULE",
		"ALTER TRIGGER", "CREATE PUBLICATION", "ALTER PUBLICATION":
		for _, n := range o.Objects {
			s.assumeRelation(n, 'r')
		}
	case "COMMENT":
		s.assumeCommented(o, st)
	case "CREATE SCHEMA":
	case "DROP SCHEMA", "ALTER SCHEMA":
		for _, n := range o.Names {
			s.assumeSchema(n.Name)
		}
	case "CREATE TYPE":
		for _, n := range o.Names {
			s.forgetAssumed(n, false)
		}
	}
}

func (s *Schema) assumeCommented(o Other, st *Statement) {
	kind, _, ok := commentTarget(first[pg.CommentStmt](st.trees()))
	for _, n := range o.Objects {
		switch {
		case kind == "INDEX":
			s.assumeIndex(n, nil)
		case kind == "SEQUENCE":
			s.assumeSequence(n)
		case kind == "VIEW":
			s.assumeRelation(n, 'v')
		case kind == "MATERIALIZED VIEW":
			s.assumeRelation(n, 'm')
		case !ok || kind == "TABLE" || kind == "COLUMN" || kind == "TRIGGER" || kind == "POLICY" || kind == "RULE" || strings.Contains(kind, "CONSTRAINT"):
			s.assumeRelation(n, 'r')
		}
	}
}

// incomplete reports whether a relation may have columns, constraints and indexes that are not known.
func (r *Relation) incomplete() bool { return r.Assumed || r.Partial }

// assumed reports whether nobody has seen the table, index or sequence of a name.
func (s *Schema) assumed(n Name) bool {
	if r := s.Relations[n]; r != nil {
		return r.Assumed
	}
	if x := s.Indexes[n]; x != nil {
		return x.Assumed
	}
	q := s.Sequences[n]
	return q != nil && q.Assumed
}

// openColumn finds a column of which only the name is known, to learn more of it.
func (s *Schema) openColumn(table Name, column string) *RelColumn {
	r := s.lookup(table)
	if r == nil || r.Column(column) == nil || !r.Column(column).Assumed {
		return nil
	}
	return s.mut(r).Column(column)
}

// assumedName is the full name of what nobody has seen.
func (s *Schema) assumedName(n Name) Name {
	if n.Schema == "" {
		n.Schema = "public"
		if len(s.SearchPath) > 0 {
			n.Schema = s.SearchPath[0]
		}
	}
	return n
}

func (s *Schema) assumeSchema(name string) {
	if name != "" && name != tempSchema && !slices.Contains(s.Schemas, name) && !s.gone[Name{Schema: name}] {
		s.Schemas = append(slices.Clone(s.Schemas), name)
		slices.Sort(s.Schemas)
		s.resolvePath()
	}
}

// assumeHome enters the schema in which a statement makes something.
func (s *Schema) assumeHome(n Name) {
	s.assumeSchema(n.Schema)
	if n.Schema == "" && len(s.SearchPath) == 0 {
		if path := s.PathSetting; len(path) > 0 {
			s.assumeSchema(path[len(path)-1])
		} else {
			s.assumeSchema("public")
		}
	}
}

// assumeAny is assumeRelation where the name may as well be an index's or a sequence's. Kind i stands for an index, S
// for a sequence.
func (s *Schema) assumeAny(n Name, kind byte) {
	switch {
	case s.lookup(n) != nil || s.Index(n) != nil || s.sequence(n) != nil:
	case kind == 'i':
		s.assumeIndex(n, nil)
	case kind == 'S':
		s.assumeSequence(n)
	default:
		s.assumeRelation(n, kind)
	}
}

// assumeRelation finds a relation, or enters it. A partitioned table is one as soon as a statement says so. It gives
// nil for what the history has dropped, for system relations, and where the name is an index's or a sequence's.
func (s *Schema) assumeRelation(n Name, kind byte) *Relation {
	if r := s.lookup(n); r != nil {
		if kind == 'p' && r.Assumed && r.Kind == 'r' {
			r = s.mut(r)
			r.Kind, r.AccessMethod = 'p', ""
			for _, x := range r.Indexes {
				x.Partitioned = true
			}
		} else if (kind == 'v' || kind == 'm') && r.Assumed && r.Kind == 'r' {
			s.mut(r).Kind = kind
		}
		return s.lookup(n)
	}
	full := s.assumedName(n)
	if n.Name == "" || systemRelation(n) || n.Schema == tempSchema || s.gone[full] || s.Index(n) != nil || s.sequence(n) != nil {
		return nil
	}
	s.assumeHome(full)
	r := &Relation{Name: full, Kind: kind, Rows: -1, ReplicaIdentity: 'd', Assumed: true, Populated: kind == 'm'}
	s.addRelation(r)
	return r
}

// assumeColumns enters the columns of a relation that may have more than are known, and of what inherits them.
func (s *Schema) assumeColumns(r *Relation, coming map[string]bool, columns ...string) {
	if r == nil || !r.incomplete() {
		return
	}
	for _, c := range columns {
		if c != "" && !coming[c] && r.Column(c) == nil && !systemColumns[c] && c != r.Name.Name {
			s.assumeLike(r, &RelColumn{Name: c, Mod: -1, StatsTarget: -1, Local: true, Assumed: true}, false)
		}
	}
}

// assumeLike gives r a column as another relation has it.
func (s *Schema) assumeLike(r *Relation, like *RelColumn, inherited bool) {
	if r.Column(like.Name) != nil {
		return
	}
	r = s.mut(r)
	c := *like
	r.UsedAttributes++
	c.Number, c.Inherited, c.Local, c.NotNullName, c.Sequence = r.UsedAttributes, 0, true, "", Name{}
	if inherited {
		c.Inherited, c.Local = 1, false
	}
	r.Columns = append(r.Columns, &c)
	for _, n := range r.Children {
		if child := s.Relations[n]; child != nil {
			s.assumeLike(child, &c, true)
		}
	}
}

// assumePartition makes r a partition of p, where the two may be that without anybody having seen it.
func (s *Schema) assumePartition(p, r *Relation) {
	if p != nil && r != nil && s.assumeChild(p, r) {
		s.mut(r).IsPartition = true
	}
}

func (s *Schema) assumeChild(p, r *Relation) bool {
	if slices.Contains(p.Children, r.Name) || !p.incomplete() && !r.incomplete() {
		return false
	}
	p, r = s.mut(p), s.mut(r)
	p.Children, r.Parents = append(p.Children, r.Name), append(r.Parents, p.Name)
	return true
}

// assumeIndex enters an index of table, or of a table that is not known.
func (s *Schema) assumeIndex(n Name, table *Relation) {
	full := s.assumedName(n)
	if s.Index(n) != nil || s.lookup(n) != nil || s.gone[full] || n.Name == "" {
		return
	}
	s.assumeHome(full)
	x := &Index{Name: full, Method: "btree", Valid: true, Ready: true, Immediate: true, Assumed: true}
	if table != nil {
		table = s.mut(table)
		x.Table, x.Unique, x.Partitioned = table.Name, true, table.Kind == 'p'
		table.Indexes = append(table.Indexes, x)
	}
	s.Indexes[full] = x
}

func (s *Schema) assumeSequence(n Name) {
	full := s.assumedName(n)
	if s.sequence(n) != nil || s.lookup(n) != nil || s.gone[full] {
		return
	}
	s.assumeHome(full)
	q := &Sequence{Name: full, Persistence: 'p', Assumed: true}
	s.defaultSequence(q, "bigint")
	s.Sequences[full] = q
	s.took(q)
}

// extensionTypes are types of well-known extensions: none of them is a domain, so that a column of the type is added
// as any other. What converts to them without a rewrite is not known.
var extensionTypes = []string{"citext", "hstore", "ltree", "lquery", "ltxtquery", "cube", "seg", "isbn", "isbn13", "issn", "ean13", "upc", "geometry",
	"geography", "box2d", "box3d", "raster", "topogeometry", "vector", "halfvec", "sparsevec", "semver", "h3index", "rum_distance_query", "earth"}

// assumeType enters a type that a column gets.
func (s *Schema) assumeType(t TypeName) {
	if t.Name == "" {
		return
	}
	s.assumeSchema(t.Schema)
	if t.Schema == "pg_catalog" {
		return
	}
	if _, err := s.resolveType(t); err != nil {
		s.assumeNamedType(Name{t.Schema, t.Name}, 'b')
	}
}

func (s *Schema) assumeNamedType(n Name, kind byte) {
	full := s.assumedName(n)
	if s.Type(n) != nil || s.BuiltinType(n) != nil || s.gone[full] {
		return
	}
	s.assumeHome(full)
	s.addType(&Type{Name: full, Kind: kind, Assumed: !(kind == 'b' && slices.Contains(extensionTypes, n.Name))})
}

// forgetAssumed takes away what was assumed under a name that a statement now makes: it must have gone in between.
func (s *Schema) forgetAssumed(n Name, kept bool) {
	if n.Name == "" {
		return
	}
	s.assumeHome(n)
	full := s.assumedName(n)
	if kept {
		return
	}
	if r := s.Relations[full]; r != nil && r.Assumed {
		s.detachFromAll(s.mut(r))
	}
	if x := s.Indexes[full]; x != nil && x.Assumed {
		s.takeIndex(x)
	}
	if t := s.Types[full]; t != nil && t.Assumed {
		delete(s.Types, full)
	}
}

// takeIndex removes an assumed index.
func (s *Schema) takeIndex(x *Index) {
	if r := s.Relations[x.Table]; r != nil {
		r = s.mut(r)
		r.Indexes = slices.DeleteFunc(r.Indexes, func(i *Index) bool { return i.Name == x.Name })
	}
	delete(s.Indexes, x.Name)
}

// went remembers that the history has taken a name away.
func (s *Schema) went(n Name) { s.gone[n] = true }

// columnsNamed are the columns that an expression names without a table.
func columnsNamed(expr string) []string {
	if expr == "" {
		return nil
	}
	var out []string
	for _, ref := range all[pg.ColumnRef](exprTree(expr)) {
		if len(ref.Fields) == 1 {
			if f := ref.Fields[0].GetString_(); f != nil {
				out = append(out, f.Sval)
			}
		}
	}
	return out
}

func viewKind(materialized bool) byte {
	if materialized {
		return 'm'
	}
	return 'v'
}

// forgiven reports whether an operation failed only because what it speaks of is not all known.
func (s *Schema) forgiven(op Op) bool {
	for _, n := range relationsNamed(op) {
		if r := s.lookup(n); r != nil && r.incomplete() {
			return true
		}
	}
	return false
}

// relationsNamed are the tables that an operation changes or stands on.
func relationsNamed(op Op) []Name {
	switch o := op.(type) {
	case CreateTable:
		return append(append(slices.Clone(o.Inherits), o.Like...), o.PartitionOf)
	case DropColumn:
		return []Name{o.Table}
	case RenameColumn:
		return []Name{o.Table}
	case AddConstraint:
		return []Name{o.Table, o.Constraint.RefTable}
	case ValidateConstraint:
		return []Name{o.Table}
	case DropConstraint:
		return []Name{o.Table}
	case RenameConstraint:
		return []Name{o.Table}
	case CreateIndex:
		return []Name{o.Table}
	case AttachPartition:
		return []Name{o.Table, o.Partition}
	case DetachPartition:
		return []Name{o.Table, o.Partition}
	case CreateTrigger:
		return []Name{o.Table}
	case DropTrigger:
		return []Name{o.Table}
	case AlterTable:
		return []Name{o.Table}
	}
	return nil
}
