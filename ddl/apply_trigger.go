package ddl

import (
	"slices"
	"strings"
)

func (s *Schema) createTrigger(op CreateTrigger, sql string) error {
	r, err := s.must(op.Table, "rpvf")
	if err != nil {
		return err
	}
	t := &Trigger{Name: op.Name, Definition: sql, Enabled: 'O', Columns: slices.Clone(op.Columns), Constraint: op.Constraint}
	for _, c := range op.Columns {
		if r.Column(c) == nil {
			return s.noColumn(r, c)
		}
	}
	uses := map[string]bool{}
	for _, c := range op.Columns {
		uses[c] = true
	}
	replace := false
	if p, err := parseSQL(sql); err == nil && len(p.Stmts) == 1 && p.Stmts[0].Stmt.GetCreateTrigStmt() != nil {
		c := p.Stmts[0].Stmt.GetCreateTrigStmt()
		replace = c.Replace
		t.Row, t.Before, t.InsteadOf = c.Row, c.Timing&2 != 0, c.Timing&64 != 0
		t.OnInsert, t.OnDelete, t.OnUpdate, t.OnTruncate = c.Events&4 != 0, c.Events&8 != 0, c.Events&16 != 0, c.Events&32 != 0
		t.Function = nameOf(c.Funcname).String()
		for c := range columnRefs(c.WhenClause) {
			uses[c] = true
		}
	}
	t.UsesColumns = existing(r, uses)
	i := slices.IndexFunc(r.Triggers, func(x *Trigger) bool { return x.Name == op.Name })
	if i >= 0 && !replace {
		return refuse(duplicateObject, "", "trigger %q for relation %q already exists", op.Name, r.Name.Name)
	}
	r = s.mut(r)
	if i >= 0 {
		r.Triggers = slices.Delete(r.Triggers, i, i+1)
	}
	r.Triggers = append(r.Triggers, t)
	r.sortParts()
	if r.Kind == 'p' && t.Row {
		return s.eachChild(r, func(child *Relation) error { s.inheritTriggers(child, r); return nil })
	}
	return nil
}

func (s *Schema) dropTrigger(op DropTrigger) error {
	r := s.lookup(op.Table)
	if r == nil {
		if op.IfExists {
			return nil
		}
		return s.noRelation(op.Table)
	}
	t := r.trigger(op.Name)
	if t == nil {
		if op.IfExists {
			return nil
		}
		var there []string
		for _, x := range r.Triggers {
			there = append(there, x.Name)
		}
		return refuse(undefinedObject, didYouMean(op.Name, there), "trigger %q for table %q does not exist", op.Name, r.Name.Name)
	}
	s.removeTrigger(s.mut(r), op.Name)
	return nil
}

func (r *Relation) trigger(name string) *Trigger {
	for _, t := range r.Triggers {
		if t.Name == name {
			return t
		}
	}
	return nil
}

func (s *Schema) removeTrigger(r *Relation, name string) {
	t := r.trigger(name)
	s.forgetDependent("trigger", r.Name, name)
	r.Triggers = slices.DeleteFunc(r.Triggers, func(x *Trigger) bool { return x.Name == name })
	if t != nil && t.Row && r.Kind == 'p' {
		s.eachChild(r, func(child *Relation) error { s.removeTrigger(child, name); return nil })
	}
}

func (s *Schema) enableTriggers(r *Relation, op AlterTable) {
	states := map[string]byte{"EnableTrig": 'O', "EnableAlwaysTrig": 'A', "EnableReplicaTrig": 'R', "DisableTrig": 'D',
		"EnableTrigAll": 'O', "DisableTrigAll": 'D', "EnableTrigUser": 'O', "DisableTrigUser": 'D'}
	rules := map[string]byte{"EnableRule": 'O', "EnableAlwaysRule": 'A', "EnableReplicaRule": 'R', "DisableRule": 'D'}
	if to, ok := states[op.Action]; ok {
		for _, t := range r.Triggers {
			if strings.HasSuffix(op.Action, "All") || strings.HasSuffix(op.Action, "User") || t.Name == op.Arg {
				s.enableTrigger(r, t, to, op.Only)
			}
		}
	}
	if to, ok := rules[op.Action]; ok {
		for _, x := range r.Rules {
			if x.Name == op.Arg {
				x.Enabled = to
			}
		}
	}
}

// enableTrigger gives a trigger its state, and unless only is said the clones of it in partitions.
func (s *Schema) enableTrigger(r *Relation, t *Trigger, to byte, only bool) {
	t.Enabled = to
	if r.Kind != 'p' || !t.Row || only {
		return
	}
	s.eachChild(r, func(child *Relation) error {
		if clone := child.trigger(t.Name); clone != nil {
			s.enableTrigger(child, clone, to, false)
		}
		return nil
	})
}

func (s *Schema) renameTrigger(r *Relation, from, to string) {
	if t := r.trigger(from); t != nil {
		t.Name = to
		t.Definition = renameIdent(t.Definition, from, to)
		r.sortParts()
		if t.Row && r.Kind == 'p' {
			s.eachChild(r, func(child *Relation) error { s.renameTrigger(child, from, to); return nil })
		}
	}
}
