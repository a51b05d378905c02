package plan

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// createIndex builds an index without keeping writers out.
func (c *compiler) createIndex(op ddl.CreateIndex, sql string) error {
	r, err := c.relation(op.Table)
	if err != nil {
		return err
	}
	c.touch("table", r.Name, "")
	if op.Name == "" {
		op.Name = c.indexName(r, op)
	}
	full := ddl.Name{Schema: r.Name.Schema, Name: op.Name}
	later := c.occupied(full)
	if have := c.now.Indexes[full]; have != nil && !later {
		if !op.IfNotExists {
			return fmt.Errorf("relation %s already exists", full)
		}
		if have.Valid {
			c.notice("exists", "index %s exists already", full)
			return nil
		}
		return c.refuse("invalid-index", "drop it first: DROP INDEX CONCURRENTLY "+full.String(),
			"IF NOT EXISTS would keep %s, which a failed build left invalid", full)
	}
	c.touch("index", full, "")
	asSaid := op
	if h := c.held[r.Name]; h != nil {
		op.Elems = slices.Clone(op.Elems) // the schema after this statement has the names of the file
		for i, e := range op.Elems {
			op.Elems[i].Column = c.physical(r.Name, e.Column)
			if e.Expr != "" {
				op.Elems[i].Expr = c.physicalExpr(r, e.Expr)
			}
		}
		op.Include = c.physicals(r, op.Include)
		if op.Where != "" {
			op.Where = c.physicalExpr(r, op.Where)
		}
	}
	op.Table = r.Name
	if !later && !c.big(r) && c.unheld(r) && !op.Concurrently {
		return c.asIs(op, sql, "DROP INDEX "+full.String())
	}
	defer func() {
		var said []string
		for _, e := range asSaid.Elems {
			said = append(said, e.Column)
		}
		c.nameIndexColumns(r, full, append(said, asSaid.Include...))
	}()
	if c.fresh[r.Name] {
		op.Concurrently = false
		return c.asIs(op, indexSQL(op), "DROP INDEX "+full.String())
	}
	if later {
		// The old index goes at complete; until then the new one carries a name of ours.
		op.Name = internalName(op.Name)
		c.late[full.String()] = true
		if has(c.live, ddl.Name{Schema: full.Schema, Name: op.Name}) {
			return c.splitName(full.Name)
		}
		defer c.later(Step{Kind: Transaction, Leaves: true, Title: "give index " + full.String() + " its name",
			SQL:     []string{fmt.Sprintf("ALTER INDEX %s RENAME TO %s", ddl.Name{Schema: full.Schema, Name: op.Name}, qi(full.Name))},
			Reverse: []string{fmt.Sprintf("ALTER INDEX %s RENAME TO %s", full, qi(op.Name))}})
	}
	if r.Kind != 'p' || op.Only {
		c.buildIndex(r, op)
		return nil
	}
	return c.partitionedIndex(r, op, asSaid)
}

// nameIndexColumns renames at complete the columns of a new index, or of a partitioned one with those of its partitions:
// an index keeps the names that the columns of its table had when it was made.
func (c *compiler) nameIndexColumns(r *ddl.Relation, index ddl.Name, cols []string) {
	for i, col := range cols {
		if from := c.physical(r.Name, col); from != col && !slices.Contains(cols[:i], col) {
			c.later(Step{Kind: Transaction, Title: "give the column of index " + index.String() + " its name",
				SQL: []string{fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", index, qi(from), qi(col))}})
		}
	}
}

func (c *compiler) physicalExpr(r *ddl.Relation, expr string) string {
	if h := c.held[r.Name]; h != nil {
		if e, err := ddl.RenameColumns(expr, h.columns); err == nil {
			return e
		}
	}
	return expr
}

// partitionedIndex builds an index on every partition beside the application; the indexes of the partitioned tables, the
// lowest first, then find them and build nothing. asSaid has the columns as the file calls them, which name those below.
func (c *compiler) partitionedIndex(r *ddl.Relation, op, asSaid ddl.CreateIndex) error {
	for _, m := range slices.Backward(c.family(r)) {
		i := op
		i.Table, i.Concurrently, i.IfNotExists = m.Name, false, false
		full := ddl.Name{Schema: m.Name.Schema, Name: op.Name}
		if m != r {
			full.Name = c.indexName(m, ddl.CreateIndex{Table: m.Name, Elems: asSaid.Elems, Include: asSaid.Include})
			i.Name = full.Name
			if c.occupied(full) {
				i.Name = internalName(full.Name)
				c.late[full.String()] = true
				tmp := ddl.Name{Schema: full.Schema, Name: i.Name}
				if has(c.live, tmp) {
					return c.splitName(full.Name)
				}
				defer c.later(Step{Kind: Transaction, Leaves: true, Title: "give index " + full.String() + " its name",
					SQL:     []string{fmt.Sprintf("ALTER INDEX %s RENAME TO %s", tmp, qi(full.Name))},
					Reverse: []string{fmt.Sprintf("ALTER INDEX %s RENAME TO %s", full, qi(tmp.Name))}})
				full = tmp
			}
		}
		if m.Kind != 'p' {
			c.buildIndex(m, i)
			continue
		}
		c.step(Step{Phase: Verify, Kind: Transaction, adopts: true, Title: fmt.Sprintf("adopt the indexes of the partitions as %s", full),
			SQL: []string{indexSQL(i)}, Reverse: []string{"DROP INDEX IF EXISTS " + full.String()}})
	}
	return nil
}

// buildIndex builds an index beside the application, with debris removal. The probe and the clean-up know the
// index by schema, name and table, so that they never take somebody else's for ours.
func (c *compiler) buildIndex(r *ddl.Relation, op ddl.CreateIndex) {
	op.Concurrently, op.IfNotExists, op.Table = true, false, r.Name
	full := ddl.Name{Schema: r.Name.Schema, Name: op.Name}
	c.concurrently(r, full, fmt.Sprintf("build index %s on %s", full, r.Name), indexSQL(op))
}

// concurrently is the step of one CREATE INDEX CONCURRENTLY.
func (c *compiler) concurrently(r *ddl.Relation, index ddl.Name, title, sql string) {
	rows, bytes := c.size(r)
	drop := []string{"DROP INDEX CONCURRENTLY IF EXISTS " + index.String()}
	c.step(Step{Phase: Verify, Kind: Concurrently, Title: title, SQL: []string{sql}, Rows: rows, Bytes: bytes,
		Probe:     indexProbe(index, r.Name, true),
		CleanupIf: indexProbe(index, r.Name, false),
		Cleanup:   drop,
		Reverse:   drop, ReverseConcurrently: true})
}

// indexProbe asks whether the index stands on the table, valid or not.
func indexProbe(index, table ddl.Name, valid bool) string {
	not := ""
	if !valid {
		not = "NOT "
	}
	return fmt.Sprintf("SELECT EXISTS (SELECT FROM pg_catalog.pg_index WHERE indexrelid = pg_catalog.to_regclass(%s)"+
		" AND indrelid = pg_catalog.to_regclass(%s) AND %sindisvalid)",
		ddl.QuoteLiteral(index.String()), ddl.QuoteLiteral(table.String()), not)
}

// indexSQL renders an index.
func indexSQL(op ddl.CreateIndex) string {
	var b strings.Builder
	b.WriteString("CREATE ")
	if op.Unique {
		b.WriteString("UNIQUE ")
	}
	b.WriteString("INDEX ")
	if op.Concurrently {
		b.WriteString("CONCURRENTLY ")
	}
	if op.IfNotExists {
		b.WriteString("IF NOT EXISTS ")
	}
	if op.Name != "" {
		b.WriteString(qi(op.Name) + " ")
	}
	b.WriteString("ON ")
	if op.Only {
		b.WriteString("ONLY ")
	}
	b.WriteString(op.Table.String())
	if op.Method != "" {
		b.WriteString(" USING " + op.Method)
	}
	var elems []string
	for _, e := range op.Elems {
		s := qi(e.Column)
		if e.Column == "" {
			s = "(" + e.Expr + ")"
		}
		if e.Collation != "" {
			s += " COLLATE " + e.Collation
		}
		if e.Opclass != "" {
			s += " " + e.Opclass
		}
		if e.Options != "" {
			s += " " + e.Options
		}
		elems = append(elems, s)
	}
	b.WriteString(" (" + strings.Join(elems, ", ") + ")")
	if len(op.Include) > 0 {
		b.WriteString(" INCLUDE (" + qis(op.Include) + ")")
	}
	if op.NullsNotDistinct {
		b.WriteString(" NULLS NOT DISTINCT")
	}
	if op.With != "" {
		b.WriteString(" WITH (" + op.With + ")")
	}
	if op.Tablespace != "" {
		b.WriteString(" TABLESPACE " + qi(op.Tablespace))
	}
	if op.Where != "" {
		b.WriteString(" WHERE " + op.Where)
	}
	return b.String()
}

// dropIndex waits for complete: old code's queries may need the index.
func (c *compiler) dropIndex(op ddl.DropIndex, sql string) error {
	i := c.now.Index(op.Index)
	if i == nil {
		if op.IfExists {
			return nil
		}
		return fmt.Errorf("index %s does not exist", op.Index)
	}
	c.touch("table", i.Table, "")
	c.touch("index", i.Name, "")
	if c.fresh[i.Table] {
		return c.asIs(op, strings.Replace(sql, "CONCURRENTLY", "", 1), "")
	}
	c.dropped[i.Name.String()] = true
	attributes := indexAttributes(c.now.Relation(i.Table), i)
	if i.Partitioned || i.Constraint != "" || op.Cascade || !c.big(c.now.Relation(i.Table)) && !op.Concurrently {
		c.later(Step{Kind: Transaction, Leaves: !i.Unique, Title: title(sql), SQL: []string{sql},
			Reverse: append([]string{indexDef(i.Definition, false)}, attributes...)})
		return nil
	}
	c.later(Step{Kind: Concurrently, Leaves: !i.Unique, Title: title(sql), SQL: []string{"DROP INDEX CONCURRENTLY IF EXISTS " + i.Name.String()},
		Probe: fmt.Sprintf("SELECT pg_catalog.to_regclass(%s) IS NULL", ddl.QuoteLiteral(i.Name.String())),
		// A killed DROP leaves an invalid index, and so does a killed build of the way back.
		CleanupIf: indexProbe(i.Name, i.Table, false),
		Cleanup:   []string{"DROP INDEX CONCURRENTLY IF EXISTS " + i.Name.String()},
		Reverse:   append([]string{indexDef(i.Definition, true)}, attributes...), ReverseConcurrently: true})
	return nil
}

// indexDef is the definition of an index that exists as a statement which makes it again: of a partitioned
// index with its partitions', which pg_get_indexdef leaves out, or beside the application.
func indexDef(def string, concurrently bool) string {
	f, err := ddl.Parse("", def)
	if err != nil || len(f.Statements) != 1 {
		return def // as the server printed it
	}
	op, ok := f.Statements[0].Ops[0].(ddl.CreateIndex)
	if !ok {
		return def
	}
	op.Only, op.Concurrently = false, concurrently
	return indexSQL(op)
}

func (c *compiler) renameIndex(op ddl.RenameIndex, sql string) error {
	i := c.now.Index(op.Index)
	if i == nil {
		if op.IfExists {
			return nil
		}
		return fmt.Errorf("index %s does not exist", op.Index)
	}
	c.touch("table", i.Table, "")
	to := ddl.Name{Schema: i.Name.Schema, Name: op.To}
	if c.occupied(to) {
		return c.wait(op, sql)
	}
	return c.asIs(op, sql, fmt.Sprintf("ALTER INDEX %s RENAME TO %s", to, qi(i.Name.Name)))
}

// reindex rebuilds beside the application. A partitioned one is rebuilt partition by partition: for the list of them
// REINDEX would wait in the queue of each for SHARE, with all writers behind it.
func (c *compiler) reindex(op ddl.Reindex) error {
	targets := []ddl.Name{op.Name}
	switch op.Kind {
	case "INDEX":
		i := c.now.Index(op.Name)
		if i == nil {
			return fmt.Errorf("index %s does not exist", op.Name)
		}
		c.touch("table", i.Table, "")
		if i.Partitioned {
			targets = c.attached(i)
		}
	case "TABLE":
		r, err := c.relation(op.Name)
		if err != nil {
			return err
		}
		c.touch("table", r.Name, "")
		targets = nil
		for _, leaf := range c.leaves(r) {
			targets = append(targets, leaf.Name)
		}
	case "SYSTEM":
		return c.refuse("reindex-system", "reindex the catalogs one by one in a quiet hour",
			"REINDEX SYSTEM locks system catalogs and cannot run CONCURRENTLY")
	}
	options := ""
	if op.Tablespace != "" {
		options = "(TABLESPACE " + qi(op.Tablespace) + ") "
	}
	for _, n := range targets {
		sql := fmt.Sprintf("REINDEX %s%s CONCURRENTLY %s", options, op.Kind, n)
		c.step(Step{Phase: Verify, Kind: Concurrently, Title: title(sql), SQL: []string{sql}, CleanupQuery: reindexDebris(op.Kind, n)})
	}
	return nil
}

// attached are the indexes of the leaves that a partitioned index stands for.
func (c *compiler) attached(i *ddl.Index) []ddl.Name {
	var out []ddl.Name
	for _, r := range c.family(c.now.Relation(i.Table)) {
		for _, ch := range r.Indexes {
			if !ch.Partitioned && c.below(ch, i.Name) {
				out = append(out, ch.Name)
			}
		}
	}
	return out
}

// below reports whether an index is attached to another, at whatever level.
func (c *compiler) below(i *ddl.Index, root ddl.Name) bool {
	for i != nil && !i.Parent.IsZero() {
		if i.Parent == root {
			return true
		}
		i = c.now.Index(i.Parent)
	}
	return false
}

//go:embed reindexdebris.sql
var reindexDebrisSQL string

// reindexDebris is the query for what a killed REINDEX CONCURRENTLY left: the copy of an index that was not finished
// (_ccnew), or the old index that was not dropped (_ccold).
func reindexDebris(kind string, name ddl.Name) string {
	literal := ddl.QuoteLiteral(name.String())
	rebuilt := "oid >= 16384" // DATABASE rebuilds no catalogs CONCURRENTLY
	switch kind {
	case "INDEX":
		// Who rebuilds an index that another REINDEX has left, means that one.
		index := "pg_catalog.to_regclass(" + literal + ")"
		return fmt.Sprintf(reindexDebrisSQL, "o.indexrelid = "+index+" AND d.indexrelid <> "+index)
	case "TABLE":
		rebuilt = "oid = pg_catalog.to_regclass(" + literal + ")"
	case "SCHEMA":
		rebuilt = "relnamespace = pg_catalog.to_regnamespace(" + literal + ")"
	}
	return fmt.Sprintf(reindexDebrisSQL,
		"o.indrelid IN (SELECT pg_catalog.unnest(ARRAY[oid, reltoastrelid]) FROM pg_catalog.pg_class WHERE "+rebuilt+")")
}
