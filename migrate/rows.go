package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/backfill"
	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/plan"
)

// fill is the configuration of the fill of a step. The rows are changed by the role that connected: a fill
// makes nothing that could belong to somebody.
func (x *executor) fill(s plan.Step) backfill.Config {
	cfg := backfill.Config{
		Journal: x.j, Lease: x.lease, Run: x.run.ID, Step: s.ID, Seq: x.run.steps[s.ID].Seq, Spec: *s.Fill,
		Workers: x.e.cfg.Workers, FullPace: x.e.cfg.FullPace, Logger: x.e.cfg.Logger,
		OnProgress: func(p backfill.Progress) {
			x.event(EventProgress, s, Event{Text: p.Phase, Rows: p.Rows, Total: p.Estimate, Fraction: p.Fraction,
				Rate: p.Rate, ETA: p.ETA, Idle: p.Reason})
		},
	}
	for _, set := range sessionSettings("", x.run.Plan.Settings, s.Settings) {
		cfg.Settings = append(cfg.Settings, plan.Setting{Name: set.Name, Value: set.Value})
	}
	return cfg
}

// rows carries out a fill. Its progress is in the journal range by range, so a crash costs nothing; a fill that
// is found running goes on, after another look at the rows that were rejected.
func (x *executor) rows(ctx context.Context, s plan.Step) (ev evidence, err error) {
	if s.Fill == nil {
		return ev, errors.New("a step of kind rows without a fill")
	}
	if x.run.steps[s.ID].State == journal.StepReversing {
		// Some of the rows have their values of before, nobody knows which: the fill begins anew when all of them do.
		if err := x.reverseRows(ctx, s); err != nil {
			return ev, err
		}
	}
	again := x.run.begun(s.ID)
	if err := x.start(ctx, s); err != nil {
		return ev, err
	}
	x.point(s.Kind, "started")
	cfg := x.fill(s)
	if again {
		if _, _, err := backfill.Retry(ctx, cfg); err != nil {
			return ev, fmt.Errorf("try the rejected rows again: %w", err)
		}
	}
	rc, err := backfill.Run(ctx, cfg)
	if err != nil {
		return ev, err
	}
	if why := rc.Open(); why != "" {
		return ev, &heldGateError{errors.New(why)}
	}
	x.point(s.Kind, "ran")
	ev.Rows, ev.Took = rc.Rows, rc.Seconds
	ev.Fill = &rc
	return ev, x.markAfter(ctx, s, ev)
}

// reverseRows takes a fill back. Columns of our own go with the step that made them; rows of the user get
// their values back from the before-images, except those that somebody changed since, which are listed.
func (x *executor) reverseRows(ctx context.Context, s plan.Step) error {
	x.point(plan.Rows, "begin")
	var kept any
	if keepsImages(s) {
		if x.run.steps[s.ID].State != journal.StepReversing {
			err := x.mark(ctx, func(tx pgx.Tx) error { return x.setStep(ctx, tx, s, journal.StepReversing, "", nil) })
			if err != nil {
				return err
			}
			x.remember(s, journal.StepReversing)
		}
		x.point(plan.Rows, "started")
		rc, err := backfill.Undo(ctx, x.fill(s))
		if err != nil {
			return fmt.Errorf("give the rows their values back: %w", err)
		}
		kept = rc
	}
	x.point(plan.Rows, "ran")
	err := x.mark(ctx, func(tx pgx.Tx) error {
		if err := x.lease.ForgetRanges(ctx, tx, x.run.ID, s.ID); err != nil {
			return err
		}
		if err := x.lease.ForgetRejected(ctx, tx, x.run.ID, s.ID); err != nil {
			return err
		}
		return x.setStep(ctx, tx, s, journal.StepReversed, "", kept)
	})
	if err != nil {
		return err
	}
	x.remember(s, journal.StepReversed)
	x.point(plan.Rows, "marked")
	return nil
}

// dropImages forgets the before-images: from here on there is no way back.
func (x *executor) dropImages(ctx context.Context) error {
	for _, s := range x.run.Plan.Steps {
		if keepsImages(s) && x.run.begun(s.ID) {
			if err := backfill.DropUndo(ctx, x.fill(s)); err != nil {
				return fmt.Errorf("forget the rows as they were before: %w", err)
			}
		}
	}
	return nil
}
