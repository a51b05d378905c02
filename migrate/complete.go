package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/replank/replank/backfill"
	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/catalog"
	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/plan"
)

// CompleteOptions are what a person says when the old shape is to go.
type CompleteOptions struct {
	// NoOldReaders is the word that nobody reads the old shape any more. Without it a run whose completion
	// takes a value or a name away is refused.
	NoOldReaders bool
	// Period is how long a run must have been ready. Default: no waiting period.
	Period time.Duration
	// UnusedFor is how long no statement that needs the old shape may have been called, as pg_stat_statements tells.
	// Whoever gives it need not give NoOldReaders. Default: nobody looks.
	UnusedFor time.Duration

	unseen bool // apply itself says so: it has made the tables
}

// Complete lets the old shape of a run go, or of all that are ready when name is empty, oldest first. Nothing
// to do is no error. It returns the names of those that are done now.
func (e *Engine) Complete(ctx context.Context, name string, opt CompleteOptions) ([]string, error) {
	var done []string
	err := e.leadKnown(ctx, name, func(ctx context.Context, x *executor) error {
		runs, err := e.unfinished(ctx, x.j)
		if err != nil {
			return err
		}
		if err := e.findable(ctx, x.j, name, runs); err != nil {
			return err
		}
		for _, r := range runs {
			if name != "" && r.Name != name {
				continue
			}
			switch {
			case r.State == Ready || r.State == Completing || r.State == Failed && r.halfComplete():
			case name == "":
				continue
			case r.State == Failed && r.wasDone():
				return refuse(WrongState, "remove the cause and revert again", "%s was done and is being reverted", r.Name)
			default:
				return refuse(WrongState, "apply or resume brings it to ready", "%s is %s, not ready", r.Name, r.State)
			}
			x.run = r
			if err := x.complete(ctx, opt); err != nil {
				return err
			}
			done = append(done, r.Name)
		}
		return nil
	})
	return done, asOp("complete", err)
}

// findable refuses a name that is neither unfinished nor done.
func (e *Engine) findable(ctx context.Context, j *journal.Journal, name string, runs []*run) error {
	if name == "" || slices.ContainsFunc(runs, func(r *run) bool { return r.Name == name }) {
		return nil
	}
	known, err := e.latestRuns(ctx, j)
	if err != nil {
		return err
	}
	if _, ok := known[name]; !ok {
		return refuse(NotFound, "status lists them", "no migration %s was applied", name)
	}
	return nil
}

// halfComplete reports whether a part of the old shape has gone, and the rest can go as well.
func (r *run) halfComplete() bool { return r.contracted() && r.whole(false) && !r.wasDone() }

func (x *executor) complete(ctx context.Context, opt CompleteOptions) error {
	if x.run.State == Ready {
		rec, err := x.mayComplete(ctx, opt)
		if err != nil {
			return asRun("complete", x.run.Name, err)
		}
		if err := x.advance(ctx, change{to: Completing, receipt: rec}); err != nil {
			return err
		}
		x.run.Receipt = mustJSON(rec)
	} else if x.run.State == Failed {
		if err := x.advance(ctx, change{to: Completing}); err != nil {
			return err
		}
	}
	return x.contract(ctx)
}

// contract carries out the steps of complete. Until the first of them is committed the run can go back to
// ready; after it there is only the way forward.
func (x *executor) contract(ctx context.Context) error {
	var steps []plan.Step
	for _, s := range x.run.Plan.Steps {
		if s.Phase == plan.Contract {
			steps = append(steps, s)
		}
	}
	err := x.steps(ctx, steps)
	var failed *stepError
	if !errors.As(err, &failed) {
		if err == nil {
			err = x.dropImages(ctx)
		}
		if err != nil {
			return err
		}
		return x.finish(ctx)
	}
	if err := x.fail(ctx, failed.step, failed.err); err != nil {
		return err
	}
	back := Ready
	for _, s := range steps {
		if x.run.mayBeThere(s) {
			back = Failed
		}
	}
	out := &Error{Op: "complete", Run: x.run.Name, Step: failed.step.ID, Err: failed.err,
		Hint: "remove the cause and complete again"}
	if err := x.advance(ctx, change{to: back, cause: failed.err}); err != nil {
		return errors.Join(err, out)
	}
	return out
}

// mayComplete is the gate before what cannot be taken back: it asks for the proof that must be in the journal
// before the old shape goes, makes it, and returns the receipt that holds it.
func (x *executor) mayComplete(ctx context.Context, opt CompleteOptions) (Receipt, error) {
	if err := x.undrifted(ctx); err != nil {
		return Receipt{}, err
	}
	rec, err := x.receipt(ctx)
	if err != nil {
		return rec, err
	}
	if err := x.oldReadersGone(ctx, opt, &rec); err != nil {
		return rec, err
	}
	for _, s := range x.run.Plan.Steps {
		if s.Phase != plan.Contract && !x.run.finished(s.ID) {
			return rec, refuse(NoProof, "resume", "step %s is %s", s.ID, x.run.steps[s.ID].State)
		}
	}
	rejected, err := x.j.Rejected(ctx, x.run.ID, 0)
	if err != nil {
		return rec, err
	}
	open := 0
	for _, r := range rejected {
		if !r.Waived {
			open++
		}
	}
	if open > 0 {
		return rec, refuse(NoProof, "correct them and resume, or waive them",
			"%d rows could not be changed (replank.rejected)", open)
	}
	rec.Proofs = nil
	for _, s := range x.run.Plan.Steps {
		if s.Phase == plan.Contract || s.Kind != plan.Proof && (s.Fill == nil || !s.Fill.Kept) {
			continue
		}
		// The proof of back then does not speak for the rows written since.
		if err := x.proveAgain(ctx, s); err != nil {
			var wrong *ProofError
			if errors.As(err, &wrong) {
				return rec, &RefusedError{Code: NoProof, Reason: "the proof fails", Err: wrong,
					Advice: "something has written around the triggers (session_replication_role, DISABLE TRIGGER): correct the rows and complete again, or revert and apply again"}
			}
			return rec, err
		}
		now, err := x.e.now(ctx)
		if err != nil {
			return rec, err
		}
		rec.Proofs = append(rec.Proofs, Proof{Step: s.ID, What: s.Title, At: now})
	}
	return rec, nil
}

// proveAgain makes the proof of a step anew.
func (x *executor) proveAgain(ctx context.Context, s plan.Step) error {
	if s.Fill == nil {
		return x.prove(ctx, s)
	}
	rc, err := backfill.Prove(ctx, x.fill(s))
	if err != nil {
		return err
	}
	if rc.Left > rc.Waived {
		return &ProofError{Rows: rc.Left - rc.Waived, What: "both shapes of " + rc.Table + " are equal"}
	}
	return nil
}

// oldReadersGone asks for the waiting period, and for a person's word where something goes that old code can use.
func (x *executor) oldReadersGone(ctx context.Context, opt CompleteOptions, rec *Receipt) error {
	now, err := x.e.now(ctx)
	if err != nil {
		return err
	}
	var waited time.Duration
	if rec.ReadySince != nil {
		waited = now.Sub(*rec.ReadySince)
	}
	if waited < opt.Period {
		return refuse(OldReaders, "", "%s has been ready for %s, and the waiting period is %s", x.run.Name,
			waited.Round(time.Second), opt.Period)
	}
	var lost []string
	for _, s := range x.run.Plan.Steps {
		for _, what := range []string{s.Destroys, s.Ends} {
			if s.Phase == plan.Contract && what != "" {
				lost = append(lost, what)
			}
		}
	}
	var old *OldShape
	if opt.UnusedFor > 0 && x.run.hasOldShape() {
		if old, err = x.unused(ctx, opt.UnusedFor); err != nil {
			return err
		}
	}
	if len(lost) > 0 && !opt.NoOldReaders && old == nil {
		r := refuse(OldReaders, "when no deployed code uses it any more: --yes-no-old-readers; or have the live statements asked: --unused-for 7d",
			"complete takes away what old code may still use")
		r.Items = lost
		return r
	}
	rec.OldReaders = &NoReaders{Waited: waited.Seconds(), Asked: opt.Period.Seconds(), Unused: old}
	if opt.NoOldReaders {
		rec.OldReaders.SaidBy = x.e.requester()
	}
	if opt.unseen {
		rec.OldReaders.SaidBy = "replank: the same apply has made the tables"
	}
	return nil
}

// hasOldShape reports whether complete takes a shape away, and not only values of before.
func (r *run) hasOldShape() bool {
	return slices.ContainsFunc(r.Plan.Steps, func(s plan.Step) bool { return s.Phase == plan.Contract && len(s.SQL) > 0 && s.Kind != plan.Proof })
}

// shape fingerprints what a plan touches, object by object, as it is now.
func (e *Engine) shape(ctx context.Context, p *plan.Plan) (map[string]string, error) {
	shape := map[string]string{}
	touched, schema, err := e.touched(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, n := range touched {
		shape[n.String()] = schema.Hash([]ddl.Name{n})
	}
	return shape, nil
}

// touched reads the relations that a plan touches as they are now, without the rest of a large catalog.
func (e *Engine) touched(ctx context.Context, p *plan.Plan) ([]ddl.Name, *ddl.Schema, error) {
	names := relations(p.Touches)
	if len(names) == 0 {
		return nil, new(ddl.Schema), nil // no names would mean all
	}
	schema, err := e.load(ctx, catalog.Options{Relations: names, NoSizes: true, NoFacts: true})
	return names, schema, err
}

const acceptDrift = "drift"

// undrifted refuses when what the plan touches is not as the run left it, or as it was planned for.
func (x *executor) undrifted(ctx context.Context) error {
	before := receiptOf(x.run).Shape
	if slices.Contains(x.e.cfg.Accept, acceptDrift) {
		return nil
	}
	if x.run.State == Planned {
		touched, schema, err := x.e.touched(ctx, x.run.Plan)
		if err != nil {
			return err
		}
		var live []ddl.Name
		for _, n := range touched {
			if schema.Relation(n) != nil {
				live = append(live, n)
			}
		}
		if schema.Hash(live) != x.run.Plan.SchemaHash {
			return refuse(Drift, "apply again makes a new plan", "what %s touches has changed since it was planned", x.run.Name)
		}
		return nil
	}
	if before == nil {
		return nil
	}
	now, err := x.e.shape(ctx, x.run.Plan)
	if err != nil {
		return err
	}
	var changed []string
	for name, hash := range before {
		if now[name] != hash {
			changed = append(changed, name)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	slices.Sort(changed)
	r := refuse(Drift, "undo that change, or revert the migration and apply it again; --accept drift when it does no harm",
		"somebody else changed what %s touches", x.run.Name)
	r.Items = changed
	return r
}

func asRun(op, run string, err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &Error{Op: op, Run: run, Err: err}
}

func missingConsents(p *plan.Plan, accepted []string) []Consent {
	var out []Consent
	for _, c := range p.Consents {
		if !slices.Contains(accepted, c.Class) {
			out = append(out, Consent{p.Name, c})
		}
	}
	return out
}

// Waive accepts the rejected rows of a run as they are; then the run can go on.
func (e *Engine) Waive(ctx context.Context, name string, ids ...int64) error {
	j, err := e.openJournal(ctx)
	if err != nil {
		return asOp("waive", settle(ctx, err))
	}
	row, err := e.current(ctx, j, name)
	if err == nil {
		err = knowsRejected(ctx, j, row, ids)
	}
	if err == nil {
		err = j.Waive(ctx, row.ID, e.requester(), ids...)
	}
	return asRun("waive", name, err)
}

// knowsRejected refuses ids that are no rejected rows of a run: a person would believe them waived.
func knowsRejected(ctx context.Context, j *journal.Journal, row journal.Run, ids []int64) error {
	rejected, err := j.Rejected(ctx, row.ID, 0)
	if err != nil {
		return err
	}
	var unknown []string
	for _, id := range ids {
		if !slices.ContainsFunc(rejected, func(r journal.Rejected) bool { return r.ID == id }) {
			unknown = append(unknown, strconv.FormatInt(id, 10))
		}
	}
	if unknown == nil {
		return nil
	}
	return refuse(NotFound, "SELECT id, key, error FROM replank.rejected lists the rows that were set aside",
		"%s has no rejected row %s; nothing is waived", row.Name, strings.Join(unknown, ", "))
}

// current is the unfinished run of a name.
func (e *Engine) current(ctx context.Context, j *journal.Journal, name string) (journal.Run, error) {
	rows, err := j.Runs(ctx, journal.RunFilter{Name: name, Kind: Machine.Kind, Unfinished: true})
	if err != nil {
		return journal.Run{}, err
	}
	if len(rows) == 0 {
		return journal.Run{}, refuse(NotFound, "status lists them", "no run of %s is under way", orAny(name))
	}
	return rows[len(rows)-1], nil
}

func orAny(name string) string {
	if name == "" {
		return "any migration"
	}
	return fmt.Sprintf("migration %s", name)
}
