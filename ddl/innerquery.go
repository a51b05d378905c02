package ddl

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// innerQuery is the query that a utility statement is written around. The text may be normalised, which no parser takes
// everywhere, so only its tokens are looked at.
func innerQuery(text string) (string, bool) {
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	switch strings.ToLower(word) {
	case "declare", "prepare", "create", "copy":
	default:
		return "", false
	}
	s := &source{text: text, parsed: text}
	if s.scan(len(text)) != nil {
		return "", false
	}
	end := len(s.toks)
	if s.kind(end-1) == tokSemicolon {
		end--
	}
	switch s.kind(0) {
	case pg.Token_DECLARE:
		return s.behind(s.findKind(0, end, pg.Token_FOR)+1, end)
	case pg.Token_PREPARE:
		return s.behind(s.findKind(0, end, pg.Token_AS)+1, end)
	case pg.Token_CREATE:
		return s.tableQuery(end)
	case pg.Token_COPY:
		return s.copyQuery(end)
	}
	return "", false
}

// behind is the text from a token on, when it is a query.
func (s *source) behind(i, end int) (string, bool) {
	if i >= end {
		return "", false
	}
	query := s.text[s.toks[i].start:s.toks[end-1].end]
	return query, startsQuery(query)
}

// tableQuery is the query of CREATE TABLE AS.
func (s *source) tableQuery(end int) (string, bool) {
	as := s.findKind(0, end, pg.Token_AS)
	if table := s.findKind(0, as, pg.Token_TABLE); table == as {
		return "", false
	}
	if s.word(end-1, "data") { // WITH [NO] DATA
		if end--; s.word(end-1, "no") {
			end--
		}
		end--
	}
	return s.behind(as+1, end)
}

// copyQuery is the query of COPY (…), or one of the columns that COPY names. A COPY without them fits any table.
func (s *source) copyQuery(end int) (string, bool) {
	if s.kind(1) == tokParen {
		return s.behind(2, s.closer(1, end))
	}
	open := s.findKind(1, end, tokParen)
	direction := s.find(1, end, func(i int) bool { return s.word(i, "from") || s.word(i, "to") })
	if direction == end || open > direction { // behind it stand options
		return "", false
	}
	return "SELECT " + s.slice(open+1, s.closer(open, end)) + " FROM " + s.slice(1, open), true
}
