package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
)

// leaseName: one executor changes a database at a time, whatever it changes.
const leaseName = "migrate"

// lead runs fn as the executor of this database. When the connection is lost, fn is run again by a new
// executor, which finds everything in the journal, as after a crash: there is one way to resume.
func (e *Engine) lead(ctx context.Context, fn func(ctx context.Context, x *executor) error) error {
	if err := e.writable(); err != nil {
		return err
	}
	var since time.Time // the connection is lost since then
	for {
		began := time.Now()
		err := e.leadOnce(ctx, fn)
		unknown := pg.OutcomeOf(err) == pg.Unknown
		if err == nil || ctx.Err() != nil || !unknown && !pg.ConnectionLost(err) {
			return settle(ctx, err)
		}
		if since.IsZero() || time.Since(began) > e.cfg.Reconnect {
			since = time.Now()
		}
		if time.Since(since) > e.cfg.Reconnect {
			if unknown {
				return &UnknownError{What: "the connection was lost during COMMIT", Err: err}
			}
			return &StoppedError{Reason: "the connection was lost", Err: err}
		}
		e.event(Event{Kind: EventWaiting, Text: "the connection was lost; connecting again: " + err.Error()})
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return settle(ctx, err)
		}
	}
}

// settle gives the errors that merely stop a run their verdict.
func settle(ctx context.Context, err error) error {
	var (
		held    *journal.HeldError
		before  *journal.PredecessorError
		newer   *journal.NewerError
		foreign *journal.ForeignError
		denied  *journal.PrivilegeError
		stopped *StoppedError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &stopped):
		return err
	case errors.As(err, &held):
		return &BusyError{Who: held.Error()}
	case errors.As(err, &before):
		return &BusyError{Who: before.Error()}
	case errors.As(err, &newer):
		return &RefusedError{Code: NewerJournal, Reason: "the journal cannot be used", Err: newer}
	case errors.As(err, &foreign):
		return &RefusedError{Code: Foreign, Reason: "the journal cannot be used", Err: foreign}
	case errors.As(err, &denied):
		return &RefusedError{Code: Privileges, Reason: "the journal cannot be used", Err: denied}
	case pg.OutcomeOf(err) == pg.Unknown:
		return &UnknownError{What: "stopped during COMMIT", Err: err}
	case errors.Is(err, journal.ErrLost):
		return &StoppedError{Reason: "another executor has taken over", Err: err}
	case ctx.Err() != nil && VerdictOf(err) == VerdictFailed:
		return &StoppedError{Reason: "interrupted", Err: context.Cause(ctx)}
	}
	return err
}

// leadKnown is lead for whoever only goes on with runs (of that name, unless it is empty): where there is no journal
// there are none, and none is made.
func (e *Engine) leadKnown(ctx context.Context, name string, fn func(ctx context.Context, x *executor) error) error {
	if err := e.writable(); err != nil {
		return err
	}
	j, err := e.openJournal(ctx)
	switch {
	case err != nil:
		return settle(ctx, err)
	case !j.Present():
		return e.findable(ctx, j, name, nil)
	}
	return e.lead(ctx, fn)
}

func (e *Engine) leadOnce(ctx context.Context, fn func(ctx context.Context, x *executor) error) (err error) {
	j, err := e.openJournal(ctx)
	if err != nil {
		return err
	}
	if err := j.Upgrade(ctx); err != nil {
		return err
	}
	lease, err := e.acquire(ctx, j)
	if err != nil {
		return err
	}
	defer func() {
		free, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if rerr := lease.Release(free); rerr != nil {
			// It ends by itself, and whoever finds its connection gone need not wait for that.
			e.cfg.Logger.Warn("could not give the lease back", "err", rerr)
		}
	}()
	leased, stop := lease.Context(ctx)
	defer stop()
	sess, err := lease.Session(leased, 0)
	if err != nil {
		return err
	}
	defer sess.Close()
	err = fn(leased, &executor{e: e, j: j, lease: lease, sess: sess})
	var denied *journal.PrivilegeError
	if errors.As(err, &denied) { // no refusal: something may have been done by now
		return &StoppedError{Reason: "the journal cannot be used any more", Err: err}
	}
	var lost *journal.LostError
	if err != nil && ctx.Err() == nil && errors.As(context.Cause(leased), &lost) {
		return fmt.Errorf("%w (%w)", lost, err)
	}
	return err
}

// acquire takes the lease, and waits for whoever has it when that is wanted.
func (e *Engine) acquire(ctx context.Context, j *journal.Journal) (*journal.Lease, error) {
	began := time.Now()
	told := ""
	for {
		lease, err := j.Acquire(ctx, leaseName)
		var held *journal.HeldError
		if !errors.As(err, &held) || !e.cfg.Wait {
			return lease, err
		}
		if held.Holder != told {
			told = held.Holder
			e.event(Event{Kind: EventWaiting, Text: held.Error(), Waiting: &pg.Waiting{Since: time.Since(began),
				Note: "waiting for another executor"}})
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return nil, err
		}
	}
}
