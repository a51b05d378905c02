package journal

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
)

// Run is one run as the journal has it. Times are the server's.
type Run struct {
	ID          int64
	Name        string
	Kind        string
	State       string
	Version     int
	PlanHash    string
	SchemaHash  string
	Intent      string
	IntentBy    string
	Receipt     json.RawMessage
	Error       string
	RequestedBy string
	CreatedAt   time.Time
	UpdatedAt   time.Time
	FinishedAt  *time.Time
}

// RunFilter chooses runs. The zero value is all of them.
type RunFilter struct {
	Name       string
	Kind       string
	Unfinished bool
	Limit      int // newest ones; 0: all
}

const runColumns = `id, name, kind, state, version, plan_hash, schema_hash, intent, intent_by, receipt, error,
	requested_by, created_at, updated_at, finished_at`

// Runs returns runs, oldest first. No journal means no runs.
func (j *Journal) Runs(ctx context.Context, f RunFilter) (runs []Run, err error) {
	err = j.ask(ctx, func(q pg.Querier) error {
		runs, err = readRuns(ctx, q, f)
		return err
	})
	return runs, err
}

// Run returns one run, by id.
func (j *Journal) Run(ctx context.Context, id int64) (r Run, err error) {
	if !j.Present() {
		return r, &AbsentError{}
	}
	err = j.ask(ctx, func(q pg.Querier) error {
		r, err = readRun(ctx, q, id)
		return err
	})
	return r, err
}

func readRuns(ctx context.Context, q pg.Querier, f RunFilter) ([]Run, error) {
	rows, err := q.Query(ctx, `SELECT * FROM (SELECT `+runColumns+` FROM replank.run
		WHERE ($1 = '' OR name = $1) AND ($2 = '' OR kind = $2) AND (NOT $3 OR finished_at IS NULL)
		ORDER BY id DESC LIMIT nullif($4::int, 0)) r ORDER BY id`, f.Name, f.Kind, f.Unfinished, f.Limit)
	if err != nil {
		return nil, wrap("read runs", err)
	}
	runs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Run])
	return runs, wrap("read runs", err)
}

func readRun(ctx context.Context, q pg.Querier, id int64) (Run, error) {
	rows, err := q.Query(ctx, `SELECT `+runColumns+` FROM replank.run WHERE id = $1`, id)
	if err != nil {
		return Run{}, wrap("read the run", err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Run])
	return r, wrap("read the run", err)
}

// Plan returns the plan of a run as it was stored, unredacted.
func (j *Journal) Plan(ctx context.Context, run int64) (plan json.RawMessage, err error) {
	err = j.ask(ctx, func(q pg.Querier) error {
		err := q.QueryRow(ctx, `SELECT plan FROM replank.plan WHERE run_id = $1`, run).Scan(&plan)
		return wrap("read the plan", err)
	})
	return plan, err
}

// Step is one step as the journal has it.
type Step struct {
	Run        int64
	Seq        int
	ID         string
	Phase      string
	Kind       string
	State      string
	Attempts   int
	StartedAt  *time.Time
	FinishedAt *time.Time
	Error      string
	Detail     json.RawMessage
}

// Steps returns the steps of a run in their order.
func (j *Journal) Steps(ctx context.Context, run int64) ([]Step, error) {
	return readAll[Step](ctx, j, `SELECT run_id, seq, id, phase, kind, state, attempts, started_at, finished_at, error, detail
		FROM replank.step WHERE run_id = $1 ORDER BY seq`, run)
}

// Event is one entry of the log.
type Event struct {
	ID     int64
	Run    *int64
	At     time.Time
	Kind   string
	Detail json.RawMessage
}

// Events returns the events of a run (0: all) after the given id, oldest first, limit at most.
func (j *Journal) Events(ctx context.Context, run, after int64, limit int) ([]Event, error) {
	return readAll[Event](ctx, j, `SELECT id, run_id, at, kind, detail FROM replank.event
		WHERE ($1::bigint = 0 OR run_id = $1) AND id > $2 ORDER BY id LIMIT $3`, run, after, limit)
}

// OwnEvents returns the events of one kind that belong to no run, oldest first.
func (j *Journal) OwnEvents(ctx context.Context, kind string) ([]Event, error) {
	return readAll[Event](ctx, j, `SELECT id, run_id, at, kind, detail FROM replank.event
		WHERE run_id IS NULL AND kind = $1 ORDER BY id`, kind)
}

// Ranges returns the ranges of a step.
func (j *Journal) Ranges(ctx context.Context, run int64, stepID string) ([]Range, error) {
	return readAll[Range](ctx, j, `SELECT run_id, step_id, slice, lo, hi, position, rows, state, epoch
		FROM replank.range WHERE run_id = $1 AND step_id = $2 ORDER BY slice`, run, stepID)
}

// Progress sums up the ranges of a step.
type Progress struct {
	StepID               string
	Pending, Dirty, Done int
	Rows                 int64
	UpdatedAt            time.Time
}

// Progress of all steps of a run that walk a table.
func (j *Journal) Progress(ctx context.Context, run int64) ([]Progress, error) {
	return readAll[Progress](ctx, j, `SELECT step_id, (count(*) FILTER (WHERE state = 'pending'))::int,
		(count(*) FILTER (WHERE state = 'dirty'))::int, (count(*) FILTER (WHERE state = 'done'))::int,
		sum(rows)::bigint, max(updated_at) FROM replank.range WHERE run_id = $1 GROUP BY step_id ORDER BY step_id`, run)
}

// Rejected returns the rejected rows of a run, limit at most (0: all).
func (j *Journal) Rejected(ctx context.Context, run int64, limit int) ([]Rejected, error) {
	return readAll[Rejected](ctx, j, `SELECT id, run_id, step_id, key, error, sqlstate, waived
		FROM replank.rejected WHERE run_id = $1 ORDER BY id LIMIT nullif($2::int, 0)`, run, limit)
}

// Migrations returns the applied files in the order of the history.
func (j *Journal) Migrations(ctx context.Context) ([]Migration, error) {
	return readAll[Migration](ctx, j, `SELECT name, checksum, position, coalesce(run_id, 0), baseline, applied_at
		FROM replank.migration ORDER BY position, name`)
}

// Holder returns who holds a lease, nil when nobody does.
func (j *Journal) Holder(ctx context.Context, name string) (held *HeldError, err error) {
	err = j.ask(ctx, func(q pg.Querier) error {
		l := &Lease{j: j, name: name}
		held, err = l.holder(ctx, q, "")
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return wrap("look at the lease "+name, err)
	})
	return held, err
}

// ask does nothing where there is no journal.
func (j *Journal) ask(ctx context.Context, f func(pg.Querier) error) error {
	if !j.Present() {
		return nil
	}
	return j.db.Ask(ctx, f)
}

func readAll[T any](ctx context.Context, j *Journal, sql string, args ...any) (all []T, err error) {
	err = j.ask(ctx, func(q pg.Querier) error {
		rows, err := q.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[T])
		return err
	})
	return all, wrap("read the journal", err)
}
