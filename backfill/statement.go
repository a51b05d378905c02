package backfill

import (
	"fmt"
	"strings"

	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/walk"
	"github.com/replank/replank/plan"
)

// target is which rows of what: a walk.Range, or one row.
type target interface {
	Relation() string
	Where(alias string) string
}

// statement writes the SQL of one fill.
type statement struct {
	spec plan.FillSpec
	// alias is how expressions call the table, quoted; as is what makes it so behind a relation.
	alias, as string
	key       walk.Key
	undo      *undoTable // nil = no before-images
	// returnsOld: the server knows RETURNING old (18).
	returnsOld bool
}

func newStatement(spec plan.FillSpec) *statement {
	s := &statement{spec: spec, alias: bareName(spec.Table)}
	if spec.Alias != "" {
		s.alias = pg.Ident(spec.Alias)
		s.as = " AS " + s.alias
	}
	if len(spec.Key) == 0 {
		s.as = " AS " + s.alias // a partition must answer to the name of the whole
	}
	return s
}

// bareName is the last part of a qualified name, as it is written there.
func bareName(qualified string) string {
	quoted, from := false, 0
	for i, c := range qualified {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '.' && !quoted:
			from = i + 1
		}
	}
	return strings.TrimSpace(qualified[from:])
}

// rows is the condition for the rows of the range that want the change. Every statement of a fill has it.
func (s *statement) rows(r target) string {
	conds := pg.Mark + " " + r.Where(s.alias)
	for _, c := range []string{s.spec.Where, s.spec.Guard} {
		if c != "" {
			conds += "\n   AND (" + c + "\n)" // a line comment may end an expression
		}
	}
	return conds
}

func (s *statement) from() string {
	if s.spec.From == "" {
		return ""
	}
	return ", " + s.spec.From
}

// relation as FROM, UPDATE and DELETE want it.
func (s *statement) relation(r target) string { return r.Relation() + s.as }

// set is the SET list. Assignments that share a row-valued expression stand together.
func (s *statement) set() string {
	var parts []string
	for i := 0; i < len(s.spec.Set); i++ {
		a := s.spec.Set[i]
		if a.Position == 0 {
			parts = append(parts, pg.Ident(a.Column)+a.Indirection+" = "+a.Expr)
			continue
		}
		var cols []string
		for ; i < len(s.spec.Set) && s.spec.Set[i].Position == len(cols)+1; i++ {
			cols = append(cols, pg.Ident(s.spec.Set[i].Column)+s.spec.Set[i].Indirection)
		}
		i--
		parts = append(parts, "("+strings.Join(cols, ", ")+") = "+a.Expr)
	}
	return strings.Join(parts, ",\n       ")
}

// columns that SET names, each once.
func (s *statement) columns() []string {
	var cols []string
	seen := map[string]bool{}
	for _, a := range s.spec.Set {
		if !seen[a.Column] {
			seen[a.Column] = true
			cols = append(cols, a.Column)
		}
	}
	return cols
}

// change is the statement for one range. Its command tag counts the rows.
func (s *statement) change(r target) string {
	switch s.spec.Kind {
	case plan.Delete:
		using := ""
		if s.spec.From != "" {
			using = "\n USING " + s.spec.From
		}
		del := fmt.Sprintf("DELETE FROM %s%s\n WHERE %s", s.relation(r), using, s.rows(r))
		if s.undo == nil {
			return del
		}
		return s.undo.keep(del + "\nRETURNING " + s.undo.returning(s.alias))
	case plan.Insert:
		ins := fmt.Sprintf("%s\n  FROM %s%s\n WHERE %s\n%s", s.spec.Into, s.relation(r), s.from(), s.rows(r), s.spec.OnConflict)
		if s.undo == nil {
			return ins
		}
		return s.undo.keep(ins + "\nRETURNING " + s.undo.returning(""))
	}
	if s.undo != nil {
		return s.changeKeeping(r)
	}
	from := ""
	if s.spec.From != "" {
		from = "\n  FROM " + s.spec.From
	}
	return fmt.Sprintf("UPDATE %s\n   SET %s%s\n WHERE %s", s.relation(r), s.set(), from, s.rows(r))
}

// changeKeeping is an UPDATE whose before-images go into the undo table in the same statement. Before 18 the old
// values come from a join of the row with itself: the subquery locks the newest version and carries its values, and
// the UPDATE, which finds its own older version changed, is evaluated anew against that newest version and the
// subquery's copy. Both see the same row, whoever wrote to it in between.
func (s *statement) changeKeeping(r target) string {
	if s.returnsOld {
		from := ""
		if s.spec.From != "" {
			from = "\n  FROM " + s.spec.From
		}
		return s.undo.keep(fmt.Sprintf("UPDATE %s\n   SET %s%s\n WHERE %s\nRETURNING WITH (OLD AS replank_old, NEW AS replank_new) %s",
			s.relation(r), s.set(), from, s.rows(r), s.undo.returningPair("replank_old", "replank_new")))
	}
	// The rows are chosen once, by the subquery: a volatile WHERE would choose among the chosen. Only what joins
	// FROM has to be said again.
	again := r.Where(s.alias)
	if s.spec.From != "" {
		again = s.rows(r)
	}
	old := fmt.Sprintf("SELECT %s\n    FROM %s%s\n   WHERE %s\n     FOR NO KEY UPDATE OF %s",
		s.undo.before(s.alias), s.relation(r), s.from(), s.rows(r), s.alias)
	return s.undo.keep(fmt.Sprintf("UPDATE %s\n   SET %s\n  FROM (%s) replank_old%s\n WHERE %s\n   AND %s\nRETURNING %s",
		s.relation(r), s.set(), old, s.from(), s.key.Match(s.alias, "replank_old", s.undo.keyNames()), again,
		s.undo.returningOld("replank_old", s.alias)))
}

// changeFree is change for the rows that nobody else has locked.
func (s *statement) changeFree(r target) string {
	return fmt.Sprintf(`WITH replank_free AS MATERIALIZED (
	SELECT %[1]s.ctid AS replank_tid FROM %[2]s%[3]s
	 WHERE %[4]s
	   FOR NO KEY UPDATE OF %[1]s SKIP LOCKED)
UPDATE %[2]s
   SET %[5]s
  FROM replank_free%[3]s
 WHERE %[1]s.ctid = replank_free.replank_tid AND %[4]s`, s.alias, s.relation(r), s.from(), s.rows(r), s.set())
}

// left asks whether any row of the range still wants the change.
func (s *statement) left(r target) string {
	return fmt.Sprintf("SELECT EXISTS (SELECT FROM %s%s WHERE %s)", s.relation(r), s.from(), s.rows(r))
}

// count asks how many do.
func (s *statement) count(r target) string {
	return fmt.Sprintf("SELECT count(*) FROM %s%s WHERE %s", s.relation(r), s.from(), s.rows(r))
}
