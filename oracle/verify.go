package oracle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/catalog"
	"github.com/replank/replank/internal/measure"
)

// Measured is what one statement of a migration did to the clone, beside what ddl.Effects says of it.
//
// The clone has no rows. Locks, new heaps and new indexes are as they would be with rows. A table counts as read from
// beginning to end when such a scan of it began; what a query or a change of rows would read depends on rows, and is
// not told. Each statement is in a transaction of its own, so that its locks are its own: those that a migration holds
// together are the sum.
type Measured struct {
	Migration string
	SQL       string
	Pos       ddl.Pos
	Seen      ddl.Effect // Refused is what the server said
	Claimed   ddl.Effect // by ddl.Effects
	// Differences between the two, one sentence each.
	Differences []string
	// Notes say what could not be seen.
	Notes []string
}

// Verify executes migrations on a copy of the clone, one after the other, and measures each statement. What the server
// refuses is passed over. A migration that cannot be parsed is the error.
func (c *Clone) Verify(ctx context.Context, migrations []history.Migration) (_ []Measured, err error) {
	name, drop, err := c.copy(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	v := &verifier{clone: c}
	for _, conn := range []**pgx.Conn{&v.conn, &v.holder, &v.observer} {
		if *conn, err = c.connect(ctx, name); err != nil {
			return nil, err
		}
		defer (*conn).Close(context.WithoutCancel(ctx))
	}
	for _, m := range migrations {
		f, err := ddl.Parse(m.Path, m.Text)
		if err != nil {
			return nil, err
		}
		for _, st := range f.Statements {
			if isTransaction(st) {
				continue
			}
			if err := v.statement(ctx, m.Name, st); err != nil {
				return nil, fmt.Errorf("verify %s: %w", st.Pos, err)
			}
		}
		if _, err := v.conn.Exec(ctx, "DISCARD ALL", pgx.QueryExecModeSimpleProtocol); err != nil {
			return nil, err
		}
	}
	return v.out, nil
}

type verifier struct {
	clone                  *Clone
	conn, holder, observer *pgx.Conn
	facts                  *ddl.Facts // of the server, read once
	out                    []Measured
}

func (v *verifier) statement(ctx context.Context, migration string, st ddl.Statement) error {
	schema, err := catalog.Load(ctx, v.conn, catalog.Options{NoSizes: true, NoFacts: v.facts != nil && !changesFacts(st)})
	if err != nil {
		return err
	}
	if schema.Facts == nil {
		schema.Facts = v.facts
	}
	v.facts = schema.Facts
	m := Measured{Migration: migration, SQL: st.SQL, Pos: st.Pos, Claimed: ddl.Effects(schema, st)}
	var facts measure.Facts
	if st.NoTx {
		facts, err = v.waiting(ctx, st, &m)
	} else {
		facts, err = v.inTransaction(ctx, st)
	}
	code, text, _ := message(err)
	if err != nil && code == "" {
		return err
	}
	m.Seen = seen(facts)
	if err != nil {
		m.Seen.Refused = text
	}
	m.compare(st)
	v.out = append(v.out, m)
	return nil
}

// changesFacts reports whether what is not built in may have changed before a statement that asks for it.
func changesFacts(st ddl.Statement) bool {
	return slices.ContainsFunc(st.Ops, isOp[ddl.AlterColumnType])
}

// inTransaction measures and commits; a role that is missing is made.
func (v *verifier) inTransaction(ctx context.Context, st ddl.Statement) (facts measure.Facts, err error) {
	for {
		err = pgx.BeginFunc(ctx, v.conn, func(tx pgx.Tx) error {
			facts, err = measure.Tx(ctx, tx, forSession(st))
			return err
		})
		made, roleErr := v.clone.makeRole(ctx, v.conn, err)
		if !made || roleErr != nil {
			return facts, errors.Join(err, roleErr)
		}
	}
}

// waiting measures a statement that refuses a transaction: another session holds the tables that it works on, as a
// writer would, and while it waits for that one its locks are seen.
func (v *verifier) waiting(ctx context.Context, st ddl.Statement, m *Measured) (measure.Facts, error) {
	if _, err := v.holder.Exec(ctx, "BEGIN"); err != nil {
		return measure.Facts{}, err
	}
	release := func() error {
		_, err := v.holder.Exec(ctx, "ROLLBACK")
		return err
	}
	for _, l := range m.Claimed.Locks {
		// An index cannot be locked so; a failure must not end the transaction.
		_, err := v.holder.Exec(ctx, "SAVEPOINT s; LOCK TABLE ONLY "+l.Relation.String()+" IN ROW EXCLUSIVE MODE", pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			if _, err := v.holder.Exec(ctx, "ROLLBACK TO s", pgx.QueryExecModeSimpleProtocol); err != nil {
				return measure.Facts{}, errors.Join(err, release())
			}
		}
	}
	facts, err := measure.Waiting(ctx, v.conn, v.observer, st.SQL, release)
	m.Notes = append(m.Notes, "it runs outside of transactions: the locks that it had when it first waited for writers are seen, not what it read")
	if errors.Is(err, measure.ErrNotWaiting) {
		m.Notes = []string{"it waits for no writer, so that what it locked and read was not seen"}
		if code, _, _ := message(err); code == "" {
			return measure.Facts{}, nil
		}
	}
	return facts, err
}

func seen(f measure.Facts) ddl.Effect {
	e := ddl.Effect{Rewrites: f.Rewritten, Scans: f.Begun, Reindexes: f.Reindexed, Gone: f.Gone}
	for n, mode := range f.Locks {
		e.Locks = append(e.Locks, ddl.RelationLock{Relation: n, Mode: mode})
	}
	slices.SortFunc(e.Locks, func(a, b ddl.RelationLock) int {
		return cmp.Or(strings.Compare(a.Relation.Schema, b.Relation.Schema), strings.Compare(a.Relation.Name, b.Relation.Name))
	})
	return e
}

// compare names the differences.
func (m *Measured) compare(st ddl.Statement) {
	differ := func(format string, args ...any) { m.Differences = append(m.Differences, fmt.Sprintf(format, args...)) }
	switch {
	case m.Seen.Refused != "" && m.Claimed.Refused == "":
		differ("the server refuses it: %s", m.Seen.Refused)
		return
	case m.Seen.Refused != "":
		return
	case m.Claimed.Refused != "":
		differ("said to be refused (%s), but was not", m.Claimed.Refused)
	}
	if st.NoTx && len(m.Seen.Locks) == 0 {
		return
	}
	locks := map[ddl.Name]bool{}
	for _, l := range append(slices.Clone(m.Seen.Locks), m.Claimed.Locks...) {
		locks[l.Relation] = true
	}
	for _, n := range slices.SortedFunc(maps.Keys(locks), byName) {
		was, is := m.Claimed.Lock(n), m.Seen.Lock(n)
		if was != is && !(st.NoTx && is < was) { // outside of a transaction only the first locks are seen
			differ("lock on %s: %s seen, %s said", n, modeOrNone(is), modeOrNone(was))
		}
	}
	reads := !st.NoTx && !slices.ContainsFunc(st.Ops, runsQuery)
	if !reads && !st.NoTx {
		m.Seen.Scans = nil
		m.Notes = append(m.Notes, "what a query reads depends on rows, which the clone has none of")
	}
	for _, set := range []struct {
		what          string
		said, seen    []ddl.Name
		judged, exact bool
	}{
		{"written anew", m.Claimed.Rewrites, m.Seen.Rewrites, true, true},
		{"read from beginning to end", m.Claimed.Scans, m.Seen.Scans, reads, !slices.ContainsFunc(st.Ops, provesForeignKey)},
		{"built anew", m.Claimed.Reindexes, m.Seen.Reindexes, true, true},
		{"dropped", m.Claimed.Gone, m.Seen.Gone, !st.NoTx, true},
	} {
		if !set.judged {
			continue
		}
		for _, n := range set.seen {
			if !slices.Contains(set.said, n) {
				differ("%s is %s, which was not said", n, set.what)
			}
		}
		for _, n := range set.said {
			if set.exact && !slices.Contains(set.seen, n) {
				differ("%s is not %s, which was said", n, set.what)
			}
		}
	}
}

func byName(a, b ddl.Name) int { return strings.Compare(a.String(), b.String()) }

func modeOrNone(m ddl.LockMode) string {
	if m == ddl.NoLock {
		return "none"
	}
	return m.String()
}

// runsQuery reports whether an operation reads by a query whose plan depends on rows.
func runsQuery(op ddl.Op) bool {
	switch op := op.(type) {
	case ddl.Update, ddl.Delete, ddl.Insert, ddl.Do, ddl.RefreshMaterializedView, ddl.Other:
		return true
	case ddl.CreateTable:
		return op.Query != ""
	}
	return false
}

// provesForeignKey: which of the two tables its query reads from beginning to end depends on rows.
func provesForeignKey(op ddl.Op) bool {
	switch op := op.(type) {
	case ddl.AddConstraint:
		return op.Constraint.Kind == ddl.ForeignKey
	case ddl.ValidateConstraint:
		return true
	}
	return false
}
