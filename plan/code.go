package plan

import (
	"slices"

	"github.com/replank/replank/ddl"
)

// Code is what a framework runs in its own language between two statements of a file, and where it stands.
type Code struct {
	CodeSpec
	Offset int // in the file's text, before the statement that follows
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
}

// Place is the project of a framework on the machine that has planned.
type Place struct {
	Framework string `json:"framework"`
	Dir       string `json:"dir"`
	Database  string `json:"database,omitempty"`
}

// codeUntil puts the code that stands before the statement at this offset into the plan.
func (c *compiler) codeUntil(offset int) error {
	for len(c.ahead) > 0 && c.ahead[0].Offset <= offset {
		k := c.ahead[0]
		c.ahead = c.ahead[1:]
		c.stmt = ddl.Statement{Pos: k.Source}
		if err := c.code(k); err != nil {
			return c.at(err)
		}
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
	if i := slices.IndexFunc(c.contract, Step.hides); i >= 0 || c.waiting {
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
		c.consent("as-is", "%s is run by its framework as a whole, statements that change the schema with it: what they lock, rewrite and read is not planned, and all of it is in one transaction", k.Name)
	}
	switch {
	case k.Nothing:
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
