package ddl

import (
	"slices"
	"strconv"
	"strings"
)

// columnType is a type as the catalog stores it with a column.
type columnType struct {
	text    string // format_type
	name    Name
	mod     int
	array   bool
	storage byte
	serial  bool
}

var serials = map[string]string{"serial2": "int2", "serial4": "int4", "serial8": "int8"}

// resolveType says what a written type is. Types that nobody knows are taken to be pg_catalog's when they are
// written without a schema: a file may use a type that an extension brings.
func (s *Schema) resolveType(t TypeName) (columnType, error) {
	out := columnType{mod: -1, array: t.Array > 0}
	name := t.Name
	if base := serials[name]; base != "" && t.Schema == "" {
		name, out.serial = base, true
		t.Schema = "pg_catalog"
	}
	n := Name{t.Schema, name}
	if strings.HasPrefix(name, "_") && t.Schema == "" && s.Type(n) == nil && s.BuiltinType(Name{"pg_catalog", name[1:]}) != nil {
		n.Name, out.array = name[1:], true // _int4 is integer[]
	}
	user, rel := s.Type(n), s.lookup(n)
	builtin := s.BuiltinType(n)
	_, known := systemTypes[name]
	switch {
	case builtin != nil || known && (t.Schema == "" || t.Schema == "pg_catalog"):
		out.name = Name{"pg_catalog", n.Name}
		out.storage = 'x'
		base := systemTypes[n.Name]
		if builtin != nil {
			out.name = s.builtinName(n)
			out.storage, base = builtin.Storage, builtin.Text
		}
		if base == "" {
			base = QuoteIdent(n.Name)
		}
		out.text, out.mod = typeModifier(n.Name, base, t)
	case user != nil:
		out.name, out.text, out.storage = user.Name, user.Name.String(), s.userStorage(user)
	case rel != nil:
		out.name, out.text, out.storage = rel.Name, rel.Name.String(), 'x'
	case t.Schema != "" && t.Schema != "pg_catalog" && !slices.Contains(s.Schemas, t.Schema):
		return out, refuse(undefinedSchema, didYouMean(t.Schema, s.Schemas), "schema %q does not exist", t.Schema)
	case s.Facts == nil || len(s.Facts.Types) == 0:
		out.name, out.text, out.storage = Name{"pg_catalog", n.Name}, QuoteIdent(n.Name), 'x'
	default:
		var names []string
		for _, typ := range s.Types {
			names = append(names, typ.Name.Name)
		}
		for b := range s.Facts.Types {
			names = append(names, b.Name)
		}
		slices.Sort(names)
		return out, refuse(undefinedObject, didYouMean(n.Name, names), "type %q does not exist", unquoted(n))
	}
	if out.array {
		out.text += "[]"
		out.storage = 'x'
	}
	return out, nil
}

func (s *Schema) builtinName(n Name) Name {
	for _, schema := range append([]string{n.Schema, "pg_catalog"}, s.SearchPath...) {
		if s.Facts.Types[Name{schema, n.Name}] != nil {
			return Name{schema, n.Name}
		}
	}
	return n
}

func (s *Schema) userStorage(t *Type) byte {
	switch t.Kind {
	case 'e':
		return 'p'
	case 'd':
		if b := s.baseType(t); b != nil {
			return b.Storage
		}
	}
	return 'x'
}

// baseType finds the built-in type under a domain; nil for an array or another user's type.
func (s *Schema) baseType(t *Type) *BuiltinType {
	if s.Facts == nil {
		return nil
	}
	base := bareType(t.Base)
	for _, b := range s.Facts.Types {
		if b.Text == base {
			return b
		}
	}
	return nil
}

// typeModifier prints a type with its modifier, and encodes the modifier as atttypmod.
func typeModifier(name, text string, t TypeName) (string, int) {
	num := func(i int) int {
		if i >= len(t.Mods) {
			return 0
		}
		n, _ := strconv.Atoi(t.Mods[i])
		return n
	}
	const header = 4 // VARHDRSZ
	switch name {
	case "interval":
		if t.Fields == "" {
			return text, -1
		}
		if fields := strings.TrimSpace(t.Fields); !strings.HasPrefix(fields, "(") {
			return "interval " + fields, intervalMod(fields)
		}
		return "interval" + strings.TrimSpace(t.Fields), intervalMod(t.Fields)
	case "bpchar":
		if t.Mods == nil {
			if t.SQL != "" && strings.HasPrefix(t.SQL, "char") {
				return "character(1)", 1 + header
			}
			return "bpchar", -1
		}
		return "character(" + t.Mods[0] + ")", num(0) + header
	case "bit":
		if t.Mods == nil {
			return "bit(1)", 1
		}
		return "bit(" + t.Mods[0] + ")", num(0)
	}
	if len(t.Mods) == 0 {
		return text, -1
	}
	first, rest, found := strings.Cut(text, " with")
	if found {
		rest = " with" + rest
	}
	switch name {
	case "varchar":
		return text + "(" + t.Mods[0] + ")", num(0) + header
	case "numeric":
		scale := num(1)
		return text + "(" + t.Mods[0] + "," + strconv.Itoa(scale) + ")", (num(0)<<16 | scale&0x7ff) + header
	case "timestamp", "timestamptz", "time", "timetz":
		return first + "(" + t.Mods[0] + ")" + rest, num(0)
	case "varbit":
		return text + "(" + t.Mods[0] + ")", num(0)
	}
	return text + "(" + strings.Join(t.Mods, ",") + ")", -1
}

// intervalMod encodes "day to second(3)" or "(3)".
func intervalMod(fields string) int {
	const full = 0x7fff
	words, prec, hasPrec := strings.Cut(strings.TrimSuffix(strings.TrimSpace(fields), ")"), "(")
	mask, precision := full, 0xffff
	for m, w := range intervalFields {
		if w == strings.TrimSpace(words) {
			mask = int(m)
		}
	}
	if hasPrec {
		precision, _ = strconv.Atoi(prec)
	}
	return mask<<16 | precision
}

// qualifiedCollation is a written collation as the catalog names it; "" for the default one.
func qualifiedCollation(written string) string {
	if written == "" || written == `"default"` || written == `pg_catalog."default"` || written == "default" {
		return ""
	}
	if strings.Contains(strings.Trim(written, `"`), ".") && !strings.HasPrefix(written, `"`) {
		return written
	}
	if strings.Contains(written, `."`) {
		return written
	}
	return "pg_catalog." + written
}
