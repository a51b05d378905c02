package ddl

import (
	"strings"
	"sync"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// keyword is a word that is a token of its own.
type keyword struct {
	token  pg.Token
	quoted bool // by quote_ident, where it is an identifier
}

// keywords are all of the parser's. They are asked from the parser itself, so that the list is never older than the
// grammar: each is the name of its token.
var keywords = sync.OnceValue(func() map[string]keyword {
	var words []string
	for _, name := range pg.Token_name {
		words = append(words, strings.ToLower(strings.TrimSuffix(name, "_P")))
	}
	all := strings.Join(words, "\n")
	scan, err := pg.Scan(all)
	if err != nil {
		panic("ddl: the parser cannot scan its own keywords: " + err.Error())
	}
	list := map[string]keyword{}
	for _, t := range scan.Tokens {
		switch t.KeywordKind {
		case pg.KeywordKind_UNRESERVED_KEYWORD:
			list[all[t.Start:t.End]] = keyword{t.Token, false}
		case pg.KeywordKind_COL_NAME_KEYWORD, pg.KeywordKind_TYPE_FUNC_NAME_KEYWORD, pg.KeywordKind_RESERVED_KEYWORD:
			list[all[t.Start:t.End]] = keyword{t.Token, true}
		}
	}
	return list
})

// QuoteIdent gives s as an identifier, quoted exactly where PostgreSQL's quote_ident quotes.
func QuoteIdent(s string) string {
	if plainIdent(s) && !keywords()[s].quoted {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

func plainIdent(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c == '_' || i > 0 && c >= '0' && c <= '9' {
			continue
		}
		return false
	}
	return s != ""
}

// QuoteLiteral gives s as a string constant, as PostgreSQL's quote_literal does: with an E where a backslash
// would otherwise depend on standard_conforming_strings.
func QuoteLiteral(s string) string {
	quoted := "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return "E" + quoted
	}
	return quoted
}

// QuoteIdents is a list of identifiers as SQL.
func QuoteIdents(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = QuoteIdent(n)
	}
	return strings.Join(quoted, ", ")
}
