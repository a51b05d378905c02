package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

func (c *compiler) createView(op ddl.CreateView, sql string) error {
	n := ddl.Name{Schema: c.schemaFor(op.View), Name: op.View.Name}
	c.touch("view", n, "")
	old := c.now.Relation(n)
	kind := "VIEW"
	if op.Materialized {
		kind = "MATERIALIZED VIEW"
	}
	if old != nil && op.IfNotExists {
		c.notice("exists", "%s exists already", n)
		return nil
	}
	if c.occupied(n) {
		return c.wait(op, sql) // it takes the place of one that goes at complete
	}
	st := Step{Phase: Expand, Kind: Transaction, Title: title(sql), SQL: []string{sql}, Reverse: []string{"DROP " + kind + " " + n.String()}}
	if op.Materialized && op.WithData {
		st.Kind = Long // reads its sources under ACCESS SHARE; nobody waits for it
	}
	if old != nil && op.Replace {
		// CREATE OR REPLACE cannot take columns away again, so the way back makes the old view anew.
		st.Reverse = append([]string{"DROP VIEW " + n.String()}, c.viewSQL(old)...)
	}
	if old == nil {
		c.fresh[n] = true
	}
	c.step(st)
	return nil
}

// refresh keeps readers in where PostgreSQL can do that: it needs a unique index without predicate.
func (c *compiler) refresh(op ddl.RefreshMaterializedView, sql string) error {
	r, err := c.relation(op.View)
	if err != nil {
		return err
	}
	c.touch("view", r.Name, "")
	if op.Concurrently || !r.Populated || !c.big(r) || c.plain() {
		c.step(Step{Phase: Verify, Kind: Long, Title: title(sql), SQL: []string{sql}})
		return nil
	}
	for _, i := range r.Indexes {
		if i.Unique && i.Valid && !i.HasExpr && i.Predicate == "" {
			c.step(Step{Phase: Verify, Kind: Long, Title: title(sql), SQL: []string{"REFRESH MATERIALIZED VIEW CONCURRENTLY " + r.Name.String()}})
			return nil
		}
	}
	return c.refuse("refresh", "create a unique index on columns of "+r.Name.String()+" first, then REFRESH … CONCURRENTLY works",
		"REFRESH MATERIALIZED VIEW keeps readers out for as long as the query runs")
}

func (c *compiler) alterSequence(op ddl.AlterSequence, sql string) error {
	s := c.now.Sequences[c.resolve(op.Sequence)]
	if s == nil {
		return fmt.Errorf("sequence %s does not exist", op.Sequence)
	}
	if c.ownedByHeld(op, sql, s.Name) {
		return c.wait(op, sql)
	}
	cycle := "NO CYCLE"
	if s.Cycle {
		cycle = "CYCLE"
	}
	owned := "NONE"
	if s.OwnedColumn != "" {
		owned = s.OwnedTable.String() + "." + qi(s.OwnedColumn)
	}
	back := fmt.Sprintf("ALTER SEQUENCE %s AS %s INCREMENT BY %d MINVALUE %d MAXVALUE %d START WITH %d CACHE %d %s",
		s.Name, s.Type, s.Increment, s.Min, s.Max, s.Start, s.Cache, cycle)
	if !s.Identity {
		back += " OWNED BY " + owned
	}
	return c.asIs(op, sql, back)
}

// ownedByHeld says whether a statement gives a sequence to a column that another one carries, or to a table that has
// another name, until complete: the sequence would go with what goes then.
func (c *compiler) ownedByHeld(op ddl.Op, sql string, n ddl.Name) bool {
	after := c.now.Clone()
	if after.ApplyOp(op, sql) != nil {
		return false // the statement's own turn reports what is wrong
	}
	s := after.Sequences[n]
	return s != nil && s.OwnedColumn != "" && (c.physical(s.OwnedTable, s.OwnedColumn) != s.OwnedColumn || c.physicalTable(s.OwnedTable) != s.OwnedTable)
}

func (c *compiler) createTrigger(op ddl.CreateTrigger, sql string) error {
	r, err := c.relation(op.Table)
	if err != nil {
		return err
	}
	c.touch("table", r.Name, "")
	back := []string{fmt.Sprintf("DROP TRIGGER %s ON %s", qi(op.Name), r.Name)}
	for _, t := range r.Triggers {
		if t.Name == op.Name { // CREATE OR REPLACE TRIGGER
			back = append(append(back, t.Definition), c.triggerState(r, t)...)
		}
	}
	if c.dropped[part(r.Name, "trigger "+op.Name)] || !c.unheld(r) {
		c.comes(op)
		c.later(Step{Kind: Transaction, Title: title(sql), SQL: []string{sql}, Reverse: back})
		return nil
	}
	c.step(Step{Phase: Expand, Kind: Transaction, Title: title(sql), SQL: []string{sql}, Reverse: back})
	return nil
}

func (c *compiler) dropTrigger(op ddl.DropTrigger, sql string) error {
	r, err := c.relation(op.Table)
	if err != nil {
		if op.IfExists {
			return nil
		}
		return err
	}
	c.touch("table", r.Name, "")
	c.dropped[part(r.Name, "trigger "+op.Name)] = true
	for _, t := range r.Triggers {
		if t.Name == op.Name {
			c.later(Step{Kind: Transaction, Title: title(sql), SQL: []string{sql},
				Reverse: append([]string{t.Definition}, c.triggerState(r, t)...)})
			return nil
		}
	}
	if op.IfExists {
		return nil
	}
	return fmt.Errorf("trigger %s for relation %s does not exist", qi(op.Name), r.Name)
}

// alterTable runs the subcommands that are a moment's work, with the way back where the catalog tells it.
func (c *compiler) alterTable(op ddl.AlterTable, sql string) error {
	r := c.now.Relation(op.Table)
	if r == nil {
		return c.asIs(op, sql, "")
	}
	c.touch("table", r.Name, op.Column)
	alter := "ALTER TABLE " + r.Name.String() + " "
	if op.Only {
		alter = "ALTER TABLE ONLY " + r.Name.String() + " "
	}
	if r.Kind == 'v' {
		alter = "ALTER VIEW " + r.Name.String() + " "
	} else if r.Kind == 'm' {
		alter = "ALTER MATERIALIZED VIEW " + r.Name.String() + " "
	}
	back := c.reverseAlter(op, r)
	if back == "" {
		return c.asIs(nil, sql)
	}
	reverse := []string{alter + back}
	if !op.Only && handedDown[op.Action] {
		for _, m := range c.family(r)[1:] {
			if own := c.reverseAlter(op, m); own != "" && own != back {
				reverse = append(reverse, "ALTER TABLE ONLY "+m.Name.String()+" "+own)
			}
		}
	}
	if op.Action == "ChangeOwner" {
		// What the new owner had been granted became the owner's own, and goes back as that.
		after := c.now.Clone()
		for _, sql := range append([]string{sql}, reverse...) {
			new(effects).add(after, sql)
		}
		reverse = append(reverse, restored(after, c.now)...)
	}
	return c.asIs(nil, sql, reverse...)
}

// handedDown are the subcommands that change what tables below may have otherwise, like the way back of each.
var handedDown = map[string]bool{"SetStatistics": true, "SetStorage": true,
	"EnableTrig": true, "DisableTrig": true, "EnableAlwaysTrig": true, "EnableReplicaTrig": true}

// reverseAlter is the subcommand that takes another one back.
func (c *compiler) reverseAlter(op ddl.AlterTable, r *ddl.Relation) string {
	col := r.Column(op.Column)
	on := func(yes bool, a, b string) string {
		if yes {
			return a
		}
		return b
	}
	switch op.Action {
	case "SetIdentity":
		if col != nil && col.Identity != 0 {
			back := "SET GENERATED " + on(col.Identity == 'a', "ALWAYS", "BY DEFAULT")
			if s := c.now.Sequences[col.Sequence]; s != nil {
				back += fmt.Sprintf(" SET INCREMENT BY %d SET MINVALUE %d SET MAXVALUE %d SET START WITH %d SET CACHE %d SET %s",
					s.Increment, s.Min, s.Max, s.Start, s.Cache, on(s.Cycle, "CYCLE", "NO CYCLE"))
			}
			return "ALTER COLUMN " + qi(col.Name) + " " + back
		}
	case "SetStatistics":
		if col != nil {
			return fmt.Sprintf("ALTER COLUMN %s SET STATISTICS %d", qi(col.Name), col.StatsTarget)
		}
	case "SetStorage":
		if col != nil {
			return fmt.Sprintf("ALTER COLUMN %s SET STORAGE %s", qi(col.Name), map[byte]string{'p': "PLAIN", 'e': "EXTERNAL", 'x': "EXTENDED", 'm': "MAIN"}[col.Storage])
		}
	case "SetCompression":
		if col != nil {
			m := map[byte]string{'p': "pglz", 'l': "lz4"}[col.Compression]
			return fmt.Sprintf("ALTER COLUMN %s SET COMPRESSION %s", qi(col.Name), on(m == "", "DEFAULT", m))
		}
	case "SetOptions", "ResetOptions":
		if col != nil {
			return options("ALTER COLUMN "+qi(col.Name)+" ", col.Options, op.With)
		}
	case "SetRelOptions", "ResetRelOptions", "ReplaceRelOptions":
		return options("", r.Options, op.With)
	case "EnableRowSecurity", "DisableRowSecurity":
		return on(r.RowSecurity, "ENABLE", "DISABLE") + " ROW LEVEL SECURITY"
	case "ForceRowSecurity", "NoForceRowSecurity":
		return on(r.ForceRowSecurity, "FORCE", "NO FORCE") + " ROW LEVEL SECURITY"
	case "ChangeOwner":
		return "OWNER TO " + qi(r.Owner)
	case "ReplicaIdentity":
		switch r.ReplicaIdentity {
		case 'n':
			return "REPLICA IDENTITY NOTHING"
		case 'f':
			return "REPLICA IDENTITY FULL"
		case 'i':
			for _, i := range r.Indexes {
				if i.ReplIdent {
					return "REPLICA IDENTITY USING INDEX " + qi(i.Name.Name)
				}
			}
		}
		return "REPLICA IDENTITY DEFAULT"
	case "ClusterOn", "DropCluster":
		for _, i := range r.Indexes {
			if i.Clustered {
				return "CLUSTER ON " + qi(i.Name.Name)
			}
		}
		return "SET WITHOUT CLUSTER"
	case "SetLogged", "SetUnLogged":
		return on(r.Persistence == 'u', "SET UNLOGGED", "SET LOGGED")
	case "EnableTrig", "DisableTrig", "EnableAlwaysTrig", "EnableReplicaTrig":
		for _, t := range r.Triggers {
			if t.Name == op.Arg {
				return triggerStates[t.Enabled] + " TRIGGER " + qi(t.Name)
			}
		}
	}
	return ""
}

// options restores the storage parameters that a statement names: the values they had, or none.
func options(prefix string, have, names []string) string {
	var set, reset []string
	for _, n := range names {
		i := slices.IndexFunc(have, func(o string) bool { return strings.HasPrefix(o, n+"=") })
		if i >= 0 {
			k, v, _ := strings.Cut(have[i], "=")
			set = append(set, k+" = "+ddl.QuoteLiteral(v))
		} else {
			reset = append(reset, n)
		}
	}
	switch {
	case len(set) > 0 && len(reset) > 0:
		return prefix + "SET (" + strings.Join(set, ", ") + "), " + prefix + "RESET (" + strings.Join(reset, ", ") + ")"
	case len(set) > 0:
		return prefix + "SET (" + strings.Join(set, ", ") + ")"
	case len(reset) > 0:
		return prefix + "RESET (" + strings.Join(reset, ", ") + ")"
	}
	return ""
}

// other handles the statements without an op of their own by what their command tag says.
func (c *compiler) other(op ddl.Other, sql string) error {
	for _, n := range op.Objects {
		c.touch("table", c.resolve(n), "")
	}
	verb, kind, _ := strings.Cut(op.Tag, " ")
	switch verb {
	case "SELECT", "SHOW", "EXPLAIN", "NOTIFY", "LISTEN", "CHECKPOINT", "ANALYZE":
		return c.harmless(op, sql)
	case "VACUUM", "CLUSTER":
		if verb == "CLUSTER" && slices.ContainsFunc(op.Objects, c.partitioned) {
			c.stmt.NoTx = true // each partition in a transaction of its own
		}
		if verb == "CLUSTER" || strings.Contains(strings.ToUpper(sql), "FULL") {
			if err := c.mayBlock(sql); err != nil {
				return err
			}
		}
		return c.harmless(op, sql)
	case "DROP":
		for _, n := range slices.Concat(op.Objects, op.Names) {
			c.dropped[kind+" "+n.Name] = true
		}
		what := strings.ToLower(kind) + " " + strings.Join(texts(slices.Concat(op.Names, op.Objects)), ", ")
		c.later(Step{Kind: c.kindAsWritten(), Title: title(sql), SQL: []string{sql}, Outcome: c.outcome(op, kind, false),
			Destroys: what, Other: true, Irreversible: what + " is gone"})
		return nil
	case "CREATE":
		return c.createOther(op, kind, sql)
	case "COMMENT":
		return c.comment(op, sql)
	case "GRANT", "REVOKE":
		return c.grant(op, sql)
	case "DISCARD":
		if c.stmt.NoTx {
			return c.refuse("discard-all", "remove it: each step sets for itself what it needs", "DISCARD ALL would take from Replank's session what keeps it polite")
		}
		return c.harmless(op, sql)
	}
	if op.Tag == "SET CONSTRAINTS" {
		return c.harmless(op, sql) // it ends with the transaction, and Django writes one before each foreign key that it drops
	}
	if op.Tag == "ALTER DEFAULT PRIVILEGES" {
		if len(c.late) > 0 {
			return c.refuse("split-file", "put it into a file of its own", "what the file makes before it comes only at complete, and would get the privileges that it says of what comes behind it")
		}
		return c.grant(op, sql)
	}
	if err := c.mayBlock(sql); err != nil {
		return err
	}
	c.reachesOut(op.Tag)
	c.step(Step{Phase: Expand, Kind: c.kindAsWritten(), Title: title(sql), SQL: []string{sql},
		Irreversible: "Replank does not know the statement that takes " + op.Tag + " back"})
	return nil
}

// outside are the catalogs of what is made and dropped outside of a transaction.
var outside = map[string]string{
	"SUBSCRIPTION": "pg_catalog.pg_subscription WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AND subname",
	"DATABASE":     "pg_catalog.pg_database WHERE datname",
	"TABLESPACE":   "pg_catalog.pg_tablespace WHERE spcname",
}

// outcome asks whether such a thing is there, or has gone.
func (c *compiler) outcome(op ddl.Other, kind string, there bool) string {
	from := outside[kind]
	if !c.stmt.NoTx || from == "" || len(op.Names) != 1 {
		return ""
	}
	not := ""
	if !there {
		not = "NOT "
	}
	return fmt.Sprintf("SELECT %sEXISTS (SELECT FROM %s = %s)", not, from, ddl.QuoteLiteral(op.Names[0].Name))
}

func (c *compiler) partitioned(n ddl.Name) bool {
	r := c.now.Relation(n)
	return r != nil && r.Kind == 'p'
}

// reachesOut asks for consent to what cannot be taken back and changes more than this database: that is why PostgreSQL
// refuses it in a transaction block.
func (c *compiler) reachesOut(tag string) {
	if c.stmt.NoTx {
		c.consent("irreversible", "%s reaches beyond this database, and Replank does not know the way back", tag)
	}
}

// createOther creates a function, schema, extension, policy … and knows the way back from its identity.
func (c *compiler) createOther(op ddl.Other, kind, sql string) error {
	for _, n := range slices.Concat(op.Objects, op.Names) {
		if c.dropped[kind+" "+n.Name] {
			return c.wait(op, sql)
		}
	}
	known, identity, replace := ddl.Identity(sql)
	st := Step{Phase: Expand, Kind: c.kindAsWritten(), Title: title(sql), SQL: []string{sql}, Outcome: c.outcome(op, kind, true)}
	if slot := ddl.ReplicationSlot(sql); slot != "" {
		st.Elsewhere = "replication slot " + qi(slot) + " on the publisher"
	}
	switch {
	case identity == "":
		st.Irreversible = "Replank does not know the statement that takes CREATE " + kind + " back"
		c.reachesOut(op.Tag)
	case replace && strings.HasSuffix(identity, ")"):
		if f := c.functionAsIs(identity); f != "" {
			st.Reverse = []string{f}
		} else {
			st.Reverse = []string{"DROP " + known + " IF EXISTS " + identity}
		}
	default:
		st.Reverse = []string{"DROP " + known + " IF EXISTS " + identity}
	}
	c.step(st)
	return nil
}

// functionAsIs gives the definition of a function that exists already.
func (c *compiler) functionAsIs(identity string) string {
	for _, f := range c.now.Functions {
		if sameSignature(f.Signature, identity) {
			return f.Definition
		}
	}
	return ""
}

// sameSignature compares a regprocedure text with what the file wrote, schema and spacing aside.
func sameSignature(a, b string) bool {
	norm := func(s string) string {
		name, args, _ := strings.Cut(strings.TrimSuffix(s, ")"), "(")
		if i := strings.LastIndexByte(name, '.'); i >= 0 {
			name = name[i+1:]
		}
		list := strings.Split(args, ",")
		for i, t := range list {
			t = strings.TrimSpace(t)
			if j := strings.LastIndexByte(t, '.'); j >= 0 {
				t = t[j+1:]
			}
			if long, ok := spelling[t]; ok {
				t = long
			}
			list[i] = t
		}
		return name + "(" + strings.Join(list, ",")
	}
	return norm(a) == norm(b)
}

// spelling gives the names that regprocedure prints for the shorter ones that people and the deparser write.
var spelling = map[string]string{
	"int": "integer", "int4": "integer", "int8": "bigint", "int2": "smallint", "bool": "boolean",
	"float8": "double precision", "float": "double precision", "float4": "real", "decimal": "numeric",
	"varchar": "character varying", "char": "character", "bpchar": "character", "timestamptz": "timestamp with time zone",
	"timestamp": "timestamp without time zone", "timetz": "time with time zone", "time": "time without time zone", "varbit": "bit varying",
}
