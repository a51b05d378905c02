package ddl

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// parsedExpr is an expression with its tree and the text the tree's locations count in.
func parsedExpr(expr string) (text string, node *pg.Node, err error) {
	text = exprPrefix + expr + exprSuffix
	_, stmt, err := one(text)
	if err != nil {
		return "", nil, fmt.Errorf("expression %s: %w", expr, err)
	}
	targets := stmt.GetSelectStmt().GetTargetList()
	if len(targets) != 1 {
		return "", nil, fmt.Errorf("not one expression: %s", expr)
	}
	return text, targets[0].GetResTarget().GetVal(), nil
}

// replaceColumns writes something else where an expression names a column.
func replaceColumns(expr string, with func(col string) (string, bool)) (string, error) {
	text, node, err := parsedExpr(expr)
	if err != nil {
		return "", err
	}
	src, _, err := parseText("", text)
	if err != nil {
		return "", err
	}
	var edits []edit
	sub := false
	walk(node, func(m any) bool {
		switch n := m.(type) {
		case *pg.SubLink:
			sub = true
			return false
		case *pg.ColumnRef:
			name := columnOf(n)
			if to, ok := with(name); ok && name != "" {
				i := src.at(n.Location)
				end := i
				for range n.Fields { // each field but the last is followed by a dot
					end = src.skipIdent(end) + 1
				}
				edits = append(edits, src.replaceTokens(i, end-1, to))
			}
		}
		return true
	})
	if sub {
		return "", fmt.Errorf("expression %s: a sub-select cannot be used here", expr)
	}
	return strings.TrimSuffix(strings.TrimPrefix(src.apply(edits), exprPrefix), exprSuffix), nil
}

// QualifyColumns gives an expression over the columns of one table as an expression over a row variable:
// lower(a) with NEW becomes lower(NEW.a).
func QualifyColumns(expr, variable string) (string, error) {
	return replaceColumns(expr, func(col string) (string, bool) { return variable + "." + QuoteIdent(col), true })
}

// SubstituteColumns puts expressions in the place of columns, and takes qualifiers from the others.
func SubstituteColumns(expr string, by map[string]string) (string, error) {
	if expr == "" {
		return "", nil
	}
	return replaceColumns(expr, func(col string) (string, bool) {
		if e, ok := by[col]; ok {
			return "(" + e + ")", true
		}
		return QuoteIdent(col), true
	})
}

// NamesNothing reports whether an expression consists of columns, constants and casts to types of PostgreSQL
// alone, so that no search_path can change its meaning.
func NamesNothing(expr string) bool {
	if expr == "" {
		return true
	}
	_, node, err := parsedExpr(expr)
	if err != nil {
		return false
	}
	ok := true
	walk(node, func(m any) bool {
		switch n := m.(type) {
		case *pg.FuncCall, *pg.A_Expr, *pg.SubLink, *pg.CollateClause, *pg.SQLValueFunction:
			ok = false
		case *pg.TypeName:
			names := n.GetNames()
			if len(names) != 2 || names[0].GetString_().GetSval() != "pg_catalog" {
				ok = ok && len(names) == 1 && pinned[names[0].GetString_().GetSval()]
			}
		}
		return ok
	})
	return ok
}

// pinned are types that the grammar does not qualify itself. QualifyTypes does.
var pinned = map[string]bool{"text": true, "uuid": true, "bytea": true, "date": true, "jsonb": true, "inet": true, "oid": true, "name": true}

// QualifyTypes gives an expression in which the types that NamesNothing allows are PostgreSQL's own even for a client
// whose search_path has others of these names.
func QualifyTypes(expr string) (string, error) {
	return replaceTypes(expr, func(names []*pg.Node) (string, bool) {
		name := names[0].GetString_().GetSval()
		return "pg_catalog." + name, len(names) == 1 && pinned[name]
	})
}

// DependsOnSettings reports whether what an expression makes of its columns may depend on settings of the session,
// such as TimeZone. It does not look at the types of the columns: PrintedBySettings does.
func (s *Schema) DependsOnSettings(expr string) bool {
	_, node, err := parsedExpr(expr)
	if err != nil {
		return true
	}
	depends := false
	walk(node, func(m any) bool {
		switch n := m.(type) {
		case *pg.FuncCall:
			names := n.GetFuncname()
			depends = depends || s.FunctionVolatility(names[len(names)-1].GetString_().GetSval()) != 'i'
		case *pg.TypeName:
			names := n.GetNames()
			depends = depends || len(names) == 0 || bySettings.MatchString(names[len(names)-1].GetString_().GetSval())
		case *pg.SubLink, *pg.SQLValueFunction:
			depends = true
		}
		return !depends
	})
	return depends
}

// PrintedBySettings reports whether the text form of a type's values, or a conversion from or to it, depends on
// settings of the session.
func PrintedBySettings(typ string) bool { return bySettings.MatchString(typ) }

var bySettings = regexp.MustCompile(`^(time|date|interval|real|double|float|bytea|money|xml|ts.*range|tstz|tsmulti|abstime)`)

// IsCast reports whether an expression is the column and nothing but casts around it.
func IsCast(expr, col string) bool {
	_, node, err := parsedExpr(expr)
	for err == nil && node.GetTypeCast() != nil {
		node = node.GetTypeCast().GetArg()
	}
	return err == nil && node.GetColumnRef() != nil && columnOf(node.GetColumnRef()) == col
}

// Volatile reports whether an expression may give another value each time it is computed.
func (s *Schema) Volatile(expr string) bool {
	if !strings.Contains(expr, "(") {
		return false // neither a function's call nor a sub-select: most defaults are constants
	}
	_, node, err := parsedExpr(expr)
	if err != nil {
		return true
	}
	volatile := false
	walk(node, func(m any) bool {
		if f, ok := m.(*pg.FuncCall); ok {
			names := f.GetFuncname()
			volatile = volatile || s.FunctionVolatility(names[len(names)-1].GetString_().GetSval()) == 'v'
		}
		if _, ok := m.(*pg.SubLink); ok {
			volatile = true
		}
		return !volatile
	})
	return volatile
}

// OfTheMoment reports whether an expression reads the clock, who asks, a sequence or chance: its value is another one each
// time. A function of the user's may well be declared VOLATILE because nobody thought of it, so only PostgreSQL's own count.
func OfTheMoment(expr string) bool {
	_, node, err := parsedExpr(expr)
	if err != nil {
		return false
	}
	of := false
	walk(node, func(m any) bool {
		switch n := m.(type) {
		case *pg.SQLValueFunction:
			of = true
		case *pg.FuncCall:
			names := n.GetFuncname()
			of = of || slices.Contains(ofTheMoment, names[len(names)-1].GetString_().GetSval())
		}
		return !of
	})
	return of
}

var ofTheMoment = []string{"now", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "timeofday", "txid_current", "pg_current_xact_id",
	"current_setting", "random", "random_normal", "gen_random_uuid", "uuidv4", "uuidv7", "nextval", "currval", "lastval"}

// Tables are the relations that a query, a FROM list or an expression reads, as written.
func Tables(sql string) ([]Name, error) {
	var root any
	for _, text := range []string{sql, exprPrefix + sql + exprSuffix, "SELECT FROM " + sql} {
		if _, stmt, err := one(text); err == nil {
			root = stmt
			break
		}
	}
	if root == nil {
		return nil, errors.New("cannot read: " + sql)
	}
	var out []Name
	walk(root, func(m any) bool {
		if r, ok := m.(*pg.RangeVar); ok {
			if n := (Name{r.Schemaname, r.Relname}); !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
		return true
	})
	return out, nil
}

// RenameTypeIn gives an expression with a type of the user's under another name.
func RenameTypeIn(expr, from string, to Name) (string, error) {
	return replaceTypes(expr, func(names []*pg.Node) (string, bool) {
		return to.String(), names[len(names)-1].GetString_().GetSval() == from
	})
}

// replaceTypes writes something else where an expression names a type.
func replaceTypes(expr string, with func(names []*pg.Node) (string, bool)) (string, error) {
	text, node, err := parsedExpr(expr)
	if err != nil {
		return "", err
	}
	src, _, err := parseText("", text)
	if err != nil {
		return "", err
	}
	var edits []edit
	walk(node, func(m any) bool {
		n, ok := m.(*pg.TypeName)
		if !ok || len(n.GetNames()) == 0 {
			return true
		}
		to, ok := with(n.GetNames())
		if !ok {
			return true
		}
		i := src.at(n.Location)
		end := i
		for range n.GetNames() {
			end = src.skipIdent(end) + 1
		}
		edits = append(edits, src.replaceTokens(i, end-1, to))
		return true
	})
	return strings.TrimSuffix(strings.TrimPrefix(src.apply(edits), exprPrefix), exprSuffix), nil
}

// AddUpdateOf gives a trigger definition that looks at UPDATE OF one more column.
func AddUpdateOf(def, col string) (string, error) {
	return deparsed(def, func(stmt *pg.Node) bool {
		t := stmt.GetCreateTrigStmt()
		if t == nil || len(t.Columns) == 0 {
			return false
		}
		t.Columns = append(t.Columns, pg.MakeStrNode(col))
		return true
	})
}

// ReplicationSlot is the name of the slot that a CREATE SUBSCRIPTION makes on the publisher, "" when it makes none.
func ReplicationSlot(sql string) string {
	_, stmt, err := one(sql)
	n := stmt.GetCreateSubscriptionStmt()
	if err != nil || n == nil || !subscriptionSlot(n.Options) {
		return ""
	}
	name, given := option(n.Options, "slot_name")
	switch {
	case !given:
		return n.Subname
	case name.GetTypeName() != nil: // a bare word
		return nameOf(name.GetTypeName().Names).Name
	}
	return name.GetString_().GetSval()
}

// Memberships gives the statement that takes back a GRANT of roles, and those of its members that were members before.
func Memberships(grant string, s *Schema) (revoke string, were []Member, err error) {
	revoke, err = deparsed(grant, func(stmt *pg.Node) bool {
		n := stmt.GetGrantRoleStmt()
		if n == nil || !n.IsGrant {
			return false
		}
		for _, m := range s.Members {
			role := slices.ContainsFunc(n.GrantedRoles, func(x *pg.Node) bool { return x.GetAccessPriv().GetPrivName() == m.Role })
			if role && slices.ContainsFunc(n.GranteeRoles, func(x *pg.Node) bool { return s.roleOf(x.GetRoleSpec()) == m.Member }) {
				were = append(were, m)
			}
		}
		n.IsGrant, n.Opt = false, nil
		return true
	})
	return revoke, were, err
}

// AllInSchemas are the schemas of a GRANT … ON ALL TABLES or SEQUENCES IN SCHEMA; none for any other statement.
func AllInSchemas(grant string) (sequences bool, schemas []string) {
	_, stmt, err := one(grant)
	if err != nil {
		return false, nil
	}
	g := stmt.GetGrantStmt()
	if g.GetTargtype() != pg.GrantTargetType_ACL_TARGET_ALL_IN_SCHEMA {
		return false, nil
	}
	for _, o := range g.Objects {
		schemas = append(schemas, o.GetString_().GetSval())
	}
	return g.Objtype == pg.ObjectType_OBJECT_SEQUENCE, schemas
}

// deparsed changes the tree of one statement and writes it as SQL again.
func deparsed(sql string, change func(*pg.Node) bool) (string, error) {
	tree, err := parseSQL(sql)
	if err != nil {
		return "", fmt.Errorf("parse %s: %w", sql, err)
	}
	if len(tree.Stmts) != 1 || !change(tree.Stmts[0].Stmt) {
		return "", fmt.Errorf("not a statement of the kind expected: %s", sql)
	}
	return pg.Deparse(tree)
}

// Identity is what a CREATE statement made, as DROP names it: kind FUNCTION and identity f(integer). identity
// is empty where that cannot be told.
func Identity(sql string) (kind, identity string, replace bool) {
	_, stmt, err := one(sql)
	if err != nil {
		return "", "", false
	}
	switch n := stmt.Node.(type) {
	case *pg.Node_CreateFunctionStmt:
		f := n.CreateFunctionStmt
		kind = "FUNCTION"
		if f.IsProcedure {
			kind = "PROCEDURE"
		}
		var args []string
		for _, p := range f.Parameters {
			fp := p.GetFunctionParameter()
			switch fp.GetMode() {
			case pg.FunctionParameterMode_FUNC_PARAM_OUT, pg.FunctionParameterMode_FUNC_PARAM_TABLE:
				if !f.IsProcedure || fp.GetMode() == pg.FunctionParameterMode_FUNC_PARAM_TABLE {
					continue
				}
			}
			t := typeText(fp.GetArgType())
			if t == "" {
				return kind, "", f.Replace
			}
			args = append(args, t)
		}
		return kind, dotted(f.Funcname) + "(" + strings.Join(args, ", ") + ")", f.Replace
	case *pg.Node_CreateSchemaStmt:
		return "SCHEMA", QuoteIdent(n.CreateSchemaStmt.Schemaname), n.CreateSchemaStmt.IfNotExists
	case *pg.Node_CreateExtensionStmt:
		return "EXTENSION", QuoteIdent(n.CreateExtensionStmt.Extname), n.CreateExtensionStmt.IfNotExists
	case *pg.Node_CreatePolicyStmt:
		return "POLICY", QuoteIdent(n.CreatePolicyStmt.PolicyName) + " ON " + relName(n.CreatePolicyStmt.Table).String(), false
	case *pg.Node_RuleStmt:
		return "RULE", QuoteIdent(n.RuleStmt.Rulename) + " ON " + relName(n.RuleStmt.Relation).String(), n.RuleStmt.Replace
	case *pg.Node_CreateStatsStmt:
		return "STATISTICS", dotted(n.CreateStatsStmt.Defnames), n.CreateStatsStmt.IfNotExists
	case *pg.Node_CompositeTypeStmt:
		return "TYPE", relName(n.CompositeTypeStmt.Typevar).String(), false
	case *pg.Node_CreateRangeStmt:
		return "TYPE", dotted(n.CreateRangeStmt.TypeName), false
	case *pg.Node_CreatePublicationStmt:
		return "PUBLICATION", QuoteIdent(n.CreatePublicationStmt.Pubname), false
	case *pg.Node_CreateEventTrigStmt:
		return "EVENT TRIGGER", QuoteIdent(n.CreateEventTrigStmt.Trigname), false
	case *pg.Node_DefineStmt:
		if n.DefineStmt.Kind == pg.ObjectType_OBJECT_COLLATION {
			return "COLLATION", dotted(n.DefineStmt.Defnames), n.DefineStmt.IfNotExists
		}
	}
	return "", "", false
}

func dotted(names []*pg.Node) string {
	var out []string
	for _, n := range names {
		out = append(out, QuoteIdent(n.GetString_().GetSval()))
	}
	return strings.Join(out, ".")
}

// typeText writes a type as SQL; "" where the parser's library cannot say it.
func typeText(t *pg.TypeName) string {
	null := &pg.Node{Node: &pg.Node_AConst{AConst: &pg.A_Const{Isnull: true}}}
	return strings.TrimPrefix(exprText(&pg.Node{Node: &pg.Node_TypeCast{TypeCast: &pg.TypeCast{Arg: null, TypeName: t}}}), "NULL::")
}

// exprText writes an expression as SQL; "" where the parser's library cannot say it.
func exprText(n *pg.Node) string {
	return strings.TrimPrefix(deparse(&pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: &pg.SelectStmt{
		TargetList: []*pg.Node{{Node: &pg.Node_ResTarget{ResTarget: &pg.ResTarget{Val: n}}}}}}}), "SELECT ")
}

// UsesColumnOrder reports whether the body of a function counts the columns of a table from the left: INSERT
// without a column list, SELECT *, %ROWTYPE, COPY. It reads text, so it may say yes too often, never too rarely for
// these forms.
func UsesColumnOrder(body string, table Name) bool {
	name := `(?:[\w"]+\.)?"?` + regexp.QuoteMeta(table.Name) + `"?`
	re, err := regexp.Compile(`(?is)insert\s+into\s+` + name + `\s+(?:values|select|table|default)\b|` +
		name + `\s*%\s*rowtype|\bselect\b[^;]*[\s,](?:\w+\.)?\*(?:\s*(?:,|into\b)[^;]*)?\s*\bfrom\s+(?:[^;]*(?:\bjoin\s+|,\s*))?` + name + `\b|\bcopy\s+` + name + `\s+(?:from|to)\b`)
	return err != nil || re.MatchString(body)
}

// ExpandsRow reports whether the body of a trigger function takes its row apart into columns: NEW.* and OLD.*.
func ExpandsRow(body string) bool { return expandsRow.MatchString(body) }

var expandsRow = regexp.MustCompile(`(?i)\b(?:new|old)\s*\.\s*\*`)

// NamesColumn reports whether the body of a trigger function names a column of its row.
func NamesColumn(body, col string) bool {
	re, err := regexp.Compile(`(?i)\b(?:new|old)\s*\.\s*"?` + regexp.QuoteMeta(col) + `(?:"|$|[^\w$])`)
	return err != nil || re.MatchString(body)
}

// CommentTarget is what COMMENT ON is about: its kind as PostgreSQL writes it, and its name in parts (a column's
// table first). ok is false for statements of another kind and objects that are named in another way.
func CommentTarget(sql string) (kind string, name []string, ok bool) {
	_, stmt, err := one(sql)
	if err != nil {
		return "", nil, false
	}
	return commentTarget(stmt.GetCommentStmt())
}

func commentTarget(c *pg.CommentStmt) (kind string, name []string, ok bool) {
	if c == nil {
		return "", nil, false
	}
	items := c.GetObject().GetList().GetItems()
	if t := c.GetObject().GetTypeName(); t != nil {
		items = t.GetNames()
	}
	for _, n := range items {
		if n.GetString_() == nil {
			return "", nil, false
		}
		name = append(name, n.GetString_().GetSval())
	}
	return objectKind(c.Objtype), name, len(name) > 0
}

// CommentAs gives a COMMENT statement with another text; "" removes the comment.
func CommentAs(sql, text string) (string, error) {
	return deparsed(sql, func(stmt *pg.Node) bool {
		c := stmt.GetCommentStmt()
		if c != nil {
			c.Comment = text
		}
		return c != nil
	})
}
