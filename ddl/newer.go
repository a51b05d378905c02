package ddl

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// The parser speaks PostgreSQL 17. Syntax that PostgreSQL 18 added is replaced, token by token and in the same
// number of bytes, by text that 17 accepts; a mark remembers what was meant. All positions stay exact, and
// whatever is cut out of the source is cut out of the original text.

type markKind byte

const (
	markVirtual     markKind = iota // GENERATED ALWAYS AS (…) [VIRTUAL], parsed as DEFAULT (…) or STORED
	markNotNull                     // table constraint NOT NULL column, parsed as CHECK (column)
	markNotEnforced                 // NOT ENFORCED, parsed as nothing
	markTemporal                    // WITHOUT OVERLAPS and PERIOD, parsed as nothing
	markNoInherit                   // column constraint NOT NULL NO INHERIT, parsed as NOT NULL
	markIgnored                     // words whose absence changes nothing that an Op says
)

// mark is newer syntax that stood in the tokens [from, to).
type mark struct {
	kind     markKind
	from, to int
}

// marked reports whether newer syntax of this kind starts in the tokens [i, j).
func (s *source) marked(kind markKind, i, j int) bool {
	for _, m := range s.marks {
		if m.kind == kind && m.from >= i && m.from < j {
			return true
		}
	}
	return false
}

// replaceNewer replaces newer syntax in each statement which the parser does not accept as it is, and reports
// whether there was any.
func (s *source) replaceNewer() bool {
	for _, st := range s.split() {
		from, to := s.toks[st.start].start, s.toks[st.end-1].end
		if _, err := parseSQL(s.parsed[from:to]); err == nil {
			continue
		}
		switch s.kind(st.start) {
		case pg.Token_VACUUM, pg.Token_ANALYZE, pg.Token_ANALYSE:
			s.replaceOnly(st)
		case pg.Token_CREATE, pg.Token_ALTER:
			s.replaceLargeObjects(st)
			s.replaceConstraints(st)
		}
		s.replaceReturning(st)
	}
	return len(s.marks) > 0
}

// put replaces the tokens [i, j) by text, padded with spaces; text must fit.
func (s *source) put(kind markKind, i, j int, text string) {
	from, to := s.toks[i].start, s.toks[j-1].end
	s.parsed = s.parsed[:from] + text + strings.Repeat(" ", to-from-len(text)) + s.parsed[to:]
	s.marks = append(s.marks, mark{kind, i, j})
}

// replaceOnly handles VACUUM ONLY t and ANALYZE ONLY t.
func (s *source) replaceOnly(st span) {
	for i := st.start; i < st.end; i++ {
		if s.kind(i) == pg.Token_ONLY {
			s.put(markIgnored, i, i+1, "")
		}
	}
}

// replaceReturning handles RETURNING WITH (OLD AS o, NEW AS n).
func (s *source) replaceReturning(st span) {
	for i := st.start; i < st.end; i++ {
		if s.has(i, pg.Token_RETURNING, pg.Token_WITH, tokParen) {
			s.put(markIgnored, i+1, s.closer(i+2, st.end-1)+1, "")
		}
	}
}

// replaceLargeObjects handles ALTER DEFAULT PRIVILEGES … ON LARGE OBJECTS.
func (s *source) replaceLargeObjects(st span) {
	if !s.has(st.start, pg.Token_ALTER, pg.Token_DEFAULT, pg.Token_PRIVILEGES) {
		return
	}
	for i := st.start; i+1 < st.end; i++ {
		if s.kind(i) == pg.Token_LARGE_P && s.word(i+1, "objects") {
			s.put(markIgnored, i, i+2, "TABLES")
		}
	}
}

// replaceConstraints handles what 18 can say of columns and constraints.
func (s *source) replaceConstraints(st span) {
	for i := st.start; i < st.end; i++ {
		switch {
		case s.has(i, pg.Token_GENERATED, pg.Token_ALWAYS, pg.Token_AS, tokParen):
			s.replaceGenerated(i, st.end)
		case s.has(i, pg.Token_WITHOUT, pg.Token_OVERLAPS):
			s.put(markTemporal, i, i+2, "")
		case s.word(i, "period") && s.isPeriod(i, st):
			s.put(markTemporal, i, i+1, "")
		case s.has(i, pg.Token_ALTER, pg.Token_CONSTRAINT):
			i = s.replaceAlterConstraint(i, st)
		case s.has(i, pg.Token_NOT, pg.Token_NULL_P, pg.Token_NO, pg.Token_INHERIT):
			s.put(markNoInherit, i+2, i+4, "")
			i += 3
		case s.has(i, pg.Token_NOT, pg.Token_NULL_P) && s.startsConstraint(i, st):
			i = s.replaceNotNull(i, st)
		case s.kind(i) == pg.Token_NOT && s.word(i+1, "enforced") && s.endsConstraint(i-1):
			s.put(markNotEnforced, i, i+2, "")
			i++
		case s.word(i, "enforced") && s.endsConstraint(i-1):
			s.put(markIgnored, i, i+1, "")
		}
	}
}

// replaceGenerated handles GENERATED ALWAYS AS (…) without STORED.
func (s *source) replaceGenerated(i, end int) {
	close := s.closer(i+3, end)
	switch {
	case close >= end || s.kind(close+1) == pg.Token_STORED && close+1 < end:
		return
	case close+1 < end && s.word(close+1, "virtual"):
		s.put(markVirtual, i, i+3, "DEFAULT")
		s.put(markIgnored, close+1, close+2, "")
	default:
		s.put(markVirtual, i, i+3, "DEFAULT")
	}
}

// isPeriod reports whether token i is PERIOD in the column list of a foreign key.
func (s *source) isPeriod(i int, st span) bool {
	if s.kind(i-1) != tokComma || i+2 >= st.end || s.kind(s.skipIdent(i+1)) != tokClose {
		return false
	}
	open := i - 1
	for ; open > st.start && s.kind(open) != tokParen; open-- {
		if s.kind(open) == tokClose {
			return false
		}
	}
	if s.has(open-2, pg.Token_FOREIGN, pg.Token_KEY) {
		return true
	}
	for j := open - 1; j > st.start && open-j < 8; j-- {
		if s.kind(j) == pg.Token_REFERENCES {
			return s.skipName(j+1) == open
		}
	}
	return false
}

// replaceAlterConstraint handles ALTER CONSTRAINT name [NOT] ENFORCED and [NO] INHERIT.
func (s *source) replaceAlterConstraint(i int, st span) int {
	i = s.skipIdent(i + 2)
	for ; i < st.end && s.kind(i) != tokComma; i++ {
		from := i
		if k := s.kind(i); k == pg.Token_NOT || k == pg.Token_NO {
			i++
		}
		if i < st.end && (s.word(i, "enforced") || s.kind(i) == pg.Token_INHERIT) {
			s.put(markIgnored, from, i+1, "")
		}
	}
	return i
}

// startsConstraint reports whether a table constraint starts at NOT, with or without CONSTRAINT name.
func (s *source) startsConstraint(i int, st span) bool {
	for back := 2; back <= 4; back++ {
		if s.kind(i-back) == pg.Token_CONSTRAINT && s.skipIdent(i-back+1) == i {
			i -= back
			break
		}
	}
	if i-1 <= st.start {
		return false
	}
	switch s.kind(i - 1) {
	case pg.Token_ADD_P:
		return s.kind(st.start) == pg.Token_ALTER && s.kind(st.start+1) != pg.Token_DOMAIN_P
	case tokParen, tokComma:
		return true
	}
	return false
}

// replaceNotNull handles the table constraint NOT NULL column.
func (s *source) replaceNotNull(i int, st span) int {
	end := s.skipIdent(i + 2)
	if i+2 >= st.end || end > st.end {
		return i
	}
	switch s.kind(i + 2) {
	case tokComma, tokClose, tokParen, tokDot:
		return i
	}
	s.put(markNotNull, i, end, "CHECK("+s.slice(i+2, end)+")")
	return end - 1
}

// endsConstraint reports whether token i can be the last one of a constraint, so that ENFORCED behind it is
// an attribute and not a name.
func (s *source) endsConstraint(i int) bool {
	switch s.kind(i) {
	case tokClose, pg.Token_VALID, pg.Token_DEFERRABLE, pg.Token_DEFERRED, pg.Token_IMMEDIATE, pg.Token_INHERIT,
		pg.Token_CASCADE, pg.Token_RESTRICT, pg.Token_ACTION, pg.Token_FULL, pg.Token_SIMPLE:
		return true
	case pg.Token_NULL_P, pg.Token_DEFAULT:
		return s.kind(i-1) == pg.Token_SET
	}
	for j := i; j > 0 && i-j < 8; j-- {
		if s.kind(j) == pg.Token_REFERENCES {
			return s.skipName(j+1) == i+1
		}
	}
	return false
}
