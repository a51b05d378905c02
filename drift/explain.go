package drift

import (
	"strings"

	"github.com/replank/replank/ddl"
)

// explain finds the migrations that are not applied and make a difference go, and the models that no migration has.
func (c *comparison) explain(steps []Step) {
	open := map[string]*Difference{}
	for i := range c.report.Differences {
		d := &c.report.Differences[i]
		open[d.key()] = d
	}
	for _, step := range steps {
		if len(open) == 0 {
			break
		}
		left := differences(step.Schema, c.sides)
		for key, d := range open {
			now, still := left[key]
			if still && now.Says[Database] == d.Says[Database] {
				continue
			}
			d.pending(step, now, still)
			delete(open, key)
		}
	}
	for _, d := range open {
		c.judge(d)
	}
}

func differences(live *ddl.Schema, sides []Side) map[string]Difference {
	c := newComparison(live, sides)
	c.run()
	found := map[string]Difference{}
	for _, d := range c.report.Differences {
		found[d.key()] = d
	}
	return found
}

// pending says that a migration that is not applied changes what the database says.
func (d *Difference) pending(step Step, now Difference, still bool) {
	d.Migration = step.Migration
	behind := "it is behind: " + step.Migration + " is not applied yet"
	switch {
	case still && now.Says[Database] == d.Says[step.Side]:
		d.Wrong, d.Why = Database, behind
		if now.Wrong != "" {
			d.also("then " + now.Wrong + " stands alone")
		}
	case !still && (len(d.Says) == 2 || d.Wrong == Database):
		d.Wrong, d.Why = Database, behind
	case !still:
		d.also(step.Migration + ", which is not applied yet, ends it")
	default:
		d.also(step.Migration + ", which is not applied yet, changes it")
	}
}

func (d *Difference) also(text string) { d.Why = strings.TrimPrefix(d.Why+"; "+text, "; ") }

// judge asks the histories: a model that no migration has is ahead of its own, and where all migrations have it and
// are applied, something else has changed the database.
func (c *comparison) judge(d *Difference) {
	if d.Kind == KindName {
		return
	}
	for _, s := range c.sides {
		t := s.table(d)
		if t == nil {
			continue
		}
		ahead := t.Unmigrated[""] || t.Unmigrated[d.Object]
		switch {
		case ahead && (d.Wrong == "" || d.Wrong == s.Name):
			d.Wrong, d.Why = s.Name, "no migration has it: the model was changed without one"
			return
		case ahead:
			d.also("no migration of " + s.Name + " has it yet")
		case d.Wrong == "" && len(d.Says) == 2 && d.Says[Database] != "" && t.Reads:
			d.Wrong, d.Why = s.Name, "it leaves the table to others, and its model does not fit"
		case d.Wrong == "" && len(d.Says) == 2 && d.Says[Database] != "" && t.Migrated:
			d.Wrong, d.Why = Database, "the migrations of "+s.Name+" have it as its models want it: something else has changed the database, or code in them"
		}
	}
}

// table is the side's opinion that a difference is about; nil where it has none.
func (s *Side) table(d *Difference) *Table {
	if _, speaks := d.Says[s.Name]; !speaks {
		return nil
	}
	for i := range s.Tables {
		if s.Tables[i].Model == d.Models[s.Name] {
			return &s.Tables[i]
		}
	}
	return nil
}

// Follow tells from what the side's migrations make of an empty database which of its models they do not have. Of a
// table that they do not make nothing is told: another history has made it.
func (s *Side) Follow(made *ddl.Schema) {
	found := differences(made, []Side{{Name: s.Name, Schema: s.Schema, Tables: s.Tables, Types: s.Types}})
	for i := range s.Tables {
		t := &s.Tables[i]
		if t.Migrated = made.Relation(t.Name) != nil; !t.Migrated {
			continue
		}
		t.Unmigrated = map[string]bool{}
		for _, d := range found {
			if d.Models[s.Name] == t.Model {
				t.Unmigrated[d.Object] = true
			}
		}
	}
}
