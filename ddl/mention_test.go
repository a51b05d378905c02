package ddl_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replank/replank/ddl"
)

func TestMentions(t *testing.T) {
	n := func(name string) ddl.Name { return ddl.Name{Name: name} }
	for _, tt := range []struct {
		sql                         string
		relations, types, functions []ddl.Name
		star                        bool
		has, not                    []string
	}{
		{sql: "CREATE POLICY p ON u USING (EXISTS (SELECT FROM s.t WHERE t.A = 'b' /* c */))",
			relations: []ddl.Name{n("u"), {Schema: "s", Name: "t"}}, has: []string{"a", "t", "p"}, not: []string{"b", "c", "A"}},
		{sql: `CREATE TABLE c (id "E" REFERENCES t ("Id"), LIKE w)`, relations: []ddl.Name{n("c"), n("t"), n("w")}, types: []ddl.Name{n("E")}, has: []string{"Id"}},
		{sql: "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", relations: []ddl.Name{n("t")}, functions: []ddl.Name{n("f")}},
		{sql: "ALTER TABLE t ADD COLUMN n int DEFAULT nextval('s.q')", relations: []ddl.Name{n("t"), {Schema: "s", Name: "q"}}, functions: []ddl.Name{n("nextval")}},
		{sql: "INSERT INTO c SELECT * FROM t", relations: []ddl.Name{n("c"), n("t")}, star: true},
		{sql: "SELECT count(*) FROM t", relations: []ddl.Name{n("t")}, functions: []ddl.Name{n("count")}},
	} {
		m, err := ddl.Mentions(tt.sql)
		if err != nil {
			t.Fatalf("%s: %v", tt.sql, err)
		}
		if d := cmp.Diff([][]ddl.Name{tt.relations, tt.types, tt.functions}, [][]ddl.Name{m.Relations, m.Types, m.Functions}); d != "" || m.Star != tt.star {
			t.Errorf("%s: star %v, names (-want +got)\n%s", tt.sql, m.Star, d)
		}
		for _, name := range tt.has {
			if !m.Has(name) {
				t.Errorf("%s: %s is not found", tt.sql, name)
			}
		}
		for _, name := range tt.not {
			if m.Has(name) {
				t.Errorf("%s: %s is found", tt.sql, name)
			}
		}
	}
}

func TestReferColumns(t *testing.T) {
	for def, want := range map[string]string{
		"FOREIGN KEY (a) REFERENCES s.t ON DELETE CASCADE": `FOREIGN KEY (a) REFERENCES s.t (id, "Nr") ON DELETE CASCADE`,
		"FOREIGN KEY (a) REFERENCES t (x)":                 "FOREIGN KEY (a) REFERENCES t (x)",
		"CHECK (a > 0)":                                    "CHECK (a > 0)",
	} {
		if got, err := ddl.ReferColumns(def, []string{"id", "Nr"}); err != nil || got != want {
			t.Errorf("%s: %s, %v", def, got, err)
		}
	}
}
