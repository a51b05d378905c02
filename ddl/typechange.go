package ddl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// Change is what it costs to give a column another type.
type Change struct {
	// Rewrite is true when the rows on disk do not fit the new type: the table is written anew.
	Rewrite bool
	// Scan is true when rows must be read although none is written. No type change of today's servers does
	// that by itself; constraints and indexes of the column may (see Effects).
	Scan bool
	// Reindex is true when an index with the column as a key cannot be kept because it sorts differently.
	Reindex bool
	// Unknown is true when the server's types and casts are not known and the worst was assumed.
	Unknown bool
	// Refused says why the server does not convert the values by itself; "" = it does.
	Refused string
	Why     string

	collation bool // Reindex only because of the collation
}

// TypeChange says what ALTER COLUMN … TYPE to COLLATE collation USING using costs for a column that is no
// generated one. It follows the server: it makes the expression that converts the old value, drops from it what
// changes no bit, and rewrites unless the bare column is left.
func TypeChange(s *Schema, from *RelColumn, to TypeName, collation, using string) Change {
	have, want := s.columnType(from), s.writtenType(to)
	if from.Assumed || have.unknown || want.unknown {
		return s.unknownChange(from, to, have, want, using)
	}
	current := have
	if using != "" {
		var why string
		if current, why = s.usingType(exprTree(using), from.Name, have); why != "" {
			return Change{Rewrite: true, Reindex: true, Why: why}
		}
	}
	if why := s.coerce(current, want); why != "" {
		return Change{Rewrite: true, Reindex: true, Refused: s.noCast(current, want), Why: why}
	}
	c := Change{Why: "the rows on disk fit the new type as they are"}
	if have.text != want.text && (s.polymorphic(have) || s.polymorphic(want)) {
		c.Reindex, c.Why = true, "an index over arrays, enums or ranges is of one very type"
	} else if operators(s.bottom(have)) != operators(s.bottom(want)) {
		c.Reindex, c.Why = true, "the new type has its own index operators"
	} else if s.bottom(want).collates && lastPart(from.Collation) != lastPart(collation) {
		c.Reindex, c.collation, c.Why = true, true, "the collation changes, and with it the order of the indexes"
	}
	return c
}

// unknownChange is for types that nobody has seen.
func (s *Schema) unknownChange(from *RelColumn, to TypeName, have, want sqlType, using string) Change {
	c := Change{Rewrite: true, Reindex: true, Unknown: true}
	if using == "" && !from.Assumed && !have.array && !want.array && (isCitext(have) && isText(want) || isText(have) && isCitext(want)) {
		return Change{Reindex: true, Why: "citext has the bytes of text, and its own order"}
	}
	switch {
	case using != "" && !IsCast(using, from.Name):
		c.Unknown, c.Why = want.missing, "USING computes every value"
	case !want.unknown && s.constrained(want):
		c.Why = fmt.Sprintf("the domain %s has constraints", want.text)
	case want.unknown && have.text == want.text && !from.Assumed && sameModifiers(have, want) && have.array == want.array && using == "":
		return Change{Why: "the type stays"}
	case want.unknown:
		c.Why = fmt.Sprintf("type %s is not known here: the worst is assumed", to.SQL)
	default:
		c.Why = fmt.Sprintf("the type it has now is not known here: the table is written anew unless its values fit %s as they are", to.SQL)
	}
	return c
}

// isCitext knows the type of the extension by its name where the server's types have not been seen.
func isCitext(t sqlType) bool { return t.unknown && lastPart(t.text) == "citext" }

func isText(t sqlType) bool {
	return t.text == "text" || t.text == "character varying" && t.free()
}

// sqlType is a type with its modifiers.
type sqlType struct {
	text     string // without modifiers, as format_type prints it; the user's own types qualified
	domain   *Type
	array    bool
	mods     []int
	fields   string // interval: "day to second"
	collates bool
	strings  bool // of the string category
	unknown  bool
	missing  bool // unknown, and no statement took it for granted
}

func (t sqlType) free() bool { return len(t.mods) == 0 && t.fields == "" }

// columnType is the type of a column that exists.
func (s *Schema) columnType(c *RelColumn) sqlType {
	t := s.namedType(c.TypeName)
	t.array = c.Array
	t.mods, t.fields = modifiers(t.text, c.Type)
	return t
}

// writtenType is a type as a statement writes it.
func (s *Schema) writtenType(w TypeName) sqlType {
	t := s.namedType(Name{w.Schema, w.Name})
	t.array = w.Array > 0
	if t.text == "interval" {
		t.mods, t.fields = modifiers(t.text, w.Fields)
		return t
	}
	t.mods, _ = modifiers(t.text, "("+strings.Join(w.Mods, ",")+")")
	return t
}

func (s *Schema) namedType(n Name) sqlType {
	if s.BuiltinType(n) == nil || n.Schema != "" && n.Schema != "pg_catalog" {
		if u := s.Type(n); u != nil {
			t := sqlType{text: u.Name.String(), unknown: u.Assumed || u.Kind == 'b' && u.OID == 0} // the casts of base types that nobody has seen
			if u.Kind == 'd' {
				t.domain = u
			}
			return t
		}
	}
	if b := s.BuiltinType(n); b != nil {
		return sqlType{text: b.Text, collates: b.Collates, strings: b.Category == 'S'}
	}
	return sqlType{text: n.String(), unknown: true, missing: true}
}

// textType is a type as format_type prints it.
func (s *Schema) textType(text string) sqlType {
	element := strings.TrimSuffix(text, "[]")
	bare := bareType(element)
	var t sqlType
	if i := slices.Index(s.builtinTexts(), bare); i >= 0 {
		for _, b := range s.Facts.Types {
			if b.Text == bare {
				t = sqlType{text: bare, collates: b.Collates, strings: b.Category == 'S'}
			}
		}
	} else {
		t = s.namedType(splitTypeName(element))
	}
	t.array = element != text
	t.mods, t.fields = modifiers(t.text, element)
	return t
}

func (s *Schema) builtinTexts() []string {
	if s.Facts == nil {
		return nil
	}
	var out []string
	for _, b := range s.Facts.Types {
		out = append(out, b.Text)
	}
	return out
}

// modifiers reads "(10,2)" and the fields of an interval out of a type.
func modifiers(bare, text string) (mods []int, fields string) {
	if bare == "interval" {
		words := strings.Fields(strings.NewReplacer("(", " (", ")", ") ").Replace(strings.TrimPrefix(text, "interval")))
		for _, w := range words {
			if n, err := strconv.Atoi(strings.Trim(w, "()")); err == nil {
				mods = append(mods, n)
			} else {
				fields = strings.TrimSpace(fields + " " + w)
			}
		}
		return mods, fields
	}
	_, rest, ok := strings.Cut(text, "(")
	list, _, closed := strings.Cut(rest, ")")
	if !ok || !closed || strings.HasPrefix(text, `"`) {
		return nil, ""
	}
	for _, m := range strings.Split(list, ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(m)); err == nil {
			mods = append(mods, n)
		}
	}
	if bare == "numeric" && len(mods) == 1 {
		mods = append(mods, 0)
	}
	return mods, ""
}

// below is the type below a domain.
func (s *Schema) below(t sqlType) sqlType {
	base := s.textType(t.domain.Base)
	base.array = base.array || t.array
	return base
}

// bottom is the type below all domains; a modifier of the uppermost domain that has one counts.
func (s *Schema) bottom(t sqlType) sqlType {
	mods, fields := t.mods, t.fields
	for t.domain != nil && !t.unknown {
		t = s.below(t)
		if len(mods) == 0 && fields == "" {
			mods, fields = t.mods, t.fields
		}
	}
	t.mods, t.fields = mods, fields
	return t
}

func (s *Schema) constrained(t sqlType) bool {
	for t.domain != nil && !t.unknown {
		if t.domain.NotNull || len(t.domain.Constraints) > 0 {
			return true
		}
		t = s.below(t)
	}
	return false
}

// coerce says why a value of type from must be written anew to be one of type to; "" when it need not.
func (s *Schema) coerce(from, to sqlType) string {
	if from.text == to.text && from.array == to.array && (from.domain != nil || sameModifiers(from, to)) {
		return ""
	}
	if from.domain != nil && from.array {
		return "an array of a domain is converted element by element"
	}
	if from.domain != nil {
		from = s.bottom(from)
		from.mods, from.fields = nil, "" // the server does not look for the modifier below a domain
	}
	if to.domain != nil {
		if to.array {
			return "an array of a domain is converted element by element"
		}
		if s.constrained(to) {
			return fmt.Sprintf("the domain %s has constraints", to.text)
		}
		to = s.bottom(to)
	}
	if from.text != to.text || from.array != to.array {
		if why := s.cast(from, to); why != "" {
			return why
		}
		from.mods, from.fields = nil, ""
	}
	return resize(from, to)
}

func sameModifiers(a, b sqlType) bool { return slices.Equal(a.mods, b.mods) && a.fields == b.fields }

// cast says why two different types do not share their form on disk.
func (s *Schema) cast(from, to sqlType) string {
	if from.array || to.array {
		return "an array is converted element by element"
	}
	c, ok := s.Cast(from.text, to.text)
	switch {
	case ok && c.Method == 'b':
		return ""
	case ok && strings.HasPrefix(from.text, "timestamp ") && strings.HasPrefix(to.text, "timestamp "):
		if zeroOffset(s.TimeZone) {
			return ""
		}
		return fmt.Sprintf("timestamps change by the offset of TimeZone %s", s.TimeZone)
	}
	return fmt.Sprintf("%s and %s differ on disk", from.text, to.text)
}

// noCast says why no value of type from is assigned to a column of type to without a cast that is written down.
// Anything becomes a string.
func (s *Schema) noCast(from, to sqlType) string {
	from, to = s.bottom(from), s.bottom(to)
	refusal := fmt.Sprintf("cannot be cast automatically to type %s", to.text)
	switch c, ok := s.Cast(from.text, to.text); {
	case from.array == to.array && from.text == to.text:
		return ""
	case from.array == to.array && ok:
		if c.Context == 'e' {
			return refusal
		}
		return ""
	case to.strings && (!to.array || from.array):
		return ""
	}
	return refusal
}

// zeroOffset reports whether a time zone has always been UTC: the server asks for one offset in all of history,
// so that Europe/London and Atlantic/Reykjavik do not qualify.
func zeroOffset(zone string) bool {
	z := strings.ToLower(strings.Trim(zone, `'"`))
	z = strings.TrimPrefix(z, "posix/")
	switch strings.TrimPrefix(z, "etc/") {
	case "utc", "uct", "gmt", "gmt0", "gmt+0", "gmt-0", "greenwich", "universal", "zulu", "0", "00", "+00", "+00:00", "-00", "<+00>-00", "<-00>+00", "utc0":
		return true
	}
	return false
}

// resize says why a modifier makes the server touch the values of one and the same type.
func resize(from, to sqlType) string {
	if to.free() || sameModifiers(from, to) {
		return ""
	}
	var fits bool
	switch {
	case to.array:
		return "the elements of an array are converted one by one"
	case to.text == "character varying" || to.text == "bit varying":
		fits = len(from.mods) == 1 && to.mods[0] >= from.mods[0]
	case to.text == "numeric":
		fits = len(from.mods) == 2 && len(to.mods) == 2 && to.mods[1] == from.mods[1] && to.mods[0] >= from.mods[0]
	case to.text == "interval":
		fits = intervalFits(from, to)
	case strings.HasPrefix(to.text, "time"):
		fits = to.mods[0] >= 6 || len(from.mods) == 1 && to.mods[0] >= from.mods[0]
	}
	if fits {
		return ""
	}
	return fmt.Sprintf("every value of %s is brought to the new length or precision", to.text)
}

// intervalFits compares the smallest field, then the precision of seconds.
func intervalFits(from, to sqlType) bool {
	precision := func(t sqlType) int {
		if len(t.mods) == 1 {
			return t.mods[0]
		}
		return 0xFFFF
	}
	old, now := leastField(from.fields), leastField(to.fields)
	return now <= old && (old > 0 || precision(to) >= 6 || precision(to) >= precision(from))
}

func leastField(fields string) int {
	_, last, ok := strings.Cut(fields, " to ")
	if !ok {
		last = fields
	}
	return max(0, slices.Index([]string{"second", "minute", "hour", "day", "month", "year"}, last))
}

// operators names the set of index operators that a type uses; types which share theirs share their indexes.
func operators(t sqlType) string {
	name := t.text
	switch {
	case name == "character varying":
		name = "text"
	case name == "cidr":
		name = "inet"
	case strings.HasPrefix(name, "reg"):
		name = "oid"
	}
	if t.array {
		return name + "[]"
	}
	return name
}

// polymorphic reports whether the index operators of a type are made for any array, enum or range: an index with
// them is kept only when the type is the same, not a domain over it.
func (s *Schema) polymorphic(t sqlType) bool {
	t = s.bottom(t)
	if t.array {
		return true
	}
	if u := s.Type(splitTypeName(t.text)); u != nil {
		return u.Kind != 'b' && u.Kind != 'd'
	}
	return strings.HasSuffix(t.text, "range") // of PostgreSQL itself, multiranges too
}

// usingType is the type of a USING expression that is nothing but the column under casts which change nothing;
// otherwise why says what else it is.
func (s *Schema) usingType(n *pg.Node, column string, have sqlType) (t sqlType, why string) {
	if columnOf(n.GetColumnRef()) == column {
		return have, ""
	}
	if c := n.GetCollateClause(); c != nil {
		return s.usingType(c.Arg, column, have)
	}
	if c := n.GetTypeCast(); c != nil {
		if t, why = s.usingType(c.Arg, column, have); why != "" {
			return t, why
		}
		want := s.writtenType(typeName(c.TypeName))
		if want.unknown {
			return t, "USING casts to a type that is not known"
		}
		return want, s.coerce(t, want)
	}
	return have, "USING computes every value"
}

// lastPart is a name without its schema, for collations: pg_catalog."C" and "C" are one.
func lastPart(name string) string {
	n := splitTypeName(name).Name
	if n == "default" {
		return ""
	}
	return n
}
