package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/replank/replank/ddl"
)

// internalPrefix begins the name of every column, index and constraint of ours.
const internalPrefix = "_replank_"

// internalName makes the name of an object of ours beside the user's object name. It is a function of name
// alone, so that every step finds it again.
func internalName(name string) string {
	const prefix, limit = internalPrefix, 63
	if len(prefix)+len(name) <= limit {
		return prefix + name
	}
	sum := sha256.Sum256([]byte(name))
	tail := "_" + hex.EncodeToString(sum[:4])
	cut := name[:limit-len(prefix)-len(tail)]
	for !utf8.ValidString(cut) {
		cut = cut[:len(cut)-1]
	}
	return prefix + cut + tail
}

// triggerPrefix begins the name of every trigger of ours, and sorts behind what users call theirs.
const triggerPrefix = "~replank_"

func ownTrigger(t *ddl.Trigger) bool { return strings.HasPrefix(t.Name, triggerPrefix) }

// constraintName is the name that PostgreSQL would choose for an unnamed constraint.
func (c *compiler) constraintName(r *ddl.Relation, k ddl.Constraint) string {
	if k.Name != "" {
		return k.Name
	}
	taken := c.takenConstraint(r)
	switch k.Kind {
	case ddl.PrimaryKey:
		return ddl.IndexName(r.Name.Name, nil, ddl.LabelPrimaryKey, taken)
	case ddl.Unique:
		return ddl.IndexName(r.Name.Name, slices.Concat(k.Columns, k.Include), ddl.LabelUnique, taken)
	case ddl.ForeignKey:
		return ddl.ConstraintName(r.Name.Name, k.Columns, ddl.LabelForeignKey, taken)
	case ddl.NotNull:
		return ddl.ConstraintName(r.Name.Name, k.Columns, ddl.LabelNotNull, taken)
	case ddl.Exclude:
		return ddl.IndexName(r.Name.Name, k.Columns, ddl.LabelExclude, taken)
	}
	cols := k.Columns
	if len(cols) == 0 {
		cols, _ = ddl.Columns(k.Expr) // an expression that does not parse gets the server's error
	}
	return ddl.ConstraintName(r.Name.Name, cols, ddl.LabelCheck, taken)
}

// indexName is the name that PostgreSQL would choose for an unnamed index.
func (c *compiler) indexName(r *ddl.Relation, op ddl.CreateIndex) string {
	return ddl.IndexName(r.Name.Name, op.ColumnNames(), ddl.LabelIndex, c.taken(r.Name.Schema))
}

// taken reports the names of relations that psql would find in a schema: those of the file so far and those that the
// steps of this statement have made. A name that is free only from complete on is free.
func (c *compiler) taken(schema string) func(string) bool {
	return func(name string) bool {
		n := ddl.Name{Schema: schema, Name: name}
		in := func(s *ddl.Schema) bool { return s.Relations[n] != nil || s.Indexes[n] != nil || s.Sequences[n] != nil }
		return in(c.now) || in(c.live) && !in(c.start)
	}
}

// takenConstraint adds the names of constraints in the table's schema.
func (c *compiler) takenConstraint(r *ddl.Relation) func(string) bool {
	relation := c.taken(r.Name.Schema)
	return func(name string) bool {
		if relation(name) {
			return true
		}
		in := func(s *ddl.Schema) bool {
			for n, t := range s.Relations {
				if n.Schema == r.Name.Schema && t.Constraint(name) != nil {
					return true
				}
			}
			return false
		}
		return in(c.now) || in(c.live) && !in(c.start)
	}
}
