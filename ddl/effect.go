package ddl

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// Effect is what a server will do when it executes a statement. It speaks only of relations that exist before
// the statement; what the statement creates is nobody's problem.
type Effect struct {
	// Locks are the strongest lock on each relation: tables, views, indexes and sequences, by name.
	Locks []RelationLock `json:"locks,omitempty"`
	// Rewrites are the tables whose heap is written anew.
	Rewrites []Name `json:"rewrites,omitempty"`
	// Scans are the relations which may be read from beginning to end while the locks are held.
	Scans []Name `json:"scans,omitempty"`
	// Reindexes are the indexes that are built anew, under their own identity or under a successor's.
	Reindexes []Name `json:"reindexes,omitempty"`
	// Gone are the relations that the statement drops, also where one of the same name takes the place.
	Gone []Name `json:"gone,omitempty"`
	// Refused says why the server will not execute the statement; "" = nothing is known against it. The other
	// fields then tell what happens until it fails, or would happen without the reason.
	Refused string `json:"refused,omitempty"`
	// Unknown is true when the statement can do more than is said here: code that nobody can read (DO, CALL,
	// triggers) or a form without a rule, for which the worst is assumed.
	Unknown bool `json:"unknown,omitempty"`
	// Assumed are those of the locked relations which nobody has seen: a statement took them for granted (see
	// Schema.Assume). Their size is not known, nor what stands on them: partitions, views and foreign keys' other tables
	// are locked too.
	Assumed []Name `json:"assumed,omitempty"`
	// Why explains what is not obvious, one sentence each.
	Why []string `json:"why,omitempty"`
}

// RelationLock is a lock on a relation.
type RelationLock struct {
	Relation Name     `json:"relation"`
	Mode     LockMode `json:"mode"`
}

// Lock is the lock on a relation; NoLock when there is none.
func (e Effect) Lock(relation Name) LockMode {
	for _, l := range e.Locks {
		if l.Relation == relation {
			return l.Mode
		}
	}
	return NoLock
}

// Strongest is the strongest lock on any relation.
func (e Effect) Strongest() LockMode {
	m := NoLock
	for _, l := range e.Locks {
		m = max(m, l.Mode)
	}
	return m
}

// Effects says what st does to the database that s describes, on the server version of s.
func Effects(s *Schema, st Statement) Effect {
	b := newEffects(s, st.SQL)
	if st.tree != nil {
		b.stmts = st.trees()
	}
	for _, op := range st.Ops {
		if d, ok := op.(DropConstraint); ok {
			b.leaving[d.Name] = true // no proof for SET NOT NULL in the same statement
		}
		if d, ok := op.(DropColumn); ok {
			b.leavingColumns[d.Column] = true // drops come first, whatever the order
		}
		if a, ok := op.(AddColumn); ok {
			b.coming[a.Column.Name] = !b.filled(a.Column)
		}
		b.require(op)
	}
	for _, op := range st.Ops {
		b.wantTable(op)
		b.op(op)
	}
	if len(st.Ops) > 1 {
		for _, op := range st.Ops {
			b.together(op)
		}
	}
	return b.effect()
}

// require notes the columns that an operation makes NOT NULL.
func (b *effects) require(op Op) {
	switch o := op.(type) {
	case SetNotNull:
		b.required[o.Column] = true
	case AddConstraint:
		columns := o.Constraint.Columns
		if i := b.s.Index(Name{o.Table.Schema, o.Constraint.UsingIndex}); i != nil {
			columns = i.Keys
		}
		if o.Constraint.Kind == PrimaryKey || o.Constraint.Kind == NotNull {
			for _, c := range columns {
				b.required[c] = true
			}
		}
	}
}

// wantTable refuses for views what only tables have.
func (b *effects) wantTable(op Op) {
	var n Name
	what := ""
	switch o := op.(type) {
	case AddColumn:
		n, what = o.Table, "ADD COLUMN"
	case DropColumn:
		n, what = o.Table, "DROP COLUMN"
	case AlterColumnType:
		n, what = o.Table, "ALTER COLUMN TYPE"
	case SetNotNull:
		n, what = o.Table, "SET NOT NULL"
	case AddConstraint:
		n, what = o.Table, "ADD CONSTRAINT"
	}
	if r := b.s.Relation(n); what != "" && r != nil && (r.Kind == 'v' || r.Kind == 'm') {
		b.refuse("%s is no table, and only a table takes %s", r.Name, what)
	}
}

// together raises what a subcommand locks beside its table: the strongest lock that the subcommands of one ALTER TABLE
// need is that of them all, on partitions and indexes too.
func (b *effects) together(op Op) {
	family := func(n Name) {
		if r := b.s.Relation(n); r != nil {
			for _, f := range b.family(r)[1:] {
				if b.locks[f.Name] != NoLock {
					b.lock(f.Name, b.locks[r.Name])
				}
			}
		}
	}
	switch o := op.(type) {
	case ValidateConstraint:
		family(o.Table)
	case AddConstraint:
		if o.Constraint.Kind == ForeignKey {
			family(o.Table)
		}
	case AlterTable:
		r := b.s.Relation(o.Table)
		switch {
		case r == nil:
		case o.Action == "ClusterOn":
			b.lock(Name{r.Name.Schema, o.Arg}, b.locks[r.Name])
		case o.Action == "SetStatistics":
			family(o.Table)
		}
	}
}

// OpEffects says what one Op does, as far as that can be told without the text of its statement.
func OpEffects(s *Schema, op Op) Effect { return Effects(s, Statement{Ops: []Op{op}}) }

// effects collects an Effect.
type effects struct {
	s     *Schema
	sql   string
	stmts []*pg.RawStmt // of sql, parsed when first asked for

	locks                            map[Name]LockMode
	rewrites, scans, reindexes, gone map[Name]bool
	dropped                          map[Name]bool // gone for good: never rebuilt by another subcommand
	leaving, leavingColumns          map[string]bool
	coming                           map[string]bool // columns added by the statement: true when all their values are NULL
	required                         map[string]bool // columns that the statement makes NOT NULL
	refused                          string
	unknown                          bool
	why                              []string
}

func newEffects(s *Schema, sql string) *effects {
	return &effects{
		s: s, sql: sql, locks: map[Name]LockMode{}, rewrites: map[Name]bool{}, scans: map[Name]bool{},
		reindexes: map[Name]bool{}, gone: map[Name]bool{}, dropped: map[Name]bool{},
		leaving: map[string]bool{}, leavingColumns: map[string]bool{}, coming: map[string]bool{},
		required: map[string]bool{},
	}
}

func (b *effects) effect() Effect {
	e := Effect{Refused: b.refused, Unknown: b.unknown, Why: b.why}
	for n := range b.dropped {
		delete(b.rewrites, n)
		delete(b.scans, n)
		delete(b.reindexes, n)
	}
	for _, n := range sortedNames(b.locks) {
		e.Locks = append(e.Locks, RelationLock{n, b.locks[n]})
		if b.s.assumed(n) {
			e.Assumed = append(e.Assumed, n)
		}
	}
	e.Rewrites, e.Scans = sortedNames(b.rewrites), sortedNames(b.scans)
	e.Reindexes, e.Gone = sortedNames(b.reindexes), sortedNames(b.gone)
	return e
}

func sortedNames[V any](set map[Name]V) []Name {
	if len(set) == 0 {
		return nil // most are
	}
	return slices.SortedFunc(maps.Keys(set), func(a, b Name) int {
		if c := strings.Compare(a.Schema, b.Schema); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
}

// tree gives the statement's syntax tree; one that finds nothing when there is no text.
func (b *effects) tree() []*pg.RawStmt {
	if b.stmts == nil {
		b.stmts = parseTree(b.sql)
	}
	return b.stmts
}

// major is the server's major version.
func (b *effects) major() int { return b.s.Version / 10000 }

func (b *effects) lock(n Name, m LockMode) {
	if !n.IsZero() { // as is the table of an index that nobody has seen
		b.locks[n] = max(b.locks[n], m)
	}
}

// uncertain is for effects that hang on what nobody has seen.
func (b *effects) uncertain(format string, args ...any) {
	b.unknown = true
	b.explain(format, args...)
}

func (b *effects) lockAll(rels []*Relation, m LockMode) {
	for _, r := range rels {
		b.lock(r.Name, m)
	}
}

func (b *effects) refuse(format string, args ...any) {
	if b.refused == "" {
		b.refused = fmt.Sprintf(format, args...)
	}
}

func (b *effects) explain(format string, args ...any) {
	if why := fmt.Sprintf(format, args...); !slices.Contains(b.why, why) {
		b.why = append(b.why, why)
	}
}

// worst is for forms without a rule: everything named is locked, read and written anew.
func (b *effects) worst(format string, args ...any) {
	b.unknown = true
	b.explain(format, args...)
}

// needs refuses what the server is too old for, and reports whether it is.
func (b *effects) needs(version int, what string) bool {
	if b.s.Version > 0 && b.major() < version {
		b.refuse("%s needs PostgreSQL %d", what, version)
		return false
	}
	return true
}

// family is r with its partitions and inheritance children, all levels down.
func (b *effects) family(r *Relation) []*Relation {
	all := []*Relation{r}
	for _, c := range r.Children {
		if child := b.s.Relations[c]; child != nil {
			for _, d := range b.family(child) {
				if !slices.Contains(all, d) {
					all = append(all, d)
				}
			}
		}
	}
	return all
}

// ancestors are r's parents, all levels up.
func (b *effects) ancestors(r *Relation) []*Relation {
	var all []*Relation
	for _, p := range r.Parents {
		if parent := b.s.Relations[p]; parent != nil {
			all = append(append(all, parent), b.ancestors(parent)...)
		}
	}
	return all
}

// stored reports whether r has rows of its own.
func stored(r *Relation) bool { return r.Kind == 'r' || r.Kind == 'm' }

func (b *effects) scan(rels ...*Relation) {
	for _, r := range rels {
		if stored(r) {
			b.scans[r.Name] = true
		}
	}
}

// rewrite is what a new heap costs: the old one is read, every index is built anew.
func (b *effects) rewrite(r *Relation) {
	b.lock(r.Name, AccessExclusive)
	if !stored(r) {
		return
	}
	b.rewrites[r.Name] = true
	b.scan(r)
	for _, i := range r.Indexes {
		b.lock(i.Name, AccessExclusive)
		b.reindexes[i.Name] = true
	}
}

// plan is what the planner locks when a query names r: the relation and every index it could use. Before 16 it
// did not look at the indexes of a partitioned table.
func (b *effects) plan(r *Relation, m LockMode) {
	b.lock(r.Name, m)
	b.planIndexes(r, m)
}

func (b *effects) planIndexes(r *Relation, m LockMode) {
	for _, i := range r.Indexes {
		if !i.Partitioned || b.major() >= 16 {
			b.lock(i.Name, m)
		}
	}
}

// drop is a relation that disappears, with its indexes and the sequences that its columns own.
func (b *effects) drop(r *Relation) {
	b.remove(r.Name)
	for _, i := range r.Indexes {
		b.remove(i.Name)
	}
	for _, q := range b.ownedSequences(r, "") {
		b.remove(q)
	}
}

func (b *effects) remove(n Name) {
	b.lock(n, AccessExclusive)
	b.gone[n] = true
	b.dropped[n] = true
}

// replace is an index that is dropped and created again under its name.
func (b *effects) replace(i *Index) {
	b.lock(i.Name, AccessExclusive)
	b.gone[i.Name] = true
}

// ownedSequences are those which belong to r's columns, or to one of them.
func (b *effects) ownedSequences(r *Relation, column string) []Name {
	var out []Name
	for n, q := range b.s.Sequences {
		if q.OwnedTable == r.Name && (column == "" || q.OwnedColumn == column) {
			out = append(out, n)
		}
	}
	return out
}

// relation finds what a statement names and explains when there is nothing.
func (b *effects) relation(n Name) *Relation {
	if r := b.s.Relation(n); r != nil {
		return r
	}
	b.refuse("relation %s does not exist", n)
	return nil
}

// sequence finds a sequence as a statement names it.
func (b *effects) sequence(n Name) *Sequence {
	if n.Schema != "" {
		return b.s.Sequences[n]
	}
	for _, sch := range b.s.SearchPath {
		if q := b.s.Sequences[Name{sch, n.Name}]; q != nil {
			return q
		}
	}
	return nil
}

// lockNamed locks whatever relation has the name: ALTER TABLE speaks to views, sequences and indexes too.
func (b *effects) lockNamed(n Name, m LockMode) bool {
	if r := b.s.Relation(n); r != nil {
		b.lock(r.Name, m)
	} else if i := b.s.Index(n); i != nil {
		b.lock(i.Name, m)
	} else if q := b.sequence(n); q != nil {
		b.lock(q.Name, m)
	} else {
		return false
	}
	return true
}

// op dispatches; the rules stand in the files named effect_….go, by family.
func (b *effects) op(op Op) {
	switch o := op.(type) {
	case CreateTable:
		b.createTable(o)
	case DropTable:
		b.dropTable(o)
	case Truncate:
		b.truncate(o)
	case RenameTable:
		b.rename(o.Table, o.IfExists, AccessExclusive)
	case RenameView:
		b.rename(o.View, false, AccessExclusive)
	case RenameSequence:
		b.rename(o.Sequence, false, AccessExclusive)
	case RenameIndex:
		b.rename(o.Index, o.IfExists, ShareUpdateExclusive)
	case SetSchema:
		b.setSchema(o)
	case AddColumn:
		b.addColumn(o)
	case DropColumn:
		b.dropColumn(o)
	case RenameColumn:
		b.renameColumn(o)
	case AlterColumnType:
		b.alterColumnType(o)
	case SetDefault:
		b.columnFamily(o.Table, o.Only, AccessExclusive)
	case SetNotNull:
		b.setNotNull(o.Table, o.Only, o.Column, true)
	case DropNotNull:
		b.columnFamily(o.Table, o.Only, AccessExclusive)
	case AddIdentity:
		b.identity(o.Table, o.Column, NoLock)
	case DropIdentity:
		b.dropIdentity(o)
	case DropExpression:
		b.needs(13, "DROP EXPRESSION")
		b.columnFamily(o.Table, false, AccessExclusive)
	case AddConstraint:
		b.addConstraint(o)
	case ValidateConstraint:
		b.validateConstraint(o)
	case DropConstraint:
		b.dropConstraint(o)
	case RenameConstraint:
		b.renameConstraint(o)
	default:
		b.opRest(op)
	}
}

func (b *effects) opRest(op Op) {
	switch o := op.(type) {
	case CreateIndex:
		b.createIndex(o)
	case DropIndex:
		b.dropIndex(o)
	case Reindex:
		b.reindex(o)
	case AttachPartition:
		b.attachPartition(o)
	case DetachPartition:
		b.detachPartition(o)
	case AttachIndex:
		b.attachIndex(o)
	case AlterDomain:
		b.alterDomain(o)
	case DropType:
		b.dropType(o)
	case CreateView:
		b.createView(o)
	case DropView:
		b.dropView(o)
	case RefreshMaterializedView:
		b.refresh(o)
	case CreateSequence:
		b.ownedBy(o.OwnedBy)
	case AlterSequence:
		b.alterSequence(o)
	case DropSequence:
		b.dropSequence(o)
	case CreateTrigger:
		b.createTrigger(o)
	case DropTrigger:
		b.dropTrigger(o)
	case AlterTable:
		b.alterTable(o)
	case Update:
		b.update(o)
	case Delete:
		b.delete(o)
	case Insert:
		b.insert(o)
	case CreateEnum, AddEnumValue, RenameEnumValue, CreateDomain, RenameType, Transaction, Set:
		// Types and sessions: no relation is touched.
	case Do:
		b.do(o)
	case Other:
		b.other(o)
	default:
		b.worst("no rule for %T", op)
	}
}
