package backfill

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/walk"
	"github.com/replank/replank/plan"
)

// Config says what to fill and in whose name. The same Run and Step resume a fill.
type Config struct {
	// Journal of the database. Required.
	Journal *journal.Journal
	// Lease under which rows are changed. Required.
	Lease *journal.Lease
	// Run and Step are the journal's; Seq is the number of the step and names its undo table. Required.
	Run  int64
	Step string
	Seq  int
	// Spec is the change. Required.
	Spec plan.FillSpec
	// Settings hold in every transaction, as in plan.Plan. Default: none.
	Settings []plan.Setting
	// Workers at the same time. Default: 2.
	Workers int
	// Target is how long a range may take. Default: 100ms.
	Target time.Duration
	// FullPace leaves no cores to others while they are at work. Default: false.
	FullPace bool
	// Signals that pace the fill. Default: walk.Health(Spec.Table).
	Signals []walk.Signal
	// MaxRejected rows may fail before the fill stops: then it is not the rows that are wrong. Default: 1000.
	MaxRejected int
	// OnProgress hears how far it is. Default: nil.
	OnProgress func(Progress)
	// Logger. Default: slog.DiscardHandler.
	Logger *slog.Logger
}

// Progress is walk's, with what is being done.
type Progress struct {
	Phase string // "fill", "proof", "undo"
	walk.Progress
}

// Receipt is the evidence that a fill leaves.
type Receipt struct {
	Kind    plan.FillKind      `json:"kind"`
	Table   string             `json:"table"`
	Rows    int64              `json:"rows"`
	Ranges  int64              `json:"ranges"`       // of the last process
	Retries int64              `json:"retries"`      // of the last process
	Dirty   int64              `json:"dirty"`        // ranges walked again because of row locks
	Seconds float64            `json:"took_seconds"` // of the last process, the proof included
	Idle    map[string]float64 `json:"idle_seconds,omitempty"`
	// Rejected rows failed and are neither fixed nor waived.
	Rejected int64 `json:"rejected"`
	Waived   int64 `json:"waived"`
	// Left is what the proof found: rows whose guard is still true. -1 = there is no proof for this kind of fill.
	Left      int64      `json:"left"`
	ProvenAt  *time.Time `json:"proven_at,omitempty"` // the database's clock when the proof began
	UndoTable string     `json:"undo_table,omitempty"`
}

// Open says why the gate is shut; "" = it is not.
func (r Receipt) Open() string {
	switch {
	case r.Rejected > 0:
		return fmt.Sprintf("%d rows of %s were rejected and are neither fixed nor waived", r.Rejected, r.Table)
	case r.Left > r.Waived:
		return fmt.Sprintf("%d rows of %s still want the change", r.Left, r.Table)
	}
	return ""
}

// QuietError: the role may not keep user triggers from firing.
type QuietError struct{ Err error }

func (e *QuietError) Error() string {
	return "the role may not keep user triggers from firing: " + e.Err.Error()
}
func (e *QuietError) Unwrap() error { return e.Err }

// SpecError refuses a fill that cannot be right.
type SpecError struct{ Reason string }

func (e *SpecError) Error() string { return "refuse the fill: " + e.Reason }

// TooManyRejectedError stops a fill whose rows fail by the thousand.
type TooManyRejectedError struct {
	Limit int
	Last  error
}

func (e *TooManyRejectedError) Error() string {
	return fmt.Sprintf("more than %d rows were rejected, the last one with %s", e.Limit, pg.Condition(e.Last))
}
func (e *TooManyRejectedError) Unwrap() error { return e.Last }

// fill is a fill in progress.
type fill struct {
	cfg      Config
	st       *statement
	rejected *rejects
	prepared prepared
	inPlace  bool // rows may stay on their pages
}

//go:embed inplace.sql
var inPlaceSQL string

// Run carries the fill out, or what is left of it. A receipt without an error means that every row was visited;
// whether all of them are as they must be is said by Receipt.Open.
func Run(ctx context.Context, cfg Config) (Receipt, error) {
	rc := Receipt{Kind: cfg.Spec.Kind, Table: cfg.Spec.Table, Left: -1}
	began := time.Now()
	f, err := open(ctx, cfg)
	if err != nil {
		return rc, err
	}
	if f.st.undo != nil {
		rc.UndoTable = f.st.undo.name
	}
	for tries := 1; err == nil; tries++ {
		var stats walk.Stats
		stats, err = walk.Run(ctx, f.walk())
		rc.Rows, rc.Ranges, rc.Retries, rc.Dirty = rc.Rows+stats.Rows, rc.Ranges+stats.Ranges, rc.Retries+stats.Retries, rc.Dirty+stats.Dirty
		rc.addIdle(stats.Idle)
		if err == nil && f.provable() {
			err = f.prove(ctx, &rc)
		}
		if err == nil {
			err = f.countRejected(ctx, &rc)
		}
		if err != nil || rc.Left <= rc.Rejected+rc.Waived || tries == maxWalks {
			break
		}
		// Rows have come to places where the walk had been: VACUUM FULL, CLUSTER, an attached partition. The guard
		// finds them, so that another walk changes nothing twice.
		f.cfg.Logger.Warn("rows are left over, walking once more", "table", cfg.Spec.Table, "rows", rc.Left)
		err = f.startOver(ctx)
	}
	rc.Seconds = time.Since(began).Seconds()
	if err != nil {
		return rc, fmt.Errorf("fill %s: %w", cfg.Spec.Table, err)
	}
	return rc, nil
}

// maxWalks is how often a table is walked before a person has to look why rows are left over each time.
const maxWalks = 3

// provable: a scan can tell whether the fill has done its work.
func (f *fill) provable() bool { return f.cfg.Spec.Kind == plan.Twin && f.cfg.Spec.Guard != "" }

func (f *fill) startOver(ctx context.Context) error {
	s, err := f.cfg.Lease.Session(ctx, f.cfg.Run)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Tx(ctx, pg.TxOptions{}, func(tx pgx.Tx) error { return f.cfg.Lease.ForgetRanges(ctx, tx, f.cfg.Run, f.cfg.Step) })
}

func (rc *Receipt) addIdle(idle map[string]time.Duration) {
	for name, d := range idle {
		if rc.Idle == nil {
			rc.Idle = map[string]float64{}
		}
		rc.Idle[name] += d.Seconds()
	}
}

func (f *fill) countRejected(ctx context.Context, rc *Receipt) error {
	all, err := f.cfg.Journal.Rejected(ctx, f.cfg.Run, 0)
	if err != nil {
		return err
	}
	rc.Rejected, rc.Waived = 0, 0
	for _, r := range all {
		switch {
		case r.StepID != f.cfg.Step:
		case r.Waived:
			rc.Waived++
		default:
			rc.Rejected++
		}
	}
	return nil
}

// open checks what must be so before the first row is touched.
func open(ctx context.Context, cfg Config) (*fill, error) {
	if cfg.MaxRejected == 0 {
		cfg.MaxRejected = 1000
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	spec := cfg.Spec
	switch {
	case spec.Kind != plan.Twin && len(spec.Key) == 0:
		return nil, &SpecError{"only a twin fill may go by ctid: others would change rows twice or miss them"}
	case spec.Undo && len(spec.Key) == 0:
		return nil, &SpecError{"without a key nobody can tell whose values to give back"}
	case spec.Kind == plan.Insert && spec.Undo && doesUpdate(spec.OnConflict):
		return nil, &SpecError{"ON CONFLICT DO UPDATE leaves no trace of what was there before"}
	case spec.Kind == plan.Insert && spec.Undo && len(spec.TargetKey) == 0:
		return nil, &SpecError{"rows of a table without a key cannot be taken back"}
	}
	f := &fill{cfg: cfg, st: newStatement(spec), prepared: prepared{on: map[*pgx.Conn]string{}}}
	f.st.returnsOld = cfg.Journal.DB().Server().VersionNum >= 180000
	s, err := cfg.Lease.Session(ctx, cfg.Run)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if spec.Quiet {
		err := s.Tx(ctx, pg.TxOptions{ReplicaRole: true}, func(pgx.Tx) error { return nil })
		if pg.InsufficientPrivilege(err) {
			return nil, &QuietError{err}
		}
		if err != nil {
			return nil, err
		}
	}
	if f.rejected, err = openRejects(ctx, s, f); err != nil {
		return nil, err
	}
	if len(spec.Key) > 0 {
		if f.st.key, err = lookupKey(ctx, s, spec.Table, spec.Key); err != nil {
			return nil, err
		}
	}
	if f.canSkip() && len(spec.Key) == 0 {
		if err := s.QueryRow(ctx, inPlaceSQL, spec.Table, f.st.columns()).Scan(&f.inPlace); err != nil {
			return nil, fmt.Errorf("look for indexes on the columns to fill: %w", err)
		}
	}
	if spec.Undo {
		if f.st.undo, err = openUndo(ctx, s, cfg, f.st); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// lookupKey asks with nothing on the search path, so that types come back with their schema.
func lookupKey(ctx context.Context, s *pg.Session, table string, columns []string) (key walk.Key, err error) {
	err = s.Tx(ctx, bare, func(tx pgx.Tx) error {
		key, err = walk.LookupKey(ctx, tx, table, columns)
		return err
	})
	return key, err
}

var bare = pg.TxOptions{Settings: []pg.Setting{{Name: "search_path", Value: ""}}}

// tx are the options of every transaction that changes rows.
func (f *fill) tx() pg.TxOptions {
	opts := pg.TxOptions{ReplicaRole: f.cfg.Spec.Quiet}
	for _, s := range f.cfg.Settings {
		opts.Settings = append(opts.Settings, pg.Setting{Name: s.Name, Value: s.Value})
	}
	// A plan for any range is as good as one for this one, and need not be made again.
	opts.Settings = append(opts.Settings, pg.Setting{Name: "plan_cache_mode", Value: "force_generic_plan"})
	if f.cfg.Spec.Flag != "" {
		opts.Settings = append(opts.Settings, pg.Setting{Name: f.cfg.Spec.Flag, Value: "on"})
	}
	return opts
}

// canSkip: without a guard nothing would tell a skipped row from a changed one, and the statement that skips keeps no
// before-images.
func (f *fill) canSkip() bool { return f.provable() && !f.cfg.Spec.Undo }

func (f *fill) walk() walk.Config {
	return walk.Config{
		Journal: f.cfg.Journal, Lease: f.cfg.Lease, Run: f.cfg.Run, Step: f.cfg.Step,
		Table: f.cfg.Spec.Table, Key: f.cfg.Spec.Key,
		Visit: f.visit, Reject: f.rejected.record,
		CanSkip: f.canSkip(), InPlace: f.inPlace,
		Tx: f.tx(), Workers: f.cfg.Workers, Target: f.cfg.Target, FullPace: f.cfg.FullPace, Signals: f.cfg.Signals,
		OnProgress: f.onProgress("fill"), Logger: f.cfg.Logger,
	}
}

func (f *fill) onProgress(phase string) func(walk.Progress) {
	if f.cfg.OnProgress == nil {
		return nil
	}
	return func(p walk.Progress) { f.cfg.OnProgress(Progress{phase, p}) }
}

// visit changes the rows of one range, and counts those that stayed on their page where the walk asks.
func (f *fill) visit(ctx context.Context, tx pgx.Tx, a walk.Attempt) (v walk.Visited, err error) {
	var before, after int64
	if a.Probe {
		if before, err = inPlaceSoFar(ctx, tx, a.Range); err != nil {
			return v, err
		}
	}
	if v, err = f.change(ctx, tx, a); err != nil {
		return v, err
	}
	if a.Probe {
		after, err = inPlaceSoFar(ctx, tx, a.Range)
		v.InPlace = after - before
	}
	return v, err
}

// change changes the rows of one range. The plain statement is the fastest there is; only where somebody's locks are
// in its way does the walk ask for the one that looks before it takes.
func (f *fill) change(ctx context.Context, tx pgx.Tx, a walk.Attempt) (v walk.Visited, err error) {
	if !a.Skip {
		var tag pgconn.CommandTag
		if r, args := a.Range.Parameters(); args != nil {
			tag, err = f.prepared.exec(ctx, tx, f.st.change(r), args)
		} else {
			tag, err = tx.Exec(ctx, f.st.change(a.Range), pgx.QueryExecModeSimpleProtocol)
		}
		return walk.Visited{Rows: tag.RowsAffected()}, err
	}
	tag, err := tx.Exec(ctx, f.st.changeFree(a.Range), pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return v, err
	}
	v.Rows = tag.RowsAffected()
	err = tx.QueryRow(ctx, f.st.left(a.Range)).Scan(&v.Left)
	return v, err
}

// inPlaceSoFar counts the rows that this session has changed in place, as the server's statistics will hear of it.
func inPlaceSoFar(ctx context.Context, tx pgx.Tx, r walk.Range) (n int64, err error) {
	err = tx.QueryRow(ctx, "SELECT pg_catalog.pg_stat_get_xact_tuples_hot_updated($1::pg_catalog.regclass)", r.Part).Scan(&n)
	return n, err
}

// prove counts, in a scan that begins now, the rows that still want the change.
func (f *fill) prove(ctx context.Context, rc *Receipt) error {
	var at time.Time
	err := f.cfg.Journal.DB().Ask(ctx, func(q pg.Querier) error {
		return q.QueryRow(ctx, "SELECT pg_catalog.clock_timestamp()").Scan(&at)
	})
	if err != nil {
		return fmt.Errorf("ask for the time: %w", err)
	}
	st := *f.st
	st.as = " AS " + st.alias // by ctid, whatever the fill went by
	var failing atomic.Int64
	tx := f.tx()
	tx.ReadOnly, tx.ReplicaRole = true, false
	signals := f.cfg.Signals
	if signals == nil {
		signals = walk.ReadHealth()
	}
	stats, err := walk.Run(ctx, walk.Config{
		Journal: f.cfg.Journal, Table: f.cfg.Spec.Table, Tx: tx,
		Visit: func(ctx context.Context, tx pgx.Tx, a walk.Attempt) (v walk.Visited, err error) {
			err = tx.QueryRow(ctx, st.count(a.Range)).Scan(&v.Rows)
			return v, err
		},
		Reject: func(context.Context, pgx.Tx, walk.Range, error) error {
			failing.Add(1) // a guard that fails on a row says that the row is not as it must be
			return nil
		},
		Workers: f.cfg.Workers, Target: f.cfg.Target, FullPace: f.cfg.FullPace, Signals: signals,
		OnProgress: f.onProgress("proof"), Logger: f.cfg.Logger,
	})
	rc.addIdle(stats.Idle)
	if err != nil {
		return fmt.Errorf("prove: %w", err)
	}
	rc.Left, rc.ProvenAt = stats.Rows+failing.Load(), &at
	return nil
}

// Prove does the final scan of a twin fill again, for instance after Retry or right before a swap.
func Prove(ctx context.Context, cfg Config) (Receipt, error) {
	rc := Receipt{Kind: cfg.Spec.Kind, Table: cfg.Spec.Table, Left: -1}
	if cfg.Spec.Kind != plan.Twin || cfg.Spec.Guard == "" {
		return rc, &SpecError{"only a twin fill with a guard can be proven by a scan"}
	}
	cfg.Spec.Quiet = false // it only reads
	f, err := open(ctx, cfg)
	if err != nil {
		return rc, err
	}
	return rc, errors.Join(f.prove(ctx, &rc), f.countRejected(ctx, &rc))
}
