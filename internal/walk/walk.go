package walk

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
)

// Attempt is one visit of one range.
type Attempt struct {
	Range Range
	// Skip: rows locked by others must be left alone, and Visited.Left must say if there were any.
	Skip bool
	// Probe: Visited.InPlace must say how many rows stayed on their page.
	Probe bool
}

// Visited is what a visit did.
type Visited struct {
	Rows int64 // changed
	Left bool  // rows were skipped because others hold locks on them
	// InPlace is how many of Rows stayed on their page, where Attempt.Probe asked.
	InPlace int64
}

// Config describes a walk. It is resumed by the same Run and Step.
type Config struct {
	// Journal keeps the slices beside the rows they describe. Required.
	Journal *journal.Journal
	// Lease under which every range is committed. Default: none; the walk only reads and cannot be resumed.
	Lease *journal.Lease
	// Run and Step are whose walk it is. Required.
	Run  int64
	Step string
	// Table to walk, qualified and quoted. Required.
	Table string
	// Key columns to walk by. Default: none, by ctid.
	Key []string
	// Visit does the work for one range, inside the transaction that moves the cursor. Required.
	Visit func(ctx context.Context, tx pgx.Tx, a Attempt) (Visited, error)
	// Reject records the one row of a range that failed with cause, in the transaction that moves the cursor past
	// it. Default: a data error ends the walk.
	Reject func(ctx context.Context, tx pgx.Tx, r Range, cause error) error
	// CanSkip says that Visit knows how to leave locked rows alone. Default: false.
	CanSkip bool
	// InPlace says that Visit changes rows, each only once however often it is visited, and no indexed column, so
	// that rows may stay on their page where there is room. Only by ctid. Default: false.
	InPlace bool
	// Tx are the options of every transaction. Default: none.
	Tx pg.TxOptions
	// Workers at the same time. Default: 2.
	Workers int
	// Target is how long a range may take; an application waits for our row locks at most about that long.
	// Default: 100ms.
	Target time.Duration
	// LockTimeout is how long one row lock is waited for while a range holds others. Default: 50ms.
	LockTimeout time.Duration
	// Signals that pace the walk. Default: Health(Table).
	Signals []Signal
	// FullPace leaves no cores to others while they are at work; the levels of the signals hold all the same.
	// Default: false.
	FullPace bool
	// SampleEvery is how often they are looked at. Default: 1s.
	SampleEvery time.Duration
	// OnProgress hears how far it is, and why it is idle, after each range and each look at the signals, from any
	// worker, one at a time. Default: nil.
	OnProgress func(Progress)
	// Logger. Default: slog.DiscardHandler.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Workers == 0 {
		c.Workers = 2
	}
	if c.Target == 0 {
		c.Target = 100 * time.Millisecond
	}
	if c.LockTimeout == 0 {
		c.LockTimeout = 50 * time.Millisecond
	}
	if c.SampleEvery == 0 {
		c.SampleEvery = time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Stats is how a walk went, Rows of resumed parts included.
type Stats struct {
	Rows    int64                    // changed
	Ranges  int64                    // committed by this process
	Retries int64                    // ranges given up and tried again
	Dirty   int64                    // ranges left for later because of row locks
	Elapsed time.Duration            // in this process
	Idle    map[string]time.Duration // by signal, summed over workers
}

// walker is a walk in progress.
type walker struct {
	cfg      Config
	key      Key
	tids     tids
	pace     *pace
	queue    *queue
	progress *progress
	passes   int // of each window; 1 = the slices are visited once
	maxSize  int64
	size0    int64
}

// Run walks the table, or what is left of it.
func Run(ctx context.Context, cfg Config) (Stats, error) {
	cfg = cfg.withDefaults()
	began := time.Now()
	w := &walker{cfg: cfg, pace: newPace(cfg.FullPace)}
	slices, err := w.open(ctx)
	if err != nil {
		return Stats{}, err
	}
	w.queue = newQueue(slices)
	w.progress = newProgress(slices, cfg.OnProgress, w.pace)
	if w.queue.empty() {
		return w.progress.stats(began), nil
	}
	if cfg.Signals == nil {
		cfg.Signals = Health(cfg.Table)
	}
	sampling, stop := context.WithCancel(ctx)
	sampled := make(chan struct{})
	go func() {
		defer close(sampled)
		w.pace.sample(sampling, cfg.Journal.DB(), cfg.Signals, cfg.SampleEvery, cfg.Logger, w.progress.tell)
	}()
	g, gctx := errgroup.WithContext(ctx)
	for range min(cfg.Workers, w.queue.len()) {
		g.Go(func() error { return w.work(gctx) })
	}
	err = g.Wait()
	stop()
	<-sampled
	return w.progress.stats(began), err
}

// open loads the slices, after cutting them if nobody has.
func (w *walker) open(ctx context.Context) ([]Slice, error) {
	s, err := w.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var blockSize int64
	if err := s.QueryRow(ctx, "SELECT pg_catalog.current_setting('block_size')::bigint").Scan(&blockSize); err != nil {
		return nil, fmt.Errorf("ask for the block size: %w", err)
	}
	w.tids = newTids(blockSize)
	w.size0, w.maxSize = 16*w.tids.perBlock, 8192*w.tids.perBlock
	if len(w.cfg.Key) > 0 {
		w.size0, w.maxSize = 500, 100_000
	}
	slices, err := w.load(ctx)
	if err != nil {
		return nil, err
	}
	// Names come back fully qualified only while nothing is on the search path.
	opts := pg.TxOptions{Settings: append(plainText, pg.Setting{Name: "search_path", Value: ""})}
	err = s.Tx(ctx, opts, func(tx pgx.Tx) error {
		if len(w.cfg.Key) > 0 {
			if w.key, err = LookupKey(ctx, tx, w.cfg.Table, w.cfg.Key); err != nil {
				return err
			}
		}
		if len(slices) > 0 {
			w.settleAll(slices)
			return nil
		}
		parts, err := lookupParts(ctx, tx, w.cfg.Table)
		if err != nil {
			return err
		}
		if len(w.key) == 0 {
			slices, err = w.cutByTid(parts)
		} else {
			slices, err = cutByKey(ctx, tx, w.cfg.Table, w.key, parts)
		}
		if err != nil {
			return err
		}
		if len(slices) == 0 { // so that a resumed walk knows that there was nothing to walk
			slices = []Slice{{Part: w.cfg.Table, Done: true}}
		}
		for i := range slices {
			slices[i].ID = i
			w.settle(&slices[i])
			if err := w.save(ctx, tx, slices[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("open the walk of %s: %w", w.cfg.Table, err)
	}
	return slices, nil
}

// connect opens a session that a successor can end.
func (w *walker) connect(ctx context.Context) (*pg.Session, error) {
	if w.cfg.Lease == nil {
		return w.cfg.Journal.DB().Session(ctx)
	}
	return w.cfg.Lease.Session(ctx, w.cfg.Run)
}

// plainText makes a value's text the same at every reading, and readable under any setting: a zone's abbreviation or
// the order of day and month would not be.
var plainText = []pg.Setting{{Name: "extra_float_digits", Value: "1"}, {Name: "DateStyle", Value: "ISO"}, {Name: "IntervalStyle", Value: "postgres"}}

// Plainly lets fn read values as text that means the same to whoever casts it back. The settings of the transaction
// are in force again after it: ROLLBACK TO takes back what was set behind the savepoint, and fn only reads.
func Plainly(ctx context.Context, tx pgx.Tx, fn func(pgx.Tx) error) error {
	inner, err := tx.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin to read keys: %w", err)
	}
	if err = pg.SetLocal(ctx, inner, plainText...); err == nil {
		err = fn(inner)
	}
	if back := inner.Rollback(ctx); err == nil && back != nil {
		return fmt.Errorf("end reading keys: %w", back)
	}
	return err
}

// work takes slices from the queue until there are none.
func (w *walker) work(ctx context.Context) error {
	h := &hand{walker: w, size: w.size0}
	defer h.close()
	for {
		s, err := w.queue.take(ctx)
		if err != nil || s == nil {
			return err
		}
		err = h.walk(ctx, s)
		if err != nil {
			w.queue.abort()
			return err
		}
	}
}
