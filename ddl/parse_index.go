package ddl

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// indexLayout is where the parts of a CREATE INDEX stand, as token indexes.
type indexLayout struct {
	open, close int // the brackets around the elements
	include     int // INCLUDE, or end
	with        int // WITH, or end
	where       int // WHERE, or end
	end         int
}

func (c *statement) indexLayout(n *pg.IndexStmt) indexLayout {
	l := indexLayout{end: c.last}
	l.open = c.findKind(c.skipRelation(c.at(n.Relation.Location)), c.last, tokParen)
	l.close = c.closer(l.open, c.last)
	l.include = c.findKind(l.close+1, c.last, pg.Token_INCLUDE)
	l.where = c.findKind(l.close+1, c.last, pg.Token_WHERE)
	l.with = c.findKind(l.close+1, l.where, pg.Token_WITH)
	return l
}

func (c *statement) createIndex(n *pg.IndexStmt) CreateIndex {
	op := CreateIndex{
		Name:             n.Idxname,
		Table:            relName(n.Relation),
		Only:             !n.Relation.Inh,
		IfNotExists:      n.IfNotExists,
		Concurrently:     n.Concurrent,
		Unique:           n.Unique,
		Method:           n.AccessMethod,
		Tablespace:       n.TableSpace,
		NullsNotDistinct: n.NullsNotDistinct,
	}
	l := c.indexLayout(n)
	for i, part := range c.elements(l.open+1, l.close) {
		if i < len(n.IndexParams) {
			op.Elems = append(op.Elems, c.indexElem(n.IndexParams[i].GetIndexElem(), part))
		}
	}
	for _, e := range n.IndexIncludingParams {
		op.Include = append(op.Include, e.GetIndexElem().GetName())
	}
	if len(n.Options) > 0 {
		op.With = c.slice(l.with+2, c.closer(l.with+1, l.where))
	}
	if n.WhereClause != nil {
		op.Where = c.slice(l.where+1, l.end)
	}
	return op
}

// indexElem reads an index element, whose tokens are part.
func (c *statement) indexElem(e *pg.IndexElem, part span) IndexElem {
	out := IndexElem{Column: e.GetName()}
	i := c.skipIdent(part.start)
	switch {
	case out.Column != "":
	case c.kind(part.start) == tokParen:
		i = c.closer(part.start, part.end) + 1
		out.Expr = c.slice(part.start+1, i-1)
	default:
		i = part.start
		if c.has(i, pg.Token_COLLATION, pg.Token_FOR) {
			i += 2
		} else {
			i = c.skipName(i)
		}
		if c.kind(i) == tokParen && i < part.end {
			i = c.closer(i, part.end) + 1
		}
		out.Expr = c.slice(part.start, i)
	}
	if c.kind(i) == pg.Token_COLLATE && i < part.end {
		out.Collation = nameOf(e.Collation).String()
		i = c.skipName(i + 1)
	}
	// What is left is: opclass [(parameters)] [ASC | DESC] [NULLS FIRST | LAST].
	options := c.find(i, part.end, func(j int) bool {
		k := c.kind(j)
		return k == pg.Token_ASC || k == pg.Token_DESC || k == pg.Token_NULLS_P && j+1 < part.end
	})
	if len(e.GetOpclass()) > 0 {
		out.Opclass = c.slice(i, options)
	}
	out.Options = strings.ToUpper(c.slice(options, part.end))
	return out
}
