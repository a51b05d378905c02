package ddl

import (
	"slices"
	"strings"
	"sync"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// clauseStart finds the clause that starts with this keyword in [i, last), outside of brackets. A FROM that
// belongs to IS DISTINCT FROM starts none.
func (c *statement) clauseStart(i int, kind pg.Token) int {
	return c.find(i, c.last, func(j int) bool {
		return c.kind(j) == kind && !(kind == pg.Token_FROM && c.kind(j-1) == pg.Token_DISTINCT)
	})
}

// clause is the text of a clause up to the next of the clauses that start at ends; "" where it starts at last.
func (c *statement) clause(start int, ends ...int) string {
	if start >= c.last {
		return ""
	}
	end := c.last
	for _, e := range ends {
		if e > start {
			end = min(end, e)
		}
	}
	return c.slice(start+1, end)
}

func (c *statement) update(n *pg.UpdateStmt) Update {
	rel := c.skipRelation(c.at(n.Relation.Location))
	if n.Relation.Alias != nil {
		if c.kind(rel) == pg.Token_AS {
			rel++
		}
		rel = c.skipIdent(rel)
	}
	from, where := c.clauseStart(rel, pg.Token_FROM), c.clauseStart(rel, pg.Token_WHERE)
	if len(n.FromClause) == 0 {
		from = c.last
	}
	returning := c.clauseStart(rel, pg.Token_RETURNING)
	set := min(from, where, returning)
	return Update{
		Table:     relName(n.Relation),
		Only:      !n.Relation.Inh,
		Alias:     n.Relation.Alias.GetAliasname(),
		Set:       c.assignments(n.TargetList, rel+1, set),
		From:      c.clause(from, where, returning),
		Where:     c.clause(where, returning),
		Returning: len(n.ReturningList) > 0,
		With:      n.WithClause != nil,
	}
}

// assignments reads the SET list in the tokens [i, end).
func (c *statement) assignments(targets []*pg.Node, i, end int) []Assignment {
	var list []Assignment
	for _, part := range c.elements(i, end) {
		if len(targets) == 0 {
			break
		}
		eq := c.findKind(part.start, part.end, tokEqual)
		multi := targets[0].GetResTarget().GetVal().GetMultiAssignRef()
		if multi == nil {
			t := targets[0].GetResTarget()
			list = append(list, Assignment{Column: t.Name, Expr: c.slice(eq+1, part.end),
				Indirection: c.slice(c.skipIdent(part.start), eq)})
			targets = targets[1:]
			continue
		}
		n := min(int(multi.Ncolumns), len(targets))
		values := c.rowValues(multi.Source, eq+1, part.end)
		names := c.elements(part.start+1, eq-1)
		for k, t := range targets[:n] {
			a := Assignment{Column: t.GetResTarget().Name, Expr: c.slice(eq+1, part.end), Position: k + 1}
			if len(values) == n {
				a.Expr, a.Position = values[k], 0
			}
			if k < len(names) {
				a.Indirection = c.slice(c.skipIdent(names[k].start), names[k].end)
			}
			list = append(list, a)
		}
		targets = targets[n:]
	}
	return list
}

// rowValues gives the values of a written row, nil where the row comes from a query.
func (c *statement) rowValues(source *pg.Node, i, end int) []string {
	if source.GetRowExpr() == nil {
		return nil
	}
	if c.kind(i) == pg.Token_ROW {
		i++
	}
	if c.kind(i) != tokParen || c.closer(i, end) != end-1 {
		return nil
	}
	var values []string
	for _, v := range c.elements(i+1, end-1) {
		values = append(values, c.slice(v.start, v.end))
	}
	return values
}

func (c *statement) delete(n *pg.DeleteStmt) Delete {
	rel := c.skipRelation(c.at(n.Relation.Location))
	using, where := c.clauseStart(rel, pg.Token_USING), c.clauseStart(rel, pg.Token_WHERE)
	if len(n.UsingClause) == 0 {
		using = c.last
	}
	returning := c.clauseStart(rel, pg.Token_RETURNING)
	return Delete{
		Table:     relName(n.Relation),
		Only:      !n.Relation.Inh,
		Alias:     n.Relation.Alias.GetAliasname(),
		Using:     c.clause(using, where, returning),
		Where:     c.clause(where, returning),
		Returning: len(n.ReturningList) > 0,
		With:      n.WithClause != nil,
	}
}

func (c *statement) insert(n *pg.InsertStmt) Insert {
	op := Insert{Table: relName(n.Relation), With: n.WithClause != nil, Returning: len(n.ReturningList) > 0}
	for _, t := range n.Cols {
		op.Columns = append(op.Columns, t.GetResTarget().Name)
	}
	i := c.skipName(c.at(n.Relation.Location))
	if n.Relation.Alias != nil {
		i = c.skipIdent(i + 1) // AS alias
	}
	if len(n.Cols) > 0 {
		i = c.closer(i, c.last) + 1
	}
	if c.kind(i) == pg.Token_OVERRIDING {
		op.Overriding = strings.ToUpper(c.slice(i+1, i+2))
		i += 3
	}
	end := c.clauseStart(i, pg.Token_RETURNING)
	if k := n.OnConflictClause; k != nil {
		at := c.at(k.Location)
		op.OnConflict, end = c.slice(at, end), at
	}
	sel := n.SelectStmt.GetSelectStmt()
	switch {
	case sel == nil:
		op.Rows = 1 // DEFAULT VALUES
	case len(sel.ValuesLists) > 0 && sel.WithClause == nil && sel.SortClause == nil && sel.LimitCount == nil && sel.LimitOffset == nil:
		op.Rows = len(sel.ValuesLists)
	default:
		op.Query = c.slice(i, end)
		c.plainSource(&op, sel, i, end)
	}
	return op
}

// plainSource fills Source and its like where the query in the tokens [i, end) is a filter and projection of
// one relation.
func (c *statement) plainSource(op *Insert, sel *pg.SelectStmt, i, end int) {
	if c.kind(i) != pg.Token_SELECT || len(sel.FromClause) != 1 || sel.FromClause[0].GetRangeVar() == nil ||
		len(sel.TargetList) == 0 || !plainSelect(sel) {
		return
	}
	rel := sel.FromClause[0].GetRangeVar()
	from := c.find(i, end, func(j int) bool {
		return c.kind(j) == pg.Token_FROM && c.kind(j-1) != pg.Token_DISTINCT
	})
	first := i + 1
	if c.kind(first) == pg.Token_ALL {
		first++
	}
	parts := c.elements(first, from)
	if len(parts) != len(sel.TargetList) || len(rel.GetAlias().GetColnames()) > 0 {
		return
	}
	for k, p := range parts {
		p.end = c.withoutAlias(p, sel.TargetList[k].GetResTarget().GetName())
		op.Targets = append(op.Targets, c.slice(p.start, p.end))
	}
	op.Source, op.SourceOnly, op.SourceAlias = relName(rel), !rel.Inh, rel.Alias.GetAliasname()
	if sel.WhereClause != nil {
		where := c.findKind(from, end, pg.Token_WHERE)
		op.SourceWhere = c.slice(where+1, end)
	}
}

// withoutAlias gives the end of a projected expression without "AS name" or "name".
func (c *statement) withoutAlias(p span, name string) int {
	if name == "" {
		return p.end
	}
	end := p.end - 1
	if c.has(p.end-2, pg.Token_UESCAPE) {
		end -= 2
	}
	if c.kind(end-1) == pg.Token_AS {
		end--
	}
	return end
}

// notScalar are the built-in functions that make of one row none or several, or of several one. A migration's
// own functions of this kind cannot be told from others without a catalog.
var notScalar = sync.OnceValue(func() map[string]bool {
	set := map[string]bool{}
	for _, f := range strings.Fields(`
		any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp cume_dist
		dense_rank every grouping json_agg json_agg_strict json_object_agg json_object_agg_strict
		json_object_agg_unique json_object_agg_unique_strict jsonb_agg jsonb_agg_strict jsonb_object_agg
		jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict max min mode
		percent_rank percentile_cont percentile_disc range_agg range_intersect_agg rank regr_avgx regr_avgy
		regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy st_collect st_extent st_union stddev
		stddev_pop stddev_samp string_agg sum var_pop var_samp variance xmlagg
		generate_series generate_subscripts unnest json_array_elements json_array_elements_text json_each
		json_each_text json_object_keys json_populate_recordset json_to_recordset jsonb_array_elements
		jsonb_array_elements_text jsonb_each jsonb_each_text jsonb_object_keys jsonb_path_query
		jsonb_populate_recordset jsonb_to_recordset regexp_matches regexp_split_to_table string_to_table
		ts_stat ts_parse aclexplode each skeys svals`) {
		set[f] = true
	}
	return set
})

// plainSelect reports whether sel gives one row for each row of its FROM that passes WHERE.
func plainSelect(sel *pg.SelectStmt) bool {
	if sel.Op != pg.SetOperation_SETOP_NONE || sel.DistinctClause != nil || sel.GroupClause != nil ||
		sel.HavingClause != nil || sel.WindowClause != nil || sel.SortClause != nil || sel.LimitOffset != nil ||
		sel.LimitCount != nil || sel.LockingClause != nil || sel.WithClause != nil || sel.IntoClause != nil ||
		sel.ValuesLists != nil {
		return false
	}
	plain := true
	walk(sel, func(m any) bool {
		switch n := m.(type) {
		case *pg.SubLink, *pg.GroupingFunc, *pg.JsonArrayAgg, *pg.JsonObjectAgg:
			plain = false
		case *pg.FuncCall:
			names := strs(n.Funcname)
			if n.AggStar || n.AggDistinct || n.AggWithinGroup || n.Over != nil || n.AggFilter != nil ||
				len(n.AggOrder) > 0 || notScalar()[names[len(names)-1]] {
				plain = false
			}
		}
		return plain
	})
	return plain
}

// relations are the relations that a part of the parse tree names, each once, without its WITH queries.
func relations(root any) []Name {
	ctes := map[string]bool{}
	walk(root, func(m any) bool {
		if cte, ok := m.(*pg.CommonTableExpr); ok {
			ctes[cte.Ctename] = true
		}
		return true
	})
	var names []Name
	walk(root, func(m any) bool {
		if r, ok := m.(*pg.RangeVar); ok {
			if n := relName(r); !slices.Contains(names, n) && (n.Schema != "" || !ctes[n.Name]) {
				names = append(names, n)
			}
		}
		return true
	})
	return names
}
