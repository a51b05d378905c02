package ddl

import "strings"

// Facts is what a server knows beyond the user's own objects, taken once so that planning stays pure.
type Facts struct {
	// Types are pg_catalog's and those of extensions, without array types.
	Types map[Name]*BuiltinType
	// Casts are all of pg_cast.
	Casts map[CastKey]Cast
	// Volatile, Stable and Immutable hold bare function names of every schema, each name in one of them. A name
	// with overloads counts by the most volatile.
	Volatile, Stable, Immutable map[string]bool
	Extensions                  []Extension
}

// BuiltinType is a type that is not the user's.
type BuiltinType struct {
	OID      uint32
	Text     string // format_type: "character varying"
	Len      int    // bytes; -1 = varlena, -2 = C string
	ByValue  bool
	Category byte // pg_type.typcategory
	Kind     byte // pg_type.typtype
	Storage  byte
	Collates bool
}

// CastKey names a cast as format_type prints its types, without modifiers.
type CastKey struct{ From, To string }

// Cast is a row of pg_cast. One with From = To is a length coercion.
type Cast struct {
	Method     byte   // b = binary coercible, f = function, i = through text input and output
	Context    byte   // e = explicit only, a = assignment, i = implicit
	Function   string // as regproc prints it
	Volatility byte   // of the function: i s v
}

// Extension is an installed extension.
type Extension struct{ Name, Version, Schema string }

// FunctionVolatility gives the most volatile reading of a function name: 'v', 's' or 'i'. A function that nobody
// knows is volatile.
func (s *Schema) FunctionVolatility(name string) byte {
	f := s.Facts
	name = s.functionBehind(name)
	switch {
	case f == nil || f.Volatile[name]:
		return 'v'
	case f.Stable[name]:
		return 's'
	}
	volatility := byte('v')
	if f.Immutable[name] {
		volatility = 'i'
	}
	for _, u := range s.Functions { // one that a statement has made since the facts were taken
		if u.Name.Name != name {
			continue
		}
		if u.Volatile == 'v' {
			return 'v'
		}
		if u.Volatile == 's' || !f.Immutable[name] {
			volatility = u.Volatile
		}
	}
	return volatility
}

// functionBehind is the function that a name of the grammar stands for: before 14 extract is only a way to write date_part.
func (s *Schema) functionBehind(name string) string {
	if name == "extract" && s.Version < 140000 {
		return "date_part"
	}
	return name
}

// knowsFunction reports whether a function of that name has been seen.
func (s *Schema) knowsFunction(name string) bool {
	name = s.functionBehind(name)
	if f := s.Facts; f != nil && (f.Volatile[name] || f.Stable[name] || f.Immutable[name]) {
		return true
	}
	for _, u := range s.Functions {
		if u.Name.Name == name {
			return true
		}
	}
	return false
}

// BuiltinType finds a type that is not the user's as a statement names it; nil for others. Like PostgreSQL it
// looks in pg_catalog before the search_path.
func (s *Schema) BuiltinType(n Name) *BuiltinType {
	if s.Facts == nil {
		return nil
	}
	if n.Schema != "" {
		return s.Facts.Types[n]
	}
	if t := s.Facts.Types[Name{"pg_catalog", n.Name}]; t != nil {
		return t
	}
	for _, sch := range s.SearchPath {
		if t := s.Facts.Types[Name{sch, n.Name}]; t != nil {
			return t
		}
	}
	return nil
}

// Cast finds the cast between two types written as format_type does; modifiers are ignored.
func (s *Schema) Cast(from, to string) (Cast, bool) {
	if s.Facts == nil {
		return Cast{}, false
	}
	c, ok := s.Facts.Casts[CastKey{bareType(from), bareType(to)}]
	return c, ok
}

// bareType takes the modifier out of a type name: "timestamp(3) with time zone" → "timestamp with time zone".
func bareType(t string) string {
	if strings.HasPrefix(t, "interval") {
		return "interval"
	}
	i := strings.IndexByte(t, '(')
	if i < 0 || strings.HasPrefix(t, `"`) {
		return t
	}
	j := strings.IndexByte(t[i:], ')')
	if j < 0 {
		return t
	}
	return t[:i] + t[i+j+1:]
}
