package ddl_test

import (
	"strings"
	"testing"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pgtest"
)

// TestQuoteIdentIsTheServers compares with quote_ident over every keyword of the server and odd names. Names are
// joined to one text, so that one query judges them all.
func TestQuoteIdentIsTheServers(t *testing.T) {
	db := pgtest.DB(t)
	words := strings.Split(pgtest.Value[string](t, db,
		`SELECT string_agg(word, E'\x01' ORDER BY word) FROM pg_get_keywords()`), "\x01")
	if len(words) < 400 {
		t.Fatalf("only %d keywords", len(words))
	}
	words = append(words, "a", "A", "_a", "a1", "1a", "a b", `a"b`, "ä", "a$b", "a-b", "日本", "über", ".", "x'y", `\`, " ")
	var ours []string
	for _, w := range words {
		ours = append(ours, ddl.QuoteIdent(w))
	}
	theirs := strings.Split(pgtest.Value[string](t, db,
		`SELECT string_agg(quote_ident(w), E'\x01' ORDER BY i) FROM unnest($1::text[]) WITH ORDINALITY u(w, i)`, words), "\x01")
	for i, w := range words {
		if ours[i] != theirs[i] {
			t.Errorf("QuoteIdent(%q) = %s, the server says %s", w, ours[i], theirs[i])
		}
	}
}

func TestQuoteLiteralIsTheServers(t *testing.T) {
	db := pgtest.DB(t)
	for _, s := range []string{"", "a", "it's", `a\b`, `\'`, "ä\n", "''", "$$", "E'x'"} {
		if want := pgtest.Value[string](t, db, "SELECT quote_literal($1::text)", s); ddl.QuoteLiteral(s) != want {
			t.Errorf("QuoteLiteral(%q) = %s, the server says %s", s, ddl.QuoteLiteral(s), want)
		}
	}
}
