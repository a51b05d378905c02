package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// cutting are the rules of a transaction's shape that a new transaction before the statement mends.
var cutting = []string{"several-locks", "work-under-lock", "validate-in-same-transaction", "data-with-schema", "enum-value-in-transaction"}

// mark is what must happen before a statement.
type mark struct {
	cut     bool // a transaction of its own begins here
	alone   bool // outside of transactions
	timeout bool // lock_timeout must be set
	open    bool // a transaction is open
}

// boundStatement sets the bound on waits for locks.
const boundStatement = "lock_timeout = '2s'"

// cut divides a rewritten text where transactions must be divided, and writes the files.
func (l *linter) cut(t *text, p *parsed, siblings []string) ([]File, error) {
	pieces := t.expanded()
	if len(pieces) == 0 {
		return nil, fmt.Errorf("nothing of the file is left: remove it")
	}
	src := *p.Source
	src.Text, src.File = t.head+join(pieces), ""
	again := parseOne(&src)
	if len(again.errs) > 0 || len(again.file.Statements) != len(pieces) {
		return nil, fmt.Errorf("what would be written cannot be read again")
	}
	for i := range pieces {
		if ops := again.file.Statements[i].Ops; len(ops) > 0 {
			pieces[i].op = ops[0]
		}
	}
	marks := l.marks(again)
	if src.Tx == Each {
		return oneFile(t, pieces, marks, &src), nil
	}
	return severalFiles(t, pieces, marks, &src, siblings)
}

// marks finds where a text must be divided, by judging it with the divisions made so far.
func (l *linter) marks(p *parsed) []mark {
	marks := make([]mark, len(p.file.Statements))
	i, afterAlone, inserted := -1, false, false
	l.before = func(ps *pass) {
		i++
		m := &marks[i]
		t := l.tx
		m.open = t.open
		if isTransaction(ps.st) {
			afterAlone = false
			return
		}
		restart := func() {
			bounded, local := t.bounded && !inserted, t.local
			t.local = false
			t.reset()
			t.told = map[string]bool{}
			t.bounded, t.local, inserted = bounded, local, false
		}
		found := ps.shapeRules()
		switch {
		case ps.st.NoTx && t.open:
			m.alone, afterAlone = true, true
			restart()
			return
		case t.open && (afterAlone || slices.ContainsFunc(cutting, func(id string) bool { return found[id] })):
			m.cut = true
			restart()
			found = ps.shapeRules()
		}
		afterAlone = false
		if found["lock-timeout"] {
			m.timeout, t.bounded, inserted = true, true, t.open
		}
	}
	l.source(p)
	return marks
}

// shapeRules are the rules about the transaction that a statement breaks and that nobody allowed.
func (p *pass) shapeRules() map[string]bool {
	since, told := p.since, map[string]bool{}
	for id := range p.tx.told {
		told[id] = true
	}
	p.since = nil
	shape(p)
	found := map[string]bool{}
	for _, f := range p.since {
		if !slices.ContainsFunc(p.allows, func(a *allow) bool { return a.covers(f) }) {
			found[f.Rule] = true
		}
	}
	p.since, p.tx.told = since, told
	return found
}

func plain(sql string) *piece { return &piece{lead: "\n", sql: sql, tail: ";"} }

// withTimeout puts a bound before a statement, and before its comments.
func withTimeout(pc *piece, local bool) []*piece {
	head, own := heading(pc.lead)
	set := &piece{lead: head, sql: "SET " + boundStatement, tail: ";"}
	if local {
		set.sql, set.op = "SET LOCAL "+boundStatement, ddl.Set{Name: "lock_timeout", Local: true}
	}
	rest := *pc
	rest.lead = "\n" + strings.TrimPrefix(own, "\n")
	if head == "" && strings.HasPrefix(own, "\n") {
		set.lead = "\n"
	}
	return []*piece{set, &rest}
}

// oneFile divides by COMMIT and BEGIN, where each statement is sent for itself.
func oneFile(t *text, pieces []*piece, marks []mark, src *Source) []File {
	var out []*piece
	var sets []*piece // SET LOCAL of the open transaction
	closed := false   // a COMMIT of ours stands before
	for i, pc := range pieces {
		m := marks[i]
		if tx, ok := pc.op.(ddl.Transaction); ok {
			sets = nil
			if closed && tx.Verb == "COMMIT" {
				closed = false
				continue
			}
		}
		switch {
		case m.alone && !closed:
			out = append(out, &piece{lead: "\n", sql: "COMMIT", tail: ";"})
			closed = true
		case m.cut:
			if !closed {
				out = append(out, plain("COMMIT"))
			}
			out = append(out, plain("BEGIN"))
			for _, s := range sets {
				out = append(out, plain(s.sql))
			}
			closed = false
		}
		if m.timeout {
			with := withTimeout(pc, m.open)
			sets, pc = append(sets, with[0]), with[1]
			out = append(out, with[0])
		}
		if set, ok := pc.op.(ddl.Set); ok && set.Local {
			sets = append(sets, pc)
		}
		out = append(out, pc)
	}
	out = withoutEmpty(out)
	if len(out) > 0 && t.head == "" {
		out[0].lead = strings.TrimLeft(out[0].lead, "\r\n")
	}
	body := t.head + join(out)
	return []File{{Path: src.Path, Text: body + t.tail, Tx: Each, forward: body}}
}

// withoutEmpty takes transactions away in which nothing but settings is left.
func withoutEmpty(pieces []*piece) []*piece {
	verb := func(pc *piece) string {
		switch strings.ToUpper(strings.TrimSpace(pc.sql)) {
		case "BEGIN", "START TRANSACTION":
			return "BEGIN"
		case "COMMIT", "END":
			return "COMMIT"
		}
		if s, ok := pc.op.(ddl.Set); ok && s.Local {
			return "SET"
		}
		return ""
	}
	var out []*piece
	for i := 0; i < len(pieces); i++ {
		j := i + 1
		if verb(pieces[i]) == "BEGIN" {
			for j < len(pieces) && verb(pieces[j]) == "SET" {
				j++
			}
			if j < len(pieces) && verb(pieces[j]) == "COMMIT" {
				if j+1 < len(pieces) {
					pieces[j+1].lead = pieces[i].lead + strings.TrimLeft(pieces[j+1].lead, "\r\n")
				}
				i = j
				continue
			}
		}
		out = append(out, pieces[i])
	}
	return out
}

// segment is what goes into a file of its own.
type segment struct {
	alone  bool
	pieces []*piece
}

// severalFiles gives each transaction a file.
func severalFiles(t *text, pieces []*piece, marks []mark, src *Source, siblings []string) ([]File, error) {
	divided := slices.ContainsFunc(marks, func(m mark) bool { return m.alone || m.cut })
	if divided {
		var err error
		if pieces, marks, err = withoutTransaction(pieces, marks); err != nil {
			return nil, err
		}
	}
	var segments []*segment
	var carried []*piece
	cur := &segment{}
	end := func(alone bool) {
		if slices.ContainsFunc(cur.pieces, func(pc *piece) bool { return !isSet(pc) }) {
			segments = append(segments, cur)
		}
		cur = &segment{alone: alone}
	}
	for i, pc := range pieces {
		m := marks[i]
		switch {
		case m.alone:
			if !cur.alone || oneByOne(src) {
				end(true)
			}
			if err := carryAlone(cur, carried, src); err != nil {
				return nil, err
			}
		case m.cut || cur.alone:
			end(false)
			for _, s := range carried {
				cur.pieces = append(cur.pieces, plain(s.sql))
				cur.pieces[len(cur.pieces)-1].op = s.op
			}
		}
		if m.timeout {
			with := withTimeout(pc, true)
			cur.pieces, pc = append(cur.pieces, with[0]), with[1]
		}
		if isSet(pc) {
			carried = append(carried, pc)
		}
		cur.pieces = append(cur.pieces, pc)
	}
	end(false)
	if len(segments) == 0 {
		return nil, fmt.Errorf("nothing of the file is left: remove it")
	}
	return files(t, segments, src, siblings)
}

func isSet(pc *piece) bool {
	_, ok := pc.op.(ddl.Set)
	return ok
}

// oneByOne reports whether the tool makes a transaction of several statements in any case.
func oneByOne(src *Source) bool { return src.Tx == Message || src.Style == Dbmate }

// carryAlone repeats settings before statements that stand outside of transactions, where they matter there.
func carryAlone(cur *segment, carried []*piece, src *Source) error {
	if len(cur.pieces) > 0 {
		return nil
	}
	for _, s := range carried {
		set := s.op.(ddl.Set)
		switch name := strings.ToLower(set.Name); {
		case name == "lock_timeout" || name == "statement_timeout":
		case set.Local || oneByOne(src):
			return fmt.Errorf("%s is meant for the statement that must stand alone, where it has no place", strings.TrimSpace(s.sql))
		default:
			cur.pieces = append(cur.pieces, plain(s.sql))
		}
	}
	return nil
}

// withoutTransaction takes BEGIN and COMMIT from a text that consists of one transaction: its files are some.
func withoutTransaction(pieces []*piece, marks []mark) ([]*piece, []mark, error) {
	var at []int
	for i, pc := range pieces {
		if _, ok := pc.op.(ddl.Transaction); ok {
			at = append(at, i)
		}
	}
	switch {
	case len(at) == 0:
		return pieces, marks, nil
	case len(at) == 2 && at[0] == 0 && at[1] == len(pieces)-1:
		pieces[1].lead = pieces[0].lead + strings.TrimLeft(pieces[1].lead, "\r\n")
		return pieces[1 : len(pieces)-1], marks[1 : len(marks)-1], nil
	}
	return nil, nil, fmt.Errorf("the file has transactions of its own")
}
