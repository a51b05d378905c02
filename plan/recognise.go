package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// recognise finds the statements that mean one change together, before any of them is compiled.
func (c *compiler) recognise(stmts []ddl.Statement) error {
	c.findSplits(stmts)
	c.twins.dropDefault = map[madeRoom]typed{}
	c.twins.rebuilt = map[string]string{}
	type later struct{ table, column string }
	types := map[later]typed{}
	made := map[string]bool{}
	for _, st := range slices.Backward(stmts) {
		for i, op := range slices.Backward(st.Ops) {
			switch op := op.(type) {
			case ddl.AlterColumnType:
				types[later{op.Table.Name, op.Column}] = typed{op, st, i}
			case ddl.SetDefault:
				// DROP DEFAULT before the type changes is how a person makes room for the new default. Old
				// writers keep the default they have until the swap.
				if to, ok := types[later{op.Table.Name, op.Column}]; ok && op.Expr == "" {
					c.twins.dropDefault[madeRoom{st.Pos, op.Column}] = to
				}
			case ddl.CreateEnum:
				made[op.Type.Name] = true
			case ddl.RenameType:
				// RENAME TO aside, CREATE TYPE under the old name: an enum is built again.
				if made[op.Type.Name] {
					c.twins.rebuilt[op.Type.Name] = op.To
				}
			}
		}
	}
	return nil
}

// madeRoom is the default of a column that a statement takes away before the type changes.
type madeRoom struct {
	at     ddl.Pos
	column string
}

// typed is a type change of the file, where it stands.
type typed struct {
	op ddl.AlterColumnType
	st ddl.Statement
	nr int // among the changes of the statement
}

// byTwin reports whether a type change that comes later in the file will be made by a twin column.
func (c *compiler) byTwin(t typed) bool {
	r := c.now.Relation(t.op.Table)
	if r == nil || r.Kind != 'r' && r.Kind != 'p' || c.fresh[r.Name] || plainly(t.st) {
		return false
	}
	sql := t.st.SQL
	if len(t.st.Ops) > 1 {
		sql = t.st.Alone(t.nr)
	}
	return c.typeChange(t.op, sql)
}

// afterHeld handles what comes behind a change that the file itself defers to complete: it has to wait too,
// and can only do so when it is a moment's work.
func (c *compiler) afterHeld(op ddl.Op, sql string) (bool, error) {
	switch op := op.(type) {
	case ddl.SetDefault:
		if to, ok := c.twins.dropDefault[madeRoom{c.stmt.Pos, op.Column}]; ok && op.Expr == "" && c.byTwin(to) {
			return true, nil // the swap leaves the default away
		}
		if c.twins.splits[c.resolve(op.Table)].adds(op.Column) {
			c.defaultAtComplete(op.Table, op.Column, sql)
			return true, nil
		}
	case ddl.RenameType:
		if c.twins.rebuilt[op.Type.Name] != "" {
			return true, nil // createEnum does it, at complete
		}
		to := ddl.Name{Schema: c.schemaOf(op.Type), Name: op.To}
		if c.occupied(to) {
			return true, c.wait(op, sql)
		}
	case ddl.CreateEnum:
		if aside := c.twins.rebuilt[op.Type.Name]; aside != "" {
			c.rebuildEnum(op, aside)
			return true, nil
		}
	case ddl.Update:
		if s := c.twins.splits[c.resolve(op.Table)]; s.computes(c.stmt.Pos) {
			return true, c.expandSplit(s)
		}
	case ddl.DropColumn:
		if s := c.twins.splits[c.resolve(op.Table)]; s.drops(op.Column) {
			c.later(Step{Kind: Transaction, Leaves: true, Title: title(sql), SQL: []string{sql},
				Destroys: fmt.Sprintf("column %s of %s with its values", qi(op.Column), s.table), Irreversible: "the values of the column are gone"})
			return true, nil
		}
	case ddl.AddColumn:
		r := c.now.Relation(op.Table)
		if r != nil && c.occupiedColumn(r, op.Column.Name) && !c.twins.splits[r.Name].adds(op.Column.Name) {
			return true, c.wait(op, sql)
		}
	}
	if c.waits(op, sql) {
		return true, c.wait(op, sql)
	}
	return false, nil
}

// rebuildEnum makes the new enum under a name of ours; at complete the two types change names.
func (c *compiler) rebuildEnum(op ddl.CreateEnum, aside string) {
	schema := c.schemaFor(op.Type)
	old := ddl.Name{Schema: schema, Name: op.Type.Name}
	tmp := ddl.Name{Schema: schema, Name: internalName(op.Type.Name)}
	labels := make([]string, len(op.Labels))
	for i, l := range op.Labels {
		labels[i] = ddl.QuoteLiteral(l)
	}
	c.touch("type", old, "")
	c.step(Step{Phase: Expand, Kind: Transaction, Title: "create the new labels of " + old.String() + " beside the old ones",
		SQL:     []string{fmt.Sprintf("CREATE TYPE %s AS ENUM (%s)", tmp, strings.Join(labels, ", "))},
		Reverse: []string{"DROP TYPE " + tmp.String()}})
	c.twins.enums = append(c.twins.enums, enumPair{old.Name, tmp})
	c.late[old.String()] = true
	c.later(Step{Kind: Transaction, Title: "give the new " + old.String() + " its name", SQL: []string{
		fmt.Sprintf("ALTER TYPE %s RENAME TO %s", old, qi(aside)),
		fmt.Sprintf("ALTER TYPE %s RENAME TO %s", tmp, qi(old.Name))}, Reverse: []string{
		fmt.Sprintf("ALTER TYPE %s RENAME TO %s", old, qi(tmp.Name)),
		fmt.Sprintf("ALTER TYPE %s RENAME TO %s", ddl.Name{Schema: schema, Name: aside}, qi(old.Name))}})
}

// enumPair is an enum that is built again: its name, and what the new one is called until complete.
type enumPair struct {
	name string
	tmp  ddl.Name
}

// tableOf is the relation an op is about, where it is about one.
func tableOf(op ddl.Op) (ddl.Name, bool) {
	switch op := op.(type) {
	case ddl.RenameTable:
		return op.Table, true
	case ddl.DropTable:
		return op.Table, true
	case ddl.Truncate:
		return op.Table, true
	case ddl.RenameView:
		return op.View, true
	case ddl.DropView:
		return op.View, true
	case ddl.AddColumn:
		return op.Table, true
	case ddl.DropColumn:
		return op.Table, true
	case ddl.RenameColumn:
		return op.Table, true
	case ddl.AlterColumnType:
		return op.Table, true
	case ddl.SetDefault:
		return op.Table, true
	case ddl.SetNotNull:
		return op.Table, true
	case ddl.DropNotNull:
		return op.Table, true
	case ddl.AddIdentity:
		return op.Table, true
	case ddl.DropIdentity:
		return op.Table, true
	case ddl.DropExpression:
		return op.Table, true
	case ddl.AddConstraint:
		return op.Table, true
	case ddl.ValidateConstraint:
		return op.Table, true
	case ddl.DropConstraint:
		return op.Table, true
	case ddl.RenameConstraint:
		return op.Table, true
	case ddl.CreateIndex:
		return op.Table, true
	case ddl.CreateTrigger:
		return op.Table, true
	case ddl.DropTrigger:
		return op.Table, true
	case ddl.AlterTable:
		return op.Table, true
	case ddl.AttachPartition:
		return op.Table, true
	case ddl.DetachPartition:
		return op.Table, true
	case ddl.Update:
		return op.Table, true
	case ddl.Delete:
		return op.Table, true
	case ddl.Insert:
		return op.Table, true
	}
	return ddl.Name{}, false
}

// touchOp records what an op is about when its own code did not.
func (c *compiler) touchOp(op ddl.Op) {
	if t, ok := tableOf(op); ok {
		c.touch("table", c.resolve(t), "")
		return
	}
	switch op := op.(type) {
	case ddl.CreateEnum:
		c.touch("type", ddl.Name{Schema: c.schemaFor(op.Type), Name: op.Type.Name}, "")
	case ddl.CreateDomain:
		c.touch("type", ddl.Name{Schema: c.schemaFor(op.Type), Name: op.Type.Name}, "")
	case ddl.AddEnumValue:
		c.touch("type", c.resolve(op.Type), "")
	case ddl.RenameEnumValue:
		c.touch("type", c.resolve(op.Type), "")
	case ddl.AlterDomain:
		c.touch("type", c.resolve(op.Type), "")
	case ddl.RenameType:
		c.touch("type", c.resolve(op.Type), "")
	case ddl.CreateSequence:
		c.touch("sequence", ddl.Name{Schema: c.schemaFor(op.Sequence), Name: op.Sequence.Name}, "")
	case ddl.AlterSequence:
		c.touch("sequence", c.resolve(op.Sequence), "")
	case ddl.RenameSequence:
		c.touch("sequence", c.resolve(op.Sequence), "")
	}
}
