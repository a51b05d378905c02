package lint

import (
	"fmt"
	"strings"

	"github.com/replank/replank/ddl"
)

// PostgreSQL's limits (src/include/pg_config_manual.h, access/htup_details.h).
const (
	maxIdentifier = 63   // bytes: NAMEDATALEN - 1
	maxColumns    = 1600 // MaxHeapAttributeNumber, dropped ones count
)

// shapes reports definitions that will hurt later.
func shapes(p *pass) {
	for _, name := range longNames(p.st.SQL) {
		p.report("identifier-length", fmt.Sprintf("%s has %d bytes: PostgreSQL cuts names to %d, and two names may become one", name, len(name), maxIdentifier))
	}
	for _, op := range p.st.Ops {
		switch op := op.(type) {
		case ddl.CreateTable:
			p.smallKeys(op)
		case ddl.AddColumn:
			p.columnBudget(op)
			p.positional(op)
		case ddl.AttachPartition:
			p.published(op.Table)
		}
	}
}

// smallKeys are keys that end at two billion.
func (p *pass) smallKeys(op ddl.CreateTable) {
	key := map[string]bool{}
	for _, c := range op.Constraints {
		if c.Kind == ddl.PrimaryKey && len(c.Columns) == 1 {
			key[c.Columns[0]] = true
		}
	}
	for _, col := range op.Columns {
		for _, c := range col.Constraints {
			if c.Kind == ddl.PrimaryKey {
				key[col.Name] = true
			}
		}
		counts := col.Identity != 0 || strings.HasPrefix(col.Type.Name, "serial") || strings.Contains(col.Default, "nextval(")
		switch col.Type.Name {
		case "int4", "int2", "serial4", "serial2":
			if key[col.Name] && counts {
				limit := "2,147,483,647"
				if strings.HasSuffix(col.Type.Name, "2") {
					limit = "32,767"
				}
				p.report("int4-key", fmt.Sprintf("the key %s.%s ends at %s, rolled back and conflicting INSERTs counted; to widen it later means to rewrite this table and all that refer to it", p.name(op.Table), col.Name, limit))
			}
		}
	}
}

func (p *pass) columnBudget(op ddl.AddColumn) {
	if r := p.schema.Relation(op.Table); r != nil && r.UsedAttributes >= maxColumns*9/10 {
		p.report("column-budget", fmt.Sprintf("%s has used %d of the %d columns that a table can ever have; dropped ones count until the table is made anew", p.name(op.Table), r.UsedAttributes, maxColumns), p.on(r.Name))
	}
}

// positional are functions that count the columns of a table, and statements of the workload that take all of them.
func (p *pass) positional(op ddl.AddColumn) {
	table := p.target(op.Table)
	if p.fresh(table) {
		return
	}
	for _, sig := range sortedKeys(p.schema.Functions) {
		f := p.schema.Functions[sig]
		if ddl.UsesColumnOrder(f.Body, table) {
			p.report("column-order", fmt.Sprintf("the function %s counts the columns of %s (INSERT without a column list, SELECT *, %%ROWTYPE): one more may break it", sig, p.name(table)), p.on(table))
		}
	}
	p.published(op.Table)
}

// published is a table whose changes subscribers receive: they do not receive its DDL.
func (p *pass) published(table ddl.Name) {
	r := p.schema.Relation(table)
	if r == nil || p.fresh(table) {
		return
	}
	for _, pub := range r.Publications {
		if len(pub.Columns) == 0 {
			p.report("logical-replication", fmt.Sprintf("the publication %s sends %s: logical replication does not send DDL, and a subscriber without the new column or partition stops at the first row that has it", pub.Name, p.name(table)), p.on(r.Name))
			return
		}
	}
}

// longNames are the identifiers of a statement that PostgreSQL cuts. Most statements have none, and end after one
// look at their bytes.
func longNames(sql string) []string {
	run := 0
	for i := 0; i < len(sql); i++ {
		switch c := sql[i]; {
		case c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80:
			run++
		case c == '"' || c == ' ' || c == '-' || c == '.':
			if strings.IndexByte(sql, '"') >= 0 && c != '"' {
				run++ // may stand inside quotes
			} else {
				run = 0
			}
		default:
			run = 0
		}
		if run > maxIdentifier {
			return ddl.LongIdentifiers(sql, maxIdentifier)
		}
	}
	return nil
}
