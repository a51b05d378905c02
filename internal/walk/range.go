package walk

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/replank/replank/internal/pg"
)

// Column is a column of the key that is walked.
type Column struct {
	Name string
	Type string // with its schema where it has one, as a cast needs it
	// Schema holds the operators of the type's default B-tree class. They are always named with it: whatever
	// search_path is in force, the walk must compare as the index does.
	Schema string
}

// Key is what a table is walked by; without columns it is ctid.
type Key []Column

// Range is a part of one relation: for a key (From, To], for ctid [From, To). A nil end is open.
type Range struct {
	// Part is the relation to name, qualified and quoted. By ctid it is a leaf and means ONLY itself.
	Part     string
	Only     bool
	From, To []string
	// Size is about how many rows (by key) or row positions (by ctid) the range holds.
	Size int64
	key  Key
	// Of the rows only those of one share of the pages' row positions; of = 0: all.
	share, of int
	// params: Where has parameters in place of what differs from range to range.
	params bool
}

// Parameters is a range by ctid for a statement that is prepared once: its Where has $1, $2 … in place of what differs
// from range to range, and args are their values. Without args it is the range itself.
func (r Range) Parameters() (p Range, args []any) {
	if len(r.key) > 0 || r.From == nil || r.To == nil {
		return r, nil
	}
	r.params = true
	args = []any{r.From[0], r.To[0]}
	if r.of > 0 {
		args = append(args, int32(r.share))
	}
	return r, args
}

// Relation is Part as FROM, UPDATE and DELETE want it.
func (r Range) Relation() string {
	if r.Only {
		return "ONLY " + r.Part
	}
	return r.Part
}

// Where is the condition for the rows of the range, on the relation known as alias (quoted).
func (r Range) Where(alias string) string {
	var conds []string
	if len(r.key) == 0 {
		value := func(param, literal string) string {
			if r.params {
				return param
			}
			return literal
		}
		if r.From != nil {
			conds = append(conds, alias+".ctid >= "+value("$1", pg.Literal(r.From[0]))+"::pg_catalog.tid")
		}
		if r.To != nil {
			conds = append(conds, alias+".ctid < "+value("$2", pg.Literal(r.To[0]))+"::pg_catalog.tid")
		}
		if r.of > 0 {
			conds = append(conds, fmt.Sprintf("(pg_catalog.hashtid(%s.ctid) OPERATOR(pg_catalog.&) %d) OPERATOR(pg_catalog.=) %s::pg_catalog.int4",
				alias, r.of-1, value("$3", strconv.Itoa(r.share))))
		}
	} else {
		if r.From != nil {
			conds = append(conds, r.key.compare(alias, ">", r.From))
		}
		if r.To != nil {
			conds = append(conds, r.key.compare(alias, "<=", r.To))
		}
	}
	if conds == nil {
		return "true"
	}
	return strings.Join(conds, " AND ")
}

func (r Range) String() string {
	ends := func(v []string) string {
		if v == nil {
			return "…"
		}
		return strings.Join(v, ",")
	}
	return r.Part + " from " + ends(r.From) + " to " + ends(r.To)
}

// Equal is the condition for the one row with these key values.
func (k Key) Equal(alias string, values []string) string {
	conds := make([]string, len(k))
	for i, c := range k {
		conds[i] = c.op(alias, "=", values[i])
	}
	return strings.Join(conds, " AND ")
}

// Match is the condition that the columns of the key in a equal the columns named others in b.
func (k Key) Match(a, b string, others []string) string {
	conds := make([]string, len(k))
	for i, c := range k {
		conds[i] = fmt.Sprintf("%s.%s OPERATOR(%s.=) %s.%s", a, pg.Ident(c.Name), pg.Ident(c.Schema), b, pg.Ident(others[i]))
	}
	return strings.Join(conds, " AND ")
}

// Texts lists the key columns as text, for reading values that go back in through a cast.
func (k Key) Texts(alias string) string {
	cols := make([]string, len(k))
	for i, c := range k {
		cols[i] = alias + "." + pg.Ident(c.Name) + "::pg_catalog.text"
	}
	return strings.Join(cols, ", ")
}

func (k Key) columns(alias, suffix string) string {
	cols := make([]string, len(k))
	for i, c := range k {
		cols[i] = alias + "." + pg.Ident(c.Name) + suffix
	}
	return strings.Join(cols, ", ")
}

func (c Column) value(v string) string { return pg.Literal(v) + "::" + c.Type }

func (c Column) op(alias, op, v string) string {
	return fmt.Sprintf("%s.%s OPERATOR(%s.%s) %s", alias, pg.Ident(c.Name), pg.Ident(c.Schema), op, c.value(v))
}

// compare is a row comparison, which a composite index serves as one scan. Where the columns' operators live in
// different schemas a row cannot name them, and the comparison is spelled out, with its first column alone in
// front for the index.
func (k Key) compare(alias, op string, values []string) string {
	schema := k[0].Schema
	if !slices.ContainsFunc(k, func(c Column) bool { return c.Schema != schema }) {
		vals := make([]string, len(k))
		for i, c := range k {
			vals[i] = c.value(values[i])
		}
		if len(k) == 1 {
			return k[0].op(alias, op, values[0])
		}
		return fmt.Sprintf("(%s) OPERATOR(%s.%s) (%s)", k.columns(alias, ""), pg.Ident(schema), op, strings.Join(vals, ", "))
	}
	strict := op[:1]
	cond := k[len(k)-1].op(alias, op, values[len(k)-1])
	for i := len(k) - 2; i >= 0; i-- {
		cond = fmt.Sprintf("(%s OR (%s AND %s))", k[i].op(alias, strict, values[i]), k[i].op(alias, "=", values[i]), cond)
	}
	return k[0].op(alias, strict+"=", values[0]) + " AND " + cond
}

// tids counts row positions: a position is block*perBlock + offset. Offsets that no page of this size can hold are
// not counted, so that halving a range ends at a row quickly.
type tids struct{ perBlock int64 }

// A line pointer and the smallest tuple header take 28 bytes of a page.
func newTids(blockSize int64) tids { return tids{perBlock: blockSize/28 + 1} }

func (t tids) text(pos int64) string {
	return "(" + strconv.FormatInt(pos/t.perBlock, 10) + "," + strconv.FormatInt(pos%t.perBlock, 10) + ")"
}

func (t tids) parse(s string) (int64, error) {
	b, o, ok := strings.Cut(strings.Trim(s, "()"), ",")
	block, err1 := strconv.ParseInt(b, 10, 64)
	offset, err2 := strconv.ParseInt(o, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return 0, fmt.Errorf("not a ctid: %q", s)
	}
	return block*t.perBlock + offset, nil
}
