package history

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Problem is what makes a history come out differently from one database to the next, although it can be read.
type Problem struct {
	Migration string
	Path      string
	Text      string
	hint      string
}

// Error makes the first problem an error: who only judges a history may go on, who runs it may not.
func (h *History) Error() error {
	if len(h.Problems) == 0 {
		return nil
	}
	p := h.Problems[0]
	return &Error{Path: p.Path, Err: errors.New(p.Migration + " " + p.Text), hint: p.hint}
}

// Hint says what to do.
func (p Problem) Hint() string { return p.hint }

// History is the export as a history, for Django's first database on PostgreSQL.
func (e *Export) History(root string) *History {
	h := &History{Format: Format(e.Framework.Name), Root: root, Migrations: e.Migrations(""), Books: e.Books(), Problems: append(e.forks(), e.squashes()...)}
	for _, w := range e.Warnings {
		h.Notices = append(h.Notices, Notice{Path: filepath.Join(e.root, map[string]string{"django": "manage.py", "alembic": "alembic.ini"}[e.Framework.Name]), Text: w})
	}
	for _, u := range e.Unknown {
		h.Notices = append(h.Notices, Notice{Path: u.Path, Line: u.Line, Text: fmt.Sprintf("what %s does is not known without a database: %s", u.What, u.Reason)})
	}
	return h
}

// forks are ends of a history that has several, which the framework refuses to run.
func (e *Export) forks() []Problem {
	ends := map[string][]*exportedMigration{} // by app; Alembic has none
	for _, name := range e.Heads {
		m := &e.doc.Migrations[e.index[name]]
		if len(m.Labels) == 0 { // branches of Alembic with labels are meant to live side by side
			ends[m.App] = append(ends[m.App], m)
		}
	}
	var found []Problem
	for _, name := range e.Heads {
		m := &e.doc.Migrations[e.index[name]]
		if len(ends[m.App]) < 2 || len(m.Labels) > 0 {
			continue
		}
		var others []string
		for _, o := range ends[m.App] {
			if o != m {
				others = append(others, o.name())
			}
		}
		p := Problem{Migration: name, Path: e.file("", m.Path), hint: "alembic merge heads",
			Text: fmt.Sprintf("is an end of the history, and so is %s: `alembic upgrade head` refuses to choose", strings.Join(others, ", "))}
		if e.Framework.Name == "django" {
			p.Text = fmt.Sprintf("is an end of the history of %s, and so is %s: `migrate` refuses to choose", m.App, strings.Join(others, ", "))
			p.hint = "manage.py makemigrations --merge"
		}
		found = append(found, p)
	}
	return found
}

// squashes are those that not every database can pass.
func (e *Export) squashes() []Problem {
	var found []Problem
	taken := map[string]string{}
	for i := range e.doc.Migrations {
		m := &e.doc.Migrations[i]
		var there, gone []string
		for _, r := range m.Replaces {
			name := dotted(r[0], r[1])
			if _, ok := e.index[name]; ok {
				there = append(there, name)
			} else {
				gone = append(gone, name)
			}
			if other := taken[name]; other != "" {
				found = append(found, Problem{Migration: m.name(), Path: e.file("", m.Path),
					Text: fmt.Sprintf("replaces %s, which %s replaces as well: which of them counts depends on what is applied", name, other),
					hint: "let one squash replace the other"})
			}
			taken[name] = m.name()
		}
		if len(there) > 0 && len(gone) > 0 {
			found = append(found, Problem{Migration: m.name(), Path: e.file("", m.Path),
				Text: fmt.Sprintf("replaces %s, which is not there, and %s, which is: a database that has run only some of them can neither go on nor take the squash", strings.Join(gone, ", "), strings.Join(there, ", ")),
				hint: "keep all of them until every database has run the last one, then delete all of them, and `replaces`"})
		}
	}
	return found
}

// replacedFiles are the files of what a squash replaces, also where they are gone: they lie beside it.
func (e *Export) replacedFiles(squash *exportedMigration) []string {
	var files []string
	for _, r := range squash.Replaces {
		if i, ok := e.index[dotted(r[0], r[1])]; ok {
			files = append(files, e.file("", e.doc.Migrations[i].Path))
		} else if r[0] == squash.App {
			files = append(files, filepath.Join(filepath.Dir(e.file("", squash.Path)), r[1]+".py"))
		}
	}
	return files
}

// OutOfOrder finds the migrations that are not deployed and stand before one that is: not every database will run
// them, or not in this order.
func (h *History) OutOfOrder(deployed func(Migration) bool) []Problem {
	if h.Format == "django" || h.Format == "alembic" {
		return h.neededByDeployed(deployed)
	}
	var found []Problem
	var behind *Migration // the first deployed one behind the one at hand
	for i, m := range slices.Backward(h.Migrations) {
		if repeats(m) {
			continue
		}
		if deployed(m) {
			behind = &h.Migrations[i]
			continue
		}
		if behind == nil {
			continue
		}
		p := Problem{Migration: m.Name, Path: m.Path, Text: "stands before " + behind.Name + ", which is deployed: "}
		switch {
		case h.Format == GolangMigrate:
			p.Text += "golang-migrate never runs it where that one was run"
			p.hint = "give it a newer number"
		case h.ordered && !h.outOfOrder:
			p.Text += fmt.Sprintf("%s refuses to go back", h.Format)
			p.hint = backHint[h.Format]
		default:
			p.Text += "databases that have run that one run this one behind it, new ones before it"
			p.hint = "give it a name behind the last one"
		}
		found = append(found, p)
	}
	slices.Reverse(found)
	return found
}

// neededByDeployed is OutOfOrder of a graph: its order counts where one needs another.
func (h *History) neededByDeployed(deployed func(Migration) bool) []Problem {
	fresh := map[string]Migration{}
	for _, m := range h.Migrations {
		if !deployed(m) {
			fresh[m.Name] = m
		}
	}
	var found []Problem
	for _, m := range h.Migrations {
		for _, need := range m.Needs {
			n, ok := fresh[need]
			if _, both := fresh[m.Name]; !ok || both {
				continue
			}
			delete(fresh, need)
			refuses := "Django refuses to migrate databases that have run that one (InconsistentMigrationHistory)"
			if h.Format == "alembic" {
				refuses = "Alembic never runs it where that one was run"
			}
			found = append(found, Problem{Migration: n.Name, Path: n.Path,
				Text: fmt.Sprintf("comes before %s, which is deployed: %s", m.Name, refuses),
				hint: "let it depend on the last one, and nothing that is deployed on it"})
		}
	}
	return found
}

// backHint says what to do about a migration that a tool refuses because a later one is applied.
var backHint = map[Format]string{
	Goose:  "give it a newer number, or allow what is missing to be applied out of order",
	Flyway: "give it a newer version, or set outOfOrder = true in Flyway's configuration",
	Sqitch: "add it to the end of the plan (sqitch add), and leave what is deployed where it is",
	Dbmate: "give it a newer version, or leave out --strict",
}

var leadingNumber = regexp.MustCompile(`^V?([0-9]+)(?:_|-|\.up\b)`)

// numbers notices what the numbers of files say: one that is missing from a row of them, and in plain SQL, where no
// tool does, one that is there twice.
func (h *History) numbers() {
	type numbered struct {
		n    uint64
		path string
		name string
	}
	var all []numbered
	for _, m := range h.Migrations {
		if s := leadingNumber.FindStringSubmatch(filepath.Base(m.Path)); s != nil {
			n, err := strconv.ParseUint(s[1], 10, 64)
			if err == nil {
				all = append(all, numbered{n, m.Path, m.Name})
			}
		}
	}
	next := 0
	for i := 1; i < len(all); i++ {
		if all[i].n == all[i-1].n+1 {
			next++
		}
	}
	for i := 1; i < len(all); i++ {
		last, this := all[i-1], all[i]
		switch {
		case this.n == last.n && h.Format == Bare && filepath.Dir(this.path) == filepath.Dir(last.path) && !strings.HasPrefix(this.name, last.name):
			h.Notices = append(h.Notices, Notice{Path: this.path, Text: fmt.Sprintf("%s has the same number: the rest of their names says which is first", filepath.Base(last.path))})
		case this.n > last.n+1 && next*4 >= (len(all)-1)*3:
			h.Notices = append(h.Notices, Notice{Path: this.path, Text: fmt.Sprintf("no number stands between it and %s: one is missing, or comes from another branch and will be out of order", filepath.Base(last.path))})
		}
	}
}
