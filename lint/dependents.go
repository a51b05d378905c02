package lint

import (
	"fmt"
	"maps"
	"slices"

	"github.com/replank/replank/ddl"
)

// dependents reports functions that go on naming what a statement takes away: their bodies are text, which
// PostgreSQL looks at when it runs them.
func dependents(p *pass) {
	for _, op := range p.st.Ops {
		switch op := op.(type) {
		case ddl.DropColumn:
			p.bodies(op.Table, op.Column)
		case ddl.RenameColumn:
			p.bodies(op.Table, op.From)
		case ddl.DropTable:
			p.bodies(op.Table, "")
		case ddl.RenameTable:
			p.bodies(op.Table, "")
		}
	}
}

func (p *pass) bodies(table ddl.Name, column string) {
	r := p.schema.Relation(table)
	if r == nil || len(p.schema.Functions) == 0 {
		return
	}
	for _, sig := range sortedKeys(p.schema.Functions) {
		f := p.schema.Functions[sig]
		if f.Body == "" {
			continue
		}
		names, what := wordsOf(f.Body), r.Name.Name
		trigger := column != "" && slices.ContainsFunc(r.Triggers, func(t *ddl.Trigger) bool { return t.Function == sig || t.Function == f.Name.Name }) && ddl.NamesColumn(f.Body, column)
		if !trigger && (!names[r.Name.Name] || column != "" && !names[column]) {
			continue
		}
		if column != "" {
			what += "." + column
		}
		p.report("function-body", fmt.Sprintf("the body of %s names %s and fails when it is called next: PostgreSQL does not look into bodies", sig, what), p.on(r.Name), mendedBy(func(op ddl.Op) bool {
			o, ok := op.(ddl.Other)
			return ok && (o.Tag == "CREATE FUNCTION" || o.Tag == "CREATE PROCEDURE" || o.Tag == "DROP FUNCTION" || o.Tag == "DROP PROCEDURE") &&
				slices.ContainsFunc(o.Names, func(n ddl.Name) bool { return n.Name == f.Name.Name })
		}))
	}
}

// wordsOf are the words of a text.
func wordsOf(text string) map[string]bool {
	words := map[string]bool{}
	start := -1
	for i := 0; i <= len(text); i++ {
		letter := i < len(text) && (text[i] == '_' || text[i] >= 'a' && text[i] <= 'z' || text[i] >= 'A' && text[i] <= 'Z' || text[i] >= '0' && text[i] <= '9' || text[i] >= 0x80)
		switch {
		case letter && start < 0:
			start = i
		case !letter && start >= 0:
			words[text[start:i]] = true
			start = -1
		}
	}
	return words
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
