package journal

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
)

//go:embed advance.sql
var advanceSQL string

//go:embed setstep.sql
var setStepSQL string

//go:embed saverange.sql
var saveRangeSQL string

// NewRun is what a run starts with.
type NewRun struct {
	Name        string
	Plan        any // stored as JSON, with its literals
	PlanHash    string
	SchemaHash  string
	RequestedBy string
	Steps       []NewStep
}

// NewStep is one step of a new run, in its order.
type NewStep struct{ ID, Phase, Kind string }

// CreateRun writes a run in the start state of its machine, its plan and its steps.
func (l *Lease) CreateRun(ctx context.Context, tx pgx.Tx, m Machine, n NewRun) (Run, error) {
	if err := l.Guard(ctx, tx); err != nil {
		return Run{}, err
	}
	plan, err := asJSON(n.Plan)
	if err != nil {
		return Run{}, wrap("encode the plan", err)
	}
	start, _ := m.State(m.Start())
	var id int64
	err = tx.QueryRow(ctx, `INSERT INTO replank.run (name, kind, state, plan_hash, schema_hash, requested_by, finished_at)
		VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $7 THEN clock_timestamp() END) RETURNING id`,
		n.Name, m.Kind, start.Name, n.PlanHash, n.SchemaHash, n.RequestedBy, start.Finished).Scan(&id)
	if err != nil {
		return Run{}, wrap("create run "+n.Name, err)
	}
	if plan != nil {
		if _, err := tx.Exec(ctx, `INSERT INTO replank.plan (run_id, plan) VALUES ($1, $2::jsonb)`, id, *plan); err != nil {
			return Run{}, wrap("store the plan", err)
		}
	}
	if err := addSteps(ctx, tx, id, n.Steps); err != nil {
		return Run{}, err
	}
	err = AddEvent(ctx, tx, id, "created", map[string]any{"to": start.Name, "epoch": l.epoch, "by": n.RequestedBy})
	if err != nil {
		return Run{}, err
	}
	return readRun(ctx, tx, id)
}

func addSteps(ctx context.Context, tx pgx.Tx, run int64, steps []NewStep) error {
	var ids, phases, kinds []string
	for _, s := range steps {
		ids, phases, kinds = append(ids, s.ID), append(phases, s.Phase), append(kinds, s.Kind)
	}
	_, err := tx.Exec(ctx, `INSERT INTO replank.step (run_id, seq, id, phase, kind)
		SELECT $1, ord, id, phase, kind
		FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS s(id, phase, kind, ord)`,
		run, ids, phases, kinds)
	return wrap("store the steps", err)
}

// Change is one step of a run through its machine.
type Change struct {
	Run     int64
	Version int // of the run as it was read
	From    string
	To      string
	Error   string // why, when it failed; redacted by the caller's errors. Default: ""
	Receipt any    // stored with the run when not nil. Default: nil
	Detail  any    // for the event. Default: nil
}

// Advance moves a run along an edge of its machine and returns its new
// version. It is the only writer of run.state. An *EdgeError is a bug of the
// caller; ErrLost means stop.
func (l *Lease) Advance(ctx context.Context, tx pgx.Tx, m Machine, c Change) (version int, err error) {
	to, listed := m.State(c.To)
	if !listed || !m.Can(c.From, c.To) {
		return 0, &EdgeError{Kind: m.Kind, From: c.From, To: c.To}
	}
	receipt, err1 := asJSON(c.Receipt)
	detail, err2 := asJSON(c.Detail)
	if err := errors.Join(err1, err2); err != nil {
		return 0, wrap("encode the receipt", err)
	}
	err = tx.QueryRow(ctx, advanceSQL, l.name, l.token, l.epoch, c.Run, c.Version, c.From, c.To, to.Finished,
		c.Error, receipt, detail).Scan(&version)
	if errors.Is(err, pgx.ErrNoRows) {
		what := fmt.Sprintf("run %d: %s -> %s", c.Run, c.From, c.To)
		return 0, l.whyLost(ctx, tx, what, fmt.Sprintf(`SELECT format('it is %%s in version %%s', state, version)
			FROM replank.run WHERE id = %d`, c.Run))
	}
	return version, wrap(fmt.Sprintf("advance run %d to %s", c.Run, c.To), err)
}

// whyLost finds out for the reader of the error what was not as expected.
func (l *Lease) whyLost(ctx context.Context, tx pgx.Tx, what, found string) error {
	var lost *LostError
	if err := l.Guard(ctx, tx); errors.As(err, &lost) {
		return &LostError{What: what, Reason: "lease " + l.name + ": " + lost.Reason}
	} else if err != nil {
		return err
	}
	reason := "it is not there"
	if err := tx.QueryRow(ctx, found).Scan(&reason); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return wrap(what, err)
	}
	return &LostError{What: what, Reason: reason}
}

// StepChange is a change of one step.
type StepChange struct {
	Run    int64
	Seq    int
	From   string
	To     string
	Error  string // Default: ""
	Detail any    // replaces the detail of the step when not nil. Default: nil
}

// SetStep changes the state of a step in the transaction of its work and
// returns how often the step has been started.
func (l *Lease) SetStep(ctx context.Context, tx pgx.Tx, c StepChange) (attempts int, err error) {
	if !slices.Contains(stepEdges[c.From], c.To) {
		return 0, &EdgeError{Kind: "step", From: c.From, To: c.To}
	}
	detail, err := asJSON(c.Detail)
	if err != nil {
		return 0, wrap("encode the detail", err)
	}
	err = tx.QueryRow(ctx, setStepSQL, l.name, l.token, l.epoch, c.Run, c.Seq, c.From, c.To, c.Error, detail).Scan(&attempts)
	if errors.Is(err, pgx.ErrNoRows) {
		what := fmt.Sprintf("run %d step %d: %s -> %s", c.Run, c.Seq, c.From, c.To)
		return 0, l.whyLost(ctx, tx, what, fmt.Sprintf(`SELECT 'it is ' || state
			FROM replank.step WHERE run_id = %d AND seq = %d`, c.Run, c.Seq))
	}
	return attempts, wrap(fmt.Sprintf("set step %d of run %d to %s", c.Seq, c.Run, c.To), err)
}

// Range is one slice of a table that a step walks. Lo, Hi and Position are
// JSON that only the walker understands.
type Range struct {
	Run      int64
	StepID   string
	Slice    int
	Lo       json.RawMessage
	Hi       json.RawMessage
	Position json.RawMessage
	Rows     int64
	State    string // pending, dirty or done
	Epoch    int64
}

// SaveRange writes a range, new or known, in the transaction that changed its
// rows. Rows is the number so far, not what is added.
func (l *Lease) SaveRange(ctx context.Context, tx pgx.Tx, r Range) error {
	tag, err := tx.Exec(ctx, saveRangeSQL, l.name, l.token, l.epoch, r.Run, r.StepID, r.Slice,
		rawJSON(r.Lo), rawJSON(r.Hi), rawJSON(r.Position), r.Rows, r.State)
	if err != nil {
		return wrap(fmt.Sprintf("save range %d of run %d step %s", r.Slice, r.Run, r.StepID), err)
	}
	if tag.RowsAffected() == 0 {
		what := fmt.Sprintf("run %d step %s range %d", r.Run, r.StepID, r.Slice)
		return l.whyLost(ctx, tx, what, fmt.Sprintf(`SELECT 'a later epoch (' || epoch || ') has written it'
			FROM replank.range WHERE run_id = %d AND step_id = %s AND slice = %d`, r.Run, pg.Literal(r.StepID), r.Slice))
	}
	return nil
}

// ForgetRanges makes a step's walk begin anew: its rows were given back, or have to be looked at once more.
func (l *Lease) ForgetRanges(ctx context.Context, tx pgx.Tx, run int64, stepID string) error {
	if err := l.Guard(ctx, tx); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM replank.range WHERE run_id = $1 AND step_id = $2`, run, stepID)
	return wrap("forget the ranges of a step", err)
}

// Rejected is a row that could not be changed; it holds the gate shut until it
// is fixed or waived.
type Rejected struct {
	ID       int64
	Run      int64
	StepID   string
	Key      json.RawMessage
	Error    string
	SQLState string
	Waived   bool
}

// Reject records a row that failed. A row that fails again keeps its waiver.
func (l *Lease) Reject(ctx context.Context, tx pgx.Tx, r Rejected) error {
	if err := l.Guard(ctx, tx); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO replank.rejected (run_id, step_id, key, error, sqlstate)
		VALUES ($1, $2, $3::jsonb, $4, $5) ON CONFLICT (run_id, step_id, md5(key::text))
		DO UPDATE SET error = excluded.error, sqlstate = excluded.sqlstate, at = clock_timestamp()`,
		r.Run, r.StepID, string(r.Key), r.Error, r.SQLState)
	return wrap("record a rejected row", err)
}

// ForgetRejected removes the rejected rows of a step whose work was taken back: none of them is waited for any more.
// What a person has waived stays waived, should the step be done once more.
func (l *Lease) ForgetRejected(ctx context.Context, tx pgx.Tx, run int64, stepID string) error {
	if err := l.Guard(ctx, tx); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM replank.rejected WHERE run_id = $1 AND step_id = $2 AND NOT waived`, run, stepID)
	return wrap("forget the rejected rows of a step", err)
}

// Unreject removes rejected rows that were changed after all.
func (l *Lease) Unreject(ctx context.Context, tx pgx.Tx, ids ...int64) error {
	if err := l.Guard(ctx, tx); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM replank.rejected WHERE id = ANY($1)`, ids)
	return wrap("remove rejected rows", err)
}

// Migration is one file that the database has.
type Migration struct {
	Name     string
	Checksum string
	Position int64 // in the order of the history
	Run      int64 // 0: none
	Baseline bool
	// AppliedAt is when it was recorded, by the server's clock; RecordMigrations does not ask for it.
	AppliedAt time.Time
}

// RecordMigrations adds applied files, in the transaction that makes them so.
func (l *Lease) RecordMigrations(ctx context.Context, tx pgx.Tx, ms ...Migration) error {
	if err := l.Guard(ctx, tx); err != nil {
		return err
	}
	var names, sums []string
	var positions, runs []int64
	var baselines []bool
	for _, m := range ms {
		names, sums, positions = append(names, m.Name), append(sums, m.Checksum), append(positions, m.Position)
		runs, baselines = append(runs, m.Run), append(baselines, m.Baseline)
	}
	_, err := tx.Exec(ctx, `INSERT INTO replank.migration (name, checksum, position, run_id, baseline)
		SELECT n, c, p, nullif(r, 0), b
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bool[]) AS m(n, c, p, r, b)`,
		names, sums, positions, runs, baselines)
	return wrap("record applied migrations", err)
}

// RemoveMigration takes a file off the list, when it was reverted.
func (l *Lease) RemoveMigration(ctx context.Context, tx pgx.Tx, name string) error {
	if err := l.Guard(ctx, tx); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM replank.migration WHERE name = $1`, name)
	return wrap("remove migration "+name, err)
}

// AddEvent writes to the log of a run (0: of the database). Details must be
// redacted already.
func AddEvent(ctx context.Context, q pg.Querier, run int64, kind string, detail any) error {
	d, err := asJSON(detail)
	if err == nil {
		_, err = q.Exec(ctx, `INSERT INTO replank.event (run_id, kind, detail)
			VALUES (nullif($1::bigint, 0), $2, $3::jsonb)`, run, kind, d)
	}
	return wrap("write the event "+kind, err)
}

// Intents of an operator. An executor reads them at every safe point.
const (
	IntentNone   = ""
	IntentPause  = "pause"
	IntentCancel = "cancel"
)

// SetIntent asks the executor of a run for something. It changes no state, so
// it needs no lease.
func (j *Journal) SetIntent(ctx context.Context, run int64, intent, by string) error {
	if err := j.ready(); err != nil {
		return err
	}
	return j.db.Ask(ctx, func(q pg.Querier) error {
		tag, err := q.Exec(ctx, `WITH asked AS (
				UPDATE replank.run SET intent = $2, intent_by = $3, updated_at = clock_timestamp()
				WHERE id = $1 AND finished_at IS NULL RETURNING id)
			INSERT INTO replank.event (run_id, kind, detail)
			SELECT id, 'intent', jsonb_build_object('intent', $2::text, 'by', $3::text) FROM asked`, run, intent, by)
		if err == nil && tag.RowsAffected() == 0 {
			err = errors.New("there is no such unfinished run")
		}
		return wrap(fmt.Sprintf("ask run %d for %q", run, intent), err)
	})
}

// Waive accepts rejected rows as they are.
func (j *Journal) Waive(ctx context.Context, run int64, by string, ids ...int64) error {
	if err := j.ready(); err != nil {
		return err
	}
	return j.db.Ask(ctx, func(q pg.Querier) error {
		_, err := q.Exec(ctx, `WITH w AS (
				UPDATE replank.rejected SET waived = true WHERE run_id = $1 AND id = ANY($2) AND NOT waived RETURNING id)
			INSERT INTO replank.event (run_id, kind, detail)
			SELECT $1, 'waived', jsonb_build_object('by', $3::text, 'rows', count(*)) FROM w HAVING count(*) > 0`, run, ids, by)
		return wrap("waive rejected rows", err)
	})
}

func asJSON(v any) (*string, error) {
	if v == nil {
		return nil, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	s := string(b)
	return &s, nil
}

func rawJSON(r json.RawMessage) *string {
	if r == nil {
		return nil
	}
	s := string(r)
	return &s
}
