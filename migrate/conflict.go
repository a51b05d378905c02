package migrate

import (
	"slices"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/plan"
)

// holding is what an earlier migration keeps for itself: it still holds its objects expanded, or it is itself
// blocked and must come before whatever touches the same.
type holding struct {
	run     string
	touches []plan.Object
	// hides says that some of its new shape is to be seen only after complete.
	hides bool
}

// blocks reports whether a plan has to wait for what holds. Nobody knows what code looks at: it waits for everything
// that would show it an old shape.
func (h holding) blocks(p *plan.Plan) bool {
	return overlap(concerns(p), h.touches) || h.hides && p.HasCode()
}

// concerns are the objects that have to be in one shape before a plan is carried out: what it changes and what it reads.
func concerns(p *plan.Plan) []plan.Object { return slices.Concat(p.Touches, p.Reads) }

// blockedBy finds the migrations among held that stand in the way of a plan, in their order (RULES 26).
func blockedBy(p *plan.Plan, held []holding) []string {
	var names []string
	for _, h := range held {
		if h.blocks(p) {
			names = append(names, h.run)
		}
	}
	return names
}

// needsBlocked is the first of the migrations that one needs which is blocked itself.
func needsBlocked(m history.Migration, blocked func(name string) bool) []string {
	if i := slices.IndexFunc(m.Needs, blocked); i >= 0 {
		return m.Needs[i : i+1]
	}
	return nil
}

// unseen reports whether nobody can know the old shape of what a plan holds: all of it was made since s was read, by the
// same apply, and no code that knows it can be deployed yet.
func unseen(p *plan.Plan, s *ddl.Schema) bool {
	was := map[string]bool{}
	for n := range s.Relations {
		was[n.String()] = true
	}
	if slices.ContainsFunc(p.Steps, func(st plan.Step) bool {
		return st.Other || slices.ContainsFunc(st.Locks, func(l plan.Lock) bool { return !st.Books && was[l.Relation] })
	}) {
		return false
	}
	return !slices.ContainsFunc(p.Touches, func(o plan.Object) bool {
		n := ddl.Name{Schema: o.Schema, Name: o.Name}
		switch o.Kind {
		case "table", "view", "index", "sequence", "type":
			return s.Relations[n] != nil || s.Indexes[n] != nil || s.Sequences[n] != nil || s.Types[n] != nil
		}
		return true
	})
}

// overlap reports whether two sets of objects have one in common. Columns do not keep files apart: two shapes
// of one table at a time are enough. A schema holds everything in it.
func overlap(a, b []plan.Object) bool {
	in := make(map[ddl.Name]bool, len(a))
	schemas := make(map[string]bool)
	for _, o := range a {
		if o.Kind == "schema" {
			schemas[o.Name] = true
			continue
		}
		in[ddl.Name{Schema: o.Schema, Name: o.Name}] = true
	}
	for _, o := range b {
		if o.Kind == "schema" {
			if schemas[o.Name] {
				return true
			}
			for n := range in {
				if n.Schema == o.Name {
					return true
				}
			}
			continue
		}
		if in[ddl.Name{Schema: o.Schema, Name: o.Name}] || schemas[o.Schema] {
			return true
		}
	}
	return false
}

// relations are the touched objects as names, each once.
func relations(touches []plan.Object) []ddl.Name {
	var names []ddl.Name
	seen := map[ddl.Name]bool{}
	for _, o := range touches {
		n := ddl.Name{Schema: o.Schema, Name: o.Name}
		if o.Kind != "schema" && !seen[n] {
			seen[n] = true
			names = append(names, n)
		}
	}
	return names
}

// holds reports whether a plan leaves something for complete: the old shape, or before-images of rows.
func holds(p *plan.Plan) bool {
	for _, s := range p.Steps {
		if s.Phase == plan.Contract || keepsImages(s) {
			return true
		}
	}
	return false
}

// keepsImages reports whether a step keeps before-images of the user's rows until complete.
func keepsImages(s plan.Step) bool {
	return s.Fill != nil && s.Fill.Undo
}
