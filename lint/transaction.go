package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// transaction is what the statements before the one at hand have done and hold.
type transaction struct {
	src      *parsed
	open     bool // a transaction is open around the statement
	explicit bool // by BEGIN of the text
	count    int  // statements of it so far

	held     map[ddl.Name]held
	order    []ddl.Name        // of held, as they came
	notValid map[string]int    // constraints added NOT VALID, "table name" → line
	labels   map[string]int    // enum values added → line
	types    map[ddl.Name]bool // enums made
	data     bool              // rows of tables in use were changed
	dataLine int
	bounded  bool // lock_timeout is set
	local    bool // until the end of the transaction only
	told     map[string]bool
}

// held is a lock that the transaction holds until its end.
type held struct {
	mode ddl.LockMode
	line int
}

func newTransaction(p *parsed) *transaction {
	t := &transaction{src: p, bounded: p.Timeouts, told: map[string]bool{}}
	t.reset()
	switch p.Tx {
	case Whole:
		t.open = true
	case Message:
		t.open = len(p.file.Statements) > 1 || !p.last
	}
	return t
}

func (t *transaction) reset() {
	if t.held == nil || t.count > 0 { // or they are empty, as behind every statement without a transaction
		t.held, t.order, t.notValid, t.labels, t.types = map[ddl.Name]held{}, nil, map[string]int{}, map[string]int{}, map[ddl.Name]bool{}
	}
	t.data, t.count = false, 0
	if t.local {
		t.bounded, t.local = t.src.Timeouts, false
	}
	for id := range t.told {
		if id != "lock-timeout" && id != "cascade" {
			delete(t.told, id)
		}
	}
}

// begin follows what a statement says about the transaction itself.
func (t *transaction) begin(st *ddl.Statement) {
	if !t.open {
		t.reset()
	}
	for _, op := range st.Ops {
		switch op := op.(type) {
		case ddl.Transaction:
			switch op.Verb {
			case "BEGIN", "START TRANSACTION":
				t.open, t.explicit = true, true
			case "COMMIT", "ROLLBACK", "END", "ABORT":
				t.open, t.explicit = t.src.Tx != Each && t.src.Tx != Message, false
				t.reset()
			}
		case ddl.Set:
			switch {
			case !strings.EqualFold(op.Name, "lock_timeout") || op.Local && !t.open:
			case op.Reset || strings.Trim(op.Value, "' ") == "0":
				t.bounded = false
			default:
				t.local = op.Local && !(t.bounded && !t.local)
				t.bounded = true
			}
		}
	}
}

// end adds what the statement holds from now on.
func (t *transaction) end(p *pass) {
	t.count++
	line := p.st.Pos.Line
	for _, k := range p.effect.Locks {
		if p.fresh(k.Relation) || p.schema.Index(k.Relation) != nil {
			continue
		}
		h, ok := t.held[k.Relation]
		if !ok {
			t.order = append(t.order, k.Relation)
		}
		if k.Mode > h.mode {
			t.held[k.Relation] = held{k.Mode, line}
		}
	}
	for _, op := range p.st.Ops {
		switch op := op.(type) {
		case ddl.AddConstraint:
			if op.Constraint.NotValid && op.Constraint.Name != "" {
				t.notValid[p.target(op.Table).String()+" "+op.Constraint.Name] = line
			}
		case ddl.AddEnumValue:
			if !t.types[p.typeName(op.Type)] {
				t.labels[op.Label] = line
			}
		case ddl.Update, ddl.Delete, ddl.Insert:
			if !t.data && p.writesOld(op) {
				t.data, t.dataLine = true, line
			}
		}
	}
}

// writesOld reports whether a change of rows touches a table that others use.
func (p *pass) writesOld(op ddl.Op) bool {
	switch op := op.(type) {
	case ddl.Update:
		return !p.fresh(op.Table)
	case ddl.Delete:
		return !p.fresh(op.Table)
	case ddl.Insert:
		return !p.fresh(op.Table) && (op.Query != "" || op.Rows > few)
	}
	return false
}

// shape reports what is wrong with the transaction around a statement.
func shape(p *pass) {
	t := p.tx
	p.nesting()
	if p.st.NoTx && t.open && !isTransaction(p.st) {
		p.report("concurrently-in-transaction", fmt.Sprintf("%s cannot run inside a transaction, and %s", firstWords(p.st.SQL), t.around()))
		return
	}
	p.lockTimeout()
	if !t.open {
		return
	}
	p.validateInSameTransaction()
	p.enumInSameTransaction()
	p.dataBesideSchema()
	p.workUnderLock()
	p.severalLocks()
}

// around says what makes the transaction.
func (t *transaction) around() string {
	switch {
	case t.explicit:
		return "a transaction is open here"
	case t.src.Tx == Message:
		return "PostgreSQL makes one of a message with several statements, which is how this file is sent"
	}
	return "this file is run inside one"
}

func isTransaction(st *ddl.Statement) bool {
	if len(st.Ops) == 0 {
		return false
	}
	_, ok := st.Ops[0].(ddl.Transaction)
	return ok
}

func firstWords(sql string) string {
	words := strings.Fields(sql)
	n := 0
	for n < len(words) && n < 5 && words[n] == strings.ToUpper(words[n]) && strings.Trim(words[n], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		n++
	}
	return strings.Join(words[:max(n, 1)], " ")
}

// nesting is BEGIN where the tool has begun already, or COMMIT that ends what the tool believes to be open.
func (p *pass) nesting() {
	if p.src.Tx != Whole {
		return
	}
	for _, op := range p.st.Ops {
		if tx, ok := op.(ddl.Transaction); ok {
			switch tx.Verb {
			case "BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK", "END", "ABORT":
				p.report("nested-transaction", tx.Verb+" in a file that is run inside a transaction: COMMIT ends that of the tool, and what follows stands alone")
			}
		}
	}
}

// lockTimeout is a strong lock without a bound on the wait for it.
func (p *pass) lockTimeout() {
	if p.tx.bounded || p.tx.told["lock-timeout"] {
		return
	}
	if n, m := p.blocked(); m.BlocksWrites() {
		p.tx.told["lock-timeout"] = true
		p.report("lock-timeout", fmt.Sprintf("waits for the lock %s on %s without a bound, and all who come after wait behind it", m, n), p.on(n))
	}
}

func (p *pass) validateInSameTransaction() {
	for _, op := range p.st.Ops {
		v, ok := op.(ddl.ValidateConstraint)
		if !ok {
			continue
		}
		rel := p.target(v.Table)
		if line, ok := p.tx.notValid[rel.String()+" "+v.Name]; ok && p.weigh(rel) != none {
			p.tx.told["work"] = true
			p.report("validate-in-same-transaction", fmt.Sprintf("reads all of %s while the lock that ADD CONSTRAINT took in line %d is still held: NOT VALID has gained nothing", p.size(rel), line),
				p.on(rel), at(severity(p.weigh(rel))))
		}
	}
}

// enumInSameTransaction is the use of an enum value that the same transaction adds: 55P04.
func (p *pass) enumInSameTransaction() {
	for label, line := range p.tx.labels {
		if !strings.Contains(p.st.SQL, ddl.QuoteLiteral(label)) {
			continue
		}
		if _, ok := p.st.Ops[0].(ddl.AddEnumValue); ok {
			continue
		}
		p.report("enum-value-in-transaction", fmt.Sprintf("uses the enum value %s, which line %d adds in the same transaction: PostgreSQL refuses that (55P04)", ddl.QuoteLiteral(label), line))
	}
}

// dataBesideSchema is a change of many rows and a strong lock in one transaction.
func (p *pass) dataBesideSchema() {
	if p.tx.told["data"] {
		return
	}
	for _, op := range p.st.Ops {
		if p.writesOld(op) {
			for _, n := range p.tx.order {
				if h := p.tx.held[n]; h.mode >= ddl.Share && h.mode.BlocksWrites() {
					p.tx.told["data"] = true
					p.report("data-with-schema", fmt.Sprintf("changes rows while the lock %s on %s, taken in line %d, is held", h.mode, n, h.line), p.on(n))
					return
				}
			}
		}
	}
	if n, m := p.blocked(); p.tx.data && p.tx.dataLine > 0 && m.BlocksReads() {
		p.tx.told["data"] = true
		p.report("data-with-schema", fmt.Sprintf("asks for the lock %s on %s behind the change of rows in line %d: whoever waits for those rows, and the rows' locks, wait for this as well", m, n, p.tx.dataLine), p.on(n))
	}
}

// workUnderLock is long work while a lock of an earlier statement is held on another table.
func (p *pass) workUnderLock() {
	if p.tx.told["work"] {
		return
	}
	for _, n := range slices.Concat(p.effect.Scans, p.effect.Rewrites) {
		if w := p.weigh(n); w == none || w == light {
			continue
		}
		for _, other := range p.tx.order {
			if h := p.tx.held[other]; other != n && h.mode.BlocksWrites() && h.mode > ddl.RowExclusive {
				p.tx.told["work"] = true
				p.report("work-under-lock", fmt.Sprintf("reads all of %s while the lock %s on %s, taken in line %d, is held: %s %s meanwhile", p.size(n), h.mode, other, h.line, who(h.mode), other), p.on(other))
				return
			}
		}
	}
}

// severalLocks is a second table locked against reads: whoever locks them in another order makes a deadlock.
func (p *pass) severalLocks() {
	if p.tx.told["several"] || p.tx.count == 0 {
		return
	}
	n, m := p.blocked()
	if !m.BlocksReads() {
		return
	}
	for _, other := range p.tx.order {
		if h := p.tx.held[other]; other != n && h.mode.BlocksReads() && !p.related(n, other) {
			if _, again := p.tx.held[n]; again {
				return
			}
			p.tx.told["several"] = true
			p.report("several-locks", fmt.Sprintf("asks for %s on %s while %s on %s, taken in line %d, is held: a transaction that uses them in the other order makes a deadlock, and the wait for the second keeps everyone from the first", m, n, h.mode, other, h.line), p.on(n))
			return
		}
	}
}

// related reports whether one of two relations is a partition or child of the other.
func (p *pass) related(a, b ddl.Name) bool {
	up := func(n, to ddl.Name) bool {
		for r := p.schema.Relations[n]; r != nil && len(r.Parents) > 0; r = p.schema.Relations[r.Parents[0]] {
			if r.Parents[0] == to {
				return true
			}
		}
		return false
	}
	return up(a, b) || up(b, a)
}
