package ddl

import (
	"strings"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// token is one token of the source, with its byte range.
type token struct {
	kind       pg.Token
	start, end int
}

// span is a byte range of the source.
type span struct{ start, end int }

// source is a text with its tokens. Everything that must keep the words of the author is cut out of it by
// tokens: the parse tree has the starts of most nodes, the tokens have the ends.
type source struct {
	file     string
	text     string  // as given
	parsed   string  // as the parser sees it: the same length, newer syntax replaced (see newer.go)
	toks     []token // without comments
	comments []token
	marks    []mark
}

// Single characters are tokens of their own code.
const (
	tokParen     = pg.Token('(')
	tokClose     = pg.Token(')')
	tokBracket   = pg.Token('[')
	tokUnbracket = pg.Token(']')
	tokComma     = pg.Token(',')
	tokSemicolon = pg.Token(';')
	tokDot       = pg.Token('.')
	tokStar      = pg.Token('*')
	tokEqual     = pg.Token('=')
	tokColon     = pg.Token(':')
	tokBackslash = pg.Token('\\')
)

// scan fills the tokens from text[:limit].
func (s *source) scan(limit int) error {
	all, ok := lex(s.parsed[:limit])
	if !ok {
		var err error
		if all, err = scanned(s.parsed[:limit]); err != nil {
			return err
		}
	}
	s.toks, s.comments = all[:0], nil
	for _, tok := range all {
		if tok.kind == pg.Token_SQL_COMMENT || tok.kind == pg.Token_C_COMMENT {
			s.comments = append(s.comments, tok)
		} else {
			s.toks = append(s.toks, tok)
		}
	}
	return nil
}

// scanned are the tokens of a text as the parser's own scanner has them.
func scanned(text string) ([]token, error) {
	res, err := pg.Scan(text)
	if err != nil {
		return nil, err
	}
	toks := make([]token, 0, len(res.Tokens))
	for _, t := range res.Tokens {
		toks = append(toks, token{t.Token, int(t.Start), int(t.End)})
	}
	return toks, nil
}

// pos gives the place of a byte offset. A byte order mark is no character of the file.
func (s *source) pos(offset int) Pos {
	before := s.text[:offset]
	line := strings.LastIndexByte(before, '\n') + 1
	return Pos{
		File:   s.file,
		Offset: offset,
		Line:   strings.Count(before, "\n") + 1,
		Column: utf8.RuneCountInString(strings.TrimPrefix(before[line:], bom)) + 1,
	}
}

// lineAt is the line that holds a byte offset.
func (s *source) lineAt(offset int) string {
	line := s.text[strings.LastIndexByte(s.text[:offset], '\n')+1:]
	if i := strings.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	return strings.TrimSuffix(strings.TrimPrefix(line, bom), "\r")
}

// errorAt is a SyntaxError at a byte offset.
func (s *source) errorAt(offset int, message string) error {
	return &SyntaxError{Pos: s.pos(offset), Message: message, Line: s.lineAt(offset)}
}

// at gives the index of the token that starts at a location of the parse tree, or the next one behind it.
func (s *source) at(loc int32) int {
	lo, hi := 0, len(s.toks)
	for lo < hi {
		if mid := (lo + hi) / 2; s.toks[mid].start < int(loc) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// kind is the kind of token i, 0 beyond the ends.
func (s *source) kind(i int) pg.Token {
	if i < 0 || i >= len(s.toks) {
		return 0
	}
	return s.toks[i].kind
}

// has reports whether the tokens from i on are of these kinds.
func (s *source) has(i int, kinds ...pg.Token) bool {
	for n, k := range kinds {
		if s.kind(i+n) != k {
			return false
		}
	}
	return true
}

// word reports whether token i is this unquoted word.
func (s *source) word(i int, word string) bool {
	return i >= 0 && i < len(s.toks) && strings.EqualFold(s.text[s.toks[i].start:s.toks[i].end], word)
}

// slice is the text of the tokens [i, j) with a space for each comment.
func (s *source) slice(i, j int) string { return s.join(i, j, nil) }

// join is slice without the tokens for which skip is true.
func (s *source) join(i, j int, skip func(int) bool) string {
	var b strings.Builder
	last := -1
	for ; i < j && i < len(s.toks); i++ {
		if skip != nil && skip(i) {
			continue
		}
		if last >= 0 {
			between := s.text[s.toks[last].end:s.toks[i].start]
			if last != i-1 || strings.TrimSpace(between) != "" {
				between = " "
			}
			b.WriteString(between)
		}
		b.WriteString(s.text[s.toks[i].start:s.toks[i].end])
		last = i
	}
	return b.String()
}

// closer gives the index of the token that closes the bracket at i, at most limit.
func (s *source) closer(i, limit int) int {
	depth := 0
	for ; i < limit; i++ {
		switch s.kind(i) {
		case tokParen, tokBracket:
			depth++
		case tokClose, tokUnbracket:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return limit
}

// elementEnd gives the index of the comma or closing bracket that ends the list element which starts at i.
func (s *source) elementEnd(i, limit int) int {
	return s.find(i, limit, func(j int) bool {
		k := s.kind(j)
		return k == tokComma || k == tokClose || k == tokUnbracket
	})
}

// find gives the first token in [i, limit) outside of brackets for which ok is true, or limit.
func (s *source) find(i, limit int, ok func(int) bool) int {
	for ; i < limit; i++ {
		if ok(i) {
			return i
		}
		if k := s.kind(i); k == tokParen || k == tokBracket {
			i = s.closer(i, limit)
		}
	}
	return limit
}

// findKind is find of a kind of token.
func (s *source) findKind(i, limit int, kind pg.Token) int {
	return s.find(i, limit, func(j int) bool { return s.kind(j) == kind })
}

// elements splits the list in the tokens [i, j) at its commas.
func (s *source) elements(i, j int) []span {
	var list []span
	for i < j {
		end := s.elementEnd(i, j)
		list = append(list, span{i, end})
		i = end + 1
	}
	return list
}

// skipIdent gives the index behind the identifier at i (U&"…" UESCAPE '…' has three tokens).
func (s *source) skipIdent(i int) int {
	if s.kind(i) == pg.Token_UIDENT && s.kind(i+1) == pg.Token_UESCAPE {
		return i + 3
	}
	return i + 1
}

// skipName gives the index behind the qualified name at i.
func (s *source) skipName(i int) int {
	i = s.skipIdent(i)
	for s.kind(i) == tokDot {
		i = s.skipIdent(i + 1)
	}
	return i
}

// skipRelation gives the index behind the relation whose name stands at i: also "ONLY (name)" and "name *".
func (s *source) skipRelation(i int) int {
	wrapped := s.kind(i-1) == tokParen && s.kind(i-2) == pg.Token_ONLY
	i = s.skipName(i)
	if wrapped && s.kind(i) == tokClose || s.kind(i) == tokStar {
		i++
	}
	return i
}

// LongIdentifiers are the identifiers of a statement that have more bytes than the server keeps.
func LongIdentifiers(sql string, limit int) []string {
	s := &source{text: sql, parsed: sql}
	if s.scan(len(sql)) != nil {
		return nil
	}
	var long []string
	for _, t := range s.toks {
		name := sql[t.start:t.end]
		if len(name) <= limit || t.kind != pg.Token_IDENT {
			continue
		}
		if name[0] == '"' {
			name = strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
		}
		if len(name) > limit {
			long = append(long, name)
		}
	}
	return long
}
