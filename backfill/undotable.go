package backfill

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/walk"
	"github.com/replank/replank/plan"
)

// undoTable keeps what a fill changed, so that it can be taken back:
//
//	UPDATE   the key, the changed columns before and after
//	DELETE   the whole row, generated columns left out
//	INSERT   the key and a digest of the row
//
// Its own columns are prefixed, because expressions of the user stand in the same statements.
type undoTable struct {
	kind    plan.FillKind
	name    string   // qualified
	table   string   // that is restored, qualified and quoted
	key     walk.Key // of table
	columns []string // UPDATE: changed; DELETE and INSERT: all that are not generated
	refers  []string // INSERT, on the way back: conditions for rows t that other rows refer to
}

func undoName(run int64, seq int) string { return fmt.Sprintf("replank.undo_%d_%d", run, seq) }

// describeUndo says what the undo table of a fill holds.
func describeUndo(ctx context.Context, s *pg.Session, cfg Config, st *statement) (*undoTable, error) {
	u := &undoTable{kind: cfg.Spec.Kind, name: undoName(cfg.Run, cfg.Seq), table: cfg.Spec.Table, key: st.key}
	if u.kind == plan.Twin {
		u.kind = plan.Update // so it is for the rows
	}
	if u.kind == plan.Update {
		u.columns = st.columns()
		return u, nil
	}
	if u.kind == plan.Insert {
		u.table = cfg.Spec.Target
		key, err := lookupKey(ctx, s, u.table, cfg.Spec.TargetKey)
		if err != nil {
			return nil, err
		}
		u.key = key
	}
	rows, err := s.Query(ctx, `SELECT attname::text FROM pg_catalog.pg_attribute
		WHERE attrelid = $1::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
		ORDER BY attname`, u.table)
	if err == nil {
		u.columns, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		return nil, fmt.Errorf("look up the columns of %s: %w", u.table, err)
	}
	return u, nil
}

// openUndo finds the undo table of the fill or creates it.
func openUndo(ctx context.Context, s *pg.Session, cfg Config, st *statement) (*undoTable, error) {
	u, err := describeUndo(ctx, s, cfg, st)
	if err != nil {
		return nil, err
	}
	err = s.Tx(ctx, pg.TxOptions{}, func(tx pgx.Tx) error {
		if err := cfg.Lease.Guard(ctx, tx); err != nil {
			return err
		}
		var there bool
		if err := tx.QueryRow(ctx, "SELECT pg_catalog.to_regclass($1) IS NOT NULL", u.name).Scan(&there); err != nil || there {
			return err
		}
		if _, err := tx.Exec(ctx, u.create(), pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		return u.giveAway(ctx, tx)
	})
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", u.name, err)
	}
	return u, nil
}

// create takes no lock on the user's table that anybody would feel. The primary key lets the table live under a
// publication FOR ALL TABLES (RULES 19).
func (u *undoTable) create() string {
	var cols []string
	switch u.kind {
	case plan.Update:
		cols = append(u.keyList("t", true), u.list("t", "replank_b", true)...)
		cols = append(cols, u.list("t", "replank_a", true)...)
	case plan.Delete:
		cols = u.list("t", "", false)
	case plan.Insert:
		cols = append(u.keyList("t", true), `''::bytea AS replank_h`)
	}
	return fmt.Sprintf(`CREATE TABLE %[1]s AS SELECT %[2]s FROM %[3]s t WITH NO DATA;
		ALTER TABLE %[1]s ADD replank_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ADD replank_skipped text;
		COMMENT ON TABLE %[1]s IS %[4]s`, u.name, strings.Join(cols, ", "), u.table,
		pg.Literal("What Replank's "+string(u.kind)+" of "+u.table+" changed, until it is complete"))
}

// giveAway lets the table belong to whom the journal belongs to (--owner), so that another member of that role can
// take the rows back, or complete. Who merely may write the journal keeps it.
func (u *undoTable) giveAway(ctx context.Context, tx pgx.Tx) error {
	var owner *string
	err := tx.QueryRow(ctx, `SELECT (SELECT pg_catalog.pg_get_userbyid(nspowner)::text FROM pg_catalog.pg_namespace
		WHERE nspname = 'replank' AND nspowner <> current_user::pg_catalog.regrole AND pg_catalog.pg_has_role(nspowner, 'USAGE')
		  AND pg_catalog.pg_has_role(nspowner, CASE WHEN pg_catalog.current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END)
		  AND pg_catalog.has_schema_privilege(nspowner, oid, 'CREATE'))`).Scan(&owner)
	if err != nil || owner == nil {
		return err
	}
	_, err = tx.Exec(ctx, "ALTER TABLE "+u.name+" OWNER TO "+pg.Ident(*owner))
	return err
}

// keyList are the key columns of alias, named for the undo table if so wished.
func (u *undoTable) keyList(alias string, named bool) []string {
	out := make([]string, len(u.key))
	for i, c := range u.key {
		out[i] = qualify(alias, c.Name)
		if named {
			out[i] += fmt.Sprintf(" AS replank_k%d", i+1)
		}
	}
	return out
}

func (u *undoTable) list(alias, prefix string, named bool) []string {
	out := make([]string, len(u.columns))
	for i, c := range u.columns {
		out[i] = qualify(alias, c)
		if named {
			out[i] += fmt.Sprintf(" AS %s%d", prefix, i+1)
		}
	}
	return out
}

func qualify(alias, column string) string {
	if alias == "" {
		return pg.Ident(column)
	}
	return alias + "." + pg.Ident(column)
}

// keyNames are the names of the key columns in the undo table.
func (u *undoTable) keyNames() []string {
	if u.kind == plan.Delete {
		out := make([]string, len(u.key))
		for i, c := range u.key {
			out[i] = c.Name
		}
		return out
	}
	return numbered("replank_k", len(u.key))
}

func numbered(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s%d", prefix, i+1)
	}
	return out
}

// kept are the columns that a change fills, in the order in which it returns them.
func (u *undoTable) kept() []string {
	switch u.kind {
	case plan.Update:
		return append(append(u.keyNames(), numbered("replank_b", len(u.columns))...), numbered("replank_a", len(u.columns))...)
	case plan.Insert:
		return append(u.keyNames(), "replank_h")
	}
	return u.list("", "", false)
}

// keep makes a changing statement write what it returns into the undo table. The command tag still counts the rows.
func (u *undoTable) keep(change string) string {
	cols := strings.Join(u.kept(), ", ")
	return fmt.Sprintf("WITH replank_changed (%s) AS (\n%s)\nINSERT INTO %s (%s) SELECT * FROM replank_changed", cols, change, u.name, cols)
}

// before lists key and columns as the subquery of an UPDATE carries them.
func (u *undoTable) before(alias string) string {
	return strings.Join(append(u.keyList(alias, true), u.list(alias, "replank_b", true)...), ", ")
}

func (u *undoTable) returningOld(old, now string) string {
	cols := append(u.keyNames(), numbered("replank_b", len(u.columns))...)
	for i, c := range cols {
		cols[i] = old + "." + c
	}
	return strings.Join(append(cols, u.list(now, "", false)...), ", ")
}

func (u *undoTable) returningPair(old, now string) string {
	cols := append(u.keyList(old, false), u.list(old, "", false)...)
	return strings.Join(append(cols, u.list(now, "", false)...), ", ")
}

// returning is for DELETE and INSERT.
func (u *undoTable) returning(alias string) string {
	if u.kind == plan.Insert {
		return strings.Join(append(u.keyList(alias, false), u.digest(alias)), ", ")
	}
	return strings.Join(u.list(alias, "", false), ", ")
}

func (u *undoTable) digest(alias string) string {
	return "pg_catalog.sha256(pg_catalog.record_send(ROW(" + strings.Join(u.list(alias, "", false), ", ") + ")))"
}
