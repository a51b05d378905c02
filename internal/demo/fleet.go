package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"
)

// shape is which columns the application's code knows.
type shape int

const (
	oldShape   shape = iota
	bothShapes       // old and new code run side by side, as in a rolling deployment
	newShape
)

// fleet is the application: clients that come at fixed times, however slow the answers are.
type fleet struct {
	dsn     string
	rows    map[string]int64 // of the sample data
	every   time.Duration    // between two requests of one client
	report  time.Duration
	rec     *recorder
	clients []*client
	stop    chan struct{}
	group   *errgroup.Group

	mu    sync.Mutex
	moved *sync.Cond // a client began or ended a request, or has nothing to do
	shape shape
	shut  bool // nobody may begin a request
	open  int  // requests and reports under way
	asked int  // times that somebody asked whether all clients are on time
	wrong []string
	lies  int
	seen  int // reads that were compared with what had been written
}

// client is one connection of the application.
type client struct {
	f    *fleet
	n    int
	conn *pgx.Conn
	rng  *rand.Rand
	tally
	ledger ledger
	made   int // rows, to give each a name

	busy   bool // guarded by f.mu, as the rest
	using  shape
	onTime int // the highest f.asked it was idle at
}

// startFleet connects all clients and lets them begin.
func startFleet(ctx context.Context, cfg Config, dsn string) (*fleet, error) {
	f := &fleet{
		dsn: dsn, rows: cfg.seedRows(), report: cfg.Report, stop: make(chan struct{}),
		every: time.Duration(float64(time.Second) * float64(cfg.Clients) / cfg.Rate),
	}
	f.moved = sync.NewCond(&f.mu)
	for n := range cfg.Clients {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			f.close()
			return nil, fmt.Errorf("connect client %d: %w", n+1, err)
		}
		f.clients = append(f.clients, &client{f: f, n: n, conn: conn, rng: rand.New(rand.NewPCG(7, uint64(n))), ledger: ledger{pages: pages{}}})
	}
	reporter, err := pgx.Connect(ctx, dsn)
	if err != nil {
		f.close()
		return nil, fmt.Errorf("connect the report: %w", err)
	}
	start := time.Now()
	f.rec = newRecorder(start)
	f.group = new(errgroup.Group)
	for n, c := range f.clients {
		first := start.Add(f.every * time.Duration(n) / time.Duration(len(f.clients)))
		f.group.Go(func() error { return c.run(ctx, first) })
	}
	f.group.Go(func() error { return f.reports(ctx, reporter) })
	return f, nil
}

// end lets every client finish what it is doing and go home.
func (f *fleet) end() error {
	close(f.stop)
	err := f.group.Wait()
	f.close()
	return err
}

func (f *fleet) close() {
	for _, c := range f.clients {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		_ = c.conn.Close(ctx)
		cancel()
	}
}

// deploy gives the application other code, and returns when none of the former is running any more.
func (f *fleet) deploy(s shape) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shape = s
	for f.anyone(func(c *client) bool { return c.busy && c.using != s }) {
		f.moved.Wait()
	}
}

// halt keeps the application from its work, and returns when nobody is busy any more.
func (f *fleet) halt() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shut = true
	for f.open > 0 {
		f.moved.Wait()
	}
}

// reopen ends what halt began.
func (f *fleet) reopen() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shut = false
	f.moved.Broadcast()
}

// begin waits while the application is halted. finish must follow it.
func (f *fleet) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.shut {
		f.moved.Wait()
	}
	f.open++
}

func (f *fleet) finish() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open--
	f.moved.Broadcast()
}

// catchUp returns when every client has been on time at least once from now on, or after a while.
func (f *fleet) catchUp(atMost time.Duration) {
	timer := time.AfterFunc(atMost, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, c := range f.clients {
			c.onTime = f.asked
		}
		f.moved.Broadcast()
	})
	defer timer.Stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	mine := f.asked
	for f.anyone(func(c *client) bool { return c.onTime < mine }) {
		f.moved.Wait()
	}
}

func (f *fleet) anyone(is func(*client) bool) bool {
	for _, c := range f.clients {
		if is(c) {
			return true
		}
	}
	return false
}

// run makes requests until the fleet ends. A request that could not begin in time begins at once, and its
// latency counts from when it was due.
func (c *client) run(ctx context.Context, due time.Time) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for ; ; due = due.Add(c.f.every) {
		if wait := time.Until(due); wait > 0 {
			c.idle()
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-c.f.stop:
				c.gone()
				return nil
			}
		}
		select {
		case <-c.f.stop:
			c.gone()
			return nil
		default:
		}
		c.f.rec.due(c.n, due)
		if err := c.request(ctx); err != nil {
			c.gone()
			return err
		}
	}
}

func (c *client) idle() {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if c.onTime < c.f.asked {
		c.onTime = c.f.asked
		c.f.moved.Broadcast()
	}
}

// gone lets nobody wait for a client that has ended.
func (c *client) gone() {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.onTime = int(^uint(0) >> 1)
	c.f.moved.Broadcast()
}

// mostTries bounds how often one request is tried again.
const mostTries = 20

// request makes one request, with the retries that an application has to be ready for. Only a show that is
// being ended is an error.
func (c *client) request(ctx context.Context) error {
	c.f.begin()
	c.f.mu.Lock()
	c.busy, c.using = true, c.f.shape
	c.f.mu.Unlock()
	c.tally = tally{}
	do := c.pick()
	for try := 1; ; try++ {
		err := do(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			c.done()
			return context.Cause(ctx)
		}
		var pgErr *pgconn.PgError
		known := errors.As(err, &pgErr)
		if known && try < mostTries && retryable(pgErr.Code) {
			c.retries++
			continue
		}
		if known && try < mostTries && stalePlan(pgErr) {
			c.cachedPlan++ // pgx forgets the statement and prepares it again
			continue
		}
		c.failed++
		c.message = err.Error()
		if known {
			c.message = pgErr.Code + " " + pgErr.Message
		}
		if c.conn.IsClosed() {
			if conn, err := pgx.Connect(ctx, c.f.dsn); err == nil {
				c.conn = conn
			}
		}
		break
	}
	c.done()
	return nil
}

func (c *client) done() {
	c.f.mu.Lock()
	c.busy = false
	c.f.mu.Unlock()
	c.f.finish()
	c.f.rec.answered(c.n, c.tally)
}

// retryable are serialization_failure and deadlock_detected: PostgreSQL's documentation asks applications to be
// ready for them.
func retryable(state string) bool { return state == "40001" || state == "40P01" }

// stalePlan tells "cached plan must not change result type" from the other uses of feature_not_supported by
// the place in the server that raised it, which no lc_messages translates.
func stalePlan(e *pgconn.PgError) bool {
	return e.Code == "0A000" && e.Routine == "RevalidateCachedQuery"
}

// reports reads, every few seconds, in a transaction that stays open for a while: there is one in every company.
func (f *fleet) reports(ctx context.Context, conn *pgx.Conn) error {
	defer conn.Close(context.Background())
	pause := time.NewTimer(time.Second)
	defer pause.Stop()
	for n := 0; ; n++ {
		select {
		case <-f.stop:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-pause.C:
		}
		f.begin()
		t := tally{statements: 2}
		err := pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			var sum, open string
			day := time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n*37%2500)
			if err := tx.QueryRow(ctx, "SELECT coalesce(sum(amount), 0)::text FROM entries WHERE posted_on = $1", day).Scan(&sum); err != nil {
				return err
			}
			if err := tx.QueryRow(ctx, "SELECT count(*)::text FROM payments JOIN accounts ON accounts.id = payments.account_id JOIN customers ON customers.id = accounts.customer_id WHERE payments.id < 2000").Scan(&open); err != nil {
				return err
			}
			// Then it thinks: idle in transaction, with its locks.
			pause.Reset(f.report)
			select {
			case <-f.stop:
			case <-ctx.Done():
			case <-pause.C:
			}
			return nil
		})
		f.finish()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			var pgErr *pgconn.PgError
			switch {
			case errors.As(err, &pgErr) && retryable(pgErr.Code):
				t.retries++
			case errors.As(err, &pgErr) && stalePlan(pgErr):
				t.cachedPlan++
			default:
				t.failed, t.message = 1, "report: "+err.Error()
			}
		}
		f.rec.beside(t)
		pause.Reset(3 * time.Second)
	}
}

// differs notes that a read did not give what had been written.
func (f *fleet) differs(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lies++
	if len(f.wrong) < 5 {
		f.wrong = append(f.wrong, fmt.Sprintf(format, args...))
	}
}

func (f *fleet) compared(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen += n
}
