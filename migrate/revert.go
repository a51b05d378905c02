package migrate

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/plan"
)

// Revert takes a migration back, or the newest one when name is empty: always while it is not completed,
// afterwards where nothing was lost. A run that another executor is working on is cancelled first. It returns
// the name of what was reverted.
func (e *Engine) Revert(ctx context.Context, name string) (string, error) {
	if err := e.cancelOther(ctx, name); err != nil {
		return "", asRun("revert", name, settle(ctx, err))
	}
	err := e.lead(ctx, func(ctx context.Context, x *executor) error {
		target, later, err := e.revertTarget(ctx, x.j, name)
		if err != nil {
			return err
		}
		name = target.Name
		x.run = target
		return asRun("revert", name, x.revert(ctx, later))
	})
	return name, asRun("revert", name, err)
}

// cancelOther asks the executor of a run to take it back, when there is one, so that nobody has to wait for it
// to get to its end first. Where there is none, the lease is free, and this process does it.
func (e *Engine) cancelOther(ctx context.Context, name string) error {
	j, err := e.openJournal(ctx)
	if err != nil || !j.Present() {
		return err
	}
	held, err := j.Holder(ctx, leaseName)
	if err != nil || held == nil {
		return err
	}
	rows, err := j.Runs(ctx, journal.RunFilter{Name: name, Kind: Machine.Kind, Unfinished: true})
	if err != nil || len(rows) == 0 {
		return err
	}
	row := rows[len(rows)-1]
	switch State(row.State) {
	case Planned, Expanding, Filling, Verifying:
		e.event(Event{Kind: EventNote, Run: row.Name, Text: "asking " + held.Holder + " to take it back"})
		return j.SetIntent(ctx, row.ID, journal.IntentCancel, e.requester())
	}
	return nil
}

// revertTarget finds the run to revert and the runs after it, oldest first.
func (e *Engine) revertTarget(ctx context.Context, j *journal.Journal, name string) (target *run, later []*run, err error) {
	known, err := e.latestRuns(ctx, j)
	if err != nil {
		return nil, nil, err
	}
	var newest int64
	for _, k := range known {
		newest = max(newest, k.Run)
	}
	id := newest
	if name != "" {
		k, ok := known[name]
		switch {
		case !ok:
			return nil, nil, refuse(NotFound, "status lists them", "no migration %s is applied", name)
		case k.Run == 0:
			return nil, nil, refuse(Irreversible, "", "%s was taken over as a baseline: replank did not make it", name)
		}
		id = k.Run
	}
	if id == 0 {
		return nil, nil, refuse(NotFound, "", "there is nothing to revert")
	}
	for _, k := range known {
		if k.Run < id {
			continue
		}
		row, err := j.Run(ctx, k.Run)
		if err != nil {
			return nil, nil, err
		}
		r, err := readRun(ctx, j, row)
		if err != nil {
			return nil, nil, err
		}
		if k.Run == id {
			target = r
		} else {
			later = append(later, r)
		}
	}
	slices.SortFunc(later, func(a, b *run) int { return int(a.ID - b.ID) })
	return target, later, nil
}

// revert takes the run of x back, wherever it is in its life.
func (x *executor) revert(ctx context.Context, later []*run) error {
	switch x.run.State {
	case Reverting:
		return x.reverseAll(ctx, recordedCause(x.run))
	case Reverted:
		return nil // the other executor has done it
	case Completing:
		return refuse(WrongState, "complete goes on from here", "%s is being completed", x.run.Name)
	}
	var dependents []string
	for _, r := range slices.Backward(later) {
		if overlap(r.Plan.Touches, x.run.Plan.Touches) {
			dependents = append(dependents, r.Name)
		}
	}
	if len(dependents) > 0 {
		r := refuse(Dependents, "revert these first, in this order", "later migrations stand on %s", x.run.Name)
		r.Items = dependents
		return r
	}
	if err := x.reversible(); err != nil {
		return err
	}
	if err := x.advance(ctx, change{to: Reverting}); err != nil {
		return err
	}
	return x.reverseAll(ctx, nil)
}

// reversible refuses a way back that does not exist, before its first step (principle 6).
func (x *executor) reversible() error {
	var reasons []string
	for _, s := range x.run.Plan.Steps {
		if !x.run.mayBeThere(s) {
			continue
		}
		if s.Irreversible != "" {
			reasons = append(reasons, s.Title+": "+s.Irreversible)
		} else if s.Destroys != "" {
			reasons = append(reasons, "lost: "+s.Destroys)
		} else if keepsImages(s) && x.run.State == Done {
			reasons = append(reasons, s.Title+": the rows as they were before were kept until complete")
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	r := refuse(Irreversible, "a new migration has to bring it back", "%s cannot be taken back any more", x.run.Name)
	r.Items = reasons
	return r
}

// Pause stops a run between two steps or ranges; all runs under way when name is empty. The wish is durable.
func (e *Engine) Pause(ctx context.Context, name string) ([]string, error) {
	names, err := e.wishAll(ctx, name, journal.IntentPause)
	return names, asRun("pause", name, err)
}

func (e *Engine) wishAll(ctx context.Context, name, intent string) ([]string, error) {
	j, err := e.openJournal(ctx)
	if err != nil {
		return nil, settle(ctx, err)
	}
	rows, err := j.Runs(ctx, journal.RunFilter{Name: name, Kind: Machine.Kind, Unfinished: true})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range rows {
		if State(r.State) == Ready || intent == journal.IntentNone && r.Intent != journal.IntentPause {
			continue
		}
		if err := j.SetIntent(ctx, r.ID, intent, e.requester()); err != nil {
			return names, err
		}
		names = append(names, r.Name)
	}
	if len(names) == 0 && name != "" && intent == journal.IntentPause {
		return nil, refuse(NotFound, "status lists them", "no run of migration %s is under way", name)
	}
	return names, nil
}

// Resume takes pauses back and goes on with interrupted runs; with the run of that name only, unless it is
// empty. A failed run is tried again in the way forward.
func (e *Engine) Resume(ctx context.Context, name string) (*Summary, error) {
	if _, err := e.wishAll(ctx, name, journal.IntentNone); err != nil {
		return nil, asRun("resume", name, err)
	}
	sum := new(Summary)
	err := e.lead(ctx, func(ctx context.Context, x *executor) error {
		runs, err := e.unfinished(ctx, x.j)
		if err != nil {
			return err
		}
		if err := findable(ctx, x, name, runs); err != nil {
			return err
		}
		for _, r := range runs {
			if name != "" && r.Name != name || r.State == Ready || r.Intent == journal.IntentPause {
				continue
			}
			if r.State == Failed && name == "" {
				sum.Failed = append(sum.Failed, r.Name)
				continue
			}
			x.run = r
			if err := x.resumeFailed(ctx); err != nil {
				return asRun("resume", r.Name, err)
			}
			sum.count(x.run)
		}
		return nil
	})
	return sum, asRun("resume", name, err)
}

// resumeFailed is resume, and the way forward again for a failed run.
func (x *executor) resumeFailed(ctx context.Context) error {
	if x.run.State != Failed || isDirect(x.run) {
		return x.resume(ctx)
	}
	if x.contractBegun(x.run) {
		if err := x.advance(ctx, change{to: Completing}); err != nil {
			return err
		}
		return x.contract(ctx)
	}
	if receiptOf(x.run).DoneAt != nil {
		return refuse(WrongState, "revert goes on with it", "%s was done and is being reverted", x.run.Name)
	}
	return x.carryOn(ctx)
}

// forgetSecrets takes the literals out of the statements that will not be run again; passwords and values of
// rows have no business in a journal of years. What the way back needs is kept.
func (x *executor) forgetSecrets(ctx context.Context, tx pgx.Tx) error {
	raw, err := x.j.Plan(ctx, x.run.ID)
	if err != nil {
		return err
	}
	p := new(plan.Plan)
	if err := json.Unmarshal(raw, p); err != nil {
		return err
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Kind == plan.Concurrently || s.Kind == plan.Rows {
			continue // cleaning up and undoing need them
		}
		for k, sql := range s.SQL {
			s.SQL[k] = pg.Redact(sql)
		}
	}
	_, err = tx.Exec(ctx, `UPDATE replank.plan SET plan = $2::jsonb WHERE run_id = $1`, x.run.ID, string(mustJSON(p)))
	return err
}

// mustJSON encodes our own plain data, which cannot fail.
func mustJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("migrate: encode: " + err.Error())
	}
	return b
}

// heldGateError is a step that waits for a person: rows that could not be changed.
type heldGateError struct{ err error }

func (e *heldGateError) Error() string { return e.err.Error() }
func (e *heldGateError) Unwrap() error { return e.err }

// Hint says what to do.
func (e *heldGateError) Hint() string {
	return "correct the rows named in replank.rejected and resume, waive them, or revert"
}
