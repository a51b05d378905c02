package migrate

import (
	"context"
	"slices"
	"time"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/plan"
)

// Status is what the journal knows, without asking any table.
type Status struct {
	// Installed is false where there is no journal: nothing was ever applied.
	Installed bool `json:"installed"`
	// Executor is who is at work, "" when nobody is.
	Executor string `json:"executor,omitempty"`
	// Applied counts the files that are done; Baseline those among them that were taken over.
	Applied  int `json:"applied"`
	Baseline int `json:"baseline"`
	// Runs are those that are neither done nor reverted, oldest first.
	Runs []RunStatus `json:"runs"`
	// Last are the latest finished runs, newest first.
	Last []RunStatus `json:"last"`
}

// RunStatus is one run.
type RunStatus struct {
	Name        string       `json:"name"`
	State       State        `json:"state"`
	Paused      bool         `json:"paused,omitempty"`
	PausedBy    string       `json:"paused_by,omitempty"`
	Error       string       `json:"error,omitempty"`
	Hint        string       `json:"hint,omitempty"` // of a failed run: what a person can do
	RequestedBy string       `json:"requested_by,omitempty"`
	Created     time.Time    `json:"created"`
	Updated     time.Time    `json:"updated"`
	Finished    *time.Time   `json:"finished,omitempty"`
	Steps       []StepStatus `json:"steps,omitempty"`
	Rejected    int          `json:"rejected,omitempty"` // rows that hold the gate shut
	// OldShape says who still uses the old shape, where complete --unused-for has asked.
	OldShape *OldShape `json:"old_shape,omitempty"`
}

// StepStatus is one step of a run.
type StepStatus struct {
	ID       string     `json:"id"`
	Title    string     `json:"title"`
	Phase    plan.Phase `json:"phase"`
	State    string     `json:"state"`
	Attempts int        `json:"attempts,omitempty"`
	Error    string     `json:"error,omitempty"`
	Rows     int64      `json:"rows,omitempty"`
	Total    int64      `json:"rows_estimate,omitempty"` // as the plan estimated it
	// Seconds are how long it took, from its beginning to its end.
	Seconds float64 `json:"took_seconds,omitempty"`
}

// AtRest reports whether nothing is under way: what a pipeline's gate asks.
func (s *Status) AtRest() bool {
	return !slices.ContainsFunc(s.Runs, func(r RunStatus) bool { return r.State != Ready })
}

// lastRuns is how many finished runs status shows.
const lastRuns = 10

// Status reads the journal. It writes nothing and needs none to be there.
func (e *Engine) Status(ctx context.Context) (*Status, error) {
	j, err := e.openJournal(ctx)
	if err != nil {
		return nil, asOp("status", settle(ctx, err))
	}
	st := &Status{Installed: j.Present(), Runs: []RunStatus{}, Last: []RunStatus{}}
	if !st.Installed {
		return st, nil
	}
	if err := e.status(ctx, j, st); err != nil {
		return nil, asOp("status", settle(ctx, err))
	}
	return st, nil
}

func (e *Engine) status(ctx context.Context, j *journal.Journal, st *Status) error {
	held, err := j.Holder(ctx, leaseName)
	if err != nil {
		return err
	}
	if held != nil {
		st.Executor = held.Holder
	}
	known, err := e.latestRuns(ctx, j)
	if err != nil {
		return err
	}
	for _, k := range known {
		if k.State == Done {
			st.Applied++
		}
		if k.Baseline {
			st.Baseline++
		}
	}
	runs, err := e.unfinished(ctx, j)
	if err != nil {
		return err
	}
	shapes, err := e.oldShapes(ctx, j, runs)
	if err != nil {
		return err
	}
	for _, r := range runs {
		rs, err := runStatus(ctx, j, r)
		if err != nil {
			return err
		}
		if r.State == Ready {
			rs.OldShape = shapes[r.ID]
		}
		st.Runs = append(st.Runs, rs)
	}
	rows, err := j.Runs(ctx, journal.RunFilter{Kind: Machine.Kind, Limit: lastRuns + len(runs)})
	if err != nil {
		return err
	}
	for _, row := range slices.Backward(rows) {
		if row.FinishedAt != nil && len(st.Last) < lastRuns {
			st.Last = append(st.Last, rowStatus(row))
		}
	}
	return nil
}

func rowStatus(row journal.Run) RunStatus {
	rs := RunStatus{Name: row.Name, State: State(row.State), Error: row.Error, RequestedBy: row.RequestedBy,
		Created: row.CreatedAt, Updated: row.UpdatedAt, Finished: row.FinishedAt,
		Paused: row.Intent == journal.IntentPause}
	if rs.Paused {
		rs.PausedBy = row.IntentBy
	}
	return rs
}

func runStatus(ctx context.Context, j *journal.Journal, r *run) (RunStatus, error) {
	rs := rowStatus(r.Run)
	if r.State == Failed {
		rs.Hint = r.afterFailure()
	}
	progress, err := j.Progress(ctx, r.ID)
	if err != nil {
		return rs, err
	}
	rejected, err := j.Rejected(ctx, r.ID, 0)
	if err != nil {
		return rs, err
	}
	for _, x := range rejected {
		if !x.Waived {
			rs.Rejected++
		}
	}
	for _, s := range r.Plan.Steps {
		row := r.steps[s.ID]
		ss := StepStatus{ID: s.ID, Title: pg.Redact(s.Title), Phase: s.Phase, State: row.State,
			Attempts: row.Attempts, Error: row.Error, Total: s.Rows}
		if row.StartedAt != nil && row.FinishedAt != nil {
			ss.Seconds = row.FinishedAt.Sub(*row.StartedAt).Seconds()
		}
		for _, p := range progress {
			if p.StepID == s.ID {
				ss.Rows = p.Rows
			}
		}
		rs.Steps = append(rs.Steps, ss)
	}
	return rs, nil
}

// Receipt is the evidence of the latest run of a migration.
func (e *Engine) Receipt(ctx context.Context, name string) (*Receipt, error) {
	j, err := e.openJournal(ctx)
	if err != nil {
		return nil, asRun("receipt", name, settle(ctx, err))
	}
	rows, err := j.Runs(ctx, journal.RunFilter{Name: name, Kind: Machine.Kind, Limit: 1})
	if err != nil {
		return nil, asRun("receipt", name, err)
	}
	if len(rows) == 0 {
		return nil, asRun("receipt", name, refuse(NotFound, "status lists them", "no migration %s was applied", name))
	}
	rec := receiptOf(&run{Run: rows[0]})
	return &rec, nil
}
