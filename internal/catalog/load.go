package catalog

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
)

func (l *loader) session(ctx context.Context) error {
	s := l.s
	var path string
	err := l.query(ctx, "session", []any{&s.Version, &s.SearchPath, &path, &s.TimeZone, &s.User, &s.Superuser, &s.InRecovery}, func() error { return nil })
	if err != nil {
		return err
	}
	s.PathSetting = ddl.ParseSearchPath(path, s.User)
	// Each query runs once: to compile it takes longer than to run it, seconds with ten thousand tables. Its joins are
	// written in the order in which they should be made, and to try others takes longer than all the rest with few.
	_, err = l.tx.Exec(ctx, `SELECT set_config('search_path', 'pg_catalog, pg_temp', true), set_config('lock_timeout', $1, true),
		set_config('jit', 'off', true), set_config('join_collapse_limit', '1', true)`,
		pgx.QueryExecModeExec, strconv.FormatInt(l.opt.LockTimeout.Milliseconds(), 10))
	if err != nil {
		return err
	}
	return l.bound(ctx)
}

// bound sets the limits of the transaction, of which nothing is left behind it: it may have come through a pooler.
func (l *loader) bound(ctx context.Context) error {
	if l.opt.StatementTimeout <= 0 {
		return nil
	}
	_, err := l.tx.Exec(ctx, `SELECT set_config('statement_timeout', $1, true)`,
		pgx.QueryExecModeExec, strconv.FormatInt(l.opt.StatementTimeout.Milliseconds(), 10))
	return err
}

func (l *loader) schemas(ctx context.Context) error {
	var name string
	return l.query(ctx, "schemas", []any{&name}, func() error {
		l.s.Schemas = append(l.s.Schemas, name)
		return nil
	})
}

func (l *loader) relations(ctx context.Context) error {
	var scope any // NULL = all
	if len(l.opt.Relations) > 0 {
		var names []string
		for _, n := range l.opt.Relations {
			names = append(names, n.String())
		}
		var oids string
		if err := l.query(ctx, "scope", []any{&oids}, func() error { return nil }, textArray(names)); err != nil {
			return err
		}
		scope = oids
	}
	l.s.Relations = map[ddl.Name]*ddl.Relation{}
	l.rels = map[uint32]*ddl.Relation{}
	l.pages = map[uint32]pageStats{}
	var r ddl.Relation
	var pg pageStats
	var hasACL bool
	err := l.query(ctx, "relations", []any{&r.OID, &r.Name.Schema, &r.Name.Name, &r.Kind, &r.Persistence, &r.Owner,
		&pg.tuples, &pg.pages, &r.IsPartition, &r.Bound, &r.PartitionKey, &r.RowSecurity, &r.ForceRowSecurity,
		&r.ReplicaIdentity, &r.Options, &hasACL, &r.Tablespace, &r.AccessMethod, &r.OfType, &r.RowType.Schema, &r.RowType.Name, &r.UsedAttributes, &r.Populated},
		func() error {
			n := new(ddl.Relation)
			*n = r
			n.Rows = -1
			n.Options = some(r.Options)
			n.Populated = r.Populated && r.Kind == 'm'
			l.markACL(n.OID, hasACL)
			l.rels[n.OID], l.s.Relations[n.Name], l.pages[n.OID] = n, n, pg
			r = ddl.Relation{}
			return nil
		}, l.schemaFilter(), scope)
	l.relOIDs = oidArray(l.rels)
	return err
}

// some makes the empty list nil, so that equal shapes are equal values.
func some[T any](v []T) []T {
	if len(v) == 0 {
		return nil
	}
	return v
}

func (l *loader) markACL(oid uint32, has bool) {
	if has {
		l.hasACL = append(l.hasACL, oid)
	}
}

func (l *loader) columns(ctx context.Context) error {
	l.cols = make(map[uint32]map[int]*ddl.RelColumn, len(l.rels))
	var rel uint32
	var c ddl.RelColumn
	var hasACL bool
	return l.query(ctx, "columns", []any{&rel, &c.Number, &c.Name, &c.Type, &c.TypeName.Schema, &c.TypeName.Name, &c.Mod, &c.Array,
		&c.Collation, &c.NotNull, &c.Default, &c.Volatile, &c.Identity, &c.Generated, &c.HasMissing, &c.Storage, &c.Compression,
		&c.StatsTarget, &c.Options, &hasACL, &c.Inherited, &c.Local},
		func() error {
			r := l.rels[rel]
			n := new(ddl.RelColumn)
			*n = c
			n.NotNullValid = n.NotNull
			n.Options = some(c.Options)
			if hasACL {
				n.ACL = []ddl.Grant{}
			}
			r.Columns = append(r.Columns, n)
			if l.cols[rel] == nil {
				l.cols[rel] = map[int]*ddl.RelColumn{}
			}
			l.cols[rel][n.Number] = n
			c.Options = nil
			return nil
		}, l.relOIDs)
}

// names gives the names of a relation's columns by number; 0 (an expression, the whole row) becomes "".
func names[I int16 | int32](cols map[int]*ddl.RelColumn, numbers []I) []string {
	var out []string
	for _, n := range numbers {
		if c := cols[int(n)]; c != nil {
			out = append(out, c.Name)
		} else {
			out = append(out, "")
		}
	}
	return out
}

func (l *loader) inheritance(ctx context.Context) error {
	var child, parent uint32
	err := l.query(ctx, "inherits", []any{&child, &parent}, func() error {
		c, p := l.rels[child], l.rels[parent]
		c.Parents = append(c.Parents, p.Name)
		p.Children = append(p.Children, c.Name)
		return nil
	}, l.relOIDs)
	if err != nil {
		return err
	}
	var rel uint32
	var col int
	return l.query(ctx, "partkeys", []any{&rel, &col}, func() error {
		l.rels[rel].PartitionBy = append(l.rels[rel].PartitionBy, names(l.cols[rel], []int32{int32(col)})...)
		return nil
	}, l.relOIDs)
}

func (l *loader) loadTypes(ctx context.Context) error {
	l.s.Types = map[ddl.Name]*ddl.Type{}
	l.types = map[uint32]*ddl.Type{}
	var t ddl.Type
	var hasACL bool
	var attrs, attrTypes []string
	return l.query(ctx, "types", []any{&t.OID, &t.Name.Schema, &t.Name.Name, &t.Kind, &t.Labels, &t.Base, &t.NotNull, &t.Default,
		&t.DefaultVolatile, &t.Owner, &hasACL, &attrs, &attrTypes}, func() error {
		n := new(ddl.Type)
		*n = t
		n.Labels = some(t.Labels)
		for i, a := range attrs {
			n.Attributes = append(n.Attributes, ddl.Attribute{Name: a, Type: attrTypes[i]})
		}
		l.markACL(n.OID, hasACL)
		l.types[n.OID], l.s.Types[n.Name] = n, n
		t.Labels, attrs, attrTypes = nil, nil, nil
		return nil
	}, l.schemaFilter())
}

func (l *loader) constraints(ctx context.Context) error {
	var c ddl.TableConstraint
	var rel, typ, ref uint32
	var key []int16
	var kind byte
	err := l.query(ctx, "constraints", []any{&c.OID, &c.Name, &rel, &typ, &kind, &key, &c.Definition, &c.Valid, &c.NoInherit,
		&c.Inherited, &c.Local, &c.Deferrable, &c.Deferred, &c.Index, &ref, &c.RefTable.Schema, &c.RefTable.Name, &c.RefColumns, &c.Parent,
		&c.NotEnforced}, func() error {
		n := new(ddl.TableConstraint)
		*n = c
		n.Kind = ddl.ConstraintKind(kind)
		n.Definition = strings.TrimSuffix(n.Definition, " NOT VALID")
		n.RefColumns = some(c.RefColumns)
		c.RefColumns, c.RefTable = nil, ddl.Name{}
		if t := l.types[typ]; t != nil {
			t.Constraints = append(t.Constraints, n)
			return nil
		}
		r := l.rels[rel]
		n.Table = r.Name
		n.Columns = names(l.cols[rel], key)
		r.Constraints = append(r.Constraints, n)
		if n.Kind == ddl.NotNull {
			if col := r.Column(n.Columns[0]); col != nil {
				col.NotNullName, col.NotNullValid = n.Name, n.Valid
			}
		}
		return nil
	}, l.relOIDs, oidArray(l.types))
	if err != nil {
		return err
	}
	l.s.LinkReferences()
	return nil
}

func (l *loader) loadIndexes(ctx context.Context) error {
	l.s.Indexes = map[ddl.Name]*ddl.Index{}
	l.indexes = map[uint32]*ddl.Index{}
	var x ddl.Index
	var rel uint32
	var pages int64
	var key []int16
	var keys int
	var uses, statCols, statTargets []int32
	return l.query(ctx, "indexes", []any{&x.OID, &x.Name.Schema, &x.Name.Name, &rel, &x.Definition, &x.Method,
		&x.Unique, &x.Primary, &x.Exclusion, &x.Valid, &x.Ready, &x.Immediate, &x.Clustered, &x.ReplIdent, &x.NullsNotDistinct,
		&key, &keys, &x.Predicate, &x.Constraint, &x.Parent.Schema, &x.Parent.Name, &x.Partitioned, &x.Options, &x.Tablespace, &pages,
		&uses, &statCols, &statTargets}, func() error {
		n := new(ddl.Index)
		*n = x
		r := l.rels[rel]
		n.Table = r.Name
		n.Options = some(x.Options)
		cols := names(l.cols[rel], key)
		n.Keys, n.Include = cols[:keys:keys], some(cols[keys:])
		seen := map[string]bool{"": true}
		for _, c := range append(cols, names(l.cols[rel], uses)...) {
			if !seen[c] {
				seen[c] = true
				n.Columns = append(n.Columns, c)
			}
		}
		for _, k := range n.Keys {
			n.HasExpr = n.HasExpr || k == ""
		}
		for i, c := range statCols {
			if n.StatsTarget == nil {
				n.StatsTarget = map[int]int{}
			}
			n.StatsTarget[int(c)] = int(statTargets[i])
		}
		if !n.Partitioned {
			n.Bytes = pages * 8192
		}
		r.Indexes = append(r.Indexes, n)
		l.indexes[n.OID], l.s.Indexes[n.Name] = n, n
		x.Options = nil
		return nil
	}, l.relOIDs)
}

func (l *loader) triggers(ctx context.Context) error {
	var t ddl.Trigger
	var rel uint32
	var cols []int16
	var uses []int32
	var kind int
	return l.query(ctx, "triggers", []any{&t.OID, &rel, &t.Name, &t.Definition, &t.Enabled, &cols, &uses, &kind, &t.Constraint,
		&t.Function, &t.Parent}, func() error {
		n := new(ddl.Trigger)
		*n = t
		n.Columns, n.UsesColumns = names(l.cols[rel], cols), names(l.cols[rel], uses)
		n.Row, n.Before = kind&1 != 0, kind&2 != 0
		n.OnInsert, n.OnDelete, n.OnUpdate = kind&4 != 0, kind&8 != 0, kind&16 != 0
		n.OnTruncate, n.InsteadOf = kind&32 != 0, kind&64 != 0
		l.rels[rel].Triggers = append(l.rels[rel].Triggers, n)
		return nil
	}, l.relOIDs)
}

func (l *loader) policies(ctx context.Context) error {
	var p ddl.Policy
	var rel uint32
	var uses []int32
	return l.query(ctx, "policies", []any{&rel, &p.Name, &p.Definition, &uses, &p.OID}, func() error {
		n := new(ddl.Policy)
		*n = p
		n.Columns = names(l.cols[rel], uses)
		l.rels[rel].Policies = append(l.rels[rel].Policies, n)
		return nil
	}, l.relOIDs)
}

func (l *loader) rules(ctx context.Context) error {
	var r ddl.Rule
	var rel uint32
	var uses []int32
	return l.query(ctx, "rules", []any{&r.OID, &rel, &r.Name, &r.Definition, &r.Enabled, &uses}, func() error {
		n := new(ddl.Rule)
		*n = r
		n.Columns = names(l.cols[rel], uses)
		l.rels[rel].Rules = append(l.rels[rel].Rules, n)
		return nil
	}, l.relOIDs)
}

func (l *loader) sequences(ctx context.Context) error {
	l.s.Sequences = map[ddl.Name]*ddl.Sequence{}
	l.seqs = map[uint32]*ddl.Sequence{}
	var q ddl.Sequence
	var hasACL bool
	return l.query(ctx, "sequences", []any{&q.OID, &q.Name.Schema, &q.Name.Name, &q.Type, &q.Start, &q.Increment, &q.Min, &q.Max,
		&q.Cache, &q.Cycle, &q.OwnedTable.Schema, &q.OwnedTable.Name, &q.OwnedColumn, &q.Identity, &q.Owner, &hasACL, &q.Persistence, &q.UsedBy},
		func() error {
			n := new(ddl.Sequence)
			*n = q
			l.markACL(n.OID, hasACL)
			l.seqs[n.OID], l.s.Sequences[n.Name] = n, n
			if r := l.s.Relations[n.OwnedTable]; r != nil {
				if c := r.Column(n.OwnedColumn); c != nil {
					c.Sequence = n.Name
				}
			}
			return nil
		}, l.schemaFilter())
}

func (l *loader) functions(ctx context.Context) error {
	l.s.Functions = map[string]*ddl.Function{}
	l.funcs = map[uint32]*ddl.Function{}
	var f ddl.Function
	var hasACL bool
	return l.query(ctx, "functions", []any{&f.OID, &f.Name.Schema, &f.Name.Name, &f.Signature, &f.Definition, &f.Kind, &f.Volatile,
		&f.Language, &f.Body, &f.Owner, &hasACL}, func() error {
		n := new(ddl.Function)
		*n = f
		l.markACL(n.OID, hasACL)
		l.funcs[n.OID], l.s.Functions[n.Signature] = n, n
		return nil
	}, l.schemaFilter())
}

func (l *loader) statistics(ctx context.Context) error {
	var x ddl.StatisticsObject
	var rel uint32
	var key []int16
	var uses []int32
	return l.query(ctx, "statistics", []any{&x.OID, &rel, &x.Name.Schema, &x.Name.Name, &x.Definition, &key, &uses, &x.Target}, func() error {
		n := x
		seen := map[string]bool{"": true}
		for _, c := range append(names(l.cols[rel], key), names(l.cols[rel], uses)...) {
			if !seen[c] {
				seen[c] = true
				n.Columns = append(n.Columns, c)
			}
		}
		l.rels[rel].Statistics = append(l.rels[rel].Statistics, n)
		return nil
	}, l.relOIDs)
}
