package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/plan"
)

// run is one run as the journal has it, and how its executor moves it on.
type run struct {
	journal.Run
	State State
	Plan  *plan.Plan
	steps map[string]journal.Step // by ID
}

// begun reports whether a step was ever marked running or done.
func (r *run) begun(id string) bool { return r.steps[id].State != journal.StepPending }

// finished reports whether there is nothing left to do for a step on the way forward.
func (r *run) finished(id string) bool {
	s := r.steps[id].State
	return s == journal.StepDone || s == journal.StepSkipped
}

// touched reports whether any step has left, or may have left, something to take back.
func (r *run) touched() bool {
	for _, s := range r.Plan.Steps {
		if r.mayBeThere(s) {
			return true
		}
	}
	return false
}

// mayBeThere reports whether a step has, or may have, an effect that a revert takes back.
func (r *run) mayBeThere(s plan.Step) bool {
	// What complete has taken away is not there any more.
	return r.acted(s) && !(s.Temporary && r.contracted())
}

// acted reports whether a step has, or may have, done something. What PostgreSQL did in a transaction is there
// exactly when the journal says so; a statement outside of one, and a fill, may have got somewhere as soon as they
// were begun. A skipped step's effect is not ours, and a statement that failed and leaves nothing half done has none.
func (r *run) acted(s plan.Step) bool {
	state := r.steps[s.ID].State
	switch s.Kind {
	case plan.Transaction, plan.Validate, plan.Long:
		return state == journal.StepDone
	case plan.Script:
		if s.Code != nil && !s.Code.Atomic && !s.Code.Nothing {
			return state == journal.StepDone || state == journal.StepRunning || state == journal.StepFailed || state == journal.StepReversing
		}
		return state == journal.StepDone
	case plan.Concurrently, plan.Rows:
		if state == journal.StepFailed && wholeOrNothing(s) {
			return false
		}
		return state == journal.StepDone || state == journal.StepRunning || state == journal.StepFailed ||
			state == journal.StepReversing
	}
	return false
}

// wholeOrNothing reports whether a statement outside of a transaction leaves nothing behind when it fails (CREATE
// DATABASE, ALTER SYSTEM): those that commit in between have a probe or a clean-up.
func wholeOrNothing(s plan.Step) bool {
	return s.Kind == plan.Concurrently && s.Probe == "" && s.CleanupIf == "" && s.CleanupQuery == ""
}

// contracted reports whether complete has got anywhere: a part of the old shape has gone, or had.
func (r *run) contracted() bool {
	for _, s := range r.Plan.Steps {
		if s.Phase == plan.Contract && (r.acted(s) || r.steps[s.ID].State == journal.StepReversed) {
			return true
		}
	}
	return false
}

// whole reports whether every step of the phases that apply carries out is done, and with contract those of complete.
func (r *run) whole(contract bool) bool {
	for _, s := range r.Plan.Steps {
		if (contract || s.Phase != plan.Contract) && !r.finished(s.ID) {
			return false
		}
	}
	return true
}

// wasDone reports whether the run was done once. The literals of its statements are forgotten since.
func (r *run) wasDone() bool { return receiptOf(r).DoneAt != nil }

func (e *Engine) openJournal(ctx context.Context) (*journal.Journal, error) {
	return journal.Open(ctx, e.db, journal.Config{Owner: e.cfg.Owner, LeaseFor: e.leaseFor, Logger: e.cfg.Logger})
}

// readRun reads a run with its plan and steps.
func readRun(ctx context.Context, j *journal.Journal, row journal.Run) (*run, error) {
	r := &run{Run: row, State: State(row.State), steps: map[string]journal.Step{}}
	raw, err := j.Plan(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	if r.Plan, err = decodePlan(raw); err != nil {
		return nil, fmt.Errorf("read the plan of %s: %w", row.Name, err)
	}
	steps, err := j.Steps(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		r.steps[s.ID] = s
	}
	for _, s := range r.Plan.Steps {
		if _, ok := r.steps[s.ID]; !ok {
			return nil, fmt.Errorf("the journal lacks step %s of %s", s.ID, row.Name)
		}
	}
	return r, nil
}

func decodePlan(raw json.RawMessage) (*plan.Plan, error) {
	p := new(plan.Plan)
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, err
	}
	if p.Format > plan.Format {
		return nil, refuse(NewerJournal, "use the newer replank", "the plan was made by a newer replank (format %d, this one knows %d)",
			p.Format, plan.Format)
	}
	return p, nil
}

// knownRun is what the journal knows about an applied file.
type knownRun struct {
	State    State
	Checksum string
	Run      int64
	Position int64
	Baseline bool
	// AppliedAt is when it was begun, by the server's clock.
	AppliedAt time.Time
}

// latestRuns are the files that the journal counts as applied or under way, by name. It reads two short
// columns of finished ones, so that ten thousand of them take no time.
func (e *Engine) latestRuns(ctx context.Context, j *journal.Journal) (map[string]knownRun, error) {
	ms, err := j.Migrations(ctx)
	if err != nil {
		return nil, err
	}
	open, err := j.Runs(ctx, journal.RunFilter{Kind: Machine.Kind, Unfinished: true})
	if err != nil {
		return nil, err
	}
	states := make(map[int64]State, len(open))
	for _, r := range open {
		states[r.ID] = State(r.State)
	}
	known := make(map[string]knownRun, len(ms))
	for _, m := range ms {
		k := knownRun{State: Done, Checksum: m.Checksum, Run: m.Run, Position: m.Position, Baseline: m.Baseline, AppliedAt: m.AppliedAt}
		if s, unfinished := states[m.Run]; unfinished {
			k.State = s
		}
		known[m.Name] = k
	}
	return known, nil
}

// unfinished are the runs that are neither done nor reverted, oldest first.
func (e *Engine) unfinished(ctx context.Context, j *journal.Journal) ([]*run, error) {
	rows, err := j.Runs(ctx, journal.RunFilter{Kind: Machine.Kind, Unfinished: true})
	if err != nil {
		return nil, err
	}
	runs := make([]*run, 0, len(rows))
	for _, row := range rows {
		r, err := readRun(ctx, j, row)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	return runs, nil
}

// holdings are the unfinished runs as what they keep for themselves.
func holdings(runs []*run) []holding {
	out := make([]holding, len(runs))
	for i, r := range runs {
		out[i] = holding{r.Name, r.Plan.Touches, r.Plan.Hides()}
	}
	return out
}

// create writes a run, its plan and its steps, and counts the file among those that were applied: whoever
// comes next must not begin it again.
func (x *executor) create(ctx context.Context, p *plan.Plan, position int64) error {
	steps := make([]journal.NewStep, len(p.Steps))
	for i, s := range p.Steps {
		steps[i] = journal.NewStep{ID: s.ID, Phase: string(s.Phase), Kind: string(s.Kind)}
	}
	var row journal.Run
	err := x.mark(ctx, func(tx pgx.Tx) (err error) {
		row, err = x.lease.CreateRun(ctx, tx, Machine, journal.NewRun{
			Name: p.Name, Plan: p, PlanHash: p.Checksum, SchemaHash: p.SchemaHash,
			RequestedBy: x.e.requester(), Steps: steps,
		})
		if err != nil {
			return err
		}
		return x.lease.RecordMigrations(ctx, tx, journal.Migration{
			Name: p.Name, Checksum: p.Checksum, Position: position, Run: row.ID})
	})
	if err != nil {
		return err
	}
	x.run, err = readRun(ctx, x.j, row)
	if err == nil {
		x.entered(Planned)
	}
	return err
}

func (e *Engine) requester() string {
	if e.cfg.Requester != "" {
		return e.cfg.Requester
	}
	return e.db.Server().User
}

// mark runs a short transaction on the journal.
func (x *executor) mark(ctx context.Context, fn func(pgx.Tx) error) error {
	return x.sess.Tx(ctx, pg.TxOptions{}, fn)
}

// change is a change of state.
type change struct {
	to      State
	cause   error // why, when it is not as planned
	receipt any
	detail  any
	also    func(pgx.Tx) error // in the same transaction
}

// advance moves the run to another state.
func (x *executor) advance(ctx context.Context, c change) error {
	x.statePoint("leaving")
	text := ""
	if c.cause != nil {
		text = errorText(c.cause)
	}
	version := 0
	err := x.mark(ctx, func(tx pgx.Tx) (err error) {
		version, err = x.lease.Advance(ctx, tx, Machine, journal.Change{
			Run: x.run.ID, Version: x.run.Version, From: string(x.run.State), To: string(c.to),
			Error: text, Receipt: c.receipt, Detail: c.detail,
		})
		if err == nil && c.also != nil {
			err = c.also(tx)
		}
		return err
	})
	if err != nil {
		return err
	}
	x.run.Version, x.run.Error = version, text
	x.entered(c.to)
	return nil
}

// entered is called when a change of state is durable.
func (x *executor) entered(s State) {
	x.run.State = s
	x.statePoint("entered")
	x.e.event(Event{Kind: EventState, Run: x.run.Name, State: s, Text: x.run.Error})
}

// setStep writes a step's state in tx. The copy in memory follows only when the transaction is committed.
func (x *executor) setStep(ctx context.Context, tx pgx.Tx, s plan.Step, to, text string, detail any) error {
	was := x.run.steps[s.ID]
	_, err := x.lease.SetStep(ctx, tx, journal.StepChange{
		Run: x.run.ID, Seq: was.Seq, From: was.State, To: to, Error: text, Detail: detail})
	return err
}

func (x *executor) remember(s plan.Step, state string) {
	st := x.run.steps[s.ID]
	st.State = state
	x.run.steps[s.ID] = st
}

// start marks a step running, which says to whoever resumes that it may have had an effect.
func (x *executor) start(ctx context.Context, s plan.Step) error {
	err := x.mark(ctx, func(tx pgx.Tx) error { return x.setStep(ctx, tx, s, journal.StepRunning, "", nil) })
	if err == nil {
		x.remember(s, journal.StepRunning)
	}
	return err
}

// doneState is that of a step which is carried out.
func doneState(ev evidence) string {
	if ev.Found {
		return journal.StepSkipped
	}
	return journal.StepDone
}

// fail marks a step failed. Where that is no mere remark for people, it is left out, and the run's error says why.
func (x *executor) fail(ctx context.Context, s plan.Step, cause error) error {
	switch was := x.run.steps[s.ID]; {
	case was.State == journal.StepReversing:
		return nil
	case was.State == journal.StepRunning && was.Attempts > 0 && wholeOrNothing(s):
		return nil // whoever tried it before did not live to hear whether it worked
	}
	err := x.mark(ctx, func(tx pgx.Tx) error {
		if was := x.run.steps[s.ID].State; was == journal.StepPending || was == journal.StepFailed {
			if err := x.setStep(ctx, tx, s, journal.StepRunning, "", nil); err != nil {
				return err
			}
			_, err := x.lease.SetStep(ctx, tx, journal.StepChange{Run: x.run.ID, Seq: x.run.steps[s.ID].Seq,
				From: journal.StepRunning, To: journal.StepFailed, Error: errorText(cause)})
			return err
		}
		return x.setStep(ctx, tx, s, journal.StepFailed, errorText(cause), nil)
	})
	if err == nil {
		x.remember(s, journal.StepFailed)
	}
	return err
}

// errorText is an error as the journal may show it to everybody: without what the server says about values of rows,
// which are quoted in messages of class 22.
func errorText(err error) string {
	s := err.Error()
	var p *pgconn.PgError
	if errors.As(err, &p) && strings.HasPrefix(p.Code, "22") {
		s = strings.ReplaceAll(s, p.Error(), pg.Condition(p))
	}
	return s
}

// Receipt is the evidence of a run, kept in the journal.
type Receipt struct {
	RequestedBy string     `json:"requested_by,omitempty"`
	Database    string     `json:"database,omitempty"`
	Server      int        `json:"server,omitempty"`
	ReadySince  *time.Time `json:"ready_since,omitempty"`
	DoneAt      *time.Time `json:"done_at,omitempty"`
	RevertedAt  *time.Time `json:"reverted_at,omitempty"`
	// Accepted are the consents that the plan needed, Given all classes that were given to those who carried it out.
	Accepted   []string      `json:"accepted,omitempty"`
	Given      []string      `json:"given,omitempty"`
	OldReaders *NoReaders    `json:"old_readers,omitempty"`
	Proofs     []Proof       `json:"proofs,omitempty"`
	Steps      []StepReceipt `json:"steps,omitempty"`
	// Shape are the fingerprints of what the run touches, as it left them when it became ready.
	Shape map[string]string `json:"shape,omitempty"`
}

// NoReaders is the evidence that nobody reads the old shape any more.
type NoReaders struct {
	SaidBy string  `json:"said_by"`        // who gave --yes-no-old-readers; "" = nobody
	Waited float64 `json:"waited_seconds"` // between ready and complete
	Asked  float64 `json:"asked_seconds"`  // the waiting period that was asked for
	// Unused is what the live statements said, where they were asked (--unused-for).
	Unused *OldShape `json:"unused,omitempty"`
}

// Proof is a proof that was repeated before the old shape went.
type Proof struct {
	Step string    `json:"step"`
	What string    `json:"what"`
	At   time.Time `json:"at"`
}

// StepReceipt is what is known about one step.
type StepReceipt struct {
	ID       string          `json:"id"`
	Title    string          `json:"title"`
	State    string          `json:"state"`
	Attempts int             `json:"attempts,omitempty"`
	Started  *time.Time      `json:"started,omitempty"`
	Finished *time.Time      `json:"finished,omitempty"`
	Evidence json.RawMessage `json:"evidence,omitempty"`
}

// receiptOf reads the receipt that a run has so far.
func receiptOf(r *run) Receipt {
	var rec Receipt
	if len(r.Receipt) > 0 {
		_ = json.Unmarshal(r.Receipt, &rec) // one that cannot be read is written anew
	}
	return rec
}

// receipt brings the receipt of the run up to date.
func (x *executor) receipt(ctx context.Context) (Receipt, error) {
	rec := receiptOf(x.run)
	sv := x.e.db.Server()
	rec.RequestedBy, rec.Database, rec.Server = x.run.RequestedBy, sv.Database, sv.VersionNum
	rec.Accepted = nil
	for _, c := range x.run.Plan.Consents {
		rec.Accepted = append(rec.Accepted, c.Class+": "+c.Reason)
	}
	given := slices.Concat(rec.Given, x.e.cfg.Accept)
	slices.Sort(given)
	rec.Given = slices.Compact(given)
	steps, err := x.j.Steps(ctx, x.run.ID)
	if err != nil {
		return rec, err
	}
	titles := map[string]string{}
	for _, s := range x.run.Plan.Steps {
		titles[s.ID] = s.Title
	}
	rec.Steps = nil
	for _, s := range steps {
		rec.Steps = append(rec.Steps, StepReceipt{ID: s.ID, Title: pg.Redact(titles[s.ID]), State: s.State,
			Attempts: s.Attempts, Started: s.StartedAt, Finished: s.FinishedAt, Evidence: s.Detail})
	}
	return rec, nil
}

// now is the server's clock: what is compared between processes is never ours.
func (e *Engine) now(ctx context.Context) (t time.Time, err error) {
	err = e.db.Ask(ctx, func(q pg.Querier) error { return q.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&t) })
	return t, err
}
