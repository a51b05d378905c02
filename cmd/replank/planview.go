package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/plan"
)

// planView writes a preview for people.
type planView struct {
	*printer
	full   bool // all of the SQL
	budget time.Duration
	whole  bool // the migrations are a folder, not files picked from it
}

// A statement of more than shownLines is told by its first; shownRelations of a lock and shownStatements of a step
// are enough to recognise them.
const (
	shownLines      = 3
	shownRelations  = 4
	shownStatements = 4
)

func (v *planView) preview(p *migrate.Preview, sv pg.Server) {
	pending := p.Pending()
	head := fmt.Sprintf("%s on PostgreSQL %s: ", sv.Database, firstField(sv.Version))
	if len(pending) == 0 {
		v.line("%snothing to do, %s applied", v.paint(bold, head), plural(applied(p), "file is", "files are"))
	} else {
		v.line("%s%s to apply, %s applied", v.paint(bold, head), plural(len(pending), "file", "files"), number(int64(applied(p))))
	}
	for _, f := range p.Files {
		switch {
		case f.State == migrate.Failed:
			v.line("%s has failed: a person decides, status says what there is to do", f.Name)
		case f.Status == migrate.Underway:
			v.line("%s is %s: apply goes on with it first", f.Name, f.State)
		case f.State == migrate.Ready:
			v.line("%s is ready: complete or revert comes next", f.Name)
		}
	}
	gone := slices.DeleteFunc(slices.Clone(p.Gone), func(name string) bool { return strings.HasPrefix(name, backfillPrefix) })
	if len(gone) > 0 && v.whole {
		v.wrapped("gone: ", "", "the journal knows these, the folder does not: "+v.some(gone))
	}
	for _, f := range pending {
		v.file(f)
	}
	if planned := slices.DeleteFunc(slices.Clone(pending), func(f *migrate.File) bool { return f.Plan == nil }); len(planned) > 0 {
		v.line("")
		v.summary(planned)
	}
	v.asked(p)
}

// applied counts as status does: what is ready is not done.
func applied(p *migrate.Preview) (n int) {
	for _, f := range p.Files {
		if f.State == migrate.Done {
			n++
		}
	}
	return n
}

func firstField(s string) string {
	first, _, _ := strings.Cut(s, " ")
	return first
}

func (v *planView) file(f *migrate.File) {
	v.line("")
	v.line("%s  %s", v.paint(bold, f.Name), v.paint(dim, f.Path))
	if f.OutOfOrder {
		v.wrapped("  ", yellow, "a later file of the folder was applied before this one")
	}
	if len(f.BlockedBy) > 0 {
		v.wrapped("  ", yellow, "waits for complete (or revert) of "+v.some(f.BlockedBy)+", which must come first")
	}
	if f.AtOnce {
		v.wrapped("  ", "", "apply completes it as well: the tables are made by the same apply, so that nobody can know their old shape")
	}
	if f.Plan == nil && f.After != "" {
		v.wrapped("  ", yellow, "is planned when the code of "+f.After+" has run: it does not fit the schema as it is known until then")
		return
	}
	if f.Plan == nil {
		v.wrapped("  ", yellow, "has no plan")
		return
	}
	if len(f.Plan.Steps) == 0 {
		v.line("  nothing to do")
	}
	at := ""
	for i, s := range f.Plan.Steps {
		if when := moment(s); when != at {
			at = when
			v.line("  %s", v.paint(cyan, "at "+when))
		}
		v.step(i+1, s)
	}
	v.notices(f.Plan)
}

// moment is the command that carries a step out.
func moment(s plan.Step) string {
	if s.Phase == plan.Contract {
		return "complete"
	}
	return "apply"
}

func (v *planView) step(n int, s plan.Step) {
	v.wrapped(fmt.Sprintf("  %2d. ", n), bold, pg.HideSecrets(s.Title))
	v.statements(s)
	v.code(s)
	v.locks(s)
	v.field("rewrites", red, v.some(s.Rewrites))
	v.field("reads", "", v.some(s.Scans))
	v.field("rebuilds", "", v.some(s.Reindex))
	v.field("size", "", size(s.Rows, s.Bytes))
	v.field("destroys", red, s.Destroys)
	v.field("ends", red, s.Ends)
	v.wayBack(s)
}

// code says how a framework runs its code.
func (v *planView) code(s plan.Step) {
	switch {
	case s.Code == nil:
	case s.Code.Nothing:
		v.field("code", "", "nothing to run on the way forward")
	case s.Code.Atomic && len(s.Code.SQL) > 0:
		v.field("code", yellow, "run by the framework in one transaction; for the value that only the database knows, a guess stands here")
	case s.Code.Atomic:
		v.field("code", yellow, "run by the framework in one transaction; what it locks is its own affair")
	default:
		v.field("code", yellow, "run by the framework, outside of a transaction")
	}
	if s.Code != nil && s.Code.Back {
		v.field("back", "", "by code of its own")
	}
}

// field writes one fact of a step, when there is one.
func (v *planView) field(name string, s style, text string) {
	if text != "" {
		v.wrapped("        "+pad(name, 12), s, text)
	}
}

func (v *planView) statements(s plan.Step) {
	sqls := s.SQL
	if s.Code != nil {
		sqls = s.Code.SQL
	}
	if s.Fill != nil {
		sqls = []string{fillText(s.Fill)}
	}
	if len(sqls) == 1 && oneLine(sqls[0]) == s.Title && !v.full {
		return // the title says it
	}
	for i, sql := range sqls {
		if !v.full && i == shownStatements {
			v.line("        %s", v.paint(dim, fmt.Sprintf("… and %s (--sql)", plural(len(sqls)-i, "statement", "statements"))))
			return
		}
		v.sql(sql)
	}
}

// sql shows a statement, or enough of it.
func (v *planView) sql(sql string) {
	if !v.full {
		sql = pg.HideSecrets(sql)
	}
	lines := strings.Split(strings.TrimSpace(strings.TrimRight(strings.TrimSpace(sql), ";")), "\n")
	for i, l := range lines {
		if v.full {
			end := ""
			if i == len(lines)-1 {
				end = ";"
			}
			v.line("        %s", v.paint(dim, strings.TrimRight(l, " \r")+end))
			continue
		}
		if len(lines) > shownLines {
			more := fmt.Sprintf(" … %s more (--sql)", plural(len(lines)-1, "line", "lines"))
			v.line("        %s", v.paint(dim, cut(strings.TrimRight(l, " \r"), v.width-8-runes(more))+more))
			return
		}
		v.line("        %s", v.paint(dim, cut(strings.TrimRight(l, " \r"), v.width-8)))
	}
}

// fillText is a fill as the statement that it amounts to.
func fillText(f *plan.FillSpec) string {
	var b strings.Builder
	table := f.Table
	if f.Alias != "" {
		table += " AS " + f.Alias
	}
	switch f.Kind {
	case plan.Delete:
		b.WriteString("DELETE FROM " + table)
	case plan.Insert:
		b.WriteString(f.Into + " FROM " + table)
	default:
		b.WriteString("UPDATE " + table + " SET ")
		for i, set := range f.Set {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(set.Column + " = " + set.Expr)
		}
	}
	if f.From != "" {
		b.WriteString(" FROM " + f.From)
	}
	if f.Where != "" {
		b.WriteString(" WHERE " + f.Where)
	}
	if f.OnConflict != "" {
		b.WriteString(" " + f.OnConflict)
	}
	way := "ctid"
	if len(f.Key) > 0 {
		way = strings.Join(f.Key, ", ")
	}
	return "-- in small ranges of " + way + ":\n" + b.String()
}

// locks says who waits for the step.
func (v *planView) locks(s plan.Step) {
	byMode := map[string][]string{}
	var modes []string
	for _, l := range s.Locks {
		if byMode[l.Mode] == nil {
			modes = append(modes, l.Mode)
		}
		byMode[l.Mode] = append(byMode[l.Mode], l.Relation)
	}
	slices.SortStableFunc(modes, func(a, b string) int { return strength(b) - strength(a) })
	for i, m := range modes {
		name := ""
		if i == 0 {
			name = "locks"
		}
		text := m + " on " + v.some(byMode[m]) + ": " + waits(m)
		if s.Kind == plan.Transaction && strength(m) >= strength(string(pg.Share)) {
			text += ", for at most " + span(v.budget)
		}
		v.field(pad(name, 1), lockStyle(m, s.Kind), text)
	}
	if s.Kind == plan.Quiesce {
		v.field("locks", "", "none; waits until every transaction that is older has ended")
	}
}

func lockStyle(mode string, kind plan.Kind) style {
	switch {
	case strength(mode) < strength(string(pg.Share)):
		return ""
	case kind == plan.Transaction:
		return yellow
	}
	return red // for as long as it takes
}

func strength(mode string) int {
	return slices.Index([]string{string(pg.AccessShare), string(pg.RowShare), string(pg.RowExclusive), string(pg.ShareUpdateExclusive),
		string(pg.Share), string(pg.ShareRowExclusive), string(pg.Exclusive), string(pg.AccessExclusive)}, mode)
}

// waits says in plain words what a lock does to an application.
func waits(mode string) string {
	switch pg.LockMode(mode) {
	case pg.AccessExclusive:
		return "reads and writes wait"
	case pg.Exclusive, pg.ShareRowExclusive, pg.Share:
		return "writes wait"
	}
	return "nobody waits"
}

func (v *planView) wayBack(s plan.Step) {
	switch {
	case s.Irreversible != "":
		v.field("no way back", red, s.Irreversible)
	case s.Fill != nil && s.Fill.Undo:
		v.field("back", "", "rows get their values back, except those changed meanwhile")
	case len(s.Reverse) > 0 && v.full:
		for i, sql := range s.Reverse {
			name := "back"
			if i > 0 {
				name = ""
			}
			v.field(pad(name, 1), "", oneLine(sql)+";")
		}
	case len(s.Reverse) > 0:
		text := pg.HideSecrets(oneLine(s.Reverse[0]))
		if n := len(s.Reverse) - 1; n > 0 {
			text = cut(text, v.width-30) + fmt.Sprintf(" … and %d more", n)
		}
		v.field("back", "", cut(text, v.width-20))
	}
}

func oneLine(sql string) string { return strings.Join(strings.Fields(sql), " ") }

func (v *planView) notices(p *plan.Plan) {
	if len(p.Notices) == 0 {
		return
	}
	v.line("  %s", v.paint(cyan, "what old code will notice"))
	for _, n := range p.Notices {
		v.wrapped("      "+n.Code+": ", "", hideSecretsInProse(n.Text))
	}
}

// size says how much a step reads or writes.
func size(rows, bytes int64) string {
	switch {
	case rows < 0:
		return "unknown: the table was never analyzed"
	case rows == 0 && bytes == 0:
		return ""
	case bytes == 0:
		return "about " + number(rows) + " rows"
	}
	return "about " + number(rows) + " rows, " + bytesize(bytes)
}

// some names the first few.
func (v *planView) some(names []string) string {
	if v.full || len(names) <= shownRelations+1 {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:shownRelations], ", ") + fmt.Sprintf(" and %d more", len(names)-shownRelations)
}

func (v *planView) summary(files []*migrate.File) {
	rows := [][]string{{"migration", "steps", "strongest lock", "rows", "size", "revert"}}
	for _, f := range files {
		var apply, complete, strongest int
		var nrows, bytes int64
		mode := ""
		strongest = -1
		for _, s := range f.Plan.Steps {
			if s.Phase == plan.Contract {
				complete++
			} else {
				apply++
			}
			for _, l := range s.Locks {
				if n := strength(l.Mode); n > strongest {
					strongest, mode = n, l.Mode
				}
			}
			nrows, bytes = max(nrows, s.Rows), max(bytes, s.Bytes)
		}
		steps := fmt.Sprint(apply)
		if complete > 0 {
			steps += fmt.Sprintf(" + %d", complete)
		}
		rows = append(rows, []string{f.Name, steps, dash(mode), dashNumber(nrows), dashBytes(bytes), revertible(f.Plan)})
	}
	v.table(rows)
	v.line("%s", v.paint(dim, "steps: at apply + at complete"))
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func dashNumber(n int64) string {
	if n <= 0 {
		return "-"
	}
	return about(float64(n))
}

func dashBytes(n int64) string {
	if n <= 0 {
		return "-"
	}
	return bytesize(n)
}

// revertible says until when a migration can be taken back.
func revertible(p *plan.Plan) string {
	after, held := true, false
	for _, s := range p.Steps {
		held = held || s.Phase == plan.Contract
		if s.Fill != nil && s.Fill.Undo {
			after = false // the values of before go at complete
		}
		if s.Irreversible == "" {
			continue
		}
		if s.Phase != plan.Contract {
			return "no"
		}
		after = false
	}
	switch {
	case !after:
		return "until complete"
	case held:
		return "also after complete"
	}
	return "yes"
}

// asked says what a person has to do before apply.
func (v *planView) asked(p *migrate.Preview) {
	if len(p.Consents) == 0 {
		return
	}
	v.line("")
	v.line("%s", v.paint(bold, "A person must accept"))
	var classes []string
	for _, c := range p.Consents {
		v.wrapped("  "+v.paint(yellow, c.Class)+" ", "", fmt.Sprintf("%s: %s", c.Source, hideSecretsInProse(c.Reason)))
		if !slices.Contains(classes, c.Class) {
			classes = append(classes, c.Class)
		}
	}
	v.line("  give %s", v.paint(cyan, "--accept "+strings.Join(classes, ",")))
}
