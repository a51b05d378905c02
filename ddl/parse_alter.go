package ddl

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// subcommands gives the token range of each subcommand of an ALTER TABLE: its commas separate them.
func (c *statement) subcommands(rel *pg.RangeVar) []span {
	return c.elements(c.skipRelation(c.at(rel.Location)), c.last)
}

func (c *statement) alterTable(n *pg.AlterTableStmt) ([]Op, error) {
	if n.Objtype == pg.ObjectType_OBJECT_TYPE {
		return []Op{Other{Tag: "ALTER TYPE", Objects: []Name{relName(n.Relation)}}}, nil
	}
	parts := c.subcommands(n.Relation)
	if len(parts) != len(n.Cmds) {
		return nil, c.errorAt(c.toks[c.first].start, "cannot tell the subcommands of this statement apart")
	}
	var ops []Op
	for i, cmd := range n.Cmds {
		op, err := c.subcommand(n, cmd.GetAlterTableCmd(), parts[i])
		if err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// subcommand reads one subcommand, whose tokens are part.
func (c *statement) subcommand(n *pg.AlterTableStmt, cmd *pg.AlterTableCmd, part span) (Op, error) {
	table, only := relName(n.Relation), !n.Relation.Inh
	drop := DropOptions{IfExists: cmd.MissingOk, Cascade: cmd.Behavior == pg.DropBehavior_DROP_CASCADE}
	switch cmd.Subtype {
	case pg.AlterTableType_AT_AddColumn:
		col, err := c.column(cmd.Def.GetColumnDef(), part.end)
		return AddColumn{Table: table, Only: only, IfNotExists: cmd.MissingOk, Column: col}, err
	case pg.AlterTableType_AT_DropColumn:
		return DropColumn{table, only, cmd.Name, drop}, nil
	case pg.AlterTableType_AT_AlterColumnType:
		return c.alterType(table, cmd, part), nil
	case pg.AlterTableType_AT_ColumnDefault:
		op := SetDefault{Table: table, Only: only, Column: cmd.Name}
		if cmd.Def != nil {
			op.Expr = c.slice(c.behindColumn(part)+2, part.end) // SET DEFAULT
		}
		return op, nil
	case pg.AlterTableType_AT_SetNotNull:
		return SetNotNull{table, only, cmd.Name}, nil
	case pg.AlterTableType_AT_DropNotNull:
		return DropNotNull{table, only, cmd.Name}, nil
	case pg.AlterTableType_AT_AddIdentity:
		op := AddIdentity{Table: table, Column: cmd.Name, Always: cmd.Def.GetConstraint().GetGeneratedWhen() == "a"}
		if open := c.findKind(part.start, part.end, tokParen); open < part.end {
			op.Options = c.slice(open+1, c.closer(open, part.end))
		}
		return op, nil
	case pg.AlterTableType_AT_DropIdentity:
		return DropIdentity{table, cmd.Name, cmd.MissingOk}, nil
	case pg.AlterTableType_AT_DropExpression:
		return DropExpression{table, cmd.Name, cmd.MissingOk}, nil
	case pg.AlterTableType_AT_AddConstraint:
		con, err := c.constraint(cmd.Def.GetConstraint(), part.end)
		return AddConstraint{table, only, con}, err
	case pg.AlterTableType_AT_ValidateConstraint:
		return ValidateConstraint{table, cmd.Name}, nil
	case pg.AlterTableType_AT_DropConstraint:
		return DropConstraint{table, cmd.Name, drop}, nil
	case pg.AlterTableType_AT_AttachPartition:
		p := cmd.Def.GetPartitionCmd()
		if n.Objtype == pg.ObjectType_OBJECT_INDEX {
			return AttachIndex{table, relName(p.Name)}, nil
		}
		return AttachPartition{table, relName(p.Name), c.bound(p.Bound)}, nil
	case pg.AlterTableType_AT_DetachPartition, pg.AlterTableType_AT_DetachPartitionFinalize:
		p := cmd.Def.GetPartitionCmd()
		return DetachPartition{Table: table, Partition: relName(p.Name), Concurrently: p.Concurrent,
			Finalize: cmd.Subtype == pg.AlterTableType_AT_DetachPartitionFinalize}, nil
	}
	return c.otherSubcommand(n, cmd, part), nil
}

// behindColumn gives the token behind ALTER [COLUMN] name.
func (c *statement) behindColumn(part span) int {
	i := part.start + 1
	if c.kind(i) == pg.Token_COLUMN {
		i++
	}
	return c.skipIdent(i)
}

func (c *statement) alterType(table Name, cmd *pg.AlterTableCmd, part span) Op {
	d := cmd.Def.GetColumnDef()
	op := AlterColumnType{Table: table, Column: cmd.Name, Type: typeName(d.TypeName)}
	if d.CollClause != nil {
		op.Collation = nameOf(d.CollClause.Collname).String()
	}
	if d.RawDefault != nil {
		op.Using = c.slice(c.findKind(c.behindColumn(part), part.end, pg.Token_USING)+1, part.end)
	}
	return op
}

// otherSubcommand reads the subcommands that have no Op of their own.
func (c *statement) otherSubcommand(n *pg.AlterTableStmt, cmd *pg.AlterTableCmd, part span) Op {
	op := AlterTable{
		Table:  relName(n.Relation),
		Only:   !n.Relation.Inh,
		Kind:   objectKind(n.Objtype),
		Action: strings.TrimPrefix(cmd.Subtype.String(), "AT_"),
	}
	inParens := func(from int) string {
		open := c.findKind(from, part.end, tokParen)
		return c.slice(open+1, c.closer(open, part.end))
	}
	switch cmd.Subtype {
	case pg.AlterTableType_AT_SetExpression, pg.AlterTableType_AT_SetOptions, pg.AlterTableType_AT_ResetOptions,
		pg.AlterTableType_AT_AlterColumnGenericOptions:
		op.Column = cmd.Name
		op.Arg = inParens(c.behindColumn(part))
		op.With = optionNames(cmd.Def)
	case pg.AlterTableType_AT_SetIdentity:
		op.Column = cmd.Name
		op.Arg = c.slice(c.behindColumn(part), part.end)
	case pg.AlterTableType_AT_SetStatistics, pg.AlterTableType_AT_SetStorage, pg.AlterTableType_AT_SetCompression:
		op.Column = cmd.Name
		behind := c.behindColumn(part)
		if cmd.Name == "" { // a column of an index, by its number
			op.Column = c.slice(behind-1, behind)
		}
		op.Arg = strings.ToUpper(c.slice(behind+2, part.end))
		if cmd.Subtype == pg.AlterTableType_AT_SetCompression {
			op.Arg = strings.ToLower(op.Arg)
		}
	case pg.AlterTableType_AT_AlterConstraint:
		behind := c.skipIdent(part.start + 2) // ALTER CONSTRAINT
		op.Arg = cmd.Def.GetConstraint().GetConname()
		op.With = []string{strings.ToUpper(c.slice(behind, part.end))}
	case pg.AlterTableType_AT_SetRelOptions, pg.AlterTableType_AT_ResetRelOptions,
		pg.AlterTableType_AT_ReplaceRelOptions, pg.AlterTableType_AT_GenericOptions:
		op.Arg = inParens(part.start)
		op.With = optionNames(cmd.Def)
	case pg.AlterTableType_AT_ChangeOwner:
		op.Arg = c.slice(part.start+2, part.end) // OWNER TO
	case pg.AlterTableType_AT_AddInherit, pg.AlterTableType_AT_DropInherit:
		op.Arg = relName(cmd.Def.GetRangeVar()).String()
	case pg.AlterTableType_AT_AddOf:
		op.Arg = typeName(cmd.Def.GetTypeName()).SQL
	case pg.AlterTableType_AT_ReplicaIdentity:
		op.Arg = c.replicaIdentity(cmd.Def.GetReplicaIdentityStmt())
	default:
		op.Arg = cmd.Name
	}
	return op
}

func (c *statement) replicaIdentity(r *pg.ReplicaIdentityStmt) string {
	switch r.GetIdentityType() {
	case "n":
		return "NOTHING"
	case "f":
		return "FULL"
	case "i":
		return "USING INDEX " + QuoteIdent(r.Name)
	}
	return "DEFAULT"
}

func optionNames(def *pg.Node) []string {
	var names []string
	for _, o := range def.GetList().GetItems() {
		if e := o.GetDefElem(); e.GetDefnamespace() != "" {
			names = append(names, e.Defnamespace+"."+e.Defname)
		} else if e != nil {
			names = append(names, e.Defname)
		}
	}
	return names
}

// objectKind is an object type in PostgreSQL's words: TABLE, MATERIALIZED VIEW …
func objectKind(t pg.ObjectType) string {
	if k, ok := objectKinds[t]; ok {
		return k
	}
	return strings.ReplaceAll(strings.TrimPrefix(t.String(), "OBJECT_"), "_", " ")
}

var objectKinds = map[pg.ObjectType]string{
	pg.ObjectType_OBJECT_MATVIEW: "MATERIALIZED VIEW", pg.ObjectType_OBJECT_FDW: "FOREIGN DATA WRAPPER",
	pg.ObjectType_OBJECT_FOREIGN_SERVER: "SERVER", pg.ObjectType_OBJECT_OPCLASS: "OPERATOR CLASS",
	pg.ObjectType_OBJECT_OPFAMILY: "OPERATOR FAMILY", pg.ObjectType_OBJECT_STATISTIC_EXT: "STATISTICS",
	pg.ObjectType_OBJECT_TABCONSTRAINT: "CONSTRAINT", pg.ObjectType_OBJECT_DOMCONSTRAINT: "DOMAIN CONSTRAINT",
	pg.ObjectType_OBJECT_TSCONFIGURATION: "TEXT SEARCH CONFIGURATION",
	pg.ObjectType_OBJECT_TSDICTIONARY:    "TEXT SEARCH DICTIONARY", pg.ObjectType_OBJECT_TSPARSER: "TEXT SEARCH PARSER",
	pg.ObjectType_OBJECT_TSTEMPLATE: "TEXT SEARCH TEMPLATE", pg.ObjectType_OBJECT_LARGEOBJECT: "LARGE OBJECT",
}
