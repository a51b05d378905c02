package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/plan"
)

var (
	errPaused    = errors.New("paused")
	errCancelled = errors.New("cancelled by an operator")
)

// intentEvery is how often a long step looks for an operator's wish.
const intentEvery = time.Second

// carryOn brings the run of x forward: to ready, or to done when nothing is left for complete. A step that
// fails takes the whole file back (RULES 27).
func (x *executor) carryOn(ctx context.Context) error {
	var steps []plan.Step
	for _, s := range x.run.Plan.Steps {
		if s.Phase != plan.Contract {
			steps = append(steps, s)
		}
	}
	err := x.steps(ctx, steps)
	var failed *stepError
	if errors.As(err, &failed) {
		return x.takeBack(ctx, failed)
	}
	if err != nil {
		return err
	}
	if !holds(x.run.Plan) {
		return x.finish(ctx)
	}
	rec, err := x.receipt(ctx)
	if err != nil {
		return err
	}
	now, err := x.e.now(ctx)
	if err != nil {
		return err
	}
	rec.ReadySince = &now
	if rec.Shape, err = x.e.shape(ctx, x.run.Plan); err != nil {
		return err
	}
	if err := x.advance(ctx, change{to: Ready, receipt: rec}); err != nil {
		return err
	}
	x.noteCalls(ctx)
	return nil
}

// finish writes that the run is done.
func (x *executor) finish(ctx context.Context) error {
	rec, err := x.receipt(ctx)
	if err != nil {
		return err
	}
	now, err := x.e.now(ctx)
	if err != nil {
		return err
	}
	rec.DoneAt = &now
	return x.advance(ctx, change{to: Done, receipt: rec, also: func(tx pgx.Tx) error {
		return x.forgetSecrets(ctx, tx)
	}})
}

// steps carries out those of the given steps that are not done, in their order.
func (x *executor) steps(ctx context.Context, steps []plan.Step) error {
	for i, s := range steps {
		if x.run.finished(s.ID) {
			continue
		}
		if err := x.wish(ctx); err != nil {
			return x.stopped(s, err)
		}
		if state := phaseState[s.Phase]; x.run.State != state {
			if err := x.advance(ctx, change{to: state}); err != nil {
				return err
			}
		}
		if x.run.steps[s.ID].State == journal.StepReversed && s.Kind != plan.Script { // a person chose the way forward again
			if err := x.start(ctx, s); err != nil {
				return err
			}
		}
		x.event(EventStep, s, Event{N: i + 1, Of: len(steps)})
		if err := x.attended(ctx, s); err != nil {
			return x.stopped(s, err)
		}
	}
	return nil
}

// stepError is an error of a step that means that the step did not work.
type stepError struct {
	step plan.Step
	err  error
}

func (e *stepError) Error() string { return "step " + e.step.ID + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// stopped tells a step that failed from a run that merely stands still.
func (x *executor) stopped(s plan.Step, err error) error {
	var (
		lockWait *pg.LockWaitError
		older    *pg.OlderWaitError
		budget   *pg.OverBudgetError
		still    *pg.StillRunningError
		held     *heldGateError
		unknown  *UnknownError
	)
	switch {
	case errors.As(err, &unknown):
		return &Error{Op: "apply", Run: x.run.Name, Step: s.ID, Err: err, Hint: unknown.Hint()} // the run stays where it is
	case pg.OutcomeOf(err) == pg.Unknown, pg.ConnectionLost(err), errors.Is(err, journal.ErrLost):
		return err // lead resumes or gives up
	case errors.Is(err, errPaused):
		return &StoppedError{Run: x.run.Name, Step: s.ID, Reason: "paused", Advice: "resume goes on from here"}
	case errors.Is(err, errCancelled):
		return &stepError{s, errCancelled}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &StoppedError{Run: x.run.Name, Step: s.ID, Reason: "interrupted at step " + s.ID, Err: err}
	case errors.As(err, &held):
		return &StoppedError{Run: x.run.Name, Step: s.ID, Reason: "step " + s.ID + " needs a person", Err: held}
	case errors.As(err, &lockWait), errors.As(err, &older), errors.As(err, &budget), errors.As(err, &still),
		pg.OutOfResources(err):
		// Nothing is wrong with the file; hours of work are not thrown away for a busy hour. But a run that has
		// done nothing yet had better not stand in anybody's way.
		if x.run.touched() || x.run.State == Completing {
			return &StoppedError{Run: x.run.Name, Step: s.ID, Reason: "step " + s.ID + " could not go on", Err: err}
		}
	}
	return &stepError{s, err}
}

// wish reads what an operator wants of this run.
func (x *executor) wish(ctx context.Context) error {
	row, err := x.j.Run(ctx, x.run.ID)
	if err != nil {
		return err
	}
	switch row.Intent {
	case journal.IntentPause:
		return errPaused
	case journal.IntentCancel:
		if x.run.State != Completing { // what has gone cannot be taken back any more
			return errCancelled
		}
	}
	return nil
}

// attended carries out a step with an ear for the operator. A pause interrupts what can go on later from where
// it was; statements that would have to start over are let finish. A cancel interrupts everything.
func (x *executor) attended(ctx context.Context, s plan.Step) error {
	watched, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(intentEvery)
		defer tick.Stop()
		for {
			select {
			case <-watched.Done():
				return
			case <-tick.C:
			}
			err := x.wish(watched)
			resumable := s.Kind == plan.Rows || s.Kind == plan.Quiesce || s.Kind == plan.Transaction
			if errors.Is(err, errCancelled) || errors.Is(err, errPaused) && resumable {
				cancel(err)
				return
			}
		}
	}()
	err := x.step(watched, s)
	cause := context.Cause(watched)
	cancel(nil)
	<-ended
	if err != nil && pg.OutcomeOf(err) != pg.Unknown && ctx.Err() == nil &&
		(errors.Is(cause, errPaused) || errors.Is(cause, errCancelled)) {
		return cause
	}
	return err
}

// takeBack reverts the run because a step failed, and returns the error of that step.
func (x *executor) takeBack(ctx context.Context, failed *stepError) error {
	out := &Error{Op: "apply", Run: x.run.Name, Step: failed.step.ID, Err: failed.err}
	if errors.Is(failed.err, errCancelled) {
		out.Step = ""
	} else if err := x.fail(ctx, failed.step, failed.err); err != nil {
		return fmt.Errorf("%w (while recording: %w)", err, out)
	}
	if why := x.run.reversible(""); why != nil {
		// Half a way back would help nobody. What is done stays, so that the way forward is still open.
		out.Hint = "remove the cause and resume: it cannot be taken back (" + why.Error() + ")"
		if err := x.advance(ctx, change{to: Failed, cause: failed.err}); err != nil {
			return fmt.Errorf("%w (after: %w)", err, out)
		}
		return out
	}
	if err := x.advance(ctx, change{to: Reverting, cause: failed.err}); err != nil {
		return fmt.Errorf("%w (while taking back: %w)", err, out)
	}
	if err := x.reverseAll(ctx, failed.err); err != nil {
		if pg.OutcomeOf(err) == pg.Unknown || pg.ConnectionLost(err) {
			return err
		}
		return errors.Join(out, err)
	}
	out.TakenBack = true
	return out
}

// reverseAll takes back, last first, what a run in state reverting has done. cause is why, nil when a person
// asked for it.
func (x *executor) reverseAll(ctx context.Context, cause error) error {
	steps := x.run.Plan.Steps
	for i := len(steps) - 1; i >= 0; i-- {
		s := steps[i]
		if !x.run.mayBeThere(s) {
			continue
		}
		if err := x.reverse(ctx, s); err != nil {
			return x.reverseFailed(ctx, s, err, cause)
		}
		x.event(EventUndone, s, Event{N: len(steps) - i, Of: len(steps)})
	}
	rec, err := x.receipt(ctx)
	if err != nil {
		return err
	}
	now, err := x.e.now(ctx)
	if err != nil {
		return err
	}
	rec.RevertedAt = &now
	return x.advance(ctx, change{to: Reverted, cause: cause, receipt: rec, also: func(tx pgx.Tx) error {
		if err := x.lease.RemoveMigration(ctx, tx, x.run.Name); err != nil {
			return err
		}
		return x.forgetSecrets(ctx, tx)
	}})
}

// reverseFailed judges an error of the way back.
func (x *executor) reverseFailed(ctx context.Context, s plan.Step, err, cause error) error {
	stop := x.stopped(s, err)
	var failed *stepError
	if !errors.As(stop, &failed) {
		return stop
	}
	var lockWait *pg.LockWaitError
	if errors.As(err, &lockWait) || pg.OutOfResources(err) {
		return &StoppedError{Run: x.run.Name, Step: s.ID, Reason: "step " + s.ID + " could not be taken back yet", Err: err,
			Advice: "revert goes on from here"}
	}
	hint := "remove the cause and revert again"
	if !x.run.wasDone() || x.run.whole(true) {
		hint += ", or resume to try the way forward"
	}
	out := error(&Error{Op: "revert", Run: x.run.Name, Step: s.ID, Err: err, Hint: hint})
	why := err
	if cause != nil {
		why = fmt.Errorf("%w; and it could not be taken back: %w", cause, err)
	}
	if aerr := x.advance(ctx, change{to: Failed, cause: why}); aerr != nil {
		return errors.Join(aerr, out)
	}
	return out
}

// reverse takes one step back.
func (x *executor) reverse(ctx context.Context, s plan.Step) error {
	if s.Irreversible != "" && !x.neverRan(s) {
		return refuse(Irreversible, "", "%s cannot be taken back: %s", s.Title, s.Irreversible)
	}
	var err error
	if s.Reverse, err = x.standing(ctx, s.Reverse, s.ReverseParts); err != nil {
		return err
	}
	switch {
	case s.Kind == plan.Script:
		return x.reverseCode(ctx, s)
	case s.Kind == plan.Rows:
		return x.reverseRows(ctx, s)
	case s.Kind == plan.Concurrently:
		// Whether there is anything to take back, the probe says: the step may have been killed, and so may an
		// earlier way back.
		if err := x.cleanUp(ctx, s); err != nil {
			return err
		}
		there, err := x.ask(ctx, s, s.Probe)
		if err != nil {
			return err
		}
		if s.Probe != "" && !there {
			s.Reverse = nil
		}
		if s.ReverseConcurrently || len(s.Reverse) == 0 {
			return x.reverseConcurrently(ctx, s)
		}
	case s.ReverseConcurrently:
		return x.reverseConcurrently(ctx, s)
	}
	x.point(plan.Transaction, "begin")
	_, err = x.underLocks(ctx, s, s.Reverse, s.ReverseLocks, func(tx pgx.Tx, ev evidence) error {
		return x.setStep(ctx, tx, s, journal.StepReversed, "", ev)
	})
	if err == nil {
		x.remember(s, journal.StepReversed)
	}
	return err
}
