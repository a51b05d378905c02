package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/plan"
)

// Revert takes a migration back, or the newest one when name is empty: always while it is not completed,
// afterwards where nothing was lost. A run that another executor is working on is cancelled first. It returns
// the name of what was reverted.
func (e *Engine) Revert(ctx context.Context, name string) (string, error) {
	// Which one the newest is, is settled before anybody is waited for: what a person wants back is what there was
	// when they asked, and once another executor has taken it back, an older one is the newest.
	if err := e.writable(); err != nil {
		return "", asRun("revert", name, err)
	}
	target, err := e.cancelOther(ctx, name)
	if err != nil {
		return "", asRun("revert", name, settle(ctx, err))
	}
	id := target.ID
	if id != 0 {
		name = target.Name
	}
	if State(target.State) == Reverted {
		return name, nil // the executor that was asked has done it
	}
	err = e.lead(ctx, func(ctx context.Context, x *executor) error {
		if id == 0 {
			k, err := e.revertTarget(ctx, x.j, name)
			if err != nil {
				return err
			}
			id, name = k.ID, k.Name
		}
		row, err := x.j.Run(ctx, id)
		if err != nil {
			return err
		}
		if State(row.State) == Reverted {
			return nil // by us before the connection was lost, or by somebody we have waited for
		}
		if x.run, err = readRun(ctx, x.j, row); err != nil {
			return err
		}
		later, err := e.laterRuns(ctx, x.j, id)
		if err != nil {
			return err
		}
		return asRun("revert", name, x.revert(ctx, later))
	})
	return name, asRun("revert", name, err)
}

// cancelOther asks the executor that is working on the run to be reverted, when there is one, to take it back, and
// waits until it has, so that nobody has to wait for it to get to its end first. Where there is none, the lease is
// free, and this process does it. The run has the ID 0 where there is none yet.
func (e *Engine) cancelOther(ctx context.Context, name string) (target journal.Run, err error) {
	j, err := e.openJournal(ctx)
	if err != nil {
		return target, err
	}
	if !j.Present() {
		return e.revertTarget(ctx, j, name) // there is none, and no journal is made to find that out
	}
	held, err := j.Holder(ctx, leaseName)
	if err != nil || held == nil {
		return target, err
	}
	if target, err = e.revertTarget(ctx, j, name); err != nil {
		return target, err
	}
	switch State(target.State) {
	case Planned, Expanding, Filling, Verifying:
	default:
		return target, nil
	}
	r, err := readRun(ctx, j, target)
	if err != nil {
		return target, err
	}
	if err := r.reversible(e.cfg.Outcome); err != nil {
		return target, err // it would be left where it stands for nothing
	}
	if err := j.SetIntent(ctx, target.ID, journal.IntentCancel, e.requester()); err != nil {
		return target, err
	}
	e.event(Event{Kind: EventWaiting, Run: target.Name, Text: "asking " + held.Holder + " to take it back"})
	for held != nil {
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return target, err
		}
		if target, err = j.Run(ctx, target.ID); err != nil {
			return target, err
		}
		if s := State(target.State); s == Ready || s == Reverted || s == Done {
			return target, nil
		}
		if held, err = j.Holder(ctx, leaseName); err != nil {
			return target, err
		}
	}
	return target, nil
}

// revertTarget finds the run to revert.
func (e *Engine) revertTarget(ctx context.Context, j *journal.Journal, name string) (target journal.Run, err error) {
	known, err := e.latestRuns(ctx, j)
	if err != nil {
		return target, err
	}
	if name == "" {
		var newest knownRun
		for n, k := range known {
			if k.Run > newest.Run {
				name, newest = n, k
			}
		}
		for n, k := range known { // those without a run have no other order
			if k.Run == 0 && !k.Baseline && k.AppliedAt.After(newest.AppliedAt) {
				name, newest = n, k
			}
		}
		if name == "" {
			return target, refuse(NotFound, "", "there is nothing to revert")
		}
	}
	k, ok := known[name]
	switch {
	case !ok:
		return target, refuse(NotFound, "status lists them", "no migration %s is applied", name)
	case k.Baseline:
		return target, refuse(Irreversible, "", "%s was taken over as a baseline: replank did not make it", name)
	case k.Run == 0:
		return target, refuse(Irreversible, "a new migration has to bring it back; revert NAME takes an earlier one back",
			"%s was executed as written (--direct), without a way back", name)
	}
	return j.Run(ctx, k.Run)
}

// laterRuns are those after a run, oldest first.
func (e *Engine) laterRuns(ctx context.Context, j *journal.Journal, id int64) (later []*run, err error) {
	known, err := e.latestRuns(ctx, j)
	if err != nil {
		return nil, err
	}
	for _, k := range known {
		if k.Run <= id {
			continue
		}
		row, err := j.Run(ctx, k.Run)
		if err != nil {
			return nil, err
		}
		r, err := readRun(ctx, j, row)
		if err != nil {
			return nil, err
		}
		later = append(later, r)
	}
	slices.SortFunc(later, func(a, b *run) int { return int(a.ID - b.ID) })
	return later, nil
}

// revert takes the run of x back, wherever it is in its life.
func (x *executor) revert(ctx context.Context, later []*run) error {
	switch x.run.State {
	case Reverting:
		return x.reverseAll(ctx, recordedCause(x.run))
	case Completing:
		if x.run.contracted() {
			return refuse(WrongState, "complete goes on from here", "%s is being completed", x.run.Name)
		}
		if err := x.advance(ctx, change{to: Ready}); err != nil { // it has not got anywhere yet
			return err
		}
	case Failed:
		if x.run.halfComplete() { // what keeps the shapes equal is gone for some of them and there for others
			return refuse(WrongState, "remove the cause and complete again", "%s is half completed", x.run.Name)
		}
	}
	var dependents []string
	for _, r := range slices.Backward(later) {
		if overlap(r.Plan.Touches, x.run.Plan.Touches) || slices.Contains(r.Plan.Needs, x.run.Name) {
			dependents = append(dependents, r.Name)
		}
	}
	if len(dependents) > 0 {
		r := refuse(Dependents, "revert these first, in this order", "later migrations stand on %s", x.run.Name)
		r.Items = dependents
		return r
	}
	var cause error
	if x.run.halfDirect() {
		if !slices.Contains(x.e.cfg.Accept, acceptIrreversible) {
			return refuse(NeedsConsent, forgetDirect,
				"%s was executed as written and stopped half way: nothing of that can be taken back", x.run.Name)
		}
		cause = errors.New("executed as written; it is forgotten, and nothing of it was undone")
	} else if err := x.run.reversible(x.e.cfg.Outcome); err != nil {
		return err
	}
	if err := x.noDirectAfter(ctx); err != nil {
		return err
	}
	if err := x.advance(ctx, change{to: Reverting, cause: cause}); err != nil {
		return err
	}
	return x.reverseAll(ctx, cause)
}

// noDirectAfter refuses to take back what files executed as written stand on.
func (x *executor) noDirectAfter(ctx context.Context) error {
	if slices.Contains(x.e.cfg.Accept, acceptIrreversible) {
		return nil
	}
	direct, err := x.e.directAfter(ctx, x.j, x.run)
	if err != nil || len(direct) == 0 {
		return err
	}
	r := refuse(Dependents, "a new migration has to bring it back; when what they did to it is undone by hand, or none of it is in the way, revert with --accept irreversible",
		"files that were executed as written (--direct) after %s name what it touches, and have no way back", x.run.Name)
	r.Items = direct
	return r
}

const acceptIrreversible = "irreversible"

// reversible refuses a way back that does not exist, before its first step (principle 6).
func (r *run) reversible(outcome Outcome) error {
	var reasons []string
	for _, s := range r.Plan.Steps {
		if !r.mayBeThere(s) && !r.halfDirect() {
			continue
		}
		if why := r.halfRun(s); why != "" && outcome != NotRan && (outcome == "" || s.Irreversible != "") {
			reasons = append(reasons, s.Title+": "+why)
		} else if why != "" {
			continue
		}
		if s.Irreversible != "" {
			reasons = append(reasons, pg.HideSecrets(s.Title)+": "+s.Irreversible)
		} else if s.Destroys != "" {
			reasons = append(reasons, "lost: "+s.Destroys)
		} else if keepsImages(s) && r.State == Done {
			reasons = append(reasons, s.Title+": the rows as they were before were kept until complete")
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	refused := refuse(Irreversible, "a new migration has to bring it back", "%s cannot be taken back any more", r.Name)
	refused.Items = reasons
	return refused
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
		// A wish to cancel that could not be granted ends with the try: whoever resumes a failed run wants it forwards.
		stale := State(r.State) == Failed && r.Intent == journal.IntentCancel
		if State(r.State) == Ready || intent == journal.IntentNone && r.Intent != journal.IntentPause && !stale {
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
	err := e.leadKnown(ctx, name, func(ctx context.Context, x *executor) error {
		runs, err := e.unfinished(ctx, x.j)
		if err != nil {
			return err
		}
		if err := e.findable(ctx, x.j, name, runs); err != nil {
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
	switch {
	case x.run.halfComplete():
		if err := x.advance(ctx, change{to: Completing}); err != nil {
			return err
		}
		return x.contract(ctx)
	case x.run.wasDone() && x.run.whole(true):
		return x.advance(ctx, change{to: Done}) // nothing of it was taken back
	case x.run.wasDone() || x.run.contracted():
		return refuse(WrongState, "remove the cause and revert again", "a part of %s has been taken back", x.run.Name)
	}
	return x.carryOn(ctx)
}

// forgetSecrets takes the literals out of the statements that will not be run again, and out of the titles, which show
// their beginning; passwords and values of rows have no business in a journal of years. What the way back needs is kept.
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
		s.Title = pg.Redact(s.Title)
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
