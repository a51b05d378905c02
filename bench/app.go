package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/replank/replank/internal/pg"
)

// application is an open load: every client has a fixed time for each of its requests, however slow the answers are,
// and a request's latency counts from the moment it was due.
type application struct {
	conns []*pgx.Conn
	stop  chan struct{}
	group *errgroup.Group

	mu      sync.Mutex
	took    []answer
	failed  int
	first   error
	retries int // of requests that met a deadlock, as applications do
}

type answer struct {
	due  time.Time
	ms   float64
	kind kind
}

// request is one request of a client. It may be made again from its beginning.
type request func(context.Context, *pgx.Conn, *rand.Rand) (kind, error)

type kind string

const (
	read  kind = "read"
	write kind = "write"
)

// startApplication connects clients which make request at a rate (of all together) until end.
func startApplication(ctx context.Context, dsn string, clients int, rate float64, do request) (*application, error) {
	a := &application{stop: make(chan struct{}), group: new(errgroup.Group)}
	for range clients {
		c, err := pgx.Connect(ctx, dsn)
		if err != nil {
			a.disconnect()
			return nil, fmt.Errorf("connect the application: %w", err)
		}
		a.conns = append(a.conns, c)
	}
	every := time.Duration(float64(time.Second) * float64(clients) / rate)
	began := time.Now()
	for n, c := range a.conns {
		rng := rand.New(rand.NewPCG(3, uint64(n)))
		due := began.Add(every * time.Duration(n) / time.Duration(clients))
		a.group.Go(func() error { return a.client(ctx, c, rng, due, every, do) })
	}
	return a, nil
}

func (a *application) client(ctx context.Context, c *pgx.Conn, rng *rand.Rand, due time.Time, every time.Duration, do request) error {
	alarm, err := newAlarm()
	if err != nil {
		return err
	}
	defer alarm.close()
	for ; ; due = due.Add(every) {
		if err := alarm.wait(due); err != nil {
			return err
		}
		select {
		case <-a.stop:
			return nil
		default:
		}
		what, err := do(ctx, c, rng)
		for tries := 1; pg.Deadlock(err) && tries < 10; tries++ {
			a.mu.Lock()
			a.retries++
			a.mu.Unlock()
			what, err = do(ctx, c, rng)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.mu.Lock()
		a.took = append(a.took, answer{due, time.Since(due).Seconds() * 1000, what})
		if err != nil {
			if a.failed++; a.first == nil {
				a.first = err
			}
		}
		a.mu.Unlock()
		if c.IsClosed() {
			return fmt.Errorf("the application lost a connection: %w", err)
		}
	}
}

// end lets the clients finish what they are doing.
func (a *application) end() error {
	close(a.stop)
	err := a.group.Wait()
	a.disconnect()
	if err == nil && a.failed > 0 {
		err = fmt.Errorf("%d statements of the application failed, the first with: %w", a.failed, a.first)
	}
	return err
}

func (a *application) disconnect() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, c := range a.conns {
		_ = c.Close(ctx)
	}
}

// latencies in milliseconds of the requests that were due between two moments, of all kinds or of those given.
func (a *application) latencies(from, to time.Time, kinds ...kind) []float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	var ms []float64
	for _, x := range a.took {
		if !x.due.Before(from) && x.due.Before(to) && (len(kinds) == 0 || slices.Contains(kinds, x.kind)) {
			ms = append(ms, x.ms)
		}
	}
	return ms
}

// report writes the usual quantiles into the book.
func report(b *book, kase, subject string, ms []float64) {
	if len(ms) == 0 {
		return
	}
	b.add(kase, subject, "p50", "ms", quantile(ms, 0.5))
	b.add(kase, subject, "p99", "ms", quantile(ms, 0.99))
	b.add(kase, subject, "worst", "ms", slices.Max(ms))
}

// blocker keeps a transaction open on a table of an application: it has read it and changed a row that nobody else
// touches.
func blocker(ctx context.Context, dsn string, after, open time.Duration, statements ...string) error {
	if err := wait(ctx, after); err != nil {
		return err
	}
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect the blocker: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		for _, s := range statements {
			if _, err := tx.Exec(ctx, s); err != nil {
				return fmt.Errorf("open the blocker: %w", err)
			}
		}
		return wait(ctx, open)
	})
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return errors.Join(errors.New("interrupted"), ctx.Err())
	case <-t.C:
		return nil
	}
}
