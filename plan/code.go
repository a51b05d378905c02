package plan

import (
	"errors"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// Code is what a framework runs in its own language between two statements of a file, and where it stands.
type Code struct {
	CodeSpec
	Offset int // in the file's text, before the statement that follows
	End    int // behind the statements that it executes by itself, CodeSpec.SQL
	Source ddl.Pos
	// Schema says that it may change the schema, and that nobody has planned that.
	Schema bool
	// Irreversible is why there is no way back; empty = there is one.
	Irreversible string
}

// CodeSpec is the code of a step. Nobody can plan what it does: the framework runs it, on the shape that the migration
// has by then.
type CodeSpec struct {
	Name string `json:"name"` // what runs, for people
	// At is its place among the operations of the migration, and in those that stand inside of another; none = the whole
	// migration is one function.
	At []int `json:"at,omitempty"`
	// Atomic says that it runs in one transaction, which writes the journal as well. Otherwise nobody can tell how far
	// it came when it was killed.
	Atomic bool `json:"atomic,omitempty"`
	// Nothing says that it does nothing on the way forward.
	Nothing bool `json:"nothing,omitempty"`
	// Back says that code takes it back; otherwise there is nothing to take back, unless the step is irreversible.
	Back bool `json:"back,omitempty"`
	// SQL is what it executes, where that is known but for a value which only the database knows: a guess stands there.
	SQL []string `json:"sql,omitempty"`
}

// Place is the project of a framework on the machine that has planned.
type Place struct {
	Framework string `json:"framework"`
	Dir       string `json:"dir"`
	Database  string `json:"database,omitempty"`
}

// codeUntil puts the code that stands before the statement at this offset into the plan. It returns the statements that
// are left: some code executes the next ones by itself.
func (c *compiler) codeUntil(offset int, stmts []ddl.Statement) ([]ddl.Statement, error) {
	for len(c.ahead) > 0 && c.ahead[0].Offset <= offset {
		k := c.ahead[0]
		c.ahead = c.ahead[1:]
		n := 0
		for n < len(stmts) && stmts[n].Pos.Offset < k.End {
			n++
		}
		c.stmt = ddl.Statement{Pos: k.Source}
		if err := c.code(k); err != nil {
			return nil, c.at(err)
		}
		if err := c.byCode(k, stmts[:n]); err != nil {
			return nil, c.at(err)
		}
		stmts = stmts[n:]
	}
	return stmts, nil
}

// byCode follows the statements that code executes by itself. Nobody can take them apart, because the value in them that
// the plan has is a guess, so that they keep others out as they are written: for a moment with consent, for as long as
// a big table takes never.
func (c *compiler) byCode(k Code, stmts []ddl.Statement) error {
	var e effects
	for _, st := range stmts {
		c.reads(st.SQL)
		e.add(c.now.Clone(), st.SQL)
		if err := c.mayBlock(st.SQL); err != nil {
			var r *Refusal
			if errors.As(err, &r) {
				r.Hint = "split the operation (a column that may be NULL, a fill, NOT NULL), or let the framework run this migration itself, then apply the ones after it"
			}
			return err
		}
		if err := c.now.Apply(st); err != nil {
			return err
		}
	}
	var strong []string
	for _, n := range e.order {
		table := tableBehind(c.now, n)
		if c.now.Relations[table] != nil {
			c.touch("table", table, "")
		}
		if e.mode[n] > ddl.RowExclusive && !c.fresh[table] {
			strong = append(strong, n.String()+" ("+e.mode[n].String()+")")
		}
	}
	if len(strong) > 0 {
		c.consent("as-is", "%s is run by its framework as it is, because its SQL depends on the database: it locks %s, and code that does not know what it makes may fail from then on",
			k.Name, strings.Join(strong, " and "))
	}
	return nil
}

// code is written for the shape that the statements before it make. Where that has no place of its own beside the old
// one (a column that changes its type keeps its name), complete comes first: the code, and what stands behind it, is
// complete's to do.
func (c *compiler) code(k Code) error {
	if err := c.flushTypes(); err != nil {
		return err
	}
	i := slices.IndexFunc(c.contract, Step.hides)
	if i < 0 && len(c.contract) > 0 && (k.Schema || len(k.SQL) > 0) {
		i = 0 // what changes the schema knows no twin column and no view
	}
	if i >= 0 || c.waiting {
		if !c.waiting {
			c.notice("code-at-complete", "%s runs at complete, with all that stands behind it: %s comes only then", k.Name, c.contract[i].Title)
		}
		if err := c.wholeUntilHere(); err != nil {
			return err
		}
		c.codeWaits = true
	}
	st := Step{Phase: Fill, Kind: Script, Title: "run " + k.Name, Code: &k.CodeSpec, Irreversible: k.Irreversible}
	if k.Irreversible != "" {
		c.consent("irreversible", "%s: %s", k.Name, k.Irreversible)
	}
	if k.Schema {
		c.consent("as-is", "%s is run by its framework as a whole, statements that change the schema with it: what they lock, rewrite and read is not planned", k.Name)
	}
	switch {
	case k.Nothing || len(k.SQL) > 0 && k.Atomic:
	case k.Atomic:
		c.notice("code", "what %s changes and locks nobody has planned; it runs in one transaction", k.Name)
	default:
		c.notice("code", "what %s changes and locks nobody has planned; it runs outside of a transaction: if it is killed, a person has to look how far it came", k.Name)
	}
	c.step(st)
	return nil
}

// Hides says that something of the new shape can be seen only when complete has done its part: what code sees under
// a name is still the old one. Code of a framework waits for that.
func (p *Plan) Hides() bool { return slices.ContainsFunc(p.Steps, Step.hides) }

func (s Step) hides() bool { return s.Phase == Contract && !s.Leaves }

// executes are the statements of a step, those of code as far as they are known.
func (s Step) executes() []string {
	if s.Code != nil {
		return s.Code.SQL
	}
	return s.SQL
}

// HasCode reports whether a framework's code is part of the plan.
func (p *Plan) HasCode() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Code != nil && !s.Code.Nothing })
}

// books is the step that writes the migration down.
func (c *compiler) books() {
	b := c.opt.Books
	if b.Table == "" {
		return
	}
	st := Step{Phase: Verify, Kind: Transaction, Books: true, Title: "write the migration down in " + b.Table, SQL: b.Record, Reverse: b.Erase}
	if c.codeWaits {
		// The tool would take what is left for done.
		st.Phase, st.Leaves = Contract, true
		c.contract = append(c.contract, st)
		return
	}
	c.steps = append(c.steps, st)
}

// untilCode are the statements between two pieces of code, which mean one change together at most.
func (c *compiler) untilCode(stmts []ddl.Statement) []ddl.Statement {
	if len(c.ahead) == 0 {
		return stmts
	}
	n := slices.IndexFunc(stmts, func(st ddl.Statement) bool { return st.Pos.Offset >= c.ahead[0].Offset })
	if n < 0 {
		return stmts
	}
	return stmts[:n]
}
