package pg

import "strings"

// Ident quotes one identifier, always: no keyword list to keep up with.
func Ident(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Literal quotes a string constant so that it means the same whatever
// standard_conforming_strings says.
func Literal(s string) string {
	q := strings.ReplaceAll(s, `'`, `''`)
	if strings.Contains(q, `\`) {
		return ` E'` + strings.ReplaceAll(q, `\`, `\\`) + `'`
	}
	return `'` + q + `'`
}

// QName names an object in a schema.
type QName struct{ Schema, Name string }

// String is the quoted text, with the schema when there is one.
func (n QName) String() string {
	if n.Schema == "" {
		return Ident(n.Name)
	}
	return Ident(n.Schema) + "." + Ident(n.Name)
}
