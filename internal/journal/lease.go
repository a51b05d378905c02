package journal

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
)

// Lease is the right to act, for as long as it is renewed.
type Lease struct {
	j     *Journal
	name  string
	epoch int64
	token string

	keeper *pg.Session // the connection that renews
	stop   context.CancelFunc
	ended  chan struct{} // closed when the keeper has stopped
	lost   chan struct{} // closed when the lease is lost
	once   sync.Once
}

//go:embed acquire.sql
var acquireSQL string

// Acquire takes the lease of that name, or says with a *HeldError who has it:
// the caller decides whether to wait or to refuse. A lease whose holder's
// connection is proven gone is taken at once, without waiting for its end; the
// epoch keeps that safe. Backends of earlier holders are ended first; where
// that is not possible in time, the error is a *PredecessorError.
func (j *Journal) Acquire(ctx context.Context, name string) (*Lease, error) {
	if err := j.ready(); err != nil {
		return nil, err
	}
	s, err := j.db.Session(ctx)
	if err != nil {
		return nil, err
	}
	l := &Lease{j: j, name: name, keeper: s, ended: make(chan struct{}), lost: make(chan struct{})}
	if err := l.take(ctx); err != nil {
		s.Close()
		return nil, wrap("acquire "+name, err)
	}
	keep, stop := context.WithCancel(context.Background())
	l.stop = stop
	go l.keep(keep)
	if err := l.endPredecessors(ctx, l.epoch); err != nil {
		return nil, errors.Join(wrap("acquire "+name, err), l.Release(context.WithoutCancel(ctx)))
	}
	return l, nil
}

// take moves the epoch on, unless the lease is held. The row is locked FOR
// UPDATE first, which waits for commits of the old holder that have passed
// their guard. One that hangs there (a stopped process) is ended, once the
// lease is over.
func (l *Lease) take(ctx context.Context) error {
	for range 2 {
		err := l.tryTake(ctx)
		if !pg.LockNotAvailable(err) {
			return err
		}
		// The epoch is read before we look whether it is over: who takes the
		// lease in between gets a later one and is left alone.
		var epoch int64
		if err := l.keeper.QueryRow(ctx, `SELECT epoch FROM replank.lease WHERE name = $1`, l.name).Scan(&epoch); err != nil {
			return err
		}
		held, err := l.holder(ctx, l.keeper, "")
		if err != nil {
			return err
		}
		if held != nil {
			return held
		}
		if err := l.endPredecessors(ctx, epoch+1); err != nil {
			return err
		}
	}
	return l.tryTake(ctx)
}

func (l *Lease) tryTake(ctx context.Context) error {
	opts := pg.TxOptions{Settings: []pg.Setting{pg.LockTimeout(2 * time.Second)}}
	return l.keeper.Tx(ctx, opts, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO replank.lease (name) VALUES ($1) ON CONFLICT DO NOTHING`, l.name)
		if err != nil {
			return err
		}
		held, err := l.holder(ctx, tx, "FOR UPDATE")
		if err != nil {
			return err
		}
		if held != nil {
			return held
		}
		host, _ := os.Hostname() // for people only
		return tx.QueryRow(ctx, acquireSQL, l.name, l.j.cfg.LeaseFor.Seconds(), who()+"@"+host, host, os.Getpid(),
			l.j.db.Config().ApplicationName, l.keeper.Backend().PID, l.keeper.Backend().Start).Scan(&l.epoch, &l.token)
	})
}

// holder returns who holds the lease, nil when it is free.
func (l *Lease) holder(ctx context.Context, q pg.Querier, lock string) (*HeldError, error) {
	h := HeldError{Name: l.name}
	var live bool
	err := q.QueryRow(ctx, `SELECT token IS NOT NULL AND lease_until > clock_timestamp(),
			holder, host, os_pid, application, pid, backend_start, coalesce(since, 'epoch'),
			CASE WHEN isfinite(lease_until) THEN lease_until ELSE 'epoch' END
		FROM replank.lease WHERE name = $1 `+lock, l.name).
		Scan(&live, &h.Holder, &h.Host, &h.OSPID, &h.Application, &h.Backend.PID, &h.Backend.Start, &h.Since, &h.Until)
	if err != nil {
		return nil, err
	}
	if !live {
		return nil, nil
	}
	alive, err := l.j.db.Alive(ctx, []pg.Backend{h.Backend})
	if err != nil {
		return nil, err
	}
	if len(alive) == 0 {
		return nil, nil // kill -9 is a normal event
	}
	return &h, nil
}

func who() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}

// keep renews the lease until it is released or lost.
func (l *Lease) keep(ctx context.Context) {
	defer close(l.ended)
	cfg := l.j.cfg
	deadline := time.Now().Add(cfg.LeaseFor)
	tick := time.NewTicker(cfg.RenewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked := time.Now()
		ok, err := l.renew(ctx, deadline)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && ok:
			deadline = asked.Add(cfg.LeaseFor)
			continue
		case err != nil && time.Now().Before(deadline):
			cfg.Logger.Warn("could not renew the lease; trying again", "lease", l.name, "err", err)
			tick.Reset(min(cfg.RenewEvery, max(cfg.LeaseFor/30, time.Millisecond)))
			continue
		}
		cfg.Logger.Error("lost the lease", "lease", l.name, "epoch", l.epoch, "err", err)
		l.once.Do(func() { close(l.lost) })
		return
	}
}

// renew makes the lease longer. It is asked of the row, never of our clock.
func (l *Lease) renew(ctx context.Context, deadline time.Time) (bool, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if l.keeper.Lost() {
		s, err := l.j.db.Session(ctx)
		if err != nil {
			return false, err
		}
		l.keeper.Close()
		l.keeper = s
	}
	b := l.keeper.Backend()
	tag, err := l.keeper.Exec(ctx, `UPDATE replank.lease
		SET lease_until = clock_timestamp() + $4::float8 * interval '1 second', pid = $5, backend_start = $6
		WHERE name = $1 AND token = $2 AND epoch = $3 AND lease_until > clock_timestamp()`,
		l.name, l.token, l.epoch, l.j.cfg.LeaseFor.Seconds(), b.PID, b.Start)
	return tag.RowsAffected() == 1, err
}

// Name of the lease.
func (l *Lease) Name() string { return l.name }

// Epoch counts the acquisitions of this lease.
func (l *Lease) Epoch() int64 { return l.epoch }

// Lost is closed when the lease could not be renewed. Nobody has to listen:
// no commit gets past Guard after it.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Context ends with parent, or with ErrLost as its cause when the lease is lost.
func (l *Lease) Context(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	go func() {
		select {
		case <-l.lost:
			cancel(&LostError{What: "lease " + l.name, Reason: "it could not be renewed"})
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// Release gives the lease back.
func (l *Lease) Release(ctx context.Context) error {
	l.stop()
	<-l.ended
	defer l.keeper.Close()
	if l.keeper.Lost() {
		s, err := l.j.db.Session(ctx)
		if err != nil {
			return wrap("release "+l.name, err)
		}
		l.keeper.Close()
		l.keeper = s
	}
	err := l.keeper.Tx(ctx, pg.TxOptions{}, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE replank.lease SET token = NULL, lease_until = '-infinity'
			WHERE name = $1 AND token = $2 AND epoch = $3`, l.name, l.token, l.epoch)
		if err != nil || tag.RowsAffected() == 0 {
			return err // lost already: nothing to give back
		}
		_, err = tx.Exec(ctx, `DELETE FROM replank.backend b WHERE lease = $1 AND epoch = $2 AND NOT EXISTS (
			SELECT FROM pg_catalog.pg_stat_get_activity(NULL) a WHERE a.pid = b.pid)`, l.name, l.epoch)
		return err
	})
	return wrap("release "+l.name, err)
}

const guardSQL = `SELECT epoch FROM replank.lease
	WHERE name = $1 AND token = $2 AND epoch = $3 AND lease_until > clock_timestamp() FOR KEY SHARE`

// Guard is the statement that every commit of an executor runs in its own
// transaction: it fails with ErrLost unless the lease is ours now, and keeps
// it ours until the transaction ends. READ COMMITTED is expected; under
// REPEATABLE READ a renewal since the snapshot gives 40001.
func (l *Lease) Guard(ctx context.Context, tx pgx.Tx) error {
	var epoch int64
	err := tx.QueryRow(ctx, guardSQL, l.name, l.token, l.epoch).Scan(&epoch)
	if errors.Is(err, pgx.ErrNoRows) {
		return &LostError{What: "lease " + l.name, Reason: fmt.Sprintf("epoch %d is over", l.epoch)}
	}
	return wrap("check the lease", err)
}

// Session opens a session and journals its backend before anything can be
// done with it, so that a successor can end it. run: 0 when there is none yet.
func (l *Lease) Session(ctx context.Context, run int64) (*pg.Session, error) {
	s, err := l.j.db.Session(ctx)
	if err != nil {
		return nil, err
	}
	err = s.Tx(ctx, pg.TxOptions{}, func(tx pgx.Tx) error {
		if err := l.Guard(ctx, tx); err != nil {
			return err
		}
		b := s.Backend()
		_, err := tx.Exec(ctx, `INSERT INTO replank.backend (pid, backend_start, lease, epoch, run_id)
			VALUES ($1, $2, $3, $4, nullif($5::bigint, 0)) ON CONFLICT DO NOTHING`, b.PID, b.Start, l.name, l.epoch, run)
		return err
	})
	if err != nil {
		s.Close()
		return nil, wrap("journal the session", err)
	}
	return s, nil
}

// endPredecessors ends the journalled backends of earlier epochs and waits
// until they are gone: a killed executor's CREATE INDEX CONCURRENTLY goes on
// in the server (RULES 16).
func (l *Lease) endPredecessors(ctx context.Context, before int64) error {
	return l.endBackends(ctx, "epoch < $2", before, func(pg.Backend) bool { return true })
}

// EndForeign ends the backends that programs of the holder's have enlisted, and waits until they are gone.
func (l *Lease) EndForeign(ctx context.Context) error {
	return l.endBackends(ctx, "epoch = $2", l.epoch, func(b pg.Backend) bool { return !l.j.db.Owns(b) })
}

// endBackends ends those backends that the condition on their epoch and the choice name.
func (l *Lease) endBackends(ctx context.Context, condition string, epoch int64, choose func(pg.Backend) bool) error {
	ctx, cancel := context.WithTimeout(ctx, l.j.cfg.PredecessorWait)
	defer cancel()
	var old []pg.Backend
	err := l.j.db.Ask(ctx, func(q pg.Querier) error {
		rows, err := q.Query(ctx, `SELECT pid, backend_start FROM replank.backend
			WHERE lease = $1 AND `+condition, l.name, epoch)
		if err != nil {
			return err
		}
		old, err = pgx.CollectRows(rows, pgx.RowToStructByPos[pg.Backend])
		return err
	})
	if err != nil {
		return wrap("look for backends of executors", err)
	}
	old = slices.DeleteFunc(old, func(b pg.Backend) bool { return !choose(b) })
	alive := old
	for wait := 10 * time.Millisecond; len(alive) > 0; wait = min(2*wait, time.Second) {
		if alive, err = l.j.db.Alive(ctx, alive); err != nil {
			return err
		}
		var why error
		for _, b := range alive {
			if _, err := l.j.db.Terminate(ctx, b); err != nil {
				why = err
			}
		}
		if len(alive) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return &PredecessorError{Backends: alive, Err: why}
		case <-time.After(wait):
		}
	}
	if len(old) == 0 {
		return nil
	}
	pids := make([]int32, len(old))
	for i, b := range old {
		pids[i] = b.PID
	}
	return l.j.db.Ask(ctx, func(q pg.Querier) error {
		_, err := q.Exec(ctx, `DELETE FROM replank.backend
			WHERE lease = $1 AND `+condition+` AND pid = ANY ($3)`, l.name, epoch, pids)
		return wrap("forget backends of executors", err)
	})
}

// refuseHeld returns a HeldError when any lease is held.
func refuseHeld(ctx context.Context, tx pgx.Tx) error {
	h := HeldError{}
	err := tx.QueryRow(ctx, `SELECT name, holder, host, os_pid, application, pid, backend_start, since, lease_until
		FROM replank.lease l WHERE token IS NOT NULL AND lease_until > clock_timestamp()
		AND EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = l.pid) LIMIT 1`).
		Scan(&h.Name, &h.Holder, &h.Host, &h.OSPID, &h.Application, &h.Backend.PID, &h.Backend.Start, &h.Since, &h.Until)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return &h
}
