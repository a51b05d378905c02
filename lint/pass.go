package lint

import (
	"slices"

	"github.com/replank/replank/ddl"
)

// pass is the judgement of one statement.
type pass struct {
	*linter
	st     *ddl.Statement
	effect ddl.Effect
}

// judges look at every statement. Each stands in the file of its family.
var judges = []func(*pass){effects, shape, compatibility, loss, indexes, shapes, dependents, owners}

// inBlocks are those that look at the statements of a DO block, too.
var inBlocks = []func(*pass){compatibility, loss, indexes, shapes, dependents, owners}

// option of a finding.
type option func(*Finding)

// report makes a finding about the statement.
func (p *pass) report(rule, message string, opts ...option) {
	f := Finding{Rule: rule, Message: message, Pos: p.st.Pos, Statement: p.st.SQL, end: p.st.Pos.Offset + len(p.st.SQL)}
	for _, o := range opts {
		o(&f)
	}
	p.add(f)
}

// on names the relation that a finding is about, with its size and the lock on it.
func (p *pass) on(n ddl.Name) option {
	return func(f *Finding) {
		f.Relation = n.String()
		r := p.schema.Relation(n)
		if i := p.schema.Index(n); r == nil && i != nil {
			r = p.schema.Relation(i.Table)
		}
		if r != nil {
			if r.OID != 0 && r.Rows >= 0 {
				f.Rows, f.Bytes = &r.Rows, &r.Bytes
			}
			if m := p.effect.Lock(r.Name); m != ddl.NoLock {
				f.Lock = m.String()
			}
		}
	}
}

func at(s Severity) option { return func(f *Finding) { f.Severity = s } }

func why(sentences ...string) option {
	return func(f *Finding) { f.Why = append(f.Why, sentences...) }
}

// mendedBy says which later change of the same source takes a finding back.
func mendedBy(by func(ddl.Op) bool) option { return func(f *Finding) { f.mended = by } }

// size is a relation for a message: "orders (1.2 million rows, 340 MB)".
func (p *pass) size(n ddl.Name) string {
	r := p.schema.Relation(n)
	if r == nil || r.OID == 0 || r.Rows < 0 {
		return n.String()
	}
	return n.String() + " (" + sizeText(r) + ")"
}

// severity is that of work on all rows: as bad as the table is big.
func severity(w weight) Severity {
	if w == light {
		return Notice
	}
	return Error
}

// blames finds the operation of the statement that makes has true of its effect: the one of ALTER TABLE's that
// rewrites, say.
func (p *pass) blames(has func(ddl.Effect) bool) ddl.Op {
	if len(p.st.Ops) > 1 {
		for i, op := range p.st.Ops {
			if has(ddl.Effects(p.schema, ddl.Statement{SQL: p.st.Alone(i), Ops: []ddl.Op{op}})) {
				return op
			}
		}
	}
	if len(p.st.Ops) == 0 {
		return nil
	}
	return p.st.Ops[0]
}

// blocked is the strongest lock of the statement on a relation with rows that others use, and that relation:
// what an application waits for until the statement, and the transaction around it, are over.
func (p *pass) blocked() (ddl.Name, ddl.LockMode) {
	var rel ddl.Name
	mode := ddl.NoLock
	for _, k := range p.effect.Locks {
		if k.Mode > mode && !p.fresh(k.Relation) && p.schema.Index(k.Relation) == nil && p.inTheWay(k) {
			rel, mode = k.Relation, k.Mode
		}
	}
	return rel, mode
}

// inTheWay reports whether a lock keeps anyone waiting. Nobody writes to a materialized view but REFRESH.
func (p *pass) inTheWay(k ddl.RelationLock) bool {
	r := p.schema.Relation(k.Relation)
	return r == nil || r.Kind != 'm' || k.Mode.BlocksReads()
}

// who says who waits behind a lock.
func who(m ddl.LockMode) string {
	if m.BlocksReads() {
		return "nobody reads or writes"
	}
	return "nobody writes to"
}

// fails is a statement that the server would not execute.
func (p *pass) fails(err error) {
	if slices.ContainsFunc(p.since, func(f Finding) bool {
		return f.Pos.Offset == p.st.Pos.Offset && (f.Rule == "fails" || f.Rule == "concurrently-in-transaction")
	}) {
		return
	}
	text := err.Error()
	p.report("fails", text)
}
