package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/migrate"
	"github.com/replank/replank/plan"
)

const (
	fillAlone  = "fill alone"
	fillAndApp = "fill and application"
	appAlone   = "application alone"
	bareAndApp = "bare work and application"
)

// load measures what the application feels of a fill, and what the fill keeps of its speed.
func load(ctx context.Context, b *bench) error {
	b.book.About = fmt.Sprintf("The fill of above (%d rows, 2 workers) beside an application of %d clients with %.0f requests a second, an open load: latency counts "+
		"from the moment a request was due. Application alone: for %s without a fill. Bare work: a session that touches no table and "+
		"takes as much CPU and WAL in a second as the fill did; no fill of that speed could be felt less. Stolen: the part of the CPU that the hypervisor gave to other machines.",
		b.cfg.Rows, b.cfg.Clients, b.cfg.Rate, b.cfg.Window)
	seed, sql := fillSeed(b.cfg.Rows)
	if err := b.server.seed(ctx, seed, sql...); err != nil {
		return err
	}
	err := b.turns([]string{fillAlone, fillAndApp}, func(_ int, subject string) error {
		return b.server.copied(ctx, seed, func(db string) error { return loadOnce(ctx, b, subject, db) })
	})
	if err != nil {
		return err
	}
	b.book.compare("load", "p99", fillAndApp, appAlone, 1.5, false)
	b.book.compare("load", "p99", bareAndApp, appAlone, 0, false)
	b.book.compare("load", "p99", fillAndApp, bareAndApp, 0, false)
	b.book.compare("load", "p99 of reads", fillAndApp, appAlone, 0, false)
	b.book.compare("load", "p99 of writes", fillAndApp, appAlone, 0, false)
	b.book.compare("load", "worst", fillAndApp, appAlone, 0, false)
	b.book.compare("load", "rows", fillAndApp, fillAlone, 0.3, true)
	return nil
}

// effort is what the server has done since it was started, or within a second.
type effort struct{ cpu, wal float64 } // seconds, bytes

func (s *server) effort(ctx context.Context) (e effort, err error) {
	if e.cpu, err = s.cpu(); err != nil {
		return e, err
	}
	e.wal, err = s.position(ctx)
	return e, err
}

// during tells what the server does in a second while do runs, and how much of the machine the machine below it
// keeps for others: what it takes away looks like latency of whatever runs.
func (s *server) during(ctx context.Context, do func() error) (e effort, stolen float64, err error) {
	before, err := s.effort(ctx)
	if err != nil {
		return e, 0, err
	}
	stolen0, total0, err := stolenTicks()
	if err != nil {
		return e, 0, err
	}
	took, err := seconds(do)
	if err != nil {
		return e, 0, err
	}
	after, err := s.effort(ctx)
	if err != nil {
		return e, 0, err
	}
	stolen1, total1, err := stolenTicks()
	return effort{(after.cpu - before.cpu) / took, (after.wal - before.wal) / took}, (stolen1 - stolen0) / max(1, total1-total0), err
}

func loadOnce(ctx context.Context, b *bench, subject, db string) error {
	dsn := b.server.DSN(db)
	if subject == fillAlone {
		rate, _, err := fillRate(ctx, b, dsn)
		if err == nil {
			b.book.add("load", subject, "rows", "/s", rate)
		}
		return err
	}
	app, err := startApplication(ctx, dsn, b.cfg.Clients, b.cfg.Rate, loadRequest(b.cfg.Rows))
	if err != nil {
		return err
	}
	// beside reports what the application felt while do ran, and what the server did.
	beside := func(subject string, do func() (span [2]time.Time, err error)) (effort, error) {
		var span [2]time.Time
		e, stolen, err := b.server.during(ctx, func() (err error) { span, err = do(); return err })
		if err != nil {
			return e, err
		}
		reportLoad(b.book, subject, app, span[0], span[1])
		b.book.add("load", subject, "CPU", "cores", e.cpu)
		b.book.add("load", subject, "WAL", "MB/s", e.wal/1e6)
		b.book.add("load", subject, "stolen", "%", 100*stolen)
		return e, nil
	}
	window := func() ([2]time.Time, error) {
		from := time.Now()
		err := wait(ctx, b.cfg.Window)
		return [2]time.Time{from, time.Now()}, err
	}
	err = func() error {
		if err := wait(ctx, 3*time.Second); err != nil {
			return err
		}
		idle, err := beside(appAlone, window)
		if err != nil {
			return err
		}
		filling, err := beside(fillAndApp, func() ([2]time.Time, error) {
			rate, span, err := fillRate(ctx, b, dsn)
			b.book.add("load", fillAndApp, "rows", "/s", rate)
			return span, err
		})
		if err != nil {
			return err
		}
		_, err = beside(bareAndApp, func() ([2]time.Time, error) {
			working, stop := context.WithCancel(ctx)
			done := make(chan error, 1)
			go func() { done <- bareWork(working, dsn, effort{filling.cpu - idle.cpu, filling.wal - idle.wal}) }()
			span, err := window()
			stop()
			return span, errors.Join(err, <-done)
		})
		return err
	}()
	if e := app.end(); err == nil {
		err = e
	}
	return err
}

// bareWork spends, on one session, as much computing and WAL in a second as a fill did, in statements and transactions of
// the same length, and touches no table: what an application feels of it is what it would feel of any fill.
func bareWork(ctx context.Context, dsn string, each effort) error {
	const statement, transaction = 700 * time.Microsecond, 25 * time.Millisecond // of a fill beside an application
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect the bare work: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	compute := func(rows int) error {
		_, err := c.Exec(ctx, "SELECT count(*) FROM (SELECT generate_series(1, $1)) AS x", rows) // computes, and keeps nothing
		return err
	}
	const probe = 50_000
	var fastest float64
	for range 5 {
		took, err := seconds(func() error { return compute(probe) })
		if err != nil {
			return err
		}
		if fastest == 0 || took < fastest {
			fastest = took
		}
	}
	rows := max(1, int(probe/fastest*statement.Seconds()))
	statements := int(each.cpu * transaction.Seconds() / statement.Seconds())
	bytes := max(1, int(each.wal*transaction.Seconds()))
	for due := time.Now(); ctx.Err() == nil; due = due.Add(transaction) {
		err := pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
			for range statements {
				if err := compute(rows); err != nil {
					return err
				}
			}
			_, err := tx.Exec(ctx, "SELECT pg_logical_emit_message(true, 'bench', repeat('x', $1))", bytes)
			return err
		})
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("bare work: %w", err)
		}
		_ = wait(ctx, time.Until(due.Add(transaction))) // ended by the loop
	}
	return nil
}

// fillRate applies the change and returns the rows a second of its fill, and when the fill was.
func fillRate(ctx context.Context, b *bench, dsn string) (rate float64, span [2]time.Time, err error) {
	cfg := replankConfig(dsn)
	cfg.BigRows, cfg.BigBytes = 1, 1
	cfg.Events = func(ev migrate.Event) {
		if ev.Kind == migrate.EventDone && ev.Rows > 0 {
			span = [2]time.Time{time.Now().Add(-ev.Took), time.Now()}
			rate = float64(ev.Rows) / ev.Took.Seconds()
		}
	}
	err = engine(ctx, cfg, func(e *migrate.Engine) error { return apply(ctx, e, fillChange) })
	if err == nil && rate == 0 {
		err = fmt.Errorf("no step of kind %s has changed rows", plan.Rows)
	}
	return rate, span, err
}

// reportLoad tells reads and writes apart: a write waits for the disk, a read for a core.
func reportLoad(b *book, subject string, app *application, from, to time.Time) {
	report(b, "load", subject, app.latencies(from, to))
	for k, name := range map[kind]string{read: "p99 of reads", write: "p99 of writes"} {
		if ms := app.latencies(from, to, k); len(ms) > 0 {
			b.add("load", subject, name, "ms", quantile(ms, 0.99))
		}
	}
}

// loadRequest reads a row of the large table by its key and changes one, or adds one.
func loadRequest(rows int) request {
	return func(ctx context.Context, c *pgx.Conn, rng *rand.Rand) (kind, error) {
		id := 1 + rng.IntN(rows)
		switch rng.IntN(10) {
		case 0:
			_, err := c.Exec(ctx, "UPDATE big SET n = $2 WHERE id = $1", id, rng.IntN(100_000))
			return write, err
		case 1:
			_, err := c.Exec(ctx, "UPDATE big SET pad = $2 WHERE id = $1", id, "changed by the application")
			return write, err
		case 2:
			_, err := c.Exec(ctx, "INSERT INTO big (id, a, b, n, pad) VALUES ($1, 1, 'new', 1, 'new') ON CONFLICT (id) DO NOTHING",
				int64(rows)+1+rng.Int64N(1<<40))
			return write, err
		}
		var a int
		return read, c.QueryRow(ctx, "SELECT a FROM big WHERE id = $1", id).Scan(&a)
	}
}
