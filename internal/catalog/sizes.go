package catalog

import (
	"context"
	"math"

	"github.com/replank/replank/ddl"
)

// blockSize is BLCKSZ; PostgreSQL is hardly ever built with another, and only estimates rest on it.
const blockSize = 8192

// sizes fills sizes as they are now and row estimates the way the planner makes them: the density that the last
// VACUUM or ANALYZE saw, or without one a density from the widths of the types, times the pages there are now.
func (l *loader) sizes(ctx context.Context) error {
	if l.opt.NoSizes {
		return nil
	}
	if err := l.widths(ctx); err != nil {
		return err
	}
	all := make(map[uint32]bool, len(l.rels)+len(l.indexes))
	for oid := range l.rels {
		all[oid] = true
	}
	for oid := range l.indexes {
		all[oid] = true
	}
	var oid uint32
	var index bool
	var main, toast int64
	err := l.query(ctx, "sizes", []any{&oid, &index, &main, &toast}, func() error {
		if index {
			x := l.indexes[oid]
			x.Bytes = main
			l.s.Relations[x.Table].IndexBytes += main
			return nil
		}
		r := l.rels[oid]
		r.Bytes = main + toast
		r.Rows = estimate(l.pages[oid], main/blockSize, r)
		return nil
	}, oidArray(all))
	if err != nil {
		return err
	}
	for _, r := range l.rels {
		if r.Kind == 'p' && !r.IsPartition {
			l.sumPartitions(r)
		}
	}
	return nil
}

// estimate says how many rows stand in so many pages.
func estimate(last pageStats, pages int64, r *ddl.Relation) int64 {
	if pages == 0 {
		return 0
	}
	var density float64
	if last.tuples >= 0 && last.pages > 0 {
		density = last.tuples / float64(last.pages)
	} else {
		width := 0
		for _, c := range r.Columns {
			width += columnWidth(c)
		}
		const tupleOverhead, pageHeader = 28, 24 // header with its line pointer; page header
		density = (blockSize - pageHeader) / float64(width+tupleOverhead)
	}
	return int64(math.Round(density * float64(pages)))
}

// columnWidth is what the planner assumes for a type nobody has measured: its length, 32 for unbounded ones.
func columnWidth(c *ddl.RelColumn) int {
	if c.AvgWidth > 0 {
		return c.AvgWidth
	}
	if c.Array {
		return 32
	}
	switch c.TypeName.Name {
	case "bool", "char":
		return 1
	case "int2":
		return 2
	case "int4", "float4", "date", "oid":
		return 4
	case "int8", "float8", "timestamp", "timestamptz", "time":
		return 8
	case "uuid", "interval":
		return 16
	case "varchar", "bpchar":
		if c.Mod > 4 && c.Mod < 64 {
			return c.Mod / 2
		}
	}
	return 32
}

func (l *loader) sumPartitions(r *ddl.Relation) {
	r.Rows, r.Bytes, r.IndexBytes = 0, 0, 0
	for _, n := range r.Children {
		c := l.s.Relations[n]
		if c == nil {
			continue
		}
		if c.Kind == 'p' {
			l.sumPartitions(c)
		}
		r.Rows += max(c.Rows, 0)
		r.Bytes += c.Bytes
		r.IndexBytes += c.IndexBytes
	}
}

func (l *loader) widths(ctx context.Context) error {
	var n ddl.Name
	var col string
	var width int
	var nulls float64
	// The view begins with all columns of the system's tables too; they are to be left out before it asks for privileges.
	if _, err := l.tx.Exec(ctx, `SELECT set_config('join_collapse_limit', '8', true)`); err != nil {
		return err
	}
	schemas := l.opt.Schemas
	if len(schemas) == 0 {
		schemas = l.s.Schemas
	}
	return l.query(ctx, "widths", []any{&n.Schema, &n.Name, &col, &width, &nulls}, func() error {
		r := l.s.Relations[n]
		if r == nil {
			return nil
		}
		if c := r.Column(col); c != nil && (c.AvgWidth == 0 || r.Kind == 'p') {
			c.AvgWidth, c.NullFrac = width, nulls
		}
		return nil
	}, textArray(schemas))
}
