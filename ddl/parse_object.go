package ddl

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// ops says what a statement does. Whatever has no Op of its own comes back as Other.
func (c *statement) ops(stmt *pg.Node) ([]Op, error) {
	switch {
	case stmt.GetCreateStmt() != nil:
		op, err := c.createTable(stmt.GetCreateStmt())
		return []Op{op}, err
	case stmt.GetAlterTableStmt() != nil:
		return c.alterTable(stmt.GetAlterTableStmt())
	case stmt.GetIndexStmt() != nil:
		return []Op{c.createIndex(stmt.GetIndexStmt())}, nil
	case stmt.GetUpdateStmt() != nil:
		return []Op{c.update(stmt.GetUpdateStmt())}, nil
	case stmt.GetDeleteStmt() != nil:
		return []Op{c.delete(stmt.GetDeleteStmt())}, nil
	case stmt.GetInsertStmt() != nil:
		return []Op{c.insert(stmt.GetInsertStmt())}, nil
	case stmt.GetCreateDomainStmt() != nil:
		op, err := c.createDomain(stmt.GetCreateDomainStmt())
		return []Op{op}, err
	case stmt.GetAlterDomainStmt() != nil:
		op, err := c.alterDomain(stmt.GetAlterDomainStmt())
		return []Op{op}, err
	}
	if ops := c.objectOps(stmt); len(ops) > 0 {
		return ops, nil
	}
	return []Op{Other{Tag: c.tag(stmt), Objects: objects(stmt), Names: names(stmt),
		LockMode: int(stmt.GetLockStmt().GetMode())}}, nil
}

// objectOps reads the statements that need little but their parse tree.
func (c *statement) objectOps(stmt *pg.Node) []Op {
	switch n := stmt.Node.(type) {
	case *pg.Node_DropStmt:
		return drops(n.DropStmt)
	case *pg.Node_RenameStmt:
		return rename(n.RenameStmt)
	case *pg.Node_AlterObjectSchemaStmt:
		s := n.AlterObjectSchemaStmt
		object := relName(s.Relation)
		if s.Relation == nil {
			object = objectName(s.Object)
		}
		return []Op{SetSchema{Kind: objectKind(s.ObjectType), Object: object, Schema: s.Newschema}}
	case *pg.Node_TruncateStmt:
		var ops []Op
		for _, r := range n.TruncateStmt.Relations {
			ops = append(ops, Truncate{relName(r.GetRangeVar()), n.TruncateStmt.Behavior == pg.DropBehavior_DROP_CASCADE})
		}
		return ops
	case *pg.Node_CreateEnumStmt:
		return []Op{CreateEnum{nameOf(n.CreateEnumStmt.TypeName), strs(n.CreateEnumStmt.Vals)}}
	case *pg.Node_AlterEnumStmt:
		return []Op{alterEnum(n.AlterEnumStmt)}
	case *pg.Node_ViewStmt:
		return []Op{c.createView(n.ViewStmt)}
	case *pg.Node_CreateTableAsStmt:
		return []Op{c.createAs(n.CreateTableAsStmt)}
	case *pg.Node_SelectStmt:
		if into := n.SelectStmt.IntoClause; into != nil {
			return []Op{CreateTable{Table: relName(into.Rel), Persistence: persistence(into.Rel), Query: c.slice(c.first, c.last)}}
		}
	case *pg.Node_RefreshMatViewStmt:
		return []Op{RefreshMaterializedView{relName(n.RefreshMatViewStmt.Relation), n.RefreshMatViewStmt.Concurrent}}
	case *pg.Node_CreateSeqStmt:
		s := n.CreateSeqStmt
		return []Op{CreateSequence{relName(s.Sequence), s.IfNotExists, ownedBy(s.Options)}}
	case *pg.Node_AlterSeqStmt:
		s := n.AlterSeqStmt
		return []Op{AlterSequence{relName(s.Sequence), c.slice(c.skipName(c.at(s.Sequence.Location)), c.last)}}
	case *pg.Node_CreateTrigStmt:
		t := n.CreateTrigStmt
		return []Op{CreateTrigger{Name: t.Trigname, Table: relName(t.Relation), Constraint: t.Isconstraint,
			Columns: strs(t.Columns)}}
	case *pg.Node_ReindexStmt:
		return []Op{reindex(n.ReindexStmt)}
	case *pg.Node_TransactionStmt:
		return []Op{Transaction{transactionVerbs[n.TransactionStmt.Kind]}}
	case *pg.Node_VariableSetStmt:
		return []Op{c.set(n.VariableSetStmt)}
	case *pg.Node_DoStmt:
		return []Op{do(n.DoStmt)}
	}
	return nil
}

func drops(n *pg.DropStmt) []Op {
	opts := DropOptions{IfExists: n.MissingOk, Cascade: n.Behavior == pg.DropBehavior_DROP_CASCADE}
	var ops []Op
	for _, o := range n.Objects {
		name := objectName(o)
		switch n.RemoveType {
		case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_FOREIGN_TABLE:
			ops = append(ops, DropTable{name, opts})
		case pg.ObjectType_OBJECT_INDEX:
			ops = append(ops, DropIndex{name, n.Concurrent, opts})
		case pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW:
			ops = append(ops, DropView{name, n.RemoveType == pg.ObjectType_OBJECT_MATVIEW, opts})
		case pg.ObjectType_OBJECT_SEQUENCE:
			ops = append(ops, DropSequence{name, opts})
		case pg.ObjectType_OBJECT_TYPE, pg.ObjectType_OBJECT_DOMAIN:
			ops = append(ops, DropType{name, opts})
		case pg.ObjectType_OBJECT_TRIGGER:
			table, trigger := memberName(o)
			ops = append(ops, DropTrigger{trigger, table, opts})
		case pg.ObjectType_OBJECT_RULE, pg.ObjectType_OBJECT_POLICY:
			table, _ := memberName(o)
			ops = append(ops, Other{Tag: "DROP " + objectKind(n.RemoveType), Objects: []Name{table}})
		default:
			return nil // one Other for all of them
		}
	}
	return ops
}

// objectName is the name of the object that a DROP, RENAME or its like points to.
func objectName(o *pg.Node) Name {
	switch {
	case o.GetList() != nil:
		return nameOf(o.GetList().Items)
	case o.GetTypeName() != nil:
		return nameOf(o.GetTypeName().Names)
	case o.GetObjectWithArgs() != nil:
		return nameOf(o.GetObjectWithArgs().Objname)
	case o.GetString_() != nil:
		return Name{Name: o.GetString_().Sval}
	case o.GetRangeVar() != nil:
		return relName(o.GetRangeVar())
	}
	return Name{}
}

// memberName splits the name of a trigger, rule, policy, constraint or column: its table and its own.
func memberName(o *pg.Node) (table Name, member string) {
	list := o.GetList().GetItems()
	if len(list) < 2 {
		return Name{}, ""
	}
	last := len(list) - 1
	return nameOf(list[:last]), list[last].GetString_().GetSval()
}

func rename(n *pg.RenameStmt) []Op {
	rel := relName(n.Relation)
	switch n.RenameType {
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_FOREIGN_TABLE:
		return []Op{RenameTable{rel, n.Newname, n.MissingOk}}
	case pg.ObjectType_OBJECT_INDEX:
		return []Op{RenameIndex{rel, n.Newname, n.MissingOk}}
	case pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW:
		return []Op{RenameView{rel, n.Newname}}
	case pg.ObjectType_OBJECT_SEQUENCE:
		return []Op{RenameSequence{rel, n.Newname}}
	case pg.ObjectType_OBJECT_COLUMN, pg.ObjectType_OBJECT_ATTRIBUTE:
		return []Op{RenameColumn{rel, n.Subname, n.Newname}}
	case pg.ObjectType_OBJECT_TABCONSTRAINT:
		return []Op{RenameConstraint{rel, n.Subname, n.Newname}}
	case pg.ObjectType_OBJECT_TYPE, pg.ObjectType_OBJECT_DOMAIN:
		return []Op{RenameType{objectName(n.Object), n.Newname}}
	}
	return nil
}

func alterEnum(n *pg.AlterEnumStmt) Op {
	name := nameOf(n.TypeName)
	if n.OldVal != "" {
		return RenameEnumValue{name, n.OldVal, n.NewVal}
	}
	op := AddEnumValue{Type: name, Label: n.NewVal, IfNotExists: n.SkipIfNewValExists}
	if n.NewValIsAfter {
		op.After = n.NewValNeighbor
	} else {
		op.Before = n.NewValNeighbor
	}
	return op
}

func (c *statement) createDomain(n *pg.CreateDomainStmt) (CreateDomain, error) {
	d := &pg.ColumnDef{TypeName: n.TypeName, CollClause: n.CollClause, Constraints: n.Constraints}
	col, err := c.column(d, c.last)
	return CreateDomain{Type: nameOf(n.Domainname), Base: col.Type, Collation: col.Collation, NotNull: col.NotNull,
		Default: col.Default, Constraints: col.Constraints}, err
}

func (c *statement) alterDomain(n *pg.AlterDomainStmt) (Op, error) {
	op := AlterDomain{Type: nameOf(n.TypeName)}
	op.IfExists, op.Cascade = n.MissingOk, n.Behavior == pg.DropBehavior_DROP_CASCADE
	var err error
	switch n.Subtype {
	case "T":
		op.Action = "drop default"
		if n.Def != nil {
			op.Action = "set default"
			i := c.skipName(c.first + 2) // ALTER DOMAIN name SET DEFAULT
			op.Default = c.slice(i+2, c.last)
		}
	case "N":
		op.Action = "drop not null"
	case "O":
		op.Action = "set not null"
	case "C":
		op.Action = "add constraint"
		op.Constraint, err = c.constraint(n.Def.GetConstraint(), c.last)
	case "X":
		op.Action, op.Constraint.Name = "drop constraint", n.Name
	case "V":
		op.Action, op.Constraint.Name = "validate constraint", n.Name
	}
	return op, err
}

// queryBehind gives the tokens of the query behind the first AS that follows the relation at loc.
func (c *statement) queryBehind(loc int32) span {
	return span{c.findKind(c.skipName(c.at(loc)), c.last, pg.Token_AS) + 1, c.last}
}

func (c *statement) createView(n *pg.ViewStmt) Op {
	op := CreateView{View: relName(n.View), Replace: n.Replace, WithData: true, Columns: strs(n.Aliases)}
	q := c.queryBehind(n.View.Location)
	if n.WithCheckOption != pg.ViewCheckOption_NO_CHECK_OPTION {
		for q.end--; q.end > q.start && c.kind(q.end) != pg.Token_WITH; {
			q.end--
		}
	}
	op.Query = c.slice(q.start, q.end)
	op.With = c.storage(c.skipName(c.at(n.View.Location)), n.Options)
	if c.recursiveView(n) {
		op.Query, op.Columns = deparse(n.Query), nil // the grammar makes WITH RECURSIVE of it
	}
	return op
}

func (c *statement) recursiveView(n *pg.ViewStmt) bool {
	view := c.at(n.View.Location)
	return c.findKind(c.first, view, pg.Token_RECURSIVE) < view
}

func (c *statement) createAs(n *pg.CreateTableAsStmt) Op {
	into := n.Into
	q := c.queryBehind(into.Rel.Location)
	if c.word(q.end-1, "data") && c.kind(q.end-2) == pg.Token_NO {
		q.end -= 3
	} else if c.word(q.end-1, "data") && c.kind(q.end-2) == pg.Token_WITH {
		q.end -= 2
	}
	if n.Objtype == pg.ObjectType_OBJECT_MATVIEW {
		return CreateView{View: relName(into.Rel), Materialized: true, IfNotExists: n.IfNotExists,
			WithData: !into.SkipData, Columns: strs(into.ColNames), Query: c.slice(q.start, q.end)}
	}
	t := CreateTable{Table: relName(into.Rel), IfNotExists: n.IfNotExists, Persistence: persistence(into.Rel), Query: c.slice(q.start, q.end)}
	for _, name := range strs(into.ColNames) {
		t.Columns = append(t.Columns, Column{Name: name})
	}
	return t
}

func ownedBy(options []*pg.Node) string {
	for _, o := range options {
		if e := o.GetDefElem(); e.GetDefname() == "owned_by" {
			parts := strs(e.Arg.GetList().GetItems())
			for i, p := range parts {
				parts[i] = QuoteIdent(p)
			}
			if owner := strings.Join(parts, "."); owner != QuoteIdent("none") {
				return owner
			}
		}
	}
	return ""
}

func reindex(n *pg.ReindexStmt) Op {
	op := Reindex{Kind: strings.TrimPrefix(n.Kind.String(), "REINDEX_OBJECT_"), Concurrently: flag(n.Params, "concurrently")}
	if n.Relation != nil {
		op.Name = relName(n.Relation)
	} else {
		op.Name = Name{Name: n.Name}
	}
	for _, o := range n.Params {
		if e := o.GetDefElem(); e.GetDefname() == "tablespace" {
			op.Tablespace = e.Arg.GetString_().GetSval()
		}
	}
	return op
}

// flag reports whether a boolean option is written and not off.
func flag(options []*pg.Node, name string) bool {
	for _, o := range options {
		if e := o.GetDefElem(); e.GetDefname() == name {
			return !off(e.Arg)
		}
	}
	return false
}

func off(arg *pg.Node) bool {
	switch {
	case arg == nil:
		return false
	case arg.GetBoolean() != nil:
		return !arg.GetBoolean().Boolval
	case arg.GetInteger() != nil:
		return arg.GetInteger().Ival == 0
	}
	return slices.Contains([]string{"off", "false", "no", "0"}, strings.ToLower(arg.GetString_().GetSval()))
}

var transactionVerbs = map[pg.TransactionStmtKind]string{
	pg.TransactionStmtKind_TRANS_STMT_BEGIN: "BEGIN", pg.TransactionStmtKind_TRANS_STMT_START: "START TRANSACTION",
	pg.TransactionStmtKind_TRANS_STMT_COMMIT: "COMMIT", pg.TransactionStmtKind_TRANS_STMT_ROLLBACK: "ROLLBACK",
	pg.TransactionStmtKind_TRANS_STMT_SAVEPOINT: "SAVEPOINT", pg.TransactionStmtKind_TRANS_STMT_RELEASE: "RELEASE",
	pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:       "ROLLBACK TO SAVEPOINT",
	pg.TransactionStmtKind_TRANS_STMT_PREPARE:           "PREPARE TRANSACTION",
	pg.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED:   "COMMIT PREPARED",
	pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED: "ROLLBACK PREPARED",
}

func (c *statement) set(n *pg.VariableSetStmt) Op {
	op := Set{Name: n.Name, Local: n.IsLocal}
	switch n.Kind {
	case pg.VariableSetKind_VAR_RESET:
		op.Reset = true
	case pg.VariableSetKind_VAR_RESET_ALL:
		op.Name, op.Reset = "all", true
	case pg.VariableSetKind_VAR_SET_MULTI:
		// SET TRANSACTION …, SET SESSION CHARACTERISTICS AS TRANSACTION …
		op.Name = strings.ToLower(n.Name)
		op.Value = c.slice(c.findKind(c.first, c.last, pg.Token_TRANSACTION)+1, c.last)
	default:
		i := c.find(c.first, c.last, func(j int) bool { return c.kind(j) == tokEqual || c.kind(j) == pg.Token_TO })
		if i == c.last { // SET TIME ZONE x, SET ROLE x, SET NAMES x …: the value stands last
			i = c.find(c.first, c.last, func(j int) bool {
				switch c.kind(j) {
				case pg.Token_ZONE, pg.Token_ROLE, pg.Token_NAMES, pg.Token_SCHEMA, pg.Token_AUTHORIZATION,
					pg.Token_OPTION, pg.Token_CATALOG_P, pg.Token_FROM:
					return true
				}
				return false
			})
		}
		op.Value = c.slice(i+1, c.last)
	}
	return op
}

func do(n *pg.DoStmt) Op {
	op := Do{Language: "plpgsql"}
	for _, a := range n.Args {
		switch e := a.GetDefElem(); e.GetDefname() {
		case "as":
			op.Body = e.Arg.GetString_().GetSval()
		case "language":
			op.Language = e.Arg.GetString_().GetSval()
		}
	}
	return op
}
