package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/replank/replank/migrate"
)

var stallCases = []string{"add-column", "swap", "foreign-key"}

const lockBudget = 200 // milliseconds, Replank's default

const stallSeed = `CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
	CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL, state int NOT NULL, note text);
	CREATE TABLE items (id int PRIMARY KEY, order_id int NOT NULL REFERENCES orders, amount int NOT NULL);
	CREATE TABLE payments (id int PRIMARY KEY, order_id int NOT NULL REFERENCES orders, amount int NOT NULL);
	INSERT INTO customers SELECT g, 'customer ' || g FROM generate_series(0, %[1]d / 10) g;
	INSERT INTO orders SELECT g, g / 10, g %% 5, repeat('n', 60) FROM generate_series(0, %[1]d) g;
	INSERT INTO items SELECT g, g, g FROM generate_series(0, %[1]d) g;
	INSERT INTO payments SELECT g, g, g FROM generate_series(0, %[1]d) g;
	CREATE INDEX ON orders (customer); CREATE INDEX ON items (order_id); CREATE INDEX ON payments (order_id)`

// stallMigration is the same work for psql and Replank, and for pgroll where it can do it.
var stallMigration = map[string]struct{ sql, pgroll string }{
	"add-column": {`ALTER TABLE orders ADD COLUMN discount int;`,
		`{"add_column": {"table": "orders", "column": {"name": "discount", "type": "int", "nullable": true}}}`},
	"swap": {`ALTER TABLE orders ALTER COLUMN id TYPE bigint;
ALTER TABLE items ALTER COLUMN order_id TYPE bigint;
ALTER TABLE payments ALTER COLUMN order_id TYPE bigint;`, ""},
	"foreign-key": {`ALTER TABLE orders ADD CONSTRAINT orders_customer_fk FOREIGN KEY (customer) REFERENCES customers;`,
		`{"create_constraint": {"type": "foreign_key", "table": "orders", "name": "orders_customer_fk", "columns": ["customer"],
		"references": {"table": "customers", "columns": ["id"]}, "up": {"customer": "customer"}, "down": {"customer": "customer"}}}`},
}

// stall measures how long the application waits while a change meets a long transaction.
func stall(ctx context.Context, b *bench) error {
	b.book.About = fmt.Sprintf("A transaction is open on the table for %s, beginning at a random moment around that of the change, while %d clients "+
		"make %.0f requests a second (%d rows). Latency counts from the moment a request was due, from the beginning of the change to its end; "+
		"idle: the same transaction and nobody changing anything. A change with a second part (complete) meets a second such transaction there.",
		b.cfg.Blocker, b.cfg.Clients, b.cfg.Rate, b.cfg.Small)
	seed := fmt.Sprintf("bench_stall_%d", b.cfg.Small)
	if err := b.server.seed(ctx, seed, fmt.Sprintf(stallSeed, b.cfg.Small)); err != nil {
		return err
	}
	subjects := b.subjects("idle", "psql", "replank")
	for _, kase := range b.cfg.Cases {
		work, known := stallMigration[kase]
		if !known {
			return fmt.Errorf("there is no case %q", kase)
		}
		mine := subjects
		if work.pgroll == "" {
			mine = slices.DeleteFunc(slices.Clone(subjects), func(s string) bool { return s == "pgroll" })
			b.book.note("pgroll has no operation for %s: it cannot change the type of a primary key together with the foreign keys to it", kase)
		}
		refused := map[string]bool{}
		err := b.turns(mine, func(run int, subject string) error {
			if refused[subject] {
				return nil
			}
			return b.server.copied(ctx, seed, func(db string) error {
				err := stallOnce(ctx, b, kase, subject, db, rand.New(rand.NewPCG(uint64(run), 5)))
				if err != nil && subject == "pgroll" && ctx.Err() == nil {
					refused[subject] = true
					b.book.note("pgroll, %s: %v", kase, err)
					return nil
				}
				return err
			})
		})
		if err != nil {
			return err
		}
		if worst := b.book.each(kase, "replank", "worst"); worst != nil {
			b.book.judge(ratio{Case: kase, What: "worst latency of all runs, Replank", Value: slices.Max(worst), Unit: "ms", Limit: 2 * lockBudget})
		}
		b.book.compare(kase, "worst", "psql", "replank", 0, false)
		b.book.compare(kase, "worst", "pgroll", "replank", 0, false)
	}
	return nil
}

func stallOnce(ctx context.Context, b *bench, kase, subject, db string, rng *rand.Rand) (err error) {
	dsn, work := b.server.DSN(db), stallMigration[kase]
	if subject == "pgroll" {
		if err := b.peer.init(ctx, dsn); err != nil {
			return err
		}
	}
	app, err := startApplication(ctx, dsn, b.cfg.Clients, b.cfg.Rate, stallRequest(b.cfg.Small))
	if err != nil {
		return err
	}
	ended := false
	defer func() {
		if !ended {
			err = errors.Join(err, app.end())
		}
	}()
	if err := wait(ctx, 2*time.Second); err != nil { // plans are made, caches warm
		return err
	}
	var ms []float64
	var took float64
	failed := 0 // attempts
	part := func(do func() error) error {
		// The change begins somewhere between half a second before the transaction and its end.
		lead := time.Duration(rng.Float64()*float64(b.cfg.Blocker+500*time.Millisecond)) - 500*time.Millisecond
		g, both := errgroup.WithContext(ctx)
		g.Go(func() error {
			return blocker(both, dsn, max(0, -lead), b.cfg.Blocker, "UPDATE orders SET state = 0 WHERE id = 0", "SELECT count(*) FROM items WHERE id < 10")
		})
		var from, to time.Time
		g.Go(func() error {
			if err := wait(both, max(0, lead)); err != nil {
				return err
			}
			from = time.Now()
			err := do()
			to = time.Now()
			return err
		})
		err := g.Wait()
		if err != nil {
			return err
		}
		if err := wait(ctx, 300*time.Millisecond); err != nil {
			return err
		}
		took += to.Sub(from).Seconds()
		// A request that was due a moment before may have been caught as well.
		ms = append(ms, app.latencies(from.Add(-100*time.Millisecond), to)...)
		return nil
	}
	switch subject {
	case "idle":
		err = part(func() error { return wait(ctx, b.cfg.Blocker) })
	case "psql":
		err = part(func() error {
			err := b.server.psql(ctx, db, work.sql)
			for tries := 1; err != nil && ctx.Err() == nil && tries < 5; tries++ { // a deadlock with the application
				failed++
				err = b.server.psql(ctx, db, work.sql)
			}
			if err != nil && ctx.Err() == nil {
				failed++
				message, _, _ := strings.Cut(err.Error(), " DETAIL") // with process numbers
				b.book.note("psql, %s: given up after 5 tries: %s", kase, message)
				return nil // what the application felt meanwhile counts all the same
			}
			return err
		})
	case "replank":
		cfg := replankConfig(dsn)
		cfg.BigRows = min(10_000, int64(b.cfg.Small)/2)
		err = engine(ctx, cfg, func(e *migrate.Engine) error {
			if err := part(func() error { return apply(ctx, e, work.sql) }); err != nil || kase != "swap" {
				return err
			}
			return part(func() error { return complete(ctx, e) })
		})
	case "pgroll":
		if err = part(func() error { return b.peer.start(ctx, dsn, work.pgroll) }); err == nil {
			err = part(func() error { return b.peer.complete(ctx, dsn) })
		}
	}
	if err != nil {
		return err
	}
	ended = true
	if err := app.end(); err != nil {
		if subject != "pgroll" || app.failed == 0 {
			return err
		}
		b.book.note("pgroll, %s: %v", kase, err)
	}
	b.book.add(kase, subject, "failed", "", float64(app.failed))
	b.book.add(kase, subject, "change", "s", took)
	b.book.add(kase, subject, "deadlocks", "", float64(failed+app.retries))
	report(b.book, kase, subject, ms)
	return nil
}

// stallRequest is a request of a middling application: it reads an order with its lines and changes it.
func stallRequest(rows int) request {
	return func(ctx context.Context, c *pgx.Conn, rng *rand.Rand) (kind, error) {
		id := 1 + rng.IntN(rows)
		if rng.IntN(3) == 0 {
			_, err := c.Exec(ctx, "UPDATE orders SET state = $2 WHERE id = $1", id, rng.IntN(5))
			return write, err
		}
		var state int
		var sum int64
		return read, c.QueryRow(ctx, `SELECT o.state, coalesce(i.amount, 0) + coalesce(p.amount, 0) FROM orders o
			LEFT JOIN items i ON i.order_id = o.id LEFT JOIN payments p ON p.order_id = o.id WHERE o.id = $1 LIMIT 1`, id).Scan(&state, &sum)
	}
}
