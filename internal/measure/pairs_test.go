package measure_test

import (
	"fmt"
	"testing"
)

// subcommands of ALTER TABLE, tried in pairs and in both orders.
var subcommands = map[string][]string{
	"entry": {
		"ADD COLUMN z int", "ADD COLUMN z2 float8 DEFAULT random()", "ADD COLUMN z3 int NOT NULL DEFAULT 1", "DROP COLUMN note", "DROP COLUMN qty CASCADE", "ALTER qty TYPE bigint",
		"ALTER note TYPE varchar(80)", "ALTER note TYPE text", "ALTER note SET NOT NULL", "ALTER acc SET DEFAULT 5", "ALTER acc DROP NOT NULL", "ADD CHECK (qty > 0)", "ADD CHECK (qty > 0) NOT VALID",
		"ADD UNIQUE (acc)", "DROP CONSTRAINT entry_qty", "DROP CONSTRAINT entry_tenant_acc_fkey", "VALIDATE CONSTRAINT entry_loose", "ADD FOREIGN KEY (qty) REFERENCES p (id)",
		"ADD FOREIGN KEY (qty) REFERENCES p (id) NOT VALID", "SET (fillfactor = 70)", "SET UNLOGGED", "ALTER qty SET STATISTICS 50", "REPLICA IDENTITY FULL", "ENABLE ROW LEVEL SECURITY", "CLUSTER ON entry_acc",
		"ALTER id TYPE int", "DROP CONSTRAINT entry_pkey",
	},
	"part": {
		"ADD COLUMN z int", "ADD COLUMN z2 float8 DEFAULT random()", "DROP COLUMN name", "ALTER name TYPE text", "ALTER name TYPE varchar(40)", "ALTER amt TYPE numeric(8,3)", "ALTER amt SET NOT NULL", "ALTER amt SET DEFAULT 1",
		"ADD CHECK (amt > 0)", "ADD CHECK (amt > 0) NOT VALID", "ADD FOREIGN KEY (acc) REFERENCES acc (id)", "DISABLE TRIGGER USER", "DROP CONSTRAINT part_acc", "ADD UNIQUE (k, id, acc)", "ALTER name SET STATISTICS 5", "ALTER acc TYPE int",
	},
	"ancestor": {
		"ADD COLUMN z int", "ADD COLUMN z2 float8 DEFAULT random()", "DROP COLUMN v", "ALTER v TYPE varchar(10)", "ALTER w TYPE bigint", "ALTER id SET NOT NULL", "ADD CHECK (id > 0)", "ADD CHECK (id > 0) NO INHERIT",
		"ADD PRIMARY KEY (id)", "ADD FOREIGN KEY (id) REFERENCES p (id)", "ALTER id SET STATISTICS 5", "ALTER w DROP NOT NULL", "SET UNLOGGED", "ALTER v SET STORAGE EXTERNAL",
	},
	"gen": {
		"ADD COLUMN z int", "ADD COLUMN g2 int GENERATED ALWAYS AS (a + 1) STORED", "DROP COLUMN b", "ALTER a SET NOT NULL", "ALTER b TYPE bigint", "ALTER a SET DEFAULT 4", "ALTER id TYPE bigint", "ADD CHECK (b > 0)",
		"ALTER a TYPE bigint",
	},
}

// TestPairs does two things to a table in one statement.
func TestPairs(t *testing.T) {
	dsn := fixture(t, "ddl_fixture.sql", "forms_fixture.sql")
	m := &matrix{t: t, conn: connect(t, dsn, "UTC")}
	m.schema = load(t, m.conn)
	for table, list := range subcommands {
		for i, a := range list {
			for j, b := range list {
				sql := fmt.Sprintf("ALTER TABLE %s %s, %s", table, a, b)
				if a == "ADD PRIMARY KEY (id)" && b[:7] == "ADD FOR" || b == "ADD PRIMARY KEY (id)" && a[:7] == "ADD FOR" {
					continue // 18 compares the two by their indexes alone, which does not count as reading
				}
				if i != j && m.share(sql, 12) {
					m.try(sql, false)
				}
			}
		}
	}
	m.report()
}
