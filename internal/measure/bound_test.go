package measure_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pgtest"
)

// TestBoundConditionProves: a valid CHECK of PartitionCondition or DefaultCondition makes ATTACH believe instead of read, of the partition
// and of the default partition. The server says so itself (DEBUG1).
func TestBoundConditionProves(t *testing.T) {
	const columns = `(a int, b text, "C d" date)`
	for _, tt := range []struct{ key, bound string }{
		{"HASH (a)", "WITH (MODULUS 4, REMAINDER 1)"},
		{`HASH (a, "C d")`, "WITH (MODULUS 3, REMAINDER 0)"},
		{"LIST (b)", "IN ('x')"},
		{"LIST (b)", "IN ('x', 'y', NULL)"},
		{"LIST (a)", "IN (NULL)"},
		{"RANGE (a)", "FROM (1) TO (10)"},
		{"RANGE (a)", "FROM (MINVALUE) TO (10)"},
		{"RANGE (a)", "FROM (minvalue) TO (maxvalue)"},
		{`RANGE ("C d")`, "FROM ('2026-01-01') TO ('2026-01-01'::date + 31)"},
		{"RANGE (a, b)", "FROM (1, 'm') TO (5, 'c')"},
		{"RANGE (a, b)", "FROM (1, 'c') TO (1, 'm')"},
		{"RANGE (a, b)", "FROM (1, MINVALUE) TO (5, MINVALUE)"},
		{"RANGE (a, b)", "FROM (1, MAXVALUE) TO (5, MAXVALUE)"},
		{"RANGE (a, b)", "FROM (MINVALUE, MINVALUE) TO (5, 'c')"},
		{"RANGE (a, b)", "FROM (1, MINVALUE) TO (1, MAXVALUE)"},
		{`RANGE (a, b, "C d")`, "FROM (1, 'c', '2026-01-01') TO (7, 'm', '2026-03-01')"},
		{`RANGE (a, b, "C d")`, "FROM (1, 'c', '2026-01-01') TO (1, 'c', '2026-03-01')"},
		{`RANGE (a, b, "C d")`, "FROM (1, 'c', MINVALUE) TO (2, MAXVALUE, MAXVALUE)"},
	} {
		t.Run(tt.key+" "+tt.bound, func(t *testing.T) {
			ctx := context.Background()
			dsn := pgtest.DB(t)
			bound := "FOR VALUES " + tt.bound
			pgtest.Exec(t, dsn, fmt.Sprintf(`CREATE SCHEMA m; CREATE TABLE m."The parent" %s PARTITION BY %s; CREATE TABLE m.part %s`, columns, tt.key, columns))
			asked := []string{"part"}
			if !strings.HasPrefix(tt.key, "HASH") {
				pgtest.Exec(t, dsn, `CREATE TABLE m.rest PARTITION OF m."The parent" DEFAULT`)
				asked = append(asked, "rest")
			}
			conn, said := talkative(t, dsn)
			s := load(t, conn)
			parent := s.Relations[ddl.Name{Schema: "m", Name: "The parent"}]
			condition, ok := s.PartitionCondition(parent, bound)
			rest, okRest := s.DefaultCondition(parent, bound)
			if !ok || !okRest {
				t.Fatal("no condition")
			}
			pgtest.Exec(t, dsn, fmt.Sprintf("ALTER TABLE m.part ADD CHECK (%s)", condition))
			if len(asked) > 1 {
				pgtest.Exec(t, dsn, fmt.Sprintf("ALTER TABLE m.rest ADD CHECK (%s)", rest))
			}
			*said = nil
			if _, err := conn.Exec(ctx, `ALTER TABLE m."The parent" ATTACH PARTITION m.part `+bound); err != nil {
				t.Fatal(err)
			}
			got := strings.Join(*said, "\n")
			for _, table := range asked {
				if !strings.Contains(got, fmt.Sprintf("%q is implied by existing constraints", table)) {
					t.Errorf("%s is read in spite of CHECK (%s); the server said:\n%s", table, condition, got)
				}
			}
		})
	}
}

// TestPartitionConditionProves: a partition of a partition must be within the bounds of all levels. What the effects say
// of ATTACH is what the server does, whether the CHECK is ours or a user's.
func TestPartitionConditionProves(t *testing.T) {
	const attach = "ALTER TABLE m.mid ATTACH PARTITION m.low FOR VALUES IN ('x')"
	tests := map[string]struct {
		checks  []string
		implied bool
	}{
		"ours":                 {nil, true},
		"both levels by hand":  {[]string{"b IS NOT NULL AND b = 'x'", "a IS NOT NULL AND a >= 1 AND a < 10"}, true},
		"the lowest level":     {[]string{"b IS NOT NULL AND b = 'x'"}, false},
		"the level above":      {[]string{"a IS NOT NULL AND a >= 1 AND a < 10"}, false},
		"a wider level above":  {[]string{"b IS NOT NULL AND b = 'x'", "a IS NOT NULL AND a >= 0 AND a < 10"}, false},
		"NULLs on level above": {[]string{"b IS NOT NULL AND b = 'x'", "a >= 1 AND a < 10"}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dsn := pgtest.DB(t)
			pgtest.Exec(t, dsn, `CREATE SCHEMA m; CREATE TABLE m.top (a int, b text) PARTITION BY RANGE (a);
				CREATE TABLE m.mid PARTITION OF m.top FOR VALUES FROM (1) TO (10) PARTITION BY LIST (b);
				CREATE TABLE m.low (a int, b text)`)
			conn, said := talkative(t, dsn)
			if tt.checks == nil {
				s := load(t, conn)
				condition, ok := s.PartitionCondition(s.Relations[ddl.Name{Schema: "m", Name: "mid"}], "FOR VALUES IN ('x')")
				if !ok {
					t.Fatal("no condition")
				}
				tt.checks = []string{condition}
			}
			for _, c := range tt.checks {
				pgtest.Exec(t, dsn, fmt.Sprintf("ALTER TABLE m.low ADD CHECK (%s)", c))
			}
			claimed := len(effectsOf(t, load(t, conn), attach).Scans) == 0
			if _, err := conn.Exec(context.Background(), attach); err != nil {
				t.Fatal(err)
			}
			got := strings.Contains(strings.Join(*said, "\n"), `"low" is implied by existing constraints`)
			if got != tt.implied || claimed != tt.implied {
				t.Errorf("CHECKs %q: the server believes them: %t, the effects say so: %t, want %t", tt.checks, got, claimed, tt.implied)
			}
		})
	}
}

// talkative is a connection that hears what the server says at DEBUG1.
func talkative(t *testing.T, dsn string) (conn *pgx.Conn, said *[]string) {
	config, err := pgx.ParseConfig(pgtest.Param(dsn, "client_min_messages", "debug1"))
	if err != nil {
		t.Fatal(err)
	}
	said = new([]string)
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { *said = append(*said, n.Message) }
	if conn, err = pgx.ConnectConfig(context.Background(), config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn, said
}

// TestBoundConditionRefuses keys that a CHECK cannot speak of.
func TestBoundConditionRefuses(t *testing.T) {
	for key, bound := range map[string]string{
		"RANGE (lower(b))": "FROM ('a') TO ('b')", `RANGE (b COLLATE "C")`: "FROM ('a') TO ('b')", "RANGE (b text_pattern_ops)": "FROM ('a') TO ('b')",
		"HASH (a, b)": "WITH (MODULUS 2, REMAINDER 0)",
		"RANGE (b)":   "FROM (current_user) TO (MAXVALUE)", "RANGE (a)": "FROM (random()::int) TO (MAXVALUE)",
	} {
		dsn := pgtest.DB(t)
		pgtest.Exec(t, dsn, "CREATE TABLE parent (a int, b text) PARTITION BY "+key)
		conn := connect(t, dsn, "UTC")
		s := load(t, conn)
		if condition, ok := s.PartitionCondition(s.Relations[ddl.Name{Schema: "public", Name: "parent"}], "FOR VALUES "+bound); ok {
			t.Errorf("%s: %s", key, condition)
		}
	}
}
