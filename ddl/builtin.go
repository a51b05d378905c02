package ddl

import (
	_ "embed"
	"strconv"
	"strings"
)

// The oldest and the newest major version of PostgreSQL that Builtin knows.
const (
	OldestMajor = 12
	NewestMajor = 18
)

// builtinFacts is written by catalog's TestBuiltin from live servers of all majors. A line is a range of majors
// ("12", "13-18"), to which the lines below it belong, or one fact, its fields divided by tabs:
//
//	t  name  OID  length  v|-  category  kind  storage  c|-  text    a type; v = passed by value, c = collates
//	c  from  to  method  context  function  volatility               a cast
//	i|s|v  name                                                      a function
//	e  name  version  schema                                         an extension
//
//go:embed builtin.tsv
var builtinFacts string

// Builtin is what a plain server of a major version knows, as catalog would read it from one, so that statements can be
// judged without a database. For a major that is older or newer than those known it is the nearest one's.
func Builtin(major int) *Facts {
	major = min(max(major, OldestMajor), NewestMajor)
	f := &Facts{
		Types: make(map[Name]*BuiltinType, 128), Casts: make(map[CastKey]Cast, 256), Volatile: make(map[string]bool, 512),
		Stable: make(map[string]bool, 512), Immutable: make(map[string]bool, 2048),
	}
	wanted := false
	for line := range strings.Lines(builtinFacts) {
		line = strings.TrimSuffix(line, "\n")
		if line[0] >= '0' && line[0] <= '9' {
			wanted = within(line, major)
		} else if wanted {
			f.add(line)
		}
	}
	return f
}

// within reads "12" and "13-18".
func within(majors string, major int) bool {
	from, to, several := strings.Cut(majors, "-")
	if !several {
		to = from
	}
	first, _ := strconv.Atoi(from)
	last, _ := strconv.Atoi(to)
	return first <= major && major <= last
}

func (f *Facts) add(line string) {
	kind, rest, _ := strings.Cut(line, "\t")
	switch kind {
	case "i":
		f.Immutable[rest] = true
	case "s":
		f.Stable[rest] = true
	case "v":
		f.Volatile[rest] = true
	case "t":
		v := strings.Split(rest, "\t")
		oid, _ := strconv.ParseUint(v[1], 10, 32)
		length, _ := strconv.Atoi(v[2])
		f.Types[Name{"pg_catalog", v[0]}] = &BuiltinType{OID: uint32(oid), Len: length, ByValue: v[3] == "v", Category: v[4][0],
			Kind: v[5][0], Storage: v[6][0], Collates: v[7] == "c", Text: v[8]}
	case "c":
		v := strings.Split(rest, "\t")
		f.Casts[CastKey{v[0], v[1]}] = Cast{Method: v[2][0], Context: v[3][0], Function: v[4], Volatility: v[5][0]}
	case "e":
		v := strings.Split(rest, "\t")
		f.Extensions = append(f.Extensions, Extension{v[0], v[1], v[2]})
	}
}

// Empty is a database of a plain server of a major version in which nothing has been created: the state in which a
// history starts when nothing else is known. User is the owner of what is created, without being a superuser.
func Empty(major int, user string) *Schema {
	return &Schema{
		Version: major * 10000, SearchPath: []string{"public"}, PathSetting: []string{user, "public"}, TimeZone: "UTC", User: user,
		Schemas: []string{"public"}, Relations: map[Name]*Relation{}, Indexes: map[Name]*Index{}, Sequences: map[Name]*Sequence{},
		Types: map[Name]*Type{}, Functions: map[string]*Function{}, Facts: Builtin(major),
	}
}
