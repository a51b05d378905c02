package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// computing says how expressions over columns of r are computed. types are those of the columns on both sides,
// settings the expressions whose values may depend on settings, and also is what else names something.
func (c *compiler) computing(r *ddl.Relation, types, settings []string, also ...string) computing {
	k := computing{path: c.pathFor(slices.Concat(settings, also)...), fixed: c.settingsMatter(r, types, settings...)}
	// What the table's owner may replace, a function that an expression calls, must not run as a superuser.
	if c.now.Superuser && c.opt.Owner == "" && r.Owner != c.now.User {
		k.owner = r.Owner
	}
	return k
}

// triggerable refuses expressions that cannot be computed from the row being written alone: a row of r with the
// columns that the same step adds.
func (c *compiler) triggerable(r *ddl.Relation, added []string, exprs ...string) error {
	for _, e := range exprs {
		if e == "" {
			continue
		}
		if _, err := ddl.QualifyColumns(e, "NEW"); err != nil {
			return c.refuse("trigger-expression", "call a function of the row's columns instead",
				"the trigger that keeps both shapes equal computes from the row being written, and cannot use this: %v", err)
		}
		cols, err := ddl.Columns(e)
		if err != nil {
			return err
		}
		for _, name := range cols {
			switch k := r.Column(name); {
			case slices.Contains(added, name) || name == r.Name.Name || name == "tableoid":
			case k == nil:
				return fmt.Errorf("column %s of relation %s does not exist; the expression %s reads it", qi(name), r.Name, e)
			case k.Generated != 0:
				return c.refuse("trigger-expression", "write the expression of the generated column in its place",
					"%s is computed from the row behind every BEFORE trigger, so the trigger that keeps both shapes equal cannot read it", qi(name))
			case c.physical(r.Name, name) != name:
				// A trigger of its own keeps its shapes equal, and may run behind the one that would read it.
				return c.refuse("held-column", "put it into a migration of its own, applied after this one is complete",
					"column %s of %s has two shapes until complete, and the expression %s reads it in a trigger", qi(name), r.Name, e)
			}
		}
	}
	return nil
}

// inputs gives a sync the columns of neither shape that its expressions read, and refuses what is not computed from
// columns alone. A change of such a column alone would mean one thing to old code, for whom the new shape follows, and
// another to new code, so both shapes cannot be writable.
func (c *compiler) inputs(y *sync, r *ddl.Relation) error {
	shapes := slices.Concat(y.old, y.new)
	for _, side := range shapes {
		if side.from == "" {
			continue
		}
		if ddl.OfTheMoment(side.from) {
			return c.refuse("trigger-expression", "compute it in a migration of its own, before or after this one",
				"%s gives another value each time it is computed, so nobody could tell whether both shapes are equal", side.from)
		}
		cols, err := ddl.Columns(side.from)
		if err != nil {
			return err
		}
		for _, name := range cols {
			col := r.Column(name)
			is := func(s syncColumn) bool { return s.name == name }
			if col == nil || slices.ContainsFunc(shapes, is) || slices.ContainsFunc(y.inputs, is) {
				continue
			}
			y.inputs = append(y.inputs, syncColumn{name: name, typ: col.Type, plainEq: plainEq(col.Type, col.Collation)})
			if y.writable() {
				return c.refuse("trigger-expression", "leave `-- replank: inverse` away, so that the new shape is read-only until complete",
					"%s stays and belongs to neither shape: when it changes alone, nobody can tell which of the two has to follow", qi(name))
			}
		}
	}
	return nil
}

// computable has the server analyse assignments, of which nothing is planned and no trigger fires. A trigger function
// is analysed when it is called first: what is wrong in it would meet the application's writes. It goes into the step
// that makes the function, behind the columns that the expressions read.
func computable(table ddl.Name, set []ddl.Assignment) []string {
	if len(set) == 0 {
		return nil
	}
	parts := make([]string, len(set))
	for i, a := range set {
		parts[i] = qi(a.Column) + " = " + a.Expr
	}
	return []string{fmt.Sprintf("PREPARE replank_check AS UPDATE ONLY %s SET %s", table, strings.Join(parts, ", ")), "DEALLOCATE replank_check"}
}

// mayRaise reports whether an expression over a column of one type can fail for a value of it, where it makes another
// type. It says no only where every value has a place in the other type.
func mayRaise(expr, col, from, to string) bool {
	if expr != qi(col) && !ddl.IsCast(expr, col) || strings.Count(expr, "::") > 1 {
		return true
	}
	holds := func(types ...string) bool {
		i, j := slices.Index(types, from), slices.Index(types, to)
		return i >= 0 && j >= i
	}
	return from != to && !slices.Contains([]string{"text", "character varying"}, to) &&
		!holds("smallint", "integer", "bigint", "numeric") && !holds("integer", "boolean") && !holds("boolean", "integer")
}

// reversed is the cast back from the type of a twin. An assignment says when a value has no place in the old type;
// booleans and bits have only explicit casts to numbers.
func reversed(col, from, to string) string {
	bits := regexp.MustCompile(`^(boolean|bit)\b`)
	if bits.MatchString(from) != bits.MatchString(to) {
		return qi(col) + "::" + to
	}
	return qi(col)
}

// pathFor gives the search_path that an expression needs inside a function; "" when it names nothing but
// columns, constants and PostgreSQL's own types, which no search_path of a client can hide.
func (c *compiler) pathFor(exprs ...string) string {
	for _, e := range exprs {
		if !ddl.NamesNothing(e) {
			return searchPath(append([]string{"pg_catalog"}, c.now.SearchPath...))
		}
	}
	return ""
}

// settingsMatter reports whether what expressions over columns of r make of a value depends on settings of the
// session. types are those of the columns on both sides.
func (c *compiler) settingsMatter(r *ddl.Relation, types []string, exprs ...string) bool {
	for _, e := range exprs {
		if e == "" {
			continue
		}
		if c.now.DependsOnSettings(e) {
			return true
		}
		cols, err := ddl.Columns(e)
		if err != nil {
			return true
		}
		for _, name := range cols {
			if col := r.Column(name); col != nil {
				types = append(types, col.Type)
			}
		}
	}
	slices.Sort(types)
	if len(slices.Compact(types)) < 2 {
		return false // nothing is converted
	}
	return slices.ContainsFunc(types, ddl.PrintedBySettings)
}
