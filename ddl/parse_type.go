package ddl

import (
	"strconv"
	"strings"
	"sync"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// systemTypes are SQL's own spellings of the types which the grammar itself names pg_catalog.x.
var systemTypes = map[string]string{
	"int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real", "float8": "double precision",
	"bool": "boolean", "bpchar": "character", "varchar": "character varying", "numeric": "numeric",
	"timestamp": "timestamp without time zone", "timestamptz": "timestamp with time zone",
	"time": "time without time zone", "timetz": "time with time zone", "interval": "interval",
	"bit": "bit", "varbit": "bit varying",
}

// serialTypes are the names of the column types that are none: PostgreSQL takes them only without a schema.
var serialTypes = map[string]string{
	"serial": "serial4", "bigserial": "serial8", "smallserial": "serial2",
	"serial4": "serial4", "serial8": "serial8", "serial2": "serial2",
}

// intervalFields are the type modifiers of interval that restrict its fields (INTERVAL_MASK of PostgreSQL).
var intervalFields = map[int32]string{
	1 << 2: "year", 1 << 1: "month", 1 << 3: "day", 1 << 10: "hour", 1 << 11: "minute", 1 << 12: "second",
	1<<2 | 1<<1: "year to month", 1<<3 | 1<<10: "day to hour", 1<<3 | 1<<10 | 1<<11: "day to minute",
	1<<3 | 1<<10 | 1<<11 | 1<<12: "day to second", 1<<10 | 1<<11: "hour to minute",
	1<<10 | 1<<11 | 1<<12: "hour to second", 1<<11 | 1<<12: "minute to second",
}

func typeName(t *pg.TypeName) TypeName {
	if t == nil {
		return TypeName{}
	}
	n := nameOf(t.Names)
	out := TypeName{Schema: n.Schema, Name: n.Name, Array: len(t.ArrayBounds)}
	if len(t.Names) == 1 && serialTypes[n.Name] != "" {
		out.Name = serialTypes[n.Name]
	}
	sql, system := n.String(), ""
	if n.Schema == "pg_catalog" {
		system = systemTypes[n.Name]
	}
	if system != "" {
		sql = system
	}
	switch {
	case t.PctType:
		sql += "%TYPE"
	case system == "interval" && len(t.Typmods) > 0:
		out.Fields = intervalModifier(t.Typmods)
		sql = strings.Replace(sql+" "+out.Fields, " (", "(", 1)
	case len(t.Typmods) > 0:
		for _, m := range t.Typmods {
			out.Mods = append(out.Mods, modifier(m))
		}
		// The modifier of the time types stands in their middle: timestamp(3) with time zone.
		first, rest, _ := strings.Cut(sql, " with")
		sql = first + "(" + strings.Join(out.Mods, ",") + ")"
		if rest != "" {
			sql += " with" + rest
		}
	}
	if t.Setof {
		sql = "SETOF " + sql
	}
	out.SQL = sql + strings.Repeat("[]", out.Array)
	return out
}

func modifier(n *pg.Node) string {
	if c := n.GetAConst(); c != nil {
		if s := c.GetSval(); s != nil {
			return QuoteLiteral(s.Sval)
		}
		if i := c.GetIval(); i != nil {
			return strconv.Itoa(int(i.Ival))
		}
	}
	return deparseExpr(n)
}

func intervalModifier(mods []*pg.Node) string {
	fields := intervalFields[mods[0].GetAConst().GetIval().GetIval()]
	if len(mods) > 1 {
		fields += "(" + strconv.Itoa(int(mods[1].GetAConst().GetIval().GetIval())) + ")"
	}
	return fields
}

// nameOf is a list of strings as a name; a database in front of the schema is left out.
func nameOf(list []*pg.Node) Name {
	var parts []string
	for _, n := range list {
		parts = append(parts, n.GetString_().GetSval())
	}
	switch len(parts) {
	case 0:
		return Name{}
	case 1:
		return Name{Name: parts[0]}
	}
	return Name{parts[len(parts)-2], parts[len(parts)-1]}
}

func strs(list []*pg.Node) []string {
	var out []string
	for _, n := range list {
		out = append(out, n.GetString_().GetSval())
	}
	return out
}

func relName(r *pg.RangeVar) Name {
	if r == nil {
		return Name{}
	}
	return Name{r.Schemaname, r.Relname}
}

// deparseExpr is an expression of the parse tree as SQL, for the few whose place in the text is not known.
func deparseExpr(n *pg.Node) string {
	target := &pg.Node{Node: &pg.Node_ResTarget{ResTarget: &pg.ResTarget{Val: n}}}
	sql := deparse(&pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: &pg.SelectStmt{
		TargetList: []*pg.Node{target}, LimitOption: pg.LimitOption_LIMIT_OPTION_DEFAULT, Op: pg.SetOperation_SETOP_NONE,
	}}})
	return strings.TrimPrefix(sql, "SELECT ")
}

// parserVersion is the version that a parse tree must carry to be deparsed.
var parserVersion = sync.OnceValue(func() int32 {
	tree, err := parseSQL("")
	if err != nil {
		panic("ddl: the parser cannot parse nothing: " + err.Error())
	}
	return tree.Version
})

// deparse is a statement of the parse tree as SQL; "" where the parser's library cannot say it.
func deparse(stmt *pg.Node) string {
	sql, err := pg.Deparse(&pg.ParseResult{Version: parserVersion(), Stmts: []*pg.RawStmt{{Stmt: stmt}}})
	if err != nil {
		return ""
	}
	return sql
}
