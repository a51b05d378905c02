package livetest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/plan"
)

const expressionFixture = `CREATE TABLE t (id int PRIMARY KEY, a int, b int NOT NULL DEFAULT 1, s text, g text GENERATED ALWAYS AS (upper(b::text)) STORED);
	INSERT INTO t SELECT n, n, 2, n::text FROM generate_series(1, 100) n;`

// TestExpressionThatCannotBeComputed: a function of ours that cannot be analysed would be met by the application's
// first write. It is an error before there is a trigger that calls it.
func TestExpressionThatCannotBeComputed(t *testing.T) {
	for name, tt := range map[string]struct{ sql, wants string }{
		"function of USING":             {"ALTER TABLE t ALTER s TYPE int USING length_of(s);", "42883"},
		"type of USING":                 {"ALTER TABLE t ALTER s TYPE int USING lower(s);", "42804"},
		"no USING":                      {"ALTER TABLE t ALTER s TYPE int;", "42804"},
		"column of USING":               {"ALTER TABLE t ALTER s TYPE int USING length(z);", "column z of relation"},
		"generated column":              {"ALTER TABLE t ALTER s TYPE int USING length(g);", "trigger-expression"},
		"function of the inverse":       {"-- replank: inverse back(s)\nALTER TABLE t ALTER s TYPE int USING length(s);", "42883"},
		"column of the inverse":         {"-- replank: inverse z::text\nALTER TABLE t ALTER s TYPE int USING length(s);", "column z of relation"},
		"split":                         {"ALTER TABLE t ADD COLUMN x int; UPDATE t SET x = length_of(s); ALTER TABLE t DROP COLUMN s;", "42883"},
		"fill":                          {"-- replank: fill lower(s)\nALTER TABLE t ALTER a SET NOT NULL;", "42804"},
		"fill of a new column":          {"-- replank: fill q(s)\nALTER TABLE t ADD COLUMN x int NOT NULL;", "42883"},
		"clock":                         {"ALTER TABLE t ALTER s TYPE timestamptz USING coalesce(s::timestamptz, now());", "trigger-expression"},
		"inverse that reads what stays": {"-- replank: inverse s || b\nALTER TABLE t ALTER s TYPE int USING length(s);", "trigger-expression"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, expressionFixture, tt.sql, accept("irreversible"))
			before := pgtest.Dump(t, s.dsn)
			_, err := s.open().Apply(ctx, s.files)
			var pgErr *pgconn.PgError
			var refused *plan.Refusal
			switch {
			case err == nil:
				t.Fatal("applied")
			case errors.As(err, &pgErr) && pgErr.Code == tt.wants:
			case errors.As(err, &refused) && refused.Code == tt.wants:
			case strings.Contains(err.Error(), tt.wants):
			default:
				t.Fatalf("%v, want %s", err, tt.wants)
			}
			if err := pgtest.TryExec(s.dsn, "INSERT INTO t (id, a, s) VALUES (0, 0, 'x')"); err != nil {
				t.Error("the application's write: ", err)
			}
			if err := pgtest.TryExec(s.dsn, "DELETE FROM t WHERE id = 0"); err != nil {
				t.Error(err)
			}
			if d := pgtest.Diff(before, pgtest.Dump(t, s.dsn)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestColumnThatTheNewShapeReads: what is computed from a column that stays follows it.
func TestColumnThatTheNewShapeReads(t *testing.T) {
	for name, sql := range map[string]string{
		"split": "ALTER TABLE t ADD COLUMN x int; UPDATE t SET x = a * b; ALTER TABLE t DROP COLUMN a;",
		"type":  "ALTER TABLE t ALTER a TYPE bigint USING a * b;",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, expressionFixture, sql, accept("column-order")).apply()
			pgtest.Exec(t, s.dsn, "UPDATE t SET b = 3 WHERE id <= 50")
			s.complete()
			oracle := pgtest.DB(t)
			pgtest.Exec(t, oracle, expressionFixture+"UPDATE t SET b = 3 WHERE id <= 50;"+sql)
			pgtest.SameData(t, oracle, s.dsn)
		})
	}
}

// TestConversionThatRaisesIsNoticed: whose writes may fail is said before.
func TestConversionThatRaisesIsNoticed(t *testing.T) {
	for sql, want := range map[string][]string{
		"ALTER TABLE t ALTER s TYPE int USING s::int;":         {"old-writers"},
		"ALTER TABLE t ALTER a TYPE bigint;":                   {"new-writers"},
		"ALTER TABLE t ALTER a TYPE text;":                     {"new-writers"},
		"ALTER TABLE t ALTER a TYPE smallint;":                 {"old-writers"},
		"ALTER TABLE t ALTER s TYPE int USING length(s);":      {"old-writers"},
		"ALTER TABLE t ALTER a TYPE boolean USING a::boolean;": nil,
	} {
		s := newSite(t, expressionFixture, sql)
		p, err := s.open().Plan(ctx, s.files)
		if err != nil {
			t.Fatal(err)
		}
		if p.Files[0].Plan == nil {
			t.Errorf("%s: no plan", sql)
			continue
		}
		var got []string
		for _, n := range p.Files[0].Plan.Notices {
			if strings.HasSuffix(n.Code, "-writers") {
				got = append(got, n.Code)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
	}
}
