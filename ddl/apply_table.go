package ddl

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

func (s *Schema) createTable(op CreateTable) error {
	n, err := s.home(op.Table)
	if op.Persistence == 't' {
		n, err = Name{tempSchema, op.Table.Name}, nil
	}
	if err != nil {
		return err
	}
	if s.taken(n) || s.Types[n] != nil {
		if op.IfNotExists {
			return nil
		}
		return refuse(duplicateTable, "", "relation %q already exists", n.Name)
	}
	r := &Relation{Name: n, Kind: 'r', Persistence: op.Persistence, Owner: s.User, ACL: s.newACL('r', n.Schema, s.User), ReplicaIdentity: 'd', AccessMethod: "heap",
		Tablespace: op.Tablespace, Options: splitOptions(op.With), Bound: op.Bound, PartitionKey: op.PartitionBy}
	if r.Persistence == 0 {
		r.Persistence = 'p'
	}
	if op.PartitionBy != "" {
		r.Kind, r.AccessMethod = 'p', ""
	}
	s.addRelation(r)
	if err := s.fillTable(r, op); err != nil {
		s.forget(r)
		return err
	}
	r.sortParts()
	s.relink(n, r)
	return nil
}

// forget takes a half-made relation out again.
func (s *Schema) forget(r *Relation) {
	for _, x := range r.Indexes {
		delete(s.Indexes, x.Name)
	}
	delete(s.Relations, r.Name)
}

func (s *Schema) fillTable(r *Relation, op CreateTable) error {
	parents := op.Inherits
	if !op.PartitionOf.IsZero() {
		parents, r.IsPartition = []Name{op.PartitionOf}, true
	}
	var from []*Relation
	for _, p := range parents {
		kinds := "rf"
		if r.IsPartition {
			kinds = "p"
		}
		parent, err := s.must(p, kinds)
		if err != nil {
			return err
		}
		from = append(from, parent)
		r.Partial = r.Partial || parent.incomplete()
		s.inheritColumns(r, parent)
		r.Parents = append(r.Parents, parent.Name)
	}
	for i, like := range op.Like {
		if err := s.copyLike(r, like, at(op.LikeOptions, i)); err != nil {
			return err
		}
	}
	if !op.OfType.IsZero() {
		if err := s.ofType(r, op.OfType); err != nil {
			return err
		}
	}
	if op.Query != "" {
		s.columnsOfQuery(r, op.Query, op.Columns)
		return nil
	}
	var constraints []Constraint
	for _, c := range op.Columns {
		cs, err := s.defineColumn(r, c)
		if err != nil {
			return err
		}
		constraints = append(constraints, cs...)
	}
	if op.PartitionBy != "" {
		r.PartitionBy = s.partitionColumns(r, op.PartitionBy)
	}
	for _, p := range from {
		s.inheritConstraints(r, p)
	}
	if err := s.addConstraints(r, append(constraints, op.Constraints...)); err != nil {
		return err
	}
	for _, p := range from {
		p = s.mut(p)
		p.Children = append(p.Children, r.Name)
		if r.IsPartition {
			if err := s.inheritIndexes(r, p); err != nil {
				return err
			}
			s.inheritForeignKeys(r, p)
			s.inheritTriggers(r, p)
		}
	}
	return nil
}

func at(v []string, i int) string {
	if i < len(v) {
		return v[i]
	}
	return ""
}

// addConstraints adds the constraints of a new table in PostgreSQL's order: checks and NOT NULL, then the
// primary key, other indexes, and foreign keys last.
func (s *Schema) addConstraints(r *Relation, all []Constraint) error {
	for _, kinds := range []string{"cn", "p", "ux", "f"} {
		for _, c := range all {
			if strings.ContainsRune(kinds, rune(c.Kind)) {
				if err := s.addConstraint(r, c, false, nil); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// inheritColumns gives a new child its parent's columns.
func (s *Schema) inheritColumns(r, parent *Relation) {
	for _, c := range parent.Columns {
		if have := r.Column(c.Name); have != nil {
			have.Inherited++
			continue
		}
		n := *c
		r.UsedAttributes++
		n.Number = r.UsedAttributes
		n.Inherited, n.Local, n.HasMissing = 1, false, false
		n.ACL, n.Comment, n.Sequence, n.Options, n.AvgWidth, n.NullFrac = nil, "", Name{}, nil, 0, 0
		n.StatsTarget = -1
		if n.Identity != 0 && (!r.IsPartition || s.Version < 170000) {
			n.Identity = 0
		}
		if s.Version >= 180000 && c.NotNullName != "" {
			if con := parent.Constraint(c.NotNullName); con != nil && con.NoInherit {
				n.NotNull, n.NotNullName = false, ""
			}
		}
		r.Columns = append(r.Columns, &n)
		if n.NotNullName != "" {
			r.Constraints = append(r.Constraints, &TableConstraint{Name: n.NotNullName, Table: r.Name, Kind: NotNull,
				Columns: []string{n.Name}, Definition: "NOT NULL " + QuoteIdent(n.Name), Valid: n.NotNullValid, Inherited: 1})
		}
	}
}

// inheritConstraints gives a child its parent's CHECK constraints.
func (s *Schema) inheritConstraints(r, parent *Relation) {
	for _, c := range parent.Constraints {
		if c.Kind != Check || c.NoInherit {
			continue
		}
		if have := r.Constraint(c.Name); have != nil {
			have.Inherited++
			continue
		}
		n := c.clone()
		n.OID, n.Parent, n.Comment = 0, 0, ""
		n.Table, n.Inherited, n.Local = r.Name, 1, false
		n.Valid = !n.NotEnforced
		r.Constraints = append(r.Constraints, n)
	}
}

func (s *Schema) ofType(r *Relation, n Name) error {
	t := s.Type(n)
	if t == nil || t.Kind != 'c' {
		return refuse(undefinedObject, "", "type %q does not exist", unquoted(n))
	}
	r.OfType, r.RowType, r.Partial = true, t.Name, r.Partial || t.Assumed
	for _, a := range t.Attributes {
		r.UsedAttributes++
		c := &RelColumn{Number: r.UsedAttributes, Name: a.Name, Type: a.Type, Mod: -1, Local: true, StatsTarget: -1}
		if t, err := s.resolveType(typeName(exprTree("NULL::" + a.Type).GetTypeCast().GetTypeName())); err == nil {
			c.TypeName, c.Mod, c.Array, c.Storage = t.name, t.mod, t.array, t.storage
		}
		r.Columns = append(r.Columns, c)
	}
	return nil
}

// copyLike is LIKE source INCLUDING …
func (s *Schema) copyLike(r *Relation, source Name, options string) error {
	from, err := s.must(source, "rpvmf")
	if err != nil {
		return err
	}
	r.Partial = r.Partial || from.incomplete()
	with := likeOptions(options)
	for _, c := range from.Columns {
		if r.Column(c.Name) != nil {
			return refuse(duplicateColumn, "", "column %q specified more than once", c.Name)
		}
		n := *c
		r.UsedAttributes++
		n.Number = r.UsedAttributes
		n.Inherited, n.Local, n.HasMissing = 0, true, false
		n.ACL, n.Sequence, n.Options, n.StatsTarget = nil, Name{}, nil, -1
		if !with["comments"] {
			n.Comment = ""
		}
		if !with["defaults"] && n.Generated == 0 || n.Generated != 0 && !with["generated"] {
			n.Default, n.Volatile, n.Generated = "", false, 0
		}
		if n.Identity != 0 {
			if with["identity"] {
				n.Sequence = s.newSequence(r.Name, c.Name, c.Type, true)
				if q := s.Sequences[c.Sequence]; q != nil {
					to := s.Sequences[n.Sequence]
					to.Type, to.Start, to.Increment, to.Min, to.Max, to.Cache, to.Cycle = q.Type, q.Start, q.Increment, q.Min, q.Max, q.Cache, q.Cycle
				}
			} else {
				n.Identity = 0
			}
		}
		n.NotNullName = ""
		r.Columns = append(r.Columns, &n)
		if n.NotNull {
			s.notNull(r, &n, c.NotNullName, false)
		}
	}
	for _, c := range from.Constraints {
		if c.Kind == Check && with["constraints"] {
			n := c.clone()
			n.OID, n.Table, n.Inherited, n.Local, n.Parent = 0, r.Name, 0, true, 0
			n.Valid = !n.NotEnforced
			r.Constraints = append(r.Constraints, n)
		}
	}
	if with["indexes"] {
		for _, x := range from.Indexes {
			if err := s.cloneIndex(r, x, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func likeOptions(text string) map[string]bool {
	all := []string{"comments", "compression", "constraints", "defaults", "generated", "identity", "indexes", "statistics", "storage"}
	out := map[string]bool{}
	words := strings.Fields(strings.ToLower(text))
	for i := 0; i+1 < len(words); i += 2 {
		for _, o := range all {
			if words[i+1] == o || words[i+1] == "all" {
				out[o] = words[i] == "including"
			}
		}
	}
	return out
}

// partitionColumns are the columns that a partition key names, also inside expressions, by attribute number.
func (s *Schema) partitionColumns(r *Relation, by string) []string {
	t, err := parseSQL("CREATE TABLE x () PARTITION BY " + by)
	if err != nil {
		return nil
	}
	var key []string
	used := map[string]bool{}
	for _, e := range all[pg.PartitionElem](t) {
		if e.Name != "" {
			key = append(key, e.Name)
		}
		maps.Copy(used, columnRefs(e.Expr))
	}
	return append(key, slices.DeleteFunc(existing(r, used), func(c string) bool { return slices.Contains(key, c) })...)
}

// columnRefs are the last names of all column references.
func columnRefs(root any) map[string]bool {
	used := map[string]bool{}
	for _, ref := range all[pg.ColumnRef](root) {
		if f := ref.Fields[len(ref.Fields)-1].GetString_(); f != nil {
			used[f.Sval] = true
		}
	}
	return used
}

// columnsIn are the columns of r that an expression names, by attribute number.
func columnsIn(r *Relation, expr string) []string {
	return existing(r, columnRefs(exprTree(expr)))
}

func existing(r *Relation, names map[string]bool) []string {
	var out []string
	for _, c := range r.Columns {
		if names[c.Name] {
			out = append(out, c.Name)
		}
	}
	return out
}

// splitOptions reads "fillfactor=70, toast.x = y" as pg_class.reloptions has it.
func splitOptions(with string) []string {
	if strings.TrimSpace(with) == "" {
		return nil
	}
	var out []string
	for _, o := range strings.Split(with, ",") {
		k, v, found := strings.Cut(o, "=")
		v = strings.Trim(strings.TrimSpace(v), "'")
		if !found {
			v = "true"
		}
		out = append(out, strings.ToLower(strings.TrimSpace(k))+"="+v)
	}
	return out
}

// dropRelation is DROP TABLE, VIEW, MATERIALIZED VIEW.
func (s *Schema) dropRelation(n Name, opt DropOptions, what, kinds string) error {
	r := s.lookup(n)
	if r == nil {
		if opt.IfExists {
			return nil
		}
		err := s.noRelation(n).(*SchemaError)
		if err.Code == undefinedTable {
			err.Message = fmt.Sprintf("%s %q does not exist", what, unquoted(n))
		}
		return err
	}
	if !strings.ContainsRune(kinds, rune(r.Kind)) {
		return refuse(wrongObjectType, "use DROP "+strings.ToUpper(kindWord(r.Kind)), "%q is not a %s", n.Name, what)
	}
	return s.remove(r, opt.Cascade)
}

// remove takes a relation away with all that goes with it, or refuses because of what stands on it.
func (s *Schema) remove(r *Relation, cascade bool) error {
	inTheWay := func(what string) error {
		return refuse(dependentObjects, "use DROP … CASCADE to drop the dependent objects too",
			"cannot drop %s %s because %s depends on it", kindWord(r.Kind), r.Name, what)
	}
	for _, f := range slices.Clone(r.ReferencedBy) {
		if f.Table == r.Name || s.dropping[f.Table] || s.descends(f.Table, r.Name) {
			continue
		}
		if !cascade {
			return inTheWay("constraint " + QuoteIdent(f.Name) + " on table " + f.Table.String())
		}
		if owner := s.Relations[f.Table]; owner != nil {
			s.removeConstraint(s.mut(owner), f.Name)
		}
	}
	if err := s.removeDependents(r.Dependents, r.Name, cascade, inTheWay); err != nil {
		return err
	}
	for _, child := range slices.Clone(r.Children) {
		c := s.Relations[child]
		if c == nil {
			continue
		}
		if r.Kind != 'p' && !cascade && !s.dropping[child] {
			return inTheWay("table " + child.String())
		}
		if err := s.remove(c, cascade); err != nil {
			return err
		}
	}
	if s.Relations[r.Name] == nil {
		return nil // went with a dependent
	}
	r = s.mut(s.Relations[r.Name])
	s.detachFromAll(r)
	return nil
}

// descends reports whether child is below parent in an inheritance tree.
func (s *Schema) descends(child, parent Name) bool {
	c := s.Relations[child]
	for c != nil && len(c.Parents) > 0 {
		if slices.Contains(c.Parents, parent) {
			return true
		}
		c = s.Relations[c.Parents[0]]
	}
	return false
}

// removeDependents drops what stands on an object when CASCADE says so.
func (s *Schema) removeDependents(deps []Dependent, of Name, cascade bool, inTheWay func(string) error) error {
	for _, d := range slices.Clone(deps) {
		if d.Table == of || d.Depth > 1 {
			continue
		}
		switch d.Kind {
		case "view", "materialized view":
			v := s.Relations[d.Name]
			if v == nil || s.dropping[d.Name] {
				continue
			}
			if !cascade {
				return inTheWay(d.Kind + " " + d.Name.String())
			}
			if err := s.remove(v, true); err != nil {
				return err
			}
		case "publication", "statistics":
		default:
			if !cascade {
				return inTheWay(d.Text)
			}
		}
	}
	return nil
}

// detachFromAll takes r out of every map and list.
func (s *Schema) detachFromAll(r *Relation) {
	for _, c := range r.Constraints {
		if c.Kind == ForeignKey {
			s.unlink(c)
		}
	}
	for _, x := range r.Indexes {
		delete(s.Indexes, x.Name)
	}
	for _, p := range r.Parents {
		if parent := s.Relations[p]; parent != nil {
			parent = s.mut(parent)
			parent.Children = slices.DeleteFunc(parent.Children, func(n Name) bool { return n == r.Name })
		}
	}
	for n, q := range s.Sequences {
		if q.OwnedTable == r.Name {
			delete(s.Sequences, n)
		}
	}
	delete(s.Relations, r.Name)
	s.went(r.Name)
	if r.Kind == 'v' || r.Kind == 'm' {
		s.eachDependent(func(d *Dependent) bool { return d.Name == r.Name || d.Via == r.Name || d.Table == r.Name }, nil)
	}
}

// eachDependent edits (or, without edit, removes) the matching entries of every relation's and type's Dependents.
func (s *Schema) eachDependent(match func(*Dependent) bool, edit func(*Dependent)) {
	change := func(list []Dependent) []Dependent {
		if edit == nil {
			return slices.DeleteFunc(list, func(d Dependent) bool { return match(&d) })
		}
		for i := range list {
			if match(&list[i]) {
				edit(&list[i])
			}
		}
		return list
	}
	has := func(list []Dependent) bool {
		return slices.ContainsFunc(list, func(d Dependent) bool { return match(&d) })
	}
	for _, r := range s.Relations {
		if has(r.Dependents) {
			r = s.mut(r)
			r.Dependents = change(r.Dependents)
		}
	}
	for _, t := range s.Types {
		if has(t.Dependents) {
			t = s.mutType(t)
			t.Dependents = change(t.Dependents)
		}
	}
}

// renameRelation is ALTER TABLE/VIEW … RENAME TO, which PostgreSQL also allows on indexes and sequences.
func (s *Schema) renameRelation(n Name, to string, ifExists bool) error {
	r := s.lookup(n)
	if r == nil {
		if x := s.Index(n); x != nil {
			return s.renameIndex(RenameIndex{Index: n, To: to})
		}
		if s.sequence(n) != nil {
			return s.applySequenceOp(RenameSequence{n, to}, "")
		}
		if ifExists {
			return nil
		}
		return s.noRelation(n)
	}
	target := Name{r.Name.Schema, to}
	if s.taken(target) || s.Types[target] != nil {
		return refuse(duplicateTable, "", "relation %q already exists", to)
	}
	s.move(r, target)
	return nil
}

// move gives a relation another name or schema and tells everyone who knows the old one.
func (s *Schema) move(r *Relation, to Name) {
	r = s.mut(r)
	was := r.Name
	delete(s.Relations, was)
	s.went(was)
	r.Name = to
	s.addRelation(r)
	text := func(sql *string) { *sql = renameInText(*sql, was, to) }
	for _, c := range r.Constraints {
		c.Table = to
		text(&c.Definition)
	}
	if to.Schema != was.Schema {
		for _, x := range r.Indexes {
			delete(s.Indexes, x.Name)
			x.Name.Schema = to.Schema
			s.Indexes[x.Name] = x
		}
	}
	for _, x := range r.Indexes {
		x.Table = to
		text(&x.Definition)
	}
	for _, t := range r.Triggers {
		text(&t.Definition)
	}
	for _, p := range r.Policies {
		text(&p.Definition)
	}
	for _, owner := range s.sortedRelations() {
		o := s.Relations[owner]
		pointsHere := func(c *TableConstraint) bool { return c.Kind == ForeignKey && c.RefTable == was }
		if slices.ContainsFunc(o.Constraints, pointsHere) {
			o = s.mut(o)
			for _, c := range o.Constraints {
				if pointsHere(c) {
					c.RefTable = to
					text(&c.Definition)
				}
			}
			s.relink(owner, o)
		}
		replace := func(list []Name) bool { return slices.Contains(list, was) }
		if replace(o.Parents) || replace(o.Children) {
			o = s.mut(o)
			for i := range o.Parents {
				if o.Parents[i] == was {
					o.Parents[i] = to
				}
			}
			for i := range o.Children {
				if o.Children[i] == was {
					o.Children[i] = to
				}
			}
		}
	}
	for _, q := range s.Sequences {
		if q.OwnedTable == was {
			q = s.mutSequence(q)
			q.OwnedTable = to
			if to.Schema != was.Schema {
				s.moveSequence(q, Name{to.Schema, q.Name.Name})
			}
		}
	}
	s.eachDependent(func(d *Dependent) bool { return d.Name == was || d.Table == was || d.Via == was }, func(d *Dependent) {
		for _, n := range []*Name{&d.Table, &d.Via} {
			if *n == was {
				*n = to
			}
		}
		if d.Name == was && (d.Kind == "view" || d.Kind == "materialized view") {
			d.Name = to
			d.Text = d.Kind + " " + to.String()
		} else if d.Table == to {
			d.Name.Schema = to.Schema
		}
	})
	r.ReferencedBy = slices.DeleteFunc(r.ReferencedBy, func(c *TableConstraint) bool { return c.Table == was })
	s.relink(was, r)
}

func (s *Schema) setSchema(op SetSchema) error {
	if !slices.Contains(s.Schemas, op.Schema) {
		return refuse(undefinedSchema, didYouMean(op.Schema, s.Schemas), "schema %q does not exist", op.Schema)
	}
	to := Name{op.Schema, op.Object.Name}
	switch op.Kind {
	case "TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE":
		r := s.lookup(op.Object)
		if r == nil {
			if q := s.sequence(op.Object); q != nil {
				s.moveSequence(q, to)
				return nil
			}
			return s.noRelation(op.Object)
		}
		if r.Name != to && s.taken(to) {
			return refuse(duplicateTable, "", "relation %q already exists in schema %q", to.Name, to.Schema)
		}
		s.move(r, to)
	case "SEQUENCE":
		q := s.sequence(op.Object)
		if q == nil {
			return refuse(undefinedTable, "", "relation %q does not exist", unquoted(op.Object))
		}
		s.moveSequence(q, to)
	case "TYPE", "DOMAIN":
		t := s.Type(op.Object)
		if t == nil {
			return refuse(undefinedObject, "", "type %q does not exist", unquoted(op.Object))
		}
		s.moveType(t, to)
	}
	return nil
}
