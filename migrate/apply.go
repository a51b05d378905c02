package migrate

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/catalog"
	"github.com/replank/replank/internal/journal"
)

// Summary is what became of the files of an apply.
type Summary struct {
	Done  []string `json:"done,omitempty"`  // as psql would have left them
	Ready []string `json:"ready,omitempty"` // both shapes live; complete or revert comes next
	// Blocked are files that wait for others, by name, in order.
	Blocked []BlockedFile `json:"blocked,omitempty"`
	Paused  []string      `json:"paused,omitempty"`
	Failed  []string      `json:"failed,omitempty"` // runs that need a person
}

// BlockedFile is a file that was not begun because earlier ones hold what it touches.
type BlockedFile struct {
	Name string   `json:"name"`
	By   []string `json:"by"`
}

// Apply carries out the pending files in order, each to ready, or to done where nothing is left for complete.
// Everything is judged before anything is begun. Runs that were interrupted go on first.
func (e *Engine) Apply(ctx context.Context, ms []history.Migration) (*Summary, error) {
	if err := e.writable(); err != nil {
		return nil, &Error{Op: "apply", Err: err}
	}
	p, err := e.preview(ctx, ms)
	if err == nil {
		err = p.Err()
	}
	if err != nil {
		return nil, asOp("apply", settle(ctx, err))
	}
	sum := new(Summary)
	if len(p.Pending()) == 0 && !underway(p) {
		return sum, nil
	}
	err = e.lead(ctx, func(ctx context.Context, x *executor) error { return x.apply(ctx, ms, sum) })
	return sum, asOp("apply", err)
}

func underway(p *Preview) bool {
	for _, f := range p.Files {
		if f.Status == Underway {
			return true
		}
	}
	return false
}

// asOp wraps an error that does not say yet what was being done.
func asOp(op string, err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &Error{Op: op, Err: err}
}

func (x *executor) apply(ctx context.Context, ms []history.Migration, sum *Summary) error {
	k, err := x.takeOver(ctx, ms)
	if err != nil {
		return err
	}
	// Whoever had the lease until now may have applied another text under the name of a file that was pending.
	if err := compare(k.ms, k.known).Err(); err != nil {
		return err
	}
	if err := x.resumeAll(ctx, sum); err != nil {
		return err
	}
	if k, err = x.takeOver(ctx, ms); err != nil {
		return err
	}
	p := compare(k.ms, k.known)
	// Who adopts is an executor, too: it may have been before us.
	if err := x.e.judgeOwners(ctx, x.j, p, nil); err != nil {
		return err
	}
	if err := p.Err(); err != nil {
		return err
	}
	runs, err := x.e.unfinished(ctx, x.j)
	if err != nil {
		return err
	}
	held := holdings(runs)
	for i, m := range k.ms {
		if _, applied := k.known[m.Name]; applied {
			continue
		}
		h, err := x.applyFile(ctx, m, int64(i), held, sum)
		if err != nil {
			return err
		}
		if h != nil {
			held = append(held, *h)
		}
	}
	return nil
}

// applyFile plans one file on the live schema and carries it out. It returns what the file holds afterwards.
func (x *executor) applyFile(ctx context.Context, m history.Migration, position int64, held []holding, sum *Summary) (*holding, error) {
	schema, err := x.e.load(ctx, catalog.Options{})
	if err != nil {
		return nil, err
	}
	if x.e.before == nil {
		x.e.before = schema
	}
	// A blocked file before this one was not applied: then this one may not be planned as if it was, and if it
	// needs it, it is blocked as well.
	p, _, err := x.e.compile(schema, m)
	if err != nil {
		if len(sum.Blocked) > 0 {
			last := sum.Blocked[len(sum.Blocked)-1]
			sum.Blocked = append(sum.Blocked, BlockedFile{m.Name, []string{last.Name}})
			return nil, nil
		}
		return nil, &Error{Op: "plan", Run: m.Name, Err: &RefusedError{Code: Input, Reason: "it cannot be carried out", Err: err}}
	}
	by := blockedBy(p, held)
	if len(by) == 0 {
		by = needsBlocked(m, func(name string) bool {
			return slices.ContainsFunc(sum.Blocked, func(b BlockedFile) bool { return b.Name == name })
		})
	}
	if len(by) > 0 {
		sum.Blocked = append(sum.Blocked, BlockedFile{m.Name, by})
		x.e.event(Event{Kind: EventNote, Run: m.Name, Text: "waits for complete of " + strings.Join(by, ", ")})
		return &holding{m.Name, concerns(p), true}, nil
	}
	if missing := missingConsents(p, x.e.cfg.Accept); len(missing) > 0 {
		return nil, (&Preview{Consents: missing}).Err()
	}
	x.run = nil
	if err := x.create(ctx, p, position); err != nil {
		return nil, err
	}
	if err := x.carryOn(ctx); err != nil {
		return nil, err
	}
	if x.run.State == Ready && x.e.atOnce(p) {
		if err := x.complete(ctx, CompleteOptions{NoOldReaders: true, unseen: true}); err != nil {
			return nil, err
		}
	}
	x.e.booksPresent = true
	sum.count(x.run)
	if x.run.State == Ready {
		return &holding{m.Name, p.Touches, p.Hides()}, nil
	}
	return nil, nil
}

func (s *Summary) count(r *run) {
	switch r.State {
	case Done:
		s.Done = append(s.Done, r.Name)
	case Ready:
		s.Ready = append(s.Ready, r.Name)
	}
}

// resumeAll goes on with the runs that an executor left in the middle, except those that are paused or wait
// for a person.
func (x *executor) resumeAll(ctx context.Context, sum *Summary) error {
	runs, err := x.e.unfinished(ctx, x.j)
	if err != nil {
		return err
	}
	for _, r := range runs {
		switch {
		case r.State == Ready:
			continue
		case r.State == Failed:
			sum.Failed = append(sum.Failed, r.Name)
			continue
		case r.Intent == journal.IntentPause:
			sum.Paused = append(sum.Paused, r.Name)
			continue
		}
		x.run = r
		if err := x.resume(ctx); err != nil {
			return err
		}
		sum.count(x.run)
	}
	return nil
}

// resume goes on with a run from wherever it is, in the direction it was going.
func (x *executor) resume(ctx context.Context) error {
	if isDirect(x.run) && x.run.State != Reverting {
		switch {
		case x.run.halfDirect():
			return &UnknownError{What: x.run.Name + " was being executed as written, statement by statement", Err: orUnknown(x.run.Error),
				Advice: forgetDirect}
		case x.run.finished(directStep):
			return x.finish(ctx)
		}
		unbegun := errors.New("its executor ended before the first statement")
		if err := x.advance(ctx, change{to: Reverting, cause: unbegun}); err != nil {
			return err
		}
		return x.reverseAll(ctx, unbegun)
	}
	x.e.event(Event{Kind: EventNote, Run: x.run.Name, State: x.run.State, Text: "going on where it was left"})
	switch x.run.State {
	case Planned:
		if err := x.undrifted(ctx); err != nil {
			return x.takeBackUnbegun(ctx, err)
		}
		return x.carryOn(ctx)
	case Expanding, Filling, Verifying:
		return x.carryOn(ctx)
	case Completing:
		return x.contract(ctx)
	case Reverting:
		return x.reverseAll(ctx, recordedCause(x.run))
	}
	return refuse(WrongState, "", "%s is %s", x.run.Name, x.run.State)
}

// orUnknown is why a run has failed, as the journal has it, or that nobody knows.
func orUnknown(text string) error {
	if text == "" {
		text = "its executor is gone"
	}
	return errors.New(text)
}

// takeBackUnbegun ends a run that has done nothing, because it cannot begin as it was planned.
func (x *executor) takeBackUnbegun(ctx context.Context, why error) error {
	if x.run.touched() {
		return why
	}
	if err := x.advance(ctx, change{to: Reverting, cause: why}); err != nil {
		return err
	}
	if err := x.reverseAll(ctx, why); err != nil {
		return err
	}
	return &Error{Op: "apply", Run: x.run.Name, Err: why, TakenBack: true, Hint: "apply again makes a new plan"}
}

// recordedCause is why a run is being taken back, as an earlier executor wrote it.
func recordedCause(r *run) error {
	if r.Error == "" {
		return nil
	}
	return errors.New(r.Error)
}
