package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// statement compiles one statement, op by op. Type changes are collected while they follow one another, so that
// both ends of a foreign key swap together.
func (c *compiler) statement() error {
	if from := c.twins.once[c.stmt.Pos]; from != "" {
		c.consent("lost-writes", "it is computed once from %s: what old code writes there until complete is lost (docs: Split or merge columns)", from)
	}
	c.reads(c.stmt.SQL)
	c.together = c.dropsTogether()
	for i, op := range c.stmt.Ops {
		sql := c.stmt.SQL
		if len(c.stmt.Ops) > 1 && len(c.together) == 0 {
			sql = c.stmt.Alone(i)
		}
		if _, typed := op.(ddl.AlterColumnType); !typed {
			if err := c.flushTypes(); err != nil {
				return err
			}
		}
		if err := c.op(op, sql); err != nil {
			return err
		}
		if len(c.together) > 0 {
			continue
		}
		if err := c.now.ApplyOp(op, sql); err != nil {
			return err
		}
		c.wrote(op, sql)
	}
	if len(c.together) > 0 {
		c.together = nil
		return c.now.Apply(c.stmt)
	}
	return nil
}

// wrote notes under which search_path the file says something of relations, where that may be a definition.
func (c *compiler) wrote(op ddl.Op, sql string) {
	switch op.(type) {
	case ddl.Set, ddl.Transaction, ddl.Update, ddl.Delete, ddl.Insert:
		return
	}
	m, err := ddl.Mentions(sql)
	if err != nil {
		return
	}
	path := searchPath(c.now.PathSetting)
	for _, n := range m.Relations {
		if r := c.now.Relation(n); r != nil && !slices.Contains(c.paths[pathKey(r)], path) {
			c.paths[pathKey(r)] = append(c.paths[pathKey(r)], path)
		}
	}
}

// pathKey holds a relation of the database through its renames.
func pathKey(r *ddl.Relation) string {
	if r.OID != 0 {
		return fmt.Sprint(r.OID)
	}
	return r.Name.String()
}

// onePath refuses to make again what the file has defined under another search_path than the present one, where names
// in the definition may mean something else.
func (c *compiler) onePath(r *ddl.Relation) error {
	path := searchPath(c.now.PathSetting)
	for _, m := range c.family(r) {
		said := slices.Clone(c.paths[pathKey(m)])
		for _, d := range m.Dependents {
			if v := c.now.Relation(d.Name); v != nil && (d.Kind == "view" || d.Kind == "materialized view") {
				said = append(said, c.paths[pathKey(v)]...)
			}
		}
		for _, other := range said {
			if other != path {
				return c.refuse("split-file", "put what stands under the one search_path into a file of its own, or SET search_path once for all of it",
					"the file says something of %s under search_path %s, and would have to make it again under %s, where its names may mean something else", m.Name, other, path)
			}
		}
	}
	return nil
}

// dropsTogether are the objects of a DROP of several, in whatever order they stand on one another. One that the file
// itself made goes at once and the others at complete, so that such a statement is taken apart.
func (c *compiler) dropsTogether() []ddl.Name {
	if len(c.stmt.Ops) < 2 {
		return nil
	}
	var out []ddl.Name
	for _, op := range c.stmt.Ops {
		switch op := op.(type) {
		case ddl.DropTable:
			out = append(out, c.resolve(op.Table))
		case ddl.DropView:
			out = append(out, c.resolve(op.View))
		case ddl.DropType:
			out = append(out, c.resolve(op.Type))
		case ddl.DropSequence:
			out = append(out, c.resolve(op.Sequence))
		default:
			return nil
		}
	}
	if slices.ContainsFunc(out, func(n ddl.Name) bool { return c.fresh[n] }) {
		return nil
	}
	return out
}

// op compiles one change. sql is the change alone, as the user wrote it.
func (c *compiler) op(op ddl.Op, sql string) error {
	if done, err := c.afterHeld(op, sql); done || err != nil {
		return err
	}
	switch op.(type) {
	case ddl.Update, ddl.Delete, ddl.Insert:
	default:
		if _, ok := c.directive("backfill"); ok {
			return c.refuse("whole-statement", "put `-- replank: backfill` above an UPDATE, DELETE or INSERT … SELECT", "it is marked as a backfill and is none")
		}
	}
	switch op := op.(type) {
	case ddl.Transaction:
		return c.transaction(op)
	case ddl.Set:
		return c.set(op)

	case ddl.CreateTable:
		return c.createTable(op, sql)
	case ddl.DropTable:
		return c.dropTable(op, sql)
	case ddl.RenameTable:
		return c.renameRelation(op.Table, op.To, op.IfExists, sql)
	case ddl.RenameView:
		return c.renameRelation(op.View, op.To, false, sql)
	case ddl.Truncate:
		return c.truncate(op, sql)

	case ddl.AddColumn:
		return c.addColumn(op, sql)
	case ddl.DropColumn:
		return c.dropColumn(op, sql)
	case ddl.RenameColumn:
		return c.renameColumn(op, sql)
	case ddl.AlterColumnType:
		return c.alterType(op, sql)
	case ddl.SetDefault:
		return c.setDefault(op, sql)
	case ddl.SetNotNull:
		return c.setNotNull(op, sql)
	case ddl.DropNotNull:
		return c.dropNotNull(op, sql)
	case ddl.AddIdentity:
		return c.addIdentity(op, sql)
	case ddl.DropIdentity:
		return c.dropIdentity(op, sql)
	case ddl.DropExpression:
		return c.irreversible(op, sql, "the column's expression is gone, and PostgreSQL cannot give it to a column that has values")

	case ddl.AddConstraint:
		return c.addConstraint(op, sql)
	case ddl.ValidateConstraint:
		return c.validateConstraint(op, sql)
	case ddl.DropConstraint:
		return c.dropConstraint(op, sql)
	case ddl.RenameConstraint:
		return c.renameConstraint(op, sql)

	case ddl.CreateIndex:
		return c.createIndex(op, sql)
	case ddl.DropIndex:
		return c.dropIndex(op, sql)
	case ddl.RenameIndex:
		return c.renameIndex(op, sql)
	case ddl.Reindex:
		return c.reindex(op)

	case ddl.AttachPartition:
		return c.attachPartition(op, sql)
	case ddl.DetachPartition:
		return c.detachPartition(op, sql)

	case ddl.CreateEnum:
		c.fresh[ddl.Name{Schema: c.schemaFor(op.Type), Name: op.Type.Name}] = true
		return c.create(op, "TYPE", op.Type, sql, "")
	case ddl.CreateDomain:
		return c.create(op, "DOMAIN", op.Type, sql, "")
	case ddl.AddEnumValue:
		if n := c.resolve(op.Type); c.fresh[n] {
			return c.harmless(op, sql) // the type is this file's own
		}
		c.consent("irreversible", "PostgreSQL cannot remove a value from an enum: %s", sql)
		c.notice("new-value", "old code may read the new value %q of %s", op.Label, op.Type)
		return c.irreversible(op, sql, "PostgreSQL cannot remove a value from an enum type")
	case ddl.RenameEnumValue:
		return c.asIs(op, sql, fmt.Sprintf("ALTER TYPE %s RENAME VALUE %s TO %s", op.Type, ddl.QuoteLiteral(op.To), ddl.QuoteLiteral(op.From)))
	case ddl.AlterDomain:
		return c.alterDomain(op, sql)
	case ddl.RenameType:
		return c.asIs(op, sql, fmt.Sprintf("ALTER TYPE %s RENAME TO %s", ddl.Name{Schema: c.schemaOf(op.Type), Name: op.To}, qi(op.Type.Name)))
	case ddl.DropType:
		return c.drop("type", op.Type, sql)

	case ddl.CreateView:
		return c.createView(op, sql)
	case ddl.DropView:
		return c.drop("view", op.View, sql)
	case ddl.RefreshMaterializedView:
		return c.refresh(op, sql)

	case ddl.CreateSequence:
		if c.ownedByHeld(op, sql, ddl.Name{Schema: c.schemaFor(op.Sequence), Name: op.Sequence.Name}) {
			return c.wait(op, sql)
		}
		return c.create(op, "SEQUENCE", op.Sequence, sql, "")
	case ddl.AlterSequence:
		return c.alterSequence(op, sql)
	case ddl.RenameSequence:
		to := ddl.Name{Schema: c.schemaOf(op.Sequence), Name: op.To}
		if c.occupied(to) {
			return c.wait(op, sql)
		}
		return c.asIs(op, sql, fmt.Sprintf("ALTER SEQUENCE %s RENAME TO %s", to, qi(op.Sequence.Name)))
	case ddl.DropSequence:
		return c.drop("sequence", op.Sequence, sql)

	case ddl.CreateTrigger:
		return c.createTrigger(op, sql)
	case ddl.DropTrigger:
		return c.dropTrigger(op, sql)
	case ddl.AlterTable:
		return c.alterTable(op, sql)
	case ddl.SetSchema:
		return c.setSchema(op, sql)

	case ddl.Update, ddl.Delete, ddl.Insert:
		return c.dml(op, sql)
	case ddl.Do:
		c.consent("irreversible", "a DO block can do anything; Replank runs it as it is and cannot take it back")
		return c.irreversible(op, sql, "a DO block can do anything")
	case ddl.Other:
		return c.other(op, sql)
	}
	return c.refuse("unknown-statement", "run it by hand, or write it in another way",
		"Replank does not know what %T does", op)
}

// transaction handles BEGIN and its like. The steps of an online plan commit one by one, so a transaction
// block in the file can only be a promise about the whole file: it is taken back whole (RULES 27).
func (c *compiler) transaction(op ddl.Transaction) error {
	switch op.Verb {
	case "BEGIN", "START TRANSACTION":
		c.notice("atomicity", "BEGIN … COMMIT is not one transaction here: steps commit one by one, and a failure takes the whole file back")
	case "COMMIT", "END":
		c.settings = slices.DeleteFunc(c.settings, func(s Setting) bool { return slices.Contains(c.local, s.Name) })
		c.local = nil
		c.nowPath()
	default:
		return c.refuse("transaction-control", "remove it: a file is taken back whole when one of its statements fails",
			"%s cannot be kept: the steps of an online plan commit one by one", op.Verb)
	}
	return nil
}

// own are the parameters that the executor sets for each step itself.
var own = []string{"lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout", "deadlock_timeout"}

func (c *compiler) set(op ddl.Set) error {
	name := strings.ToLower(op.Name)
	if slices.Contains(own, name) {
		c.notice("own-timeouts", "SET %s has no effect: Replank sets the timeouts of each step itself", name)
		return nil
	}
	if name == "session_replication_role" || name == "role" || name == "session_authorization" {
		return c.refuse("set-"+name, "use --owner to choose the role that owns new objects", "SET %s would change who does the steps", name)
	}
	c.settings = slices.DeleteFunc(c.settings, func(s Setting) bool { return s.Name == name })
	if op.Local {
		c.local = append(c.local, name)
	}
	if !op.Reset {
		c.settings = append(c.settings, Setting{Name: name, Value: settingValue(op.Value)})
	} else if name == "search_path" || name == "all" {
		if name == "all" {
			c.settings = nil
		}
		c.nowPath()
	}
	return nil
}

// nowPath gives the schema of the file the search_path that is in force when one of the file's own no longer is.
func (c *compiler) nowPath() {
	path := searchPath(c.start.PathSetting)
	for _, s := range c.settings {
		if s.Name == "search_path" {
			path = s.Value
		}
	}
	_ = c.now.ApplyOp(ddl.Set{Name: "search_path", Value: path}, "") // it was valid where the file says it
}

// settingValue is what set_config takes for a value written in SET: a lone string without its quotes.
func settingValue(v string) string {
	if len(v) >= 2 && v[0] == '\'' && v[len(v)-1] == '\'' && !strings.Contains(strings.ReplaceAll(v[1:len(v)-1], "''", ""), "'") {
		return strings.ReplaceAll(v[1:len(v)-1], "''", "'")
	}
	return v
}

// asIs runs the user's statement under lock discipline, when that stops nobody for longer than a moment.
func (c *compiler) asIs(op ddl.Op, sql string, reverse ...string) error {
	if err := c.mayBlock(sql); err != nil {
		return err
	}
	c.touchOp(op)
	st := Step{Phase: Expand, Kind: c.kindAsWritten(), Title: title(sql), SQL: []string{sql}}
	if len(reverse) > 0 && reverse[0] != "" {
		st.Reverse = reverse
	} else {
		st.Irreversible = "Replank knows no statement that takes it back"
	}
	c.step(st)
	return nil
}

// irreversible runs the user's statement, which nothing takes back.
func (c *compiler) irreversible(op ddl.Op, sql, why string) error {
	if err := c.mayBlock(sql); err != nil {
		return err
	}
	c.touchOp(op)
	c.step(Step{Phase: Expand, Kind: c.kindAsWritten(), Title: title(sql), SQL: []string{sql}, Irreversible: why})
	return nil
}

// harmless runs a statement that changes nothing a reader sees, and that revert leaves alone.
func (c *compiler) harmless(op ddl.Op, sql string) error {
	c.touchOp(op)
	c.step(Step{Phase: Expand, Kind: c.kindAsWritten(), Title: title(sql), SQL: []string{sql}})
	return nil
}

func (c *compiler) kindAsWritten() Kind {
	if c.stmt.NoTx {
		return Concurrently
	}
	return Transaction
}

// create runs a CREATE of an object nobody uses yet. An object under the name of one that goes at complete
// has to wait for that.
func (c *compiler) create(op ddl.Op, kind string, n ddl.Name, sql, reverse string) error {
	full := ddl.Name{Schema: c.schemaFor(n), Name: n.Name}
	if reverse == "" {
		reverse = "DROP " + kind + " " + full.String()
	}
	if c.occupied(full) {
		return c.wait(op, sql)
	}
	return c.asIs(op, sql, reverse)
}

// drop leaves the object to complete: old code may still use it.
func (c *compiler) drop(kind string, n ddl.Name, sql string) error {
	full := ddl.Name{Schema: c.schemaOf(n), Name: n.Name}
	c.touch(kind, full, "")
	c.dropped[full.String()] = true
	c.later(Step{Kind: Transaction, Leaves: true, Title: title(sql), SQL: []string{sql},
		Destroys: kind + " " + full.String(), Irreversible: "the " + kind + " is gone"})
	return nil
}

// mayBlock refuses a statement that would rewrite or read a big table while it keeps writers or readers out.
func (c *compiler) mayBlock(sql string) error {
	var e effects
	e.add(c.now.Clone(), sql)
	for _, list := range []struct {
		names []ddl.Name
		what  string
	}{{e.rewrite, "rewrites"}, {e.scan, "reads all of"}, {e.reindex, "rebuilds"}} {
		for _, name := range list.names {
			r := c.now.Relations[name]
			if i := c.now.Indexes[name]; i != nil {
				r = c.now.Relation(i.Table)
			}
			if r == nil || !c.big(r) || e.mode[r.Name] <= ddl.ShareUpdateExclusive || c.plain() {
				continue
			}
			return c.refuse("blocking", "write it as steps that Replank knows, or set `-- replank: plain` above it to run it as it is",
				"PostgreSQL %s %s under %s, which keeps the application out for as long as that takes", list.what, name, e.mode[r.Name])
		}
	}
	return nil
}

// plain reports whether the user asked for the statement as it is.
func (c *compiler) plain() bool { return plainly(c.stmt) }

func plainly(st ddl.Statement) bool {
	return slices.ContainsFunc(st.Directives, func(d ddl.Directive) bool { return d.Verb == "plain" })
}

// directive finds the argument of a "-- replank:" comment of the statement.
func (c *compiler) directive(verb string) (string, bool) {
	for _, d := range c.stmt.Directives {
		if d.Verb == verb {
			return d.Arg, true
		}
	}
	return "", false
}

// schemaOf gives the schema of an existing object that the file names.
func (c *compiler) schemaOf(n ddl.Name) string {
	if n.Schema != "" {
		return n.Schema
	}
	for _, s := range c.now.SearchPath {
		k := ddl.Name{Schema: s, Name: n.Name}
		if c.now.Relations[k] != nil || c.now.Indexes[k] != nil || c.now.Types[k] != nil || c.now.Sequences[k] != nil {
			return s
		}
	}
	return c.schemaFor(n)
}

// schemaFor gives the schema in which a CREATE puts an object.
func (c *compiler) schemaFor(n ddl.Name) string {
	if n.Schema != "" {
		return n.Schema
	}
	if len(c.now.SearchPath) > 0 {
		return c.now.SearchPath[0]
	}
	return "public"
}

// resolve qualifies the name of an existing relation.
func (c *compiler) resolve(n ddl.Name) ddl.Name {
	return ddl.Name{Schema: c.schemaOf(n), Name: n.Name}
}

func qi(s string) string { return ddl.QuoteIdent(s) }

func qis(cols []string) string { return ddl.QuoteIdents(cols) }

// title shortens a statement for people.
func title(sql string) string {
	s := strings.Join(strings.Fields(sql), " ")
	if r := []rune(s); len(r) > 100 {
		s = string(r[:97]) + "…"
	}
	return s
}
