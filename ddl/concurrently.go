package ddl

import (
	"fmt"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// Concurrently puts CONCURRENTLY into CREATE INDEX, DROP INDEX of one index, REINDEX and REFRESH MATERIALIZED VIEW, and
// takes IF NOT EXISTS out of CREATE INDEX, where it would accept what a failed attempt has left. The rest stays byte
// for byte.
func Concurrently(sql string) (string, error) {
	c, _, err := one(sql)
	if err != nil {
		return "", err
	}
	i := c.find(c.first, c.last, func(j int) bool {
		switch c.kind(j) {
		case pg.Token_INDEX, pg.Token_TABLE, pg.Token_SCHEMA, pg.Token_DATABASE, pg.Token_VIEW:
			return true
		}
		return false
	})
	if i == c.last {
		return "", fmt.Errorf("nothing here can be done CONCURRENTLY: %s", sql)
	}
	at := c.toks[i].end
	rest := sql[at:]
	if c.has(i+1, pg.Token_CONCURRENTLY) {
		at, rest = c.toks[i+1].end, sql[c.toks[i+1].end:]
		i++
	}
	if c.has(i+1, pg.Token_IF_P, pg.Token_NOT, pg.Token_EXISTS) {
		rest = sql[c.toks[i+3].end:]
	}
	head := sql[:at]
	if c.kind(i) != pg.Token_CONCURRENTLY {
		head += " CONCURRENTLY"
	}
	return head + rest, nil
}
