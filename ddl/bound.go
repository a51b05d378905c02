package ddl

import (
	"fmt"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// PartitionCondition is what the rows of a partition with this bound must be: within the bound, and within those of the
// parent and its parents. It stands in the very form that PostgreSQL gives to the partition's constraint (partbounds.c), so
// that ATTACH believes a valid CHECK of it. ok is false where no CHECK can have that form.
func (s *Schema) PartitionCondition(parent *Relation, bound string) (condition string, ok bool) {
	if condition, ok = s.boundCondition(parent, bound); !ok || !parent.IsPartition {
		return condition, ok
	}
	above := s.Relation(parent.Parents[0])
	if above == nil {
		return "", false
	}
	rest, ok := s.PartitionCondition(above, parent.Bound)
	return condition + " AND " + rest, ok
}

// DefaultCondition is what the rows of the default partition must be when there is to be a partition with this bound; it is
// a condition for a CHECK, as that of [Schema.PartitionCondition].
func (s *Schema) DefaultCondition(parent *Relation, bound string) (condition string, ok bool) {
	condition, ok = s.boundCondition(parent, bound)
	return "NOT (" + condition + ")", ok
}

// PartitionColumns are the columns which the bounds of a table's partitions speak of: those of its own key and of its
// parents' keys.
func (s *Schema) PartitionColumns(parent *Relation) []string {
	var out []string
	for r := parent; r != nil; {
		for _, c := range r.PartitionBy {
			if !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
		if !r.IsPartition {
			break
		}
		r = s.Relation(r.Parents[0])
	}
	return out
}

// boundCondition writes one bound as a condition over the partition's columns. ok is false for a key that is more than
// columns: with an expression, a collation or an operator class of its own, which the comparisons of a CHECK would not
// have; for a hash of text, whose call in the partition's constraint has no collation, unlike any that can be written;
// and for values that another moment or session would compute otherwise.
func (s *Schema) boundCondition(parent *Relation, bound string) (condition string, ok bool) {
	method, _, _ := strings.Cut(parent.PartitionKey, " ")
	cols := make([]string, len(parent.PartitionBy))
	for i, c := range parent.PartitionBy {
		cols[i] = QuoteIdent(c)
	}
	spec := readBound(bound)
	if spec == nil || spec.IsDefault || !s.fixed(spec) || parent.PartitionKey != method+" ("+strings.Join(cols, ", ")+")" {
		return "", false
	}
	switch method {
	case "HASH":
		for _, name := range parent.PartitionBy {
			if c := parent.Column(name); c == nil || s.bottom(s.columnType(c)).collates {
				return "", false
			}
		}
		return fmt.Sprintf("satisfies_hash_partition(%s::pg_catalog.regclass::pg_catalog.oid, %d, %d, %s)",
			QuoteLiteral(parent.Name.String()), spec.Modulus, spec.Remainder, strings.Join(cols, ", ")), true
	case "LIST":
		return listCondition(cols[0], spec), true
	case "RANGE":
		lower, upper := rangeValues(spec.Lowerdatums), rangeValues(spec.Upperdatums)
		if len(lower) == len(cols) && len(upper) == len(cols) {
			return rangeCondition(cols, lower, upper), true
		}
	}
	return "", false
}

// fixed reports whether the values of a bound are always the same, and can be written.
func (s *Schema) fixed(spec *pg.PartitionBoundSpec) bool {
	for _, d := range slices.Concat(spec.Listdatums, spec.Lowerdatums, spec.Upperdatums) {
		if exprText(d) == "" || first[pg.SQLValueFunction](d) != nil {
			return false
		}
	}
	return !slices.ContainsFunc(functionNames(spec), func(f string) bool { return s.FunctionVolatility(f) != 'i' })
}

func readBound(bound string) *pg.PartitionBoundSpec {
	_, stmt, err := one("CREATE TABLE x PARTITION OF y " + bound)
	if err != nil {
		return nil
	}
	return stmt.GetCreateStmt().GetPartbound()
}

func listCondition(col string, spec *pg.PartitionBoundSpec) string {
	var values []string
	null := false
	for _, d := range spec.Listdatums {
		if d.GetAConst().GetIsnull() {
			null = true
		} else {
			values = append(values, exprText(d))
		}
	}
	in := col + " IN (" + strings.Join(values, ", ") + ")"
	switch {
	case len(values) == 0:
		return col + " IS NULL"
	case null:
		return "(" + col + " IS NULL OR " + in + ")"
	}
	return col + " IS NOT NULL AND " + in
}

// The ends that are no value. No expression deparses to these words.
const minvalue, maxvalue = "MINVALUE", "MAXVALUE"

// rangeValues are the values of FROM or TO.
func rangeValues(datums []*pg.Node) []string {
	out := make([]string, len(datums))
	for i, d := range datums {
		switch strings.ToUpper(columnOf(d.GetColumnRef())) {
		case minvalue:
			out[i] = minvalue
		case maxvalue:
			out[i] = maxvalue
		default:
			out[i] = exprText(d)
		}
	}
	return out
}

func isValue(v string) bool { return v != minvalue && v != maxvalue }

// rangeCondition: the first columns, as far as both ends agree on their values, are equal to these. Of the others,
// (a, b) >= (1, 2) is a > 1 OR (a = 1 AND b >= 2).
func rangeCondition(cols, lower, upper []string) string {
	var terms []string
	for _, c := range cols {
		terms = append(terms, c+" IS NOT NULL")
	}
	for len(cols) > 0 && isValue(lower[0]) && lower[0] == upper[0] {
		terms = append(terms, cols[0]+" = "+lower[0])
		cols, lower, upper = cols[1:], lower[1:], upper[1:]
	}
	// A range holds its lower end and not its upper one. An end in which a column is open towards the inside holds
	// everything that is equal up to there.
	for _, end := range []string{rangeEnd(cols, lower, ">", ">=", minvalue), rangeEnd(cols, upper, "<", "<", maxvalue)} {
		if end != "" {
			terms = append(terms, end)
		}
	}
	return strings.Join(terms, " AND ")
}

// rangeEnd is one end of a range, "" when it is open from its first column on. The last value is compared by last, or,
// when a column open towards the inside follows, with equality.
func rangeEnd(cols, values []string, op, last, inside string) string {
	var arms []string
	equal := ""
	for i, v := range values {
		if !isValue(v) {
			break
		}
		cmp := op
		if i == len(values)-1 {
			cmp = last
		} else if values[i+1] == inside {
			cmp = op + "="
		}
		arms = append(arms, equal+cols[i]+" "+cmp+" "+v)
		equal += cols[i] + " = " + v + " AND "
	}
	if len(arms) < 2 {
		return strings.Join(arms, "")
	}
	return "((" + strings.Join(arms, ") OR (") + "))"
}
