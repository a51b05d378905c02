package livetest

import "testing"

// TestSaidBeforeATypeChange: what a file makes or says, and a later type change of the same file makes again, is in the
// end as psql leaves it.
func TestSaidBeforeATypeChange(t *testing.T) {
	const typ = " ALTER TABLE t ALTER a TYPE bigint;"
	const role = `DO $$ BEGIN CREATE ROLE replank_test_other; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;`
	const function = "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
	for name, tt := range map[string]behind{
		"comment on a check, renamed":             {sql: "COMMENT ON CONSTRAINT chk ON t IS 'c'; ALTER TABLE t RENAME CONSTRAINT chk TO chk2;" + typ},
		"comment on a unique constraint, renamed": {sql: "COMMENT ON CONSTRAINT t_ab_key ON t IS 'c'; COMMENT ON INDEX t_ab_key IS 'd'; ALTER TABLE t RENAME CONSTRAINT t_ab_key TO k;" + typ},
		"comment on an index, renamed":            {sql: "COMMENT ON INDEX t_a IS 'c'; ALTER INDEX t_a RENAME TO t_a2;" + typ},
		"comment on a foreign key, renamed":       {sql: "COMMENT ON CONSTRAINT u_t ON u IS 'c'; ALTER TABLE u RENAME CONSTRAINT u_t TO u_t2; ALTER TABLE t ALTER id TYPE bigint;"},
		"comments taken back":                     {prepare: "COMMENT ON COLUMN t.a IS 'old'; COMMENT ON INDEX t_a IS 'old'; COMMENT ON CONSTRAINT chk ON t IS 'old'", sql: "COMMENT ON COLUMN t.a IS NULL; COMMENT ON INDEX t_a IS NULL; COMMENT ON CONSTRAINT chk ON t IS NULL;" + typ},
		"options of an index":                     {sql: "ALTER INDEX t_a SET (fillfactor = 70); ALTER TABLE t ADD CONSTRAINT k UNIQUE (a); ALTER INDEX k SET (fillfactor = 60);" + typ},
		"policy, altered and renamed": {prepare: "CREATE TABLE p AS SELECT 1 AS x", oracle: "CREATE POLICY two ON t TO PUBLIC USING (a > 1) WITH CHECK (b > 0); COMMENT ON POLICY two ON t IS 'c'; DROP POLICY two ON t;" + typ + "CREATE POLICY two ON t TO PUBLIC USING (a > 1) WITH CHECK (b > 0); COMMENT ON POLICY two ON t IS 'c';",
			sql: "CREATE POLICY one ON t TO CURRENT_USER USING (a > 0); COMMENT ON POLICY one ON t IS 'c'; ALTER POLICY one ON t TO PUBLIC USING (a > 1) WITH CHECK (b > 0); ALTER POLICY one ON t RENAME TO two;" + typ},
		"policy, altered": {prepare: "CREATE POLICY one ON t USING (a > 0); COMMENT ON POLICY one ON t IS 'c'", oracle: "DROP POLICY one ON t;" + typ + "CREATE POLICY one ON t USING (a > 1); COMMENT ON POLICY one ON t IS 'd';",
			sql: "COMMENT ON POLICY one ON t IS 'd'; ALTER POLICY one ON t USING (a > 1);" + typ},
		"policy, dropped": {prepare: "CREATE POLICY one ON t USING (a > 0)", sql: "DROP POLICY one ON t;" + typ},
		"policy of another table": {sql: "CREATE POLICY one ON u USING (EXISTS (SELECT FROM t WHERE t.a = u.x)); COMMENT ON POLICY one ON u IS 'c';" + typ,
			oracle: typ + "CREATE POLICY one ON u USING (EXISTS (SELECT FROM t WHERE t.a = u.x)); COMMENT ON POLICY one ON u IS 'c';"},
		"statistics": {sql: "CREATE STATISTICS st (ndistinct) ON a, b FROM t; COMMENT ON STATISTICS st IS 'c'; ALTER STATISTICS st SET STATISTICS 17; ALTER STATISTICS st RENAME TO st2;" + typ,
			// PostgreSQL forgets the target at a type change.
			oracle: typ + "CREATE STATISTICS st2 (ndistinct) ON a, b FROM t; COMMENT ON STATISTICS st2 IS 'c'; ALTER STATISTICS st2 SET STATISTICS 17;"},
		"statistics, changed": {prepare: "CREATE STATISTICS st (ndistinct) ON a, b FROM t; COMMENT ON STATISTICS st IS 'c'; ALTER STATISTICS st SET STATISTICS 17",
			sql: "COMMENT ON STATISTICS st IS NULL; ALTER STATISTICS st SET STATISTICS -1; ALTER STATISTICS st RENAME TO st2;" + typ},
		"statistics of an expression": {sql: "CREATE STATISTICS st ON (a + b), b FROM t;" + typ},
		"statistics, dropped":         {prepare: "CREATE STATISTICS st ON a, b FROM t", sql: "DROP STATISTICS st;" + typ},
		"trigger": {prepare: function, sql: "CREATE TRIGGER tr BEFORE UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION tf(); COMMENT ON TRIGGER tr ON t IS 'c'; ALTER TABLE t ENABLE ALWAYS TRIGGER tr; ALTER TRIGGER tr ON t RENAME TO tr2;" + typ,
			oracle: typ + "CREATE TRIGGER tr2 BEFORE UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION tf(); COMMENT ON TRIGGER tr2 ON t IS 'c'; ALTER TABLE t ENABLE ALWAYS TRIGGER tr2;"},
		"trigger, dropped": {prepare: function + "CREATE TRIGGER tr BEFORE UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION tf()", sql: "DROP TRIGGER tr ON t;" + typ},
		"rule of a view": {prepare: "CREATE VIEW v AS SELECT a FROM t", sql: "CREATE RULE r AS ON INSERT TO v DO INSTEAD NOTHING; COMMENT ON RULE r ON v IS 'c'; ALTER RULE r ON v RENAME TO r2;" + typ,
			oracle: "DROP VIEW v;" + typ + "CREATE VIEW v AS SELECT a FROM t; CREATE RULE r2 AS ON INSERT TO v DO INSTEAD NOTHING; COMMENT ON RULE r2 ON v IS 'c';"},
		"rule of a view, dropped": {prepare: "CREATE VIEW v AS SELECT a FROM t; CREATE RULE r AS ON INSERT TO v DO INSTEAD NOTHING", sql: "DROP RULE r ON v;" + typ,
			oracle: "DROP VIEW v;" + typ + "CREATE VIEW v AS SELECT a FROM t;"},
		"view and what is said of it": {prepare: role, sql: "CREATE VIEW v AS SELECT a, b FROM t; COMMENT ON VIEW v IS 'c'; COMMENT ON COLUMN v.a IS 'd'; GRANT SELECT (a), UPDATE (b) ON v TO replank_test_other; GRANT INSERT, DELETE ON v TO replank_test_other WITH GRANT OPTION; REVOKE GRANT OPTION FOR INSERT ON v FROM replank_test_other; REVOKE DELETE ON v FROM replank_test_other;" + typ,
			oracle: typ + "CREATE VIEW v AS SELECT a, b FROM t; COMMENT ON VIEW v IS 'c'; COMMENT ON COLUMN v.a IS 'd'; GRANT SELECT (a), UPDATE (b) ON v TO replank_test_other; GRANT INSERT ON v TO replank_test_other;"},
		"grants on a view": {prepare: role + "CREATE VIEW v AS SELECT a, b FROM t; GRANT ALL ON v TO replank_test_other WITH GRANT OPTION", sql: "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM replank_test_other; GRANT SELECT ON v TO PUBLIC; REVOKE UPDATE ON v FROM CURRENT_USER;" + typ,
			oracle: "DROP VIEW v;" + typ + "CREATE VIEW v AS SELECT a, b FROM t; GRANT SELECT ON v TO PUBLIC; REVOKE UPDATE ON v FROM CURRENT_USER;"},
		"nothing left on a view": {prepare: role + "CREATE VIEW v AS SELECT a, b FROM t; REVOKE ALL ON v FROM CURRENT_USER", sql: typ,
			oracle: "DROP VIEW v;" + typ + "CREATE VIEW v AS SELECT a, b FROM t; REVOKE ALL ON v FROM CURRENT_USER;"},
		"grants on a column": {prepare: role + "GRANT SELECT (a), UPDATE (a) ON t TO replank_test_other", sql: "REVOKE UPDATE (a) ON t FROM replank_test_other; GRANT INSERT (a, b) ON t TO replank_test_other; GRANT REFERENCES (a) ON t TO PUBLIC; REVOKE SELECT ON t FROM replank_test_other;" + typ},
		"grants on an identity's sequence": {prepare: role + "ALTER TABLE t ALTER a ADD GENERATED BY DEFAULT AS IDENTITY; GRANT ALL ON SEQUENCE t_a_seq TO replank_test_other",
			sql: "REVOKE UPDATE ON SEQUENCE t_a_seq FROM replank_test_other; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO PUBLIC; COMMENT ON SEQUENCE t_a_seq IS 'c';" + typ},
		"options, default and column of a view": {prepare: "CREATE VIEW v AS SELECT a FROM t", sql: "ALTER VIEW v SET (security_barrier); ALTER VIEW v ALTER a SET DEFAULT 4; ALTER VIEW v RENAME a TO z;" + typ,
			oracle: "DROP VIEW v;" + typ + "CREATE VIEW v AS SELECT a AS z FROM t; ALTER VIEW v SET (security_barrier); ALTER VIEW v ALTER z SET DEFAULT 4;"},
	} {
		t.Run(name, func(t *testing.T) { tt.check(t, behindFixture) })
	}
}

// TestDroppedBeforeItsColumn: what a file drops no longer stands in the way of what it stood on.
func TestDroppedBeforeItsColumn(t *testing.T) {
	const function = "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
	for name, tt := range map[string]behind{
		"policy":                  {prepare: "CREATE POLICY one ON t USING (s <> 'x')", sql: "DROP POLICY one ON t; ALTER TABLE t DROP COLUMN s;"},
		"policy of another table": {prepare: "CREATE POLICY one ON u USING (EXISTS (SELECT FROM t WHERE s = 'x'))", sql: "DROP POLICY one ON u; ALTER TABLE t DROP COLUMN s;"},
		"trigger":                 {prepare: function + "CREATE TRIGGER tr BEFORE UPDATE OF s ON t FOR EACH ROW EXECUTE FUNCTION tf()", sql: "DROP TRIGGER tr ON t; ALTER TABLE t DROP COLUMN s;"},
		"rule":                    {prepare: "CREATE RULE r AS ON UPDATE TO u DO ALSO UPDATE t SET s = 'x' WHERE id = 0", sql: "DROP RULE r ON u; ALTER TABLE t DROP COLUMN s;"},
	} {
		t.Run(name, func(t *testing.T) { tt.check(t, behindFixture) })
	}
}
