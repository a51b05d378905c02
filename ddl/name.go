package ddl

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxIdent is the longest identifier in bytes (NAMEDATALEN - 1).
const maxIdent = 63

// Labels of the names that PostgreSQL chooses.
const (
	LabelPrimaryKey = "pkey"
	LabelUnique     = "key"
	LabelExclude    = "excl"
	LabelIndex      = "idx"
	LabelCheck      = "check"
	LabelForeignKey = "fkey"
	LabelSequence   = "seq"
	LabelNotNull    = "not_null"
)

// IndexName is the name that PostgreSQL gives to an index, or to the constraint that owns one: t_pkey,
// t_a_b_key, t_a_b_excl, t_a_idx. cols are the keys and then the INCLUDE columns, "" where an expression has no
// name of its own (see [CreateIndex.ColumnNames]). taken must be true for the relations of the schema, and for
// the labels of constraints also for its constraints.
func IndexName(table string, cols []string, label string, taken func(string) bool) string {
	if label == LabelPrimaryKey {
		return choose(table, "", label, taken)
	}
	return choose(table, joinColumns(distinctColumns(cols)), label, taken)
}

// ConstraintName is the name that PostgreSQL gives to a constraint without an index: t_a_b_fkey, t_a_not_null,
// t_a_check where the expression has exactly one column, otherwise t_check (domains: no column). taken must be
// true for the constraints of the schema, of whatever table.
func ConstraintName(table string, cols []string, label string, taken func(string) bool) string {
	switch {
	case label == LabelPrimaryKey || label == LabelUnique || label == LabelExclude:
		return IndexName(table, cols, label, taken)
	case label == LabelCheck && len(cols) != 1:
		cols = nil
	}
	return choose(table, joinColumns(cols), label, taken)
}

// SequenceName is the name of the sequence of a serial or identity column. taken must be true for the
// relations of the schema.
func SequenceName(table, column string, taken func(string) bool) string {
	return choose(table, column, LabelSequence, taken)
}

// ColumnNames are the names of the index's columns, those of INCLUDE last: for an expression the name that
// PostgreSQL derives from it (lower(a) → lower), or "" when there is none.
func (c CreateIndex) ColumnNames() []string {
	var names []string
	for _, e := range c.Elems {
		name := e.Column
		if name == "" {
			if _, n, err := parseExpr(e.Expr); err == nil {
				name, _ = outputName(n)
			}
		}
		names = append(names, name)
	}
	return append(names, c.Include...)
}

// choose is ChooseRelationName and ChooseConstraintName of PostgreSQL: the label gets a number until the name
// is free.
func choose(name1, name2, label string, taken func(string) bool) string {
	name := objectNameOf(name1, name2, label)
	for pass := 1; taken != nil && taken(name); pass++ {
		name = objectNameOf(name1, name2, label+strconv.Itoa(pass))
	}
	return name
}

// objectNameOf is makeObjectName of PostgreSQL: the longer of the two names loses bytes until all of it fits.
func objectNameOf(name1, name2, label string) string {
	avail := maxIdent - len(label) - 1
	if name2 != "" {
		avail--
	}
	n1, n2 := len(name1), len(name2)
	for n1+n2 > avail {
		if n1 > n2 {
			n1--
		} else {
			n2--
		}
	}
	name := clip(name1, n1)
	if name2 != "" {
		name += "_" + clip(name2, n2)
	}
	return name + "_" + label
}

// clip cuts s to at most n bytes without breaking a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// distinctColumns is ChooseIndexColumnNames of PostgreSQL: a name that occurs again gets a number.
func distinctColumns(cols []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, name := range cols {
		if name == "" {
			name = "expr"
		}
		unique := name
		for i := 1; seen[unique]; i++ {
			number := strconv.Itoa(i)
			unique = clip(name, maxIdent-len(number)) + number
		}
		seen[unique] = true
		out = append(out, unique)
	}
	return out
}

// joinColumns is ChooseIndexNameAddition of PostgreSQL, which stops once the name is surely too long.
func joinColumns(cols []string) string {
	var b strings.Builder
	for _, c := range cols {
		if b.Len() > 0 {
			b.WriteByte('_')
		}
		if b.WriteString(c); b.Len() > maxIdent {
			break
		}
	}
	return b.String()
}
