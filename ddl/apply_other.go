package ddl

import (
	"slices"
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

func (s *Schema) createTrigger(op CreateTrigger, sql string) error {
	r, err := s.must(op.Table, "rpvf")
	if err != nil {
		return err
	}
	t := &Trigger{Name: op.Name, Definition: sql, Enabled: 'O', Columns: slices.Clone(op.Columns), Constraint: op.Constraint}
	for _, c := range op.Columns {
		if r.Column(c) == nil {
			return s.noColumn(r, c)
		}
	}
	uses := map[string]bool{}
	for _, c := range op.Columns {
		uses[c] = true
	}
	replace := false
	if p, err := pg.Parse(sql); err == nil && len(p.Stmts) == 1 && p.Stmts[0].Stmt.GetCreateTrigStmt() != nil {
		c := p.Stmts[0].Stmt.GetCreateTrigStmt()
		replace = c.Replace
		t.Row, t.Before, t.InsteadOf = c.Row, c.Timing&2 != 0, c.Timing&64 != 0
		t.OnInsert, t.OnDelete, t.OnUpdate, t.OnTruncate = c.Events&4 != 0, c.Events&8 != 0, c.Events&16 != 0, c.Events&32 != 0
		t.Function = nameOf(c.Funcname).String()
		for c := range columnRefs(c.WhenClause) {
			uses[c] = true
		}
	}
	t.UsesColumns = existing(r, uses)
	i := slices.IndexFunc(r.Triggers, func(x *Trigger) bool { return x.Name == op.Name })
	if i >= 0 && !replace {
		return refuse(duplicateObject, "", "trigger %q for relation %q already exists", op.Name, r.Name.Name)
	}
	r = s.mut(r)
	if i >= 0 {
		r.Triggers = slices.Delete(r.Triggers, i, i+1)
	}
	r.Triggers = append(r.Triggers, t)
	r.sortParts()
	if r.Kind == 'p' && t.Row {
		return s.eachChild(r, func(child *Relation) error { s.inheritTriggers(child, r); return nil })
	}
	return nil
}

func (s *Schema) dropTrigger(op DropTrigger) error {
	r := s.lookup(op.Table)
	if r == nil {
		if op.IfExists {
			return nil
		}
		return s.noRelation(op.Table)
	}
	t := r.trigger(op.Name)
	if t == nil {
		if op.IfExists {
			return nil
		}
		var there []string
		for _, x := range r.Triggers {
			there = append(there, x.Name)
		}
		return refuse(undefinedObject, didYouMean(op.Name, there), "trigger %q for table %q does not exist", op.Name, r.Name.Name)
	}
	s.removeTrigger(s.mut(r), op.Name)
	return nil
}

func (r *Relation) trigger(name string) *Trigger {
	for _, t := range r.Triggers {
		if t.Name == name {
			return t
		}
	}
	return nil
}

func (s *Schema) removeTrigger(r *Relation, name string) {
	t := r.trigger(name)
	s.forgetDependent("trigger", r.Name, name)
	r.Triggers = slices.DeleteFunc(r.Triggers, func(x *Trigger) bool { return x.Name == name })
	if t != nil && t.Row && r.Kind == 'p' {
		s.eachChild(r, func(child *Relation) error { s.removeTrigger(child, name); return nil })
	}
}

// alterTable is the subcommands without an Op of their own, as far as the shape shows them.
func (s *Schema) alterTable(op AlterTable) error {
	if op.Kind == "INDEX" {
		return s.alterIndex(op)
	}
	r := s.lookup(op.Table)
	if r == nil {
		if q := s.sequence(op.Table); q != nil {
			if op.Action == "ChangeOwner" {
				q = s.mutSequence(q)
				to := s.role(op.Arg)
				q.ACL, q.Owner = newOwner(q.ACL, q.Owner, to), to
			}
			return nil
		}
		return s.noRelation(op.Table)
	}
	if op.Column != "" && r.Column(op.Column) == nil {
		return s.noColumn(r, op.Column)
	}
	r = s.mut(r)
	if c := r.Column(op.Column); c != nil {
		return s.alterColumn(r, c, op)
	}
	switch op.Action {
	case "SetRelOptions":
		r.Options = mergeOptions(r.Options, splitOptions(op.Arg))
	case "ResetRelOptions":
		r.Options = dropOptions(r.Options, op.With)
	case "ReplaceRelOptions":
		r.Options = splitOptions(op.Arg)
	case "SetLogged", "SetUnLogged":
		r.Persistence = map[string]byte{"SetLogged": 'p', "SetUnLogged": 'u'}[op.Action]
		for _, q := range s.Sequences {
			if q.OwnedTable == r.Name && s.Version >= 150000 {
				s.mutSequence(q).Persistence = r.Persistence
			}
		}
	case "ReplicaIdentity":
		s.replicaIdentity(r, op.Arg)
	case "EnableRowSecurity":
		r.RowSecurity = true
	case "DisableRowSecurity":
		r.RowSecurity = false
	case "ForceRowSecurity":
		r.ForceRowSecurity = true
	case "NoForceRowSecurity":
		r.ForceRowSecurity = false
	case "ChangeOwner":
		was := r.Owner
		r.Owner = s.role(op.Arg)
		r.ACL = newOwner(r.ACL, was, r.Owner)
		for _, c := range r.Columns {
			c.ACL = newOwner(c.ACL, was, r.Owner)
		}
		for _, q := range s.Sequences {
			if q.OwnedTable == r.Name {
				q = s.mutSequence(q)
				q.ACL, q.Owner = newOwner(q.ACL, q.Owner, r.Owner), r.Owner
			}
		}
	case "SetTableSpace":
		r.Tablespace = op.Arg
	case "SetAccessMethod":
		r.AccessMethod = op.Arg
	case "ClusterOn", "DropCluster":
		for _, x := range r.Indexes {
			x.Clustered = op.Action == "ClusterOn" && x.Name.Name == op.Arg
		}
	case "AddInherit", "DropInherit":
		return s.inherit(r, op)
	case "AlterConstraint":
		return s.alterConstraint(r, op)
	case "DropOf":
		r.OfType = false
	default:
		s.enableTriggers(r, op)
	}
	return nil
}

func (s *Schema) role(written string) string {
	switch strings.ToLower(written) {
	case "current_user", "current_role", "session_user":
		return s.User
	}
	return strings.ReplaceAll(strings.Trim(written, `"`), `""`, `"`)
}

func (s *Schema) replicaIdentity(r *Relation, arg string) {
	for _, x := range r.Indexes {
		x.ReplIdent = false
	}
	switch arg {
	case "NOTHING":
		r.ReplicaIdentity = 'n'
	case "FULL":
		r.ReplicaIdentity = 'f'
	case "DEFAULT":
		r.ReplicaIdentity = 'd'
	default:
		r.ReplicaIdentity = 'i'
		for _, x := range r.Indexes {
			x.ReplIdent = arg == "USING INDEX "+QuoteIdent(x.Name.Name)
		}
	}
}

func (s *Schema) enableTriggers(r *Relation, op AlterTable) {
	states := map[string]byte{"EnableTrig": 'O', "EnableAlwaysTrig": 'A', "EnableReplicaTrig": 'R', "DisableTrig": 'D',
		"EnableTrigAll": 'O', "DisableTrigAll": 'D', "EnableTrigUser": 'O', "DisableTrigUser": 'D'}
	rules := map[string]byte{"EnableRule": 'O', "EnableAlwaysRule": 'A', "EnableReplicaRule": 'R', "DisableRule": 'D'}
	if to, ok := states[op.Action]; ok {
		for _, t := range r.Triggers {
			if strings.HasSuffix(op.Action, "All") || strings.HasSuffix(op.Action, "User") || t.Name == op.Arg {
				s.enableTrigger(r, t, to, op.Only)
			}
		}
	}
	if to, ok := rules[op.Action]; ok {
		for _, x := range r.Rules {
			if x.Name == op.Arg {
				x.Enabled = to
			}
		}
	}
}

// enableTrigger gives a trigger its state, and unless only is said the clones of it in partitions.
func (s *Schema) enableTrigger(r *Relation, t *Trigger, to byte, only bool) {
	t.Enabled = to
	if r.Kind != 'p' || !t.Row || only {
		return
	}
	s.eachChild(r, func(child *Relation) error {
		if clone := child.trigger(t.Name); clone != nil {
			s.enableTrigger(child, clone, to, false)
		}
		return nil
	})
}

func (s *Schema) alterColumn(r *Relation, c *RelColumn, op AlterTable) error {
	if !op.Only && (op.Action == "SetStatistics" || op.Action == "SetStorage") {
		s.eachChild(r, func(child *Relation) error {
			if k := child.Column(c.Name); k != nil {
				return s.alterColumn(child, k, op)
			}
			return nil
		})
	}
	switch op.Action {
	case "SetStatistics":
		c.StatsTarget = -1
		if n, err := strconv.Atoi(op.Arg); err == nil {
			c.StatsTarget = n
		}
	case "SetStorage":
		switch {
		case op.Arg == "DEFAULT":
			if b := s.BuiltinType(Name{"pg_catalog", c.TypeName.Name}); b != nil {
				c.Storage = b.Storage
			}
		case op.Arg != "":
			c.Storage = strings.ToLower(op.Arg)[0]
			if op.Arg == "EXTENDED" {
				c.Storage = 'x'
			}
		}
	case "SetCompression":
		c.Compression = 0
		if op.Arg != "" && op.Arg != "default" {
			c.Compression = op.Arg[0]
		}
	case "SetOptions":
		c.Options = mergeOptions(c.Options, splitOptions(op.Arg))
	case "ResetOptions":
		c.Options = dropOptions(c.Options, op.With)
	case "SetExpression":
		c.Default = op.Arg
	case "SetIdentity":
		up := strings.ToUpper(op.Arg)
		if strings.Contains(up, "GENERATED ALWAYS") {
			s.identityBelow(r, c.Name, 'a')
		} else if strings.Contains(up, "GENERATED BY DEFAULT") {
			s.identityBelow(r, c.Name, 'd')
		}
		if q := s.Sequences[c.Sequence]; q != nil {
			s.sequenceOptions(s.mutSequence(q), identityOptions(op.Arg))
		}
	}
	return nil
}

// identityOptions takes the sequence options out of SET GENERATED … SET INCREMENT BY 2 RESTART.
func identityOptions(arg string) string {
	var out []string
	words := strings.Fields(arg)
	for i := 0; i < len(words); i++ {
		if strings.EqualFold(words[i], "set") {
			if i+1 < len(words) && strings.EqualFold(words[i+1], "generated") {
				for i++; i+1 < len(words) && !strings.EqualFold(words[i+1], "set") && !strings.EqualFold(words[i+1], "restart"); i++ {
				}
			}
			continue
		}
		out = append(out, words[i])
	}
	return strings.Join(out, " ")
}

func mergeOptions(have, set []string) []string {
	for _, o := range set {
		key, _, _ := strings.Cut(o, "=")
		have = append(dropOptions(have, []string{key}), o)
	}
	return have
}

func dropOptions(have, names []string) []string {
	out := slices.DeleteFunc(slices.Clone(have), func(o string) bool {
		key, _, _ := strings.Cut(o, "=")
		return slices.Contains(names, key)
	})
	if len(out) == 0 {
		return nil
	}
	return out
}

// optionNodes are storage parameters as CREATE INDEX … WITH has them.
func optionNodes(options []string) []*pg.Node {
	var out []*pg.Node
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		out = append(out, &pg.Node{Node: &pg.Node_DefElem{DefElem: &pg.DefElem{Defname: key, Arg: pg.MakeStrNode(value), Defaction: pg.DefElemAction_DEFELEM_UNSPEC}}})
	}
	return out
}

func (s *Schema) alterIndex(op AlterTable) error {
	_, x, err := s.findIndex(op.Table)
	if err != nil {
		return err
	}
	switch op.Action {
	case "SetRelOptions":
		x.Options = mergeOptions(x.Options, splitOptions(op.Arg))
		x.Definition = redefined(x.Definition, func(n *pg.Node) { n.GetIndexStmt().Options = optionNodes(x.Options) })
	case "ResetRelOptions":
		x.Options = dropOptions(x.Options, op.With)
		x.Definition = redefined(x.Definition, func(n *pg.Node) { n.GetIndexStmt().Options = optionNodes(x.Options) })
	case "SetTableSpace":
		x.Tablespace = op.Arg
	case "SetStatistics":
		col, err1 := strconv.Atoi(op.Column)
		n, err2 := strconv.Atoi(op.Arg)
		if err1 == nil && err2 == nil {
			if x.StatsTarget == nil {
				x.StatsTarget = map[int]int{}
			}
			x.StatsTarget[col] = n
			if n < 0 {
				delete(x.StatsTarget, col)
			}
		}
	}
	return nil
}

func (s *Schema) inherit(r *Relation, op AlterTable) error {
	n := parseName(op.Arg)
	parent, err := s.must(n, "rf")
	if err != nil {
		return err
	}
	parent = s.mut(parent)
	if op.Action == "DropInherit" {
		if !slices.Contains(r.Parents, parent.Name) {
			return refuse(undefinedTable, "", "relation %q is not a parent of relation %q", parent.Name.Name, r.Name.Name)
		}
		s.release(r, parent)
		return nil
	}
	if err := s.fits(r, parent); err != nil {
		return err
	}
	s.adopt(r, parent, false)
	return nil
}

// parseName reads a name as SQL.
func parseName(sql string) Name {
	parts := ParseSearchPath(strings.ReplaceAll(sql, `.`, `,`), "") // no dots inside quotes: good enough for parents
	switch len(parts) {
	case 0:
		return Name{}
	case 1:
		return Name{Name: parts[0]}
	}
	return Name{parts[len(parts)-2], parts[len(parts)-1]}
}

func (s *Schema) alterConstraint(r *Relation, op AlterTable) error {
	c := r.Constraint(op.Arg)
	if c == nil {
		return s.noConstraint(r, op.Arg)
	}
	how := strings.Join(op.With, " ")
	switch {
	case strings.Contains(how, "NOT DEFERRABLE"):
		c.Deferrable, c.Deferred = false, false
	case strings.Contains(how, "INITIALLY DEFERRED"):
		c.Deferrable, c.Deferred = true, true
	case strings.Contains(how, "DEFERRABLE"):
		c.Deferrable, c.Deferred = true, false
	}
	c.Definition = strings.TrimSuffix(strings.TrimSuffix(c.Definition, " INITIALLY DEFERRED"), " DEFERRABLE")
	if c.Deferrable {
		c.Definition += " DEFERRABLE"
	}
	if c.Deferred {
		c.Definition += " INITIALLY DEFERRED"
	}
	s.relink(r.Name, r)
	return nil
}

// other follows the statements without an Op that change what Schema holds.
func (s *Schema) other(op Other, sql string) error {
	t, err := pg.Parse(sql)
	if err != nil || len(t.Stmts) != 1 {
		return nil
	}
	switch n := t.Stmts[0].Stmt.Node.(type) {
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
	_, f.Signature, _ = Identity(sql)
	if len(n.Funcname) == 1 {
		f.Signature = QuoteIdent(name.Schema) + "." + f.Signature
	}
	s.Functions[f.Signature] = f
	return nil
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
			if r := s.lookup(table); r != nil {
				r = s.mut(r)
				r.Policies = slices.DeleteFunc(r.Policies, func(p *Policy) bool { return p.Name == policy })
				s.forgetDependent("policy", r.Name, policy)
			}
		}
	case pg.ObjectType_OBJECT_RULE:
		for _, o := range n.Objects {
			table, rule := memberName(o)
			if r := s.lookup(table); r != nil {
				r = s.mut(r)
				r.Rules = slices.DeleteFunc(r.Rules, func(x *Rule) bool { return x.Name == rule })
				s.forgetDependent("rule", r.Name, rule)
			}
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

func (s *Schema) renameTrigger(r *Relation, from, to string) {
	if t := r.trigger(from); t != nil {
		t.Name = to
		t.Definition = renameIdent(t.Definition, from, to)
		r.sortParts()
		if t.Row && r.Kind == 'p' {
			s.eachChild(r, func(child *Relation) error { s.renameTrigger(child, from, to); return nil })
		}
	}
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
	s.resolvePath()
	return nil
}

func (s *Schema) createComposite(n *pg.CompositeTypeStmt) error {
	name, err := s.newType(relName(n.Typevar))
	if err != nil {
		return err
	}
	t := &Type{Name: name, Kind: 'c', Owner: s.User}
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
	s.addType(&Type{Name: name, Kind: 'r', Base: base, Owner: s.User})
	s.addType(&Type{Name: multi, Kind: 'm', Base: name.String(), Owner: s.User})
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
	t, err := pg.Parse(def)
	if err != nil || len(t.Stmts) != 1 {
		return nil
	}
	var out []IndexElem
	for _, p := range t.Stmts[0].Stmt.GetIndexStmt().GetIndexParams() {
		e := IndexElem{Column: p.GetIndexElem().GetName()}
		if x := p.GetIndexElem().GetExpr(); x != nil {
			e.Expr = deparseExpr(x)
		}
		out = append(out, e)
	}
	return out
}
