package ddl

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// What stands on columns beside views and triggers: policies, rules, statistics.

func (s *Schema) createPolicy(n *pg.CreatePolicyStmt, sql string) error {
	r, err := s.must(relName(n.Table), "rpf")
	if err != nil {
		return err
	}
	if slices.ContainsFunc(r.Policies, func(p *Policy) bool { return p.Name == n.PolicyName }) {
		return refuse(duplicateObject, "", "policy %q for table %q already exists", n.PolicyName, r.Name.Name)
	}
	r = s.mut(r)
	p := &Policy{Name: n.PolicyName, Definition: sql}
	r.Policies = append(r.Policies, p)
	slices.SortStableFunc(r.Policies, func(a, b *Policy) int { return strings.Compare(a.Name, b.Name) })
	s.policyReads(r, p)
	return nil
}

func (s *Schema) alterPolicy(n *pg.AlterPolicyStmt) error {
	r, err := s.must(relName(n.Table), "rpf")
	if err != nil {
		return err
	}
	r = s.mut(r)
	i := slices.IndexFunc(r.Policies, func(p *Policy) bool { return p.Name == n.PolicyName })
	switch {
	case i < 0 && r.incomplete():
		return nil
	case i < 0:
		return refuse(undefinedObject, "", "policy %q for table %q does not exist", n.PolicyName, r.Name.Name)
	}
	p := r.Policies[i]
	p.Definition = redefined(p.Definition, func(x *pg.Node) {
		c := x.GetCreatePolicyStmt()
		if n.Roles != nil {
			c.Roles = n.Roles
		}
		if n.Qual != nil {
			c.Qual = n.Qual
		}
		if n.WithCheck != nil {
			c.WithCheck = n.WithCheck
		}
	})
	s.policyReads(r, p)
	return nil
}

// policyReads notes the columns that a policy stands on, of its table and of others.
func (s *Schema) policyReads(r *Relation, p *Policy) {
	s.forgetDependent("policy", r.Name, p.Name)
	_, stmt, err := one(p.Definition)
	if err != nil {
		return
	}
	n := stmt.GetCreatePolicyStmt()
	p.Columns = s.columnsRead(p.Definition, r)
	s.dependOn(p.Definition, []*pg.Node{n.GetQual(), n.GetWithCheck()},
		Dependent{Kind: "policy", Name: Name{r.Name.Schema, p.Name}, Table: r.Name, Text: "policy " + p.Name + " on " + r.Name.String()})
}

func (s *Schema) dropPolicy(table Name, name string) {
	if r := s.lookup(table); r != nil {
		r = s.mut(r)
		r.Policies = slices.DeleteFunc(r.Policies, func(p *Policy) bool { return p.Name == name })
		s.forgetDependent("policy", r.Name, name)
	}
}

func (s *Schema) dropRule(table Name, name string) {
	if r := s.lookup(table); r != nil {
		r = s.mut(r)
		r.Rules = slices.DeleteFunc(r.Rules, func(x *Rule) bool { return x.Name == name })
		s.forgetDependent("rule", r.Name, name)
	}
}

func (s *Schema) createRule(n *pg.RuleStmt, sql string) error {
	r, err := s.must(relName(n.Relation), "rpvm")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(r.Rules, func(x *Rule) bool { return x.Name == n.Rulename })
	if i >= 0 && !n.Replace {
		return refuse(duplicateObject, "", "rule %q for relation %q already exists", n.Rulename, r.Name.Name)
	}
	r = s.mut(r)
	x := &Rule{Name: n.Rulename, Definition: sql, Enabled: 'O', Columns: s.columnsRead(sql, r)}
	if i >= 0 {
		x.Comment = r.Rules[i].Comment
		r.Rules = slices.Delete(r.Rules, i, i+1)
		s.forgetDependent("rule", r.Name, x.Name)
	}
	r.Rules = append(r.Rules, x)
	slices.SortStableFunc(r.Rules, func(a, b *Rule) int { return strings.Compare(a.Name, b.Name) })
	s.dependOn(sql, n, Dependent{Kind: "rule", Name: Name{r.Name.Schema, x.Name}, Table: r.Name, Text: "rule " + x.Name + " on " + kindWord(r.Kind) + " " + r.Name.String()})
	return nil
}

// OnUpdate reports whether UPDATE is what the rule is for.
func (r *Rule) OnUpdate() bool {
	_, stmt, err := one(r.Definition)
	return err != nil || stmt.GetRuleStmt().GetEvent() == pg.CmdType_CMD_UPDATE
}

func (s *Schema) createStatistics(n *pg.CreateStatsStmt, sql string) error {
	if len(n.Relations) != 1 {
		return nil // the server says what is wrong
	}
	r, err := s.must(relName(n.Relations[0].GetRangeVar()), "rpmf")
	if err != nil {
		return err
	}
	used := map[string]bool{}
	var words []string
	for _, e := range n.Exprs {
		word := e.GetStatsElem().GetName()
		if word == "" {
			word = "expr"
			for c := range columnRefs(e) {
				used[c] = true
			}
		} else {
			used[word] = true
		}
		words = append(words, word)
	}
	name := Name{r.Name.Schema, objectNameOf(r.Name.Name, strings.Join(words, "_"), "stat")}
	if len(n.Defnames) > 0 {
		if name, err = s.home(nameOf(n.Defnames)); err != nil {
			return err
		}
	}
	if old, _ := s.statistics(name); old != nil {
		if n.IfNotExists {
			return nil
		}
		return refuse(duplicateObject, "", "statistics object %q already exists", name.Name)
	}
	r = s.mut(r)
	r.Statistics = append(r.Statistics, StatisticsObject{Name: name, Definition: sql, Columns: existing(r, used), Target: -1})
	slices.SortStableFunc(r.Statistics, func(a, b StatisticsObject) int { return strings.Compare(a.Name.Name, b.Name.Name) })
	return nil
}

// statistics finds a statistics object by the name that a statement gives: the table, to write to, and the place there.
func (s *Schema) statistics(n Name) (*Relation, int) {
	path := s.SearchPath
	if n.Schema != "" {
		path = []string{n.Schema}
	}
	for _, schema := range path {
		for _, r := range s.Relations {
			i := slices.IndexFunc(r.Statistics, func(x StatisticsObject) bool { return x.Name == Name{schema, n.Name} })
			if i >= 0 {
				return s.mut(r), i
			}
		}
	}
	return nil, 0
}

func (s *Schema) forgetDependent(kind string, table Name, name string) {
	s.eachDependent(func(d *Dependent) bool { return d.Kind == kind && d.Table == table && d.Name.Name == name }, nil)
}

func (s *Schema) renameDependent(kind string, table Name, from, to string) {
	if r := s.lookup(table); r != nil {
		s.eachDependent(func(d *Dependent) bool { return d.Kind == kind && d.Table == r.Name && d.Name.Name == from },
			func(d *Dependent) { d.Name.Name = to })
	}
}

// redefined is the definition of an object after a change of its tree.
func redefined(def string, change func(*pg.Node)) string {
	out, err := deparsed(def, func(stmt *pg.Node) bool { change(stmt); return true })
	if err != nil {
		return def
	}
	return out
}
