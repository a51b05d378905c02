package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// SQLSTATE values of our sync triggers, documented in docs/errors.md.
const (
	stateInconsistent = "RP001" // both shapes written, with values that do not agree
	stateReadOnly     = "RP002" // the new shape cannot be written until complete
)

// sync keeps two shapes of a row equal while both live: columns of the old shape on one side, columns of the
// new one on the other. Its triggers run last of all BEFORE triggers, for every client, whatever its
// search_path or session_replication_role (RULES 7).
type sync struct {
	table ddl.Name
	old   []syncColumn
	new   []syncColumn
	// inputs are columns of neither shape that the new one is computed from. Then the new shape is read-only: a change
	// of theirs alone could mean either.
	inputs []syncColumn
	computing
}

// computing makes a trigger function compute what the migration's own statement would have, whoever writes the row
// (RULES 7). Each part costs time on each call, so they are set only where needed.
type computing struct {
	// path is the search_path for expressions that name anything; with it go the migration's privileges.
	path string
	// fixed says that what the expressions make of a value depends on settings like TimeZone and DateStyle: the
	// migration's count, not those of whichever client writes.
	fixed bool
	// owner of the function; "" = who creates it.
	owner string
}

// function is the SQL that makes a trigger function.
func (c computing) function(name, body string) []string {
	clauses := ""
	if c.path != "" {
		clauses += " SECURITY DEFINER SET search_path = " + c.path
	}
	if c.fixed {
		for _, setting := range sessionSettings {
			clauses += " SET " + setting + " FROM CURRENT"
		}
	}
	sql := []string{fmt.Sprintf("CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql%s AS %s", name, clauses, dollar(body))}
	if c.path != "" && c.owner != "" {
		sql = append(sql, fmt.Sprintf("ALTER FUNCTION %s() OWNER TO %s", name, qi(c.owner)))
	}
	return sql
}

// syncColumn is a column on one side.
type syncColumn struct {
	name string
	typ  string // "" = compare as text, because values of the other side have no cast to it
	// from computes the column from the other side; "" on the old side = the new shape is read-only.
	from string
	// unset is true in an INSERT that did not write the column: it is NULL, or its default's value.
	// "" = nobody can tell, since the default is volatile.
	unset string
	// plainEq says that equal values of the type have equal bytes, so that IS DISTINCT FROM compares images.
	plainEq bool
	// always is GENERATED ALWAYS AS IDENTITY, which a trigger may assign and an UPDATE may not.
	always bool
}

// differs is true for a row whose column is not what the other side says, compared byte by byte (RULES 2).
func (c syncColumn) differs() string {
	switch {
	case c.typ == "":
		return fmt.Sprintf("%s::pg_catalog.text IS DISTINCT FROM (%s)::pg_catalog.text", qi(c.name), c.from)
	case c.plainEq:
		return fmt.Sprintf("%s IS DISTINCT FROM (%s)::%s", qi(c.name), c.from, c.typ)
	}
	return fmt.Sprintf("ROW(%s)::pg_catalog.record OPERATOR(pg_catalog.*<>) ROW((%s)::%s)::pg_catalog.record", qi(c.name), c.from, c.typ)
}

func anyDiffers(cols []syncColumn) string {
	var parts []string
	for _, c := range cols {
		parts = append(parts, c.differs())
	}
	return strings.Join(parts, " OR ")
}

// unfilled is true for a row that still wants the fill: its new columns are not what the old ones say. A row that was
// written through the new shape is right as it is, although the way back to the new columns need not be exact.
func (s sync) unfilled() string {
	if !s.writable() {
		return anyDiffers(s.new)
	}
	var nulls []string
	for _, c := range s.new {
		nulls = append(nulls, qi(c.name)+" IS NULL")
	}
	return fmt.Sprintf("(%s) AND CASE WHEN %s THEN true ELSE %s END", anyDiffers(s.new), strings.Join(nulls, " AND "), anyDiffers(s.old))
}

func (s sync) id() string {
	var b strings.Builder
	b.WriteString(s.table.String())
	for _, c := range slices.Concat(s.old, s.new) {
		b.WriteString("\x00" + c.name)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:4])
}

func (s sync) functionName(event string) string { return "replank.sync_" + s.id() + "_" + event }

// trigger sorts behind every name that starts with a letter, a digit or an underscore: BEFORE triggers run in
// the byte order of their names.
func (s sync) trigger(event string) string { return qi(triggerPrefix + s.id() + "_" + event) }

// computable has the server analyse what the functions compute, where that is more than PL/pgSQL's own conversion of
// the other shape's value.
func (s sync) computable() []string {
	var set []ddl.Assignment
	for _, c := range s.new {
		if !slices.ContainsFunc(s.old, func(o syncColumn) bool { return c.from == qi(o.name) && c.typ == o.typ }) {
			set = append(set, ddl.Assignment{Column: c.name, Expr: c.from})
		}
	}
	for _, c := range s.old {
		if c.from != "" && !c.always && !slices.ContainsFunc(s.new, func(n syncColumn) bool { return ddl.IsCast(c.from, n.name) }) {
			set = append(set, ddl.Assignment{Column: c.name, Expr: c.from})
		}
	}
	return computable(s.table, set)
}

// create makes functions and triggers. members are the table and, where triggers are not inherited, the tables
// below it.
func (s sync) create(members []ddl.Name) []string {
	sql := slices.Concat(s.computing.function(s.functionName("ins"), s.insertBody()), s.computing.function(s.functionName("upd"), s.updateBody()))
	when := ""
	if s.slow() {
		when = "WHEN (" + s.concerns(isDistinct) + ") "
	}
	for _, t := range members {
		sql = append(sql,
			fmt.Sprintf("CREATE TRIGGER %s BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION %s()", s.trigger("ins"), t, s.functionName("ins")),
			fmt.Sprintf("CREATE TRIGGER %s BEFORE UPDATE ON %s FOR EACH ROW %sEXECUTE FUNCTION %s()", s.trigger("upd"), t, when, s.functionName("upd")))
	}
	return sql
}

// slow functions change settings on each call, so it pays to ask before calling them. For the others a WHEN costs
// more than the call: PostgreSQL sets its expression up again for every statement (12 µs of CPU for an UPDATE of
// one row), and a function keeps its own.
func (s sync) slow() bool { return s.path != "" || s.fixed }

// concerns is true for an UPDATE that the trigger has to look at: it changes a column that counts, or touches a
// row that is not filled yet, whose new version may land behind the fill, in a page that the fill has left already.
// The fill's own UPDATE passes.
func (s sync) concerns(values func(a, b string) string) string {
	return fmt.Sprintf("(%s OR %s) AND %s", differ(slices.Concat(s.old, s.new, s.inputs), "OLD", "NEW", values), empty(s.new),
		values("pg_catalog.current_setting('"+FillFlag+"', true)", "'on'"))
}

// always arms the triggers for sessions with session_replication_role = replica too; PostgreSQL 14 does not
// hand this down to partitions, so each gets its own.
func (s sync) always(members []ddl.Name) []string {
	var sql []string
	for _, t := range members {
		sql = append(sql, fmt.Sprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s, ENABLE ALWAYS TRIGGER %s", t, s.trigger("ins"), s.trigger("upd")))
	}
	return sql
}

func (s sync) drop(members []ddl.Name) []string {
	var sql []string
	for _, t := range members {
		sql = append(sql,
			fmt.Sprintf("DROP TRIGGER IF EXISTS %s ON %s", s.trigger("ins"), t),
			fmt.Sprintf("DROP TRIGGER IF EXISTS %s ON %s", s.trigger("upd"), t))
	}
	return append(sql, fmt.Sprintf("DROP FUNCTION IF EXISTS %s(), %s()", s.functionName("ins"), s.functionName("upd")))
}

// sessionSettings change what PostgreSQL makes of a value in a conversion.
var sessionSettings = []string{"TimeZone", "DateStyle", "IntervalStyle", "extra_float_digits", "bytea_output", "lc_monetary", "lc_numeric", "lc_time"}

func (s sync) insertBody() string {
	var b strings.Builder
	b.WriteString("\nBEGIN\n")
	fmt.Fprintf(&b, "  IF %s THEN\n%s", unset(s.new), s.forward())
	if s.writable() {
		fmt.Fprintf(&b, "  ELSIF %s THEN\n%s", unset(s.old), s.backward())
	}
	fmt.Fprintf(&b, "  ELSE\n%s", s.check())
	b.WriteString("  END IF;\n  RETURN NEW;\nEND;\n")
	return b.String()
}

func (s sync) updateBody() string {
	var b strings.Builder
	b.WriteString("\nBEGIN\n")
	if !s.slow() {
		fmt.Fprintf(&b, "  IF NOT (%s) THEN\n    RETURN NEW;\n  END IF;\n", s.concerns(distinct))
	}
	fmt.Fprintf(&b, "  IF NOT (%s) THEN\n%s", differ(s.new, "OLD", "NEW", distinct), s.forward())
	if s.writable() {
		fmt.Fprintf(&b, "  ELSIF NOT (%s) THEN\n%s", differ(s.old, "OLD", "NEW", distinct), s.backward())
	}
	fmt.Fprintf(&b, "  ELSE\n%s", s.check())
	b.WriteString("  END IF;\n  RETURN NEW;\nEND;\n")
	return b.String()
}

func (s sync) writable() bool {
	return !slices.ContainsFunc(s.old, func(c syncColumn) bool { return c.from == "" })
}

func (s sync) forward() string { return assign(s.new) }

// backward computes the old columns. A row whose new ones are all NULL looks like one that waits for its fill, and no
// proof could tell it from that: where the old shape says something else than NULL of such a row, the new one gets it.
func (s sync) backward() string {
	return assign(s.old) + fmt.Sprintf("    IF %s THEN\n%s    END IF;\n", empty(s.new), s.forward())
}

func assign(cols []syncColumn) string {
	var b strings.Builder
	for _, c := range cols {
		fmt.Fprintf(&b, "    NEW.%s := %s;\n", qi(c.name), inNew(c.from))
	}
	return b.String()
}

// check raises when what was written into both shapes does not agree in either direction: the way back need not
// be exact, and a row that was written through the new shape is right as it is. The function names no type and no
// table, for which a client might lack privileges.
func (s sync) check() string {
	var b strings.Builder
	fmt.Fprintf(&b, "    DECLARE\n      new_given pg_catalog.record := %s;\n      old_given pg_catalog.record := %s;\n    BEGIN\n", row(s.new, "NEW"), row(s.old, "NEW"))
	b.WriteString(s.forward())
	fmt.Fprintf(&b, "      IF %s OPERATOR(pg_catalog.*<>) new_given THEN\n", row(s.new, "NEW"))
	if s.writable() {
		for i, c := range s.new {
			fmt.Fprintf(&b, "        NEW.%s := new_given.f%d;\n", qi(c.name), i+1)
		}
		b.WriteString(s.backward())
		fmt.Fprintf(&b, "        IF %s OPERATOR(pg_catalog.*<>) old_given THEN\n    %s        END IF;\n", row(s.old, "NEW"), s.raise())
	} else {
		b.WriteString("    " + s.raise())
	}
	b.WriteString("      END IF;\n    END;\n")
	return b.String()
}

// row is the image of columns.
func row(cols []syncColumn, v string) string {
	var names []string
	for _, c := range cols {
		names = append(names, v+"."+qi(c.name))
	}
	return "ROW(" + strings.Join(names, ", ") + ")::pg_catalog.record"
}

func (s sync) raise() string {
	if !s.writable() {
		return fmt.Sprintf("    RAISE EXCEPTION USING ERRCODE = '%s', MESSAGE = %s, HINT = 'Write the old columns until the migration is complete, or give `-- replank: inverse`.';\n",
			stateReadOnly, ddl.QuoteLiteral("replank: "+list(s.new)+" of "+s.table.String()+" cannot be written yet"))
	}
	return fmt.Sprintf("    RAISE EXCEPTION USING ERRCODE = '%s', MESSAGE = %s, HINT = 'Write one of the two shapes, or the same value in both.';\n",
		stateInconsistent, ddl.QuoteLiteral("replank: "+list(s.old)+" and "+list(s.new)+" of "+s.table.String()+" were written with values that do not agree"))
}

// empty is true for a row whose columns are all NULL, as they are before the fill.
func empty(cols []syncColumn) string {
	var parts []string
	for _, c := range cols {
		parts = append(parts, "NEW."+qi(c.name)+" IS NULL")
	}
	return "(" + strings.Join(parts, " AND ") + ")"
}

func list(cols []syncColumn) string {
	var out []string
	for _, c := range cols {
		out = append(out, qi(c.name))
	}
	return strings.Join(out, ", ")
}

func unset(cols []syncColumn) string {
	var parts []string
	for _, c := range cols {
		if c.unset == "" {
			return "true"
		}
		parts = append(parts, c.unset)
	}
	return strings.Join(parts, " AND ")
}

// differ compares the binary images of columns in two row variables (RULES 2).
func differ(cols []syncColumn, a, b string, values func(a, b string) string) string {
	var parts []string
	var images []syncColumn
	for _, c := range cols {
		if c.plainEq {
			parts = append(parts, values(a+"."+qi(c.name), b+"."+qi(c.name)))
		} else {
			images = append(images, c)
		}
	}
	if len(images) > 0 {
		parts = append(parts, row(images, a)+" OPERATOR(pg_catalog.*<>) "+row(images, b))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// isDistinct is for the WHEN of a trigger, which is parsed once, by us.
func isDistinct(a, b string) string { return a + " IS DISTINCT FROM " + b }

// distinct is IS DISTINCT FROM for the body of a function: that looks for an operator "=" in the search_path of
// whoever writes.
func distinct(a, b string) string { return "NOT " + equal(a, b) }

func equal(a, b string) string {
	return fmt.Sprintf("COALESCE(%s OPERATOR(pg_catalog.=) %s, %s IS NULL AND %s IS NULL)", a, b, a, b)
}

// inNew makes the columns of an expression those of the row being written, and its types PostgreSQL's own whatever
// the search_path.
func inNew(expr string) string {
	s, err := ddl.QualifyColumns(expr, "NEW")
	if err != nil {
		return expr
	}
	if q, err := ddl.QualifyTypes(s); err == nil {
		return q
	}
	return s
}

// isDefault is true for a row being written in which a column has the value of its default: as text, for types
// without equality.
func isDefault(col, def, typ string) string {
	return equal("NEW."+qi(col)+"::pg_catalog.text", inNew("("+def+")::"+typ)+"::pg_catalog.text")
}

// dollar quotes a function body with a tag that does not occur in it.
func dollar(body string) string {
	tag := "$replank$"
	for i := 0; strings.Contains(body, tag); i++ {
		tag = fmt.Sprintf("$replank%d$", i)
	}
	return tag + body + tag
}

// plainTypes are types whose equal values have equal bytes. text and varchar only under a deterministic
// collation, which every built-in one is.
var plainTypes = []string{
	"smallint", "integer", "bigint", "oid", "boolean", "uuid", "date", "bytea", "name",
	"text", "character varying", "timestamp without time zone", "timestamp with time zone", "time without time zone",
	"inet", "macaddr",
}

func plainEq(typ, collation string) bool {
	if collation != "" {
		return false
	}
	if i := strings.IndexByte(typ, '('); i >= 0 {
		end := strings.IndexByte(typ, ')')
		typ = typ[:i] + typ[end+1:]
	}
	return slices.Contains(plainTypes, typ)
}

// triggerPair is the SQL that makes and removes a trigger of ours.
type triggerPair struct{ create, drop []string }

// guardNulls makes a trigger that gives a column a value where a row being written has none. With inserts set
// it works for INSERT too (old writers of a NOT NULL column); otherwise a default does that, and the trigger
// only keeps an UPDATE from carrying an unfilled row past the fill.
func (c *compiler) guardNulls(r *ddl.Relation, col, expr string, inserts bool) triggerPair {
	sum := sha256.Sum256([]byte(r.Name.String() + "\x00" + col))
	id := hex.EncodeToString(sum[:4])
	fn := "replank.fill_" + id
	trg := qi(triggerPrefix + id + "_fill")
	when := fmt.Sprintf("NEW.%s IS NULL", qi(col))
	if inserts { // the way back of the fill writes NULL
		when += " AND pg_catalog.current_setting('" + FillFlag + "', true) IS DISTINCT FROM 'on'"
	}
	event := "INSERT OR UPDATE"
	if !inserts {
		event = "UPDATE"
		when += fmt.Sprintf(" AND OLD.%s IS NULL", qi(col))
	}
	p := triggerPair{create: c.computing(r, nil, []string{expr}).function(fn, fmt.Sprintf("\nBEGIN\n  NEW.%s := %s;\n  RETURN NEW;\nEND;\n", qi(col), inNew(expr)))}
	for _, t := range c.triggerTables(r) {
		p.create = append(p.create, fmt.Sprintf("CREATE TRIGGER %s BEFORE %s ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION %s()", trg, event, t, when, fn))
		p.drop = append(p.drop, fmt.Sprintf("DROP TRIGGER IF EXISTS %s ON %s", trg, t))
	}
	for _, m := range c.family(r) {
		p.create = append(p.create, fmt.Sprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", m.Name, trg))
	}
	p.drop = append(p.drop, "DROP FUNCTION IF EXISTS "+fn+"()")
	return p
}

// triggerTables are the tables on which a row trigger has to be made: a partitioned table hands it down, an
// inheritance parent does not.
func (c *compiler) triggerTables(r *ddl.Relation) []ddl.Name {
	if r.Kind == 'p' {
		return []ddl.Name{r.Name}
	}
	return c.familyNames(r)
}

func (c *compiler) familyNames(r *ddl.Relation) []ddl.Name {
	var out []ddl.Name
	for _, m := range c.family(r) {
		out = append(out, m.Name)
	}
	return out
}
