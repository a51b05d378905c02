package ddl

import (
	"maps"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// other follows the statements without an Op that change what Schema holds.
func (s *Schema) other(op Other, sql string, tree *pg.RawStmt) error {
	switch tree.GetStmt().GetNode().(type) {
	case nil, *pg.Node_CreateFunctionStmt, *pg.Node_CreatePolicyStmt, *pg.Node_RuleStmt, *pg.Node_CreateStatsStmt:
		t, err := parseSQL(sql) // they cut out of the text
		if err != nil || len(t.Stmts) != 1 {
			return nil
		}
		tree = t.Stmts[0]
	}
	switch n := tree.Stmt.Node.(type) {
	case *pg.Node_CreateSchemaStmt:
		return s.createSchema(n.CreateSchemaStmt)
	case *pg.Node_DropStmt:
		return s.dropOther(n.DropStmt)
	case *pg.Node_RenameStmt:
		return s.renameOther(n.RenameStmt)
	case *pg.Node_CompositeTypeStmt:
		return s.createComposite(n.CompositeTypeStmt)
	case *pg.Node_CreateRangeStmt:
		return s.createRange(n.CreateRangeStmt)
	case *pg.Node_CommentStmt:
		s.comment(n.CommentStmt)
	case *pg.Node_CreateFunctionStmt:
		return s.createFunction(n.CreateFunctionStmt, sql)
	case *pg.Node_GrantStmt:
		s.grant(n.GrantStmt)
	case *pg.Node_AlterDefaultPrivilegesStmt:
		s.defaultPrivileges(n.AlterDefaultPrivilegesStmt)
	case *pg.Node_CreatePolicyStmt:
		return s.createPolicy(n.CreatePolicyStmt, sql)
	case *pg.Node_AlterPolicyStmt:
		return s.alterPolicy(n.AlterPolicyStmt)
	case *pg.Node_RuleStmt:
		return s.createRule(n.RuleStmt, sql)
	case *pg.Node_CreateStatsStmt:
		return s.createStatistics(n.CreateStatsStmt, sql)
	case *pg.Node_AlterStatsStmt:
		if r, i := s.statistics(nameOf(n.AlterStatsStmt.Defnames)); r != nil {
			r.Statistics[i].Target = -1
			if target := n.AlterStatsStmt.Stxstattarget.GetInteger(); target != nil {
				r.Statistics[i].Target = int(target.Ival)
			}
		}
	case *pg.Node_CreateExtensionStmt, *pg.Node_CallStmt:
		s.opaque = true
	}
	return nil
}

// createFunction remembers a function's name and volatility for the expressions that follow.
func (s *Schema) createFunction(n *pg.CreateFunctionStmt, sql string) error {
	name, err := s.home(nameOf(n.Funcname))
	if err != nil {
		return err
	}
	f := &Function{Name: name, Definition: sql, Kind: 'f', Volatile: 'v', Owner: s.User}
	if n.IsProcedure {
		f.Kind = 'p'
	}
	for _, o := range n.Options {
		switch e := o.GetDefElem(); e.GetDefname() {
		case "volatility":
			f.Volatile = e.Arg.GetString_().GetSval()[0]
		case "language":
			f.Language = e.Arg.GetString_().GetSval()
		case "as":
			if body := strs(e.Arg.GetList().GetItems()); len(body) > 0 {
				f.Body = body[0]
			}
		}
	}
	f.Signature = s.signature(name, n, sql)
	f.ACL = s.newACL('f', name.Schema, s.User)
	if old := s.Functions[f.Signature]; old != nil && n.Replace {
		f.OID, f.Owner, f.ACL, f.Comment = old.OID, old.Owner, old.ACL, old.Comment
	}
	s.Functions[f.Signature] = f
	s.took(f)
	return nil
}

// signature is what regprocedure prints of a function, as far as its types are known.
func (s *Schema) signature(name Name, n *pg.CreateFunctionStmt, sql string) string {
	var args []string
	for _, p := range n.Parameters {
		x := p.GetFunctionParameter()
		switch x.GetMode() {
		case pg.FunctionParameterMode_FUNC_PARAM_OUT, pg.FunctionParameterMode_FUNC_PARAM_TABLE:
			continue
		}
		t, err := s.resolveType(typeName(x.GetArgType()))
		if err != nil {
			_, written, _ := Identity(sql)
			if len(n.Funcname) == 1 {
				written = QuoteIdent(name.Schema) + "." + written
			}
			return written
		}
		args = append(args, t.text)
	}
	return name.String() + "(" + strings.Join(args, ",") + ")"
}

func (s *Schema) createSchema(n *pg.CreateSchemaStmt) error {
	name := n.Schemaname
	if name == "" {
		name = n.Authrole.GetRolename()
	}
	if slices.Contains(s.Schemas, name) {
		if n.IfNotExists {
			return nil
		}
		return refuse(duplicateSchema, "", "schema %q already exists", name)
	}
	s.Schemas = append(slices.Clip(s.Schemas), name)
	slices.Sort(s.Schemas)
	owner := s.User
	if n.Authrole != nil {
		owner = s.roleOf(n.Authrole)
	}
	s.Owned[Thing{"SCHEMA", name}] = Owned{Owner: owner, ACL: s.newACL('n', "", owner)}
	s.resolvePath()
	return nil
}

func (s *Schema) dropOther(n *pg.DropStmt) error {
	switch n.RemoveType {
	case pg.ObjectType_OBJECT_SCHEMA:
		for _, o := range n.Objects {
			if err := s.dropSchema(o.GetString_().GetSval(), n.MissingOk, n.Behavior == pg.DropBehavior_DROP_CASCADE); err != nil {
				return err
			}
		}
	case pg.ObjectType_OBJECT_POLICY:
		for _, o := range n.Objects {
			table, policy := memberName(o)
			s.dropPolicy(table, policy)
		}
	case pg.ObjectType_OBJECT_RULE:
		for _, o := range n.Objects {
			table, rule := memberName(o)
			s.dropRule(table, rule)
		}
	case pg.ObjectType_OBJECT_STATISTIC_EXT:
		for _, o := range n.Objects {
			if r, i := s.statistics(objectName(o)); r != nil {
				r.Statistics = slices.Delete(r.Statistics, i, i+1)
			}
		}
	}
	return nil
}

func (s *Schema) dropSchema(name string, ifExists, cascade bool) error {
	if !slices.Contains(s.Schemas, name) {
		if ifExists {
			return nil
		}
		return refuse(undefinedSchema, didYouMean(name, s.Schemas), "schema %q does not exist", name)
	}
	for _, n := range s.sortedRelations() {
		r := s.Relations[n]
		if n.Schema != name || r == nil {
			continue
		}
		if !cascade {
			return refuse(dependentObjects, "use DROP … CASCADE to drop the dependent objects too", "cannot drop schema %s because %s %s depends on it",
				QuoteIdent(name), kindWord(r.Kind), n)
		}
		if err := s.remove(r, true); err != nil {
			return err
		}
	}
	for n, q := range s.Sequences {
		if n.Schema == name {
			if err := s.dropSequence(q, DropSequence{Sequence: n, DropOptions: DropOptions{Cascade: true}}); err != nil && !q.Identity {
				return err
			}
		}
	}
	for n, t := range s.Types {
		if n.Schema == name {
			if err := s.dropType(t, DropType{Type: n, DropOptions: DropOptions{Cascade: true}}); err != nil {
				return err
			}
		}
	}
	s.Schemas = slices.DeleteFunc(slices.Clone(s.Schemas), func(x string) bool { return x == name })
	delete(s.Owned, Thing{"SCHEMA", name})
	s.resolvePath()
	return nil
}

func (s *Schema) renameOther(n *pg.RenameStmt) error {
	switch n.RenameType {
	case pg.ObjectType_OBJECT_SCHEMA:
		return s.renameSchema(n.Subname, n.Newname)
	case pg.ObjectType_OBJECT_TRIGGER:
		r, err := s.must(relName(n.Relation), "rpvf")
		if err != nil {
			return err
		}
		s.renameTrigger(s.mut(r), n.Subname, n.Newname)
	case pg.ObjectType_OBJECT_POLICY:
		if r := s.lookup(relName(n.Relation)); r != nil {
			for _, p := range s.mut(r).Policies {
				if p.Name == n.Subname {
					p.Definition = redefined(p.Definition, func(x *pg.Node) { x.GetCreatePolicyStmt().PolicyName = n.Newname })
					p.Name = n.Newname
				}
			}
			s.renameDependent("policy", relName(n.Relation), n.Subname, n.Newname)
		}
	case pg.ObjectType_OBJECT_RULE:
		if r := s.lookup(relName(n.Relation)); r != nil {
			for _, x := range s.mut(r).Rules {
				if x.Name == n.Subname {
					x.Definition = redefined(x.Definition, func(y *pg.Node) { y.GetRuleStmt().Rulename = n.Newname })
					x.Name = n.Newname
				}
			}
			s.renameDependent("rule", relName(n.Relation), n.Subname, n.Newname)
		}
	case pg.ObjectType_OBJECT_STATISTIC_EXT:
		if r, i := s.statistics(objectName(n.Object)); r != nil {
			x := &r.Statistics[i]
			x.Name.Name = n.Newname
			if def, err := RenameStatisticsDef(x.Definition, &x.Name, nil, nil); err == nil {
				x.Definition = def
			}
		}
	case pg.ObjectType_OBJECT_DOMCONSTRAINT:
		if t := s.Type(objectName(n.Object)); t != nil {
			for _, c := range s.mutType(t).Constraints {
				if c.Name == n.Subname {
					c.Name = n.Newname
				}
			}
		}
	}
	return nil
}

func (s *Schema) renameSchema(from, to string) error {
	i := slices.Index(s.Schemas, from)
	if i < 0 {
		return refuse(undefinedSchema, didYouMean(from, s.Schemas), "schema %q does not exist", from)
	}
	if slices.Contains(s.Schemas, to) {
		return refuse(duplicateSchema, "", "schema %q already exists", to)
	}
	s.Schemas = slices.Clone(s.Schemas)
	s.Schemas[i] = to
	slices.Sort(s.Schemas)
	s.Owned[Thing{"SCHEMA", to}] = s.Owned[Thing{"SCHEMA", from}]
	delete(s.Owned, Thing{"SCHEMA", from})
	for _, n := range s.sortedRelations() {
		if n.Schema == from {
			s.move(s.Relations[n], Name{to, n.Name})
		}
	}
	for n, q := range s.Sequences {
		if n.Schema == from {
			s.moveSequence(q, Name{to, n.Name})
		}
	}
	for n, t := range s.Types {
		if n.Schema == from {
			s.moveType(t, Name{to, n.Name})
		}
	}
	for sig, f := range maps.Clone(s.Functions) {
		if f.Name.Schema == from {
			delete(s.Functions, sig)
			c := *f
			c.Name.Schema = to
			c.Signature = QuoteIdent(to) + strings.TrimPrefix(sig, QuoteIdent(from))
			s.Functions[c.Signature] = &c
			s.took(&c)
		}
	}
	s.resolvePath()
	return nil
}

func (s *Schema) createComposite(n *pg.CompositeTypeStmt) error {
	name, err := s.newType(relName(n.Typevar))
	if err != nil {
		return err
	}
	t := &Type{Name: name, Kind: 'c', Owner: s.User, ACL: s.newACL('T', name.Schema, s.User)}
	for _, c := range n.Coldeflist {
		typ, err := s.resolveType(typeName(c.GetColumnDef().GetTypeName()))
		if err != nil {
			return err
		}
		t.Attributes = append(t.Attributes, Attribute{Name: c.GetColumnDef().GetColname(), Type: typ.text})
	}
	s.addType(t)
	return nil
}

// createRange makes a range type and its multirange type, whose name replaces "range" or adds "_multirange".
func (s *Schema) createRange(n *pg.CreateRangeStmt) error {
	name, err := s.newType(nameOf(n.TypeName))
	if err != nil {
		return err
	}
	multi := Name{name.Schema, strings.Replace(name.Name, "range", "multirange", 1)}
	if multi.Name == name.Name {
		multi.Name = objectNameOf(name.Name, "", "multirange")
	}
	base := ""
	for _, p := range n.Params {
		e := p.GetDefElem()
		if e.GetDefname() == "subtype" {
			t, err := s.resolveType(typeName(e.GetArg().GetTypeName()))
			if err != nil {
				return err
			}
			base = t.text
		}
		if e.GetDefname() == "multirange_type_name" {
			multi = nameOf(e.GetArg().GetTypeName().GetNames())
			if multi.Schema == "" {
				multi.Schema = name.Schema
			}
		}
	}
	s.addType(&Type{Name: name, Kind: 'r', Base: base, Owner: s.User, ACL: s.newACL('T', name.Schema, s.User)})
	s.addType(&Type{Name: multi, Kind: 'm', Base: name.String(), Owner: s.User, ACL: s.newACL('T', multi.Schema, s.User)})
	return nil
}

func (s *Schema) comment(n *pg.CommentStmt) {
	switch n.Objtype {
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW, pg.ObjectType_OBJECT_FOREIGN_TABLE:
		if r := s.lookup(objectName(n.Object)); r != nil {
			s.mut(r).Comment = n.Comment
		}
	case pg.ObjectType_OBJECT_INDEX:
		if _, x, err := s.findIndex(objectName(n.Object)); err == nil {
			x.Comment = n.Comment
		}
	case pg.ObjectType_OBJECT_SEQUENCE:
		if q := s.sequence(objectName(n.Object)); q != nil {
			s.mutSequence(q).Comment = n.Comment
		}
	case pg.ObjectType_OBJECT_TYPE, pg.ObjectType_OBJECT_DOMAIN:
		if t := s.Type(objectName(n.Object)); t != nil {
			s.mutType(t).Comment = n.Comment
		}
	case pg.ObjectType_OBJECT_STATISTIC_EXT:
		if r, i := s.statistics(objectName(n.Object)); r != nil {
			r.Statistics[i].Comment = n.Comment
		}
	case pg.ObjectType_OBJECT_COLUMN, pg.ObjectType_OBJECT_TABCONSTRAINT, pg.ObjectType_OBJECT_TRIGGER,
		pg.ObjectType_OBJECT_POLICY, pg.ObjectType_OBJECT_RULE:
		table, member := memberName(n.Object)
		r := s.lookup(table)
		if r == nil {
			return
		}
		r = s.mut(r)
		if c := r.Column(member); c != nil && n.Objtype == pg.ObjectType_OBJECT_COLUMN {
			c.Comment = n.Comment
		}
		if c := r.Constraint(member); c != nil && n.Objtype == pg.ObjectType_OBJECT_TABCONSTRAINT {
			c.Comment = n.Comment
		}
		if t := r.trigger(member); t != nil && n.Objtype == pg.ObjectType_OBJECT_TRIGGER {
			t.Comment = n.Comment
		}
		for _, p := range r.Policies {
			if p.Name == member && n.Objtype == pg.ObjectType_OBJECT_POLICY {
				p.Comment = n.Comment
			}
		}
		for _, x := range r.Rules {
			if x.Name == member && n.Objtype == pg.ObjectType_OBJECT_RULE {
				x.Comment = n.Comment
			}
		}
	}
}

// indexElemsOf reads the elements out of an index definition.
func indexElemsOf(def string) []IndexElem {
	t, err := parseSQL(def)
	if err != nil || len(t.Stmts) != 1 {
		return nil
	}
	var out []IndexElem
	for _, p := range t.Stmts[0].Stmt.GetIndexStmt().GetIndexParams() {
		e := IndexElem{Column: p.GetIndexElem().GetName(), Collation: dotted(p.GetIndexElem().GetCollation())}
		if x := p.GetIndexElem().GetExpr(); x != nil {
			e.Expr = deparseExpr(x)
		}
		out = append(out, e)
	}
	return out
}
