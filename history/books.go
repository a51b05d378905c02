package history

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/replank/replank/ddl"
)

// Books is how the tool of a history writes down what is applied, as SQL for migrate to execute. Names without a
// schema are those of the session's search_path, as in the tools.
type Books interface {
	// Table names the books, for people.
	Table() string
	// Present gives one row with one boolean: whether they exist.
	Present() Statement
	// Create makes them as the tool does. It is for a database where they are missing.
	Create() []Statement
	// Applied gives one column of text: the versions that are applied, in order, as in Migration.Version. What else
	// there is to say stands in the same column; Read knows.
	Applied() Statement
	// Read says which versions of the history the answer of Applied means. The error is an *Error where the tool would
	// refuse to go on.
	Read(answer []string) (map[string]bool, error)
	// Record writes down that a migration is applied, in the transaction of its last statement.
	Record(Migration) []Statement
	// Erase takes that back.
	Erase(Migration) []Statement
}

// Selective are books of a tool that runs other migrations where some are applied: Django's, with its squashes.
type Selective interface {
	Books
	// Select is the history as it counts where these versions are applied.
	Select(ms []Migration, applied map[string]bool) []Migration
}

// Select is the history as its tool takes it where these versions are applied. The books may be nil.
func Select(b Books, ms []Migration, applied map[string]bool) []Migration {
	if s, ok := b.(Selective); ok {
		return s.Select(ms, applied)
	}
	return ms
}

// Statement is one statement and its parameters.
type Statement struct {
	SQL  string
	Args []any
}

var parameter = regexp.MustCompile(`\$([0-9]+)`)

// Text is the statement with its parameters as constants, for a plan.
func (s Statement) Text() string {
	return parameter.ReplaceAllStringFunc(s.SQL, func(p string) string {
		i, _ := strconv.Atoi(p[1:])
		if i < 1 || i > len(s.Args) {
			return p
		}
		return constant(s.Args[i-1])
	})
}

// constant is a value as SQL.
func constant(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		return ddl.QuoteLiteral(v)
	case *string:
		if v == nil {
			return "NULL"
		}
		return ddl.QuoteLiteral(*v)
	case []string:
		elems := make([]string, len(v))
		for i, e := range v {
			elems[i] = ddl.QuoteLiteral(e)
		}
		return "ARRAY[" + strings.Join(elems, ", ") + "]::text[]"
	case time.Time:
		return ddl.QuoteLiteral(v.Format(time.RFC3339Nano))
	}
	return fmt.Sprint(v)
}

// present asks for a table. A schema "" is the one that the session creates tables in.
func present(schema, table string) Statement {
	return Statement{
		SQL:  "SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = coalesce(nullif($1, ''), current_schema()) AND tablename = $2)",
		Args: []any{schema, table},
	}
}

// splitTable takes a name apart that a tool puts into its SQL as it is.
func splitTable(name string) (schema, table string) {
	fold := func(s string) string {
		if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
			return strings.ReplaceAll(s[1:len(s)-1], `""`, `"`)
		}
		return strings.ToLower(s)
	}
	if first, second, ok := strings.Cut(name, "."); ok {
		return fold(first), fold(second)
	}
	return "", fold(name)
}

// quoted puts a name together for tools that quote it.
func quoted(schema, table string) string {
	if schema == "" {
		return ddl.QuoteIdent(table)
	}
	return ddl.QuoteIdent(schema) + "." + ddl.QuoteIdent(table)
}

func set(versions []string) map[string]bool {
	s := make(map[string]bool, len(versions))
	for _, v := range versions {
		s[v] = true
	}
	return s
}
