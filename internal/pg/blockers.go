package pg

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

//go:embed blockers.sql
var blockersSQL string

//go:embed howtolock.sql
var howToLockSQL string

// lookAround asks the server who stands in the way.
func (st *lockStep) lookAround(ctx context.Context) error {
	st.blockers = nil
	if len(st.req.Locks) == 0 {
		return nil
	}
	rows, err := st.s.Query(ctx, blockersSQL, string(st.asked), st.s.backend.PID)
	if err == nil {
		st.blockers, err = pgx.CollectRows(rows, scanBlocker)
	}
	if err != nil {
		return &Error{Op: "ask who holds the locks", Err: err}
	}
	return nil
}

func scanBlocker(row pgx.CollectableRow) (b Blocker, err error) {
	var age float64
	err = row.Scan(&b.PID, &b.Start, &b.Leader, &b.GID, &b.ApplicationName, &b.User, &b.Type, &b.State, &age,
		&b.Relation, &b.Mode, &b.Granted, &b.Query, &b.Wraparound, &b.vxid)
	b.XactAge = time.Duration(age * float64(time.Second))
	b.Query = shorten(Redact(b.Query), 200)
	return b, err
}

func shorten(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// howToLock finds out how each relation is locked without anything else coming along. A missing one is left to
// LOCK TABLE, which says so best, or left out where it may be gone.
//
// Views come first, those made last before the others, because that is the order in which a reader locks: a view,
// then what it reads. The other way round a busy view is never had: its readers stand in front of the table that
// we hold, with the view in their hands. LOCK TABLE on a view would lock all tables below it; giving the view
// to the owner it has locks the view alone and changes nothing.
func (st *lockStep) howToLock(ctx context.Context) error {
	n := len(st.req.Locks)
	rels, modes, only, ifExists := make([]string, n), make([]string, n), make([]bool, n), make([]bool, n)
	for i, l := range st.req.Locks {
		rels[i], modes[i], only[i], ifExists[i] = l.Relation, string(l.Mode), l.Only, l.IfExists
	}
	rows, err := st.s.Query(ctx, howToLockSQL, rels, modes, only, ifExists)
	if err == nil {
		st.lockSQL, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		return &Error{Op: "look up the relations to lock", Err: err}
	}
	return nil
}

// wayIsClear says whether a try is polite now: no transaction that has been
// there for longer than the budget holds or awaits a conflicting lock. Shorter
// ones are the application at work, and let us through.
func (st *lockStep) wayIsClear(ctx context.Context) (bool, error) {
	if err := st.lookAround(ctx); err != nil {
		return false, err
	}
	st.blockers = slices.DeleteFunc(st.blockers, func(b Blocker) bool { return st.age(b) <= st.req.Budget })
	if len(st.blockers) == 0 {
		return true, nil
	}
	if !slices.ContainsFunc(st.blockers, func(b Blocker) bool { return !b.Autovacuum() }) {
		clear, note := st.displaceAutovacuum(ctx)
		st.report(note)
		return clear, nil
	}
	st.report(st.cancelBlockers(ctx))
	return false, nil
}

// age is how long a transaction has been there; where we may not see it, how
// long we have known it.
func (st *lockStep) age(b Blocker) time.Duration {
	if b.XactAge >= 0 {
		return b.XactAge
	}
	seen, ok := st.firstSeen[b.vxid]
	if !ok {
		seen = time.Now()
		st.firstSeen[b.vxid] = seen
	}
	return time.Since(seen)
}

// displaceAutovacuum deals with autovacuums as the only blockers (RULES 15).
func (st *lockStep) displaceAutovacuum(ctx context.Context) (clear bool, note string) {
	if i := slices.IndexFunc(st.blockers, func(b Blocker) bool { return b.Wraparound }); i >= 0 {
		return false, fmt.Sprintf("an anti-wraparound vacuum of %s must not be disturbed; waiting for its end",
			st.blockers[i].Relation)
	}
	privileged := true
	for _, b := range st.blockers {
		if b.Start == "" {
			privileged = false
			continue
		}
		if _, err := st.s.db.Cancel(ctx, b.Backend); err != nil {
			if !InsufficientPrivilege(err) {
				st.s.db.cfg.Logger.Warn("could not cancel an autovacuum", "pid", b.PID, "err", err)
			}
			privileged = false
		}
	}
	if privileged {
		return false, "cancelled the autovacuum; it will come back"
	}
	fresh := false
	for _, b := range st.blockers {
		if !st.displaced[b.vxid] {
			st.displaced[b.vxid], fresh = true, true
		}
	}
	if !fresh {
		return false, "the autovacuum did not give way; waiting for its end"
	}
	st.announced = st.s.db.server.DeadlockTimeout + 100*time.Millisecond
	return true, fmt.Sprintf("one try of %s to displace the autovacuum (deadlock_timeout + 100ms)", st.announced)
}

// cancelBlockers cancels the running queries of blockers where that was asked
// for, and says what a person can do about the others. An idle transaction is
// not ended by a cancel, and terminating somebody's session is left to people.
func (st *lockStep) cancelBlockers(ctx context.Context) string {
	if !st.s.db.cfg.CancelBlockers {
		return "waiting until they have ended"
	}
	ours := st.s.db.ourPIDs()
	var notes []string
	for _, b := range st.blockers {
		switch {
		case b.GID != "":
			notes = append(notes, fmt.Sprintf("prepared transaction %q needs COMMIT PREPARED or ROLLBACK PREPARED", b.GID))
		case b.Autovacuum() || slices.Contains(ours, b.PID) || slices.Contains(ours, b.Leader):
		case b.State != "active":
			notes = append(notes, fmt.Sprintf("pid %d is %s: only its client, or pg_terminate_backend, can end it",
				b.PID, cmp.Or(b.State, "in a state we may not see")))
		case b.Type == "client backend" && time.Since(st.canceled[b.Backend]) > time.Second:
			st.canceled[b.Backend] = time.Now()
			if _, err := st.s.db.Cancel(ctx, b.Backend); err != nil {
				notes = append(notes, fmt.Sprintf("pid %d could not be cancelled: %s", b.PID, SQLState(err)))
				continue
			}
			st.s.db.cfg.Logger.Info("cancelled a blocking query", "pid", b.PID, "application", b.ApplicationName)
			notes = append(notes, fmt.Sprintf("cancelled the query of pid %d", b.PID))
		}
	}
	if len(notes) == 0 {
		return "waiting until they have ended"
	}
	return strings.Join(notes, "; ")
}

// report tells OnWait when something changed, and every few seconds.
func (st *lockStep) report(note string) {
	if st.req.OnWait == nil {
		return
	}
	key := note
	for _, b := range st.blockers {
		key += "|" + b.vxid
	}
	if key == st.reportKey && time.Since(st.reported) < 5*time.Second {
		return
	}
	st.reportKey, st.reported = key, time.Now()
	st.req.OnWait(Waiting{Since: time.Since(st.began), Tries: st.tries, Blockers: st.blockers, Note: note})
}
