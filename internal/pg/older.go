package pg

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

//go:embed older.sql
var olderSQL string

// OlderRequest says how to wait for older transactions.
type OlderRequest struct {
	// Wait until we give up. Default: Config.LockWait.
	Wait time.Duration
	// Ignore these backends: our own, which we know to be harmless. Default: none.
	Ignore []Backend
	// OnWait hears who is waited for: when that changes, and every few seconds. Default: nil.
	OnWait func(Waiting)
}

// OlderWaitError says that transactions which were older did not end in time.
type OlderWaitError struct {
	Waited   time.Duration
	Blockers []Blocker
}

func (e *OlderWaitError) Error() string {
	s := fmt.Sprintf("%d older transactions did not end within %s", len(e.Blockers), e.Waited.Round(time.Millisecond))
	for i, b := range e.Blockers {
		if i == 3 {
			break
		}
		s += "; " + b.String()
	}
	return s
}

// Hint says what to do.
func (e *OlderWaitError) Hint() string {
	return "end the named transactions (a prepared one with COMMIT PREPARED or ROLLBACK PREPARED)"
}

// WaitForOlder waits until every transaction of this database which is running
// at the time of the call has ended, prepared ones included. After it, nobody
// acts on a snapshot from before the call, so what was committed before it (a
// sync trigger) is seen by all writers. It is asked after that commit, outside
// of a transaction; asking anew after a restart waits for no less.
//
// A transaction that has no xid and no snapshot at some moment is not waited
// for any longer: a session that is merely idle in a READ COMMITTED
// transaction would hold us up for hours for nothing.
func (s *Session) WaitForOlder(ctx context.Context, req OlderRequest) error {
	if req.Wait == 0 {
		req.Wait = s.db.cfg.LockWait
	}
	began := time.Now()
	waitingFor, err := s.running(ctx)
	if err != nil {
		return err
	}
	for _, b := range req.Ignore {
		for id, o := range waitingFor {
			if o.Backend == b {
				delete(waitingFor, id)
			}
		}
	}
	var reported time.Time
	reportedFor := -1
	for poll := s.db.cfg.LockPoll / 4; len(waitingFor) > 0; poll = min(2*poll, 10*s.db.cfg.LockPoll) {
		blockers := make([]Blocker, 0, len(waitingFor))
		for _, b := range waitingFor {
			blockers = append(blockers, b)
		}
		waited := time.Since(began)
		if req.OnWait != nil && (len(waitingFor) != reportedFor || time.Since(reported) > 5*time.Second) {
			reported, reportedFor = time.Now(), len(waitingFor)
			req.OnWait(Waiting{Since: waited, Blockers: blockers, Note: "waiting until older transactions have ended"})
		}
		if waited >= req.Wait {
			return &OlderWaitError{Waited: waited, Blockers: blockers}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for older transactions: %w", ctx.Err())
		case <-time.After(min(jitter(poll), req.Wait-waited)):
		}
		now, err := s.running(ctx)
		if err != nil {
			return err
		}
		for id := range waitingFor {
			if b, there := now[id]; there {
				waitingFor[id] = b
			} else {
				delete(waitingFor, id)
			}
		}
	}
	return nil
}

// running returns the transactions that matter, by virtual transaction id.
func (s *Session) running(ctx context.Context) (map[string]Blocker, error) {
	rows, err := s.Query(ctx, olderSQL)
	if err != nil {
		return nil, &Error{Op: "ask for running transactions", Err: err}
	}
	type tx struct {
		Blocker
		settled bool
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t tx, err error) {
		b := &t.Blocker
		var age float64
		err = row.Scan(&b.PID, &b.Start, &b.Leader, &b.GID, &b.ApplicationName, &b.User, &b.Type, &b.State, &age,
			&b.Relation, &b.Mode, &b.Granted, &b.Query, &b.Wraparound, &b.vxid, &t.settled)
		b.XactAge = time.Duration(age * float64(time.Second))
		b.Query = shorten(Redact(b.Query), 200)
		return t, err
	})
	if err != nil {
		return nil, &Error{Op: "ask for running transactions", Err: err}
	}
	m := make(map[string]Blocker, len(all))
	for _, t := range all {
		if !t.settled {
			m[t.vxid] = t.Blocker
		}
	}
	return m, nil
}
