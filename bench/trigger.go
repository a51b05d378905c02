package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replank/replank/migrate"
)

// loadRequest reads a row of the large table by its key and changes one, or adds one.
func loadRequest(rows int) func(context.Context, *pgx.Conn, *rand.Rand) error {
	return func(ctx context.Context, c *pgx.Conn, rng *rand.Rand) error {
		id := 1 + rng.IntN(rows)
		switch rng.IntN(10) {
		case 0:
			_, err := c.Exec(ctx, "UPDATE big SET n = $2 WHERE id = $1", id, rng.IntN(100_000))
			return err
		case 1:
			_, err := c.Exec(ctx, "UPDATE big SET pad = $2 WHERE id = $1", id, "changed by the application")
			return err
		case 2:
			_, err := c.Exec(ctx, "INSERT INTO big (id, a, b, n, pad) VALUES ($1, 1, 'new', 1, 'new') ON CONFLICT (id) DO NOTHING",
				int64(rows)+1+rng.Int64N(1<<40))
			return err
		}
		var a int
		return c.QueryRow(ctx, "SELECT a FROM big WHERE id = $1", id).Scan(&a)
	}
}

// The statements of trigger. n has a twin while both shapes live, a has not.
var (
	oneRow = []struct{ name, sql string }{
		{"INSERT one row", "INSERT INTO big (id, a, b, n, pad) VALUES ($1, 1, 'new', $2, 'new')"},
		{"UPDATE one row", "UPDATE big SET n = $2 WHERE id = $1"},
		{"UPDATE one row, other column", "UPDATE big SET a = $2 WHERE id = $1"},
	}
	bulkRows = []struct{ name, sql string }{
		{"INSERT … SELECT", "INSERT INTO big (id, a, b, n, pad) SELECT 100000000 + id, a, b, n, pad FROM big WHERE id <= %d"},
		{"UPDATE", "UPDATE big SET n = n + 1 WHERE id <= %d"},
		{"UPDATE, other column", "UPDATE big SET a = a + 1 WHERE id <= %d"},
	}
)

// trigger measures what statements cost while both shapes live.
func trigger(ctx context.Context, b *bench) error {
	rows := max(b.cfg.Bulk, 20_000)
	b.book.About = fmt.Sprintf("A table of %d rows whose int column n has a bigint twin: statements without a twin (plain), and while both shapes live. "+
		"One row: p50 of %d prepared statements on one connection, with synchronous_commit on, and with it off, where no flush to the disk hides the trigger. "+
		"CPU: that of the server process per row; bulk statements are over %d rows.", rows, b.cfg.Statements, b.cfg.Bulk)
	seed, sql := fillSeed(rows)
	if err := b.server.seed(ctx, seed, sql...); err != nil {
		return err
	}
	err := b.turns(b.subjects("plain", "replank"), func(_ int, subject string) error {
		return b.server.copied(ctx, seed, func(db string) error { return triggerOnce(ctx, b, subject, db, rows) })
	})
	if err != nil {
		return err
	}
	for _, st := range oneRow {
		b.book.compare(st.name, "p50", "replank", "plain", 1.3, false)
		b.book.compare(st.name, "p50 async", "replank", "plain", 1.3, false)
		b.book.compare(st.name, "CPU", "replank", "plain", 0, false)
		b.book.compare(st.name, "p50 async", "pgroll", "plain", 0, false)
	}
	for _, st := range bulkRows {
		b.book.compare("bulk "+st.name, "CPU", "replank", "plain", 3, false)
		b.book.compare("bulk "+st.name, "CPU", "pgroll", "plain", 0, false)
	}
	return nil
}

func triggerOnce(ctx context.Context, b *bench, subject, db string, rows int) error {
	dsn := b.server.DSN(db)
	switch subject {
	case "replank":
		cfg := replankConfig(dsn)
		cfg.BigRows, cfg.BigBytes = 1, 1
		if err := engine(ctx, cfg, func(e *migrate.Engine) error { return apply(ctx, e, fillChange) }); err != nil {
			return err
		}
	case "pgroll":
		if err := b.peer.init(ctx, dsn); err != nil {
			return err
		}
		if err := b.peer.start(ctx, dsn, fillPgroll); err != nil {
			return err
		}
	}
	return b.server.in(ctx, db, func(c *pgx.Conn) error {
		// The fill leaves the tables in different states; what is compared is the statements.
		for _, q := range []string{"VACUUM FULL big", "VACUUM (FREEZE, ANALYZE) big", "CHECKPOINT"} {
			if _, err := c.Exec(ctx, q); err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
		}
		next := 0
		for _, mode := range []struct{ setting, metric string }{{"on", "p50"}, {"off", "p50 async"}} {
			if _, err := c.Exec(ctx, "SET synchronous_commit = "+mode.setting); err != nil {
				return err
			}
			for _, st := range oneRow {
				var ms []float64
				used, err := backendTime(c, func() (err error) {
					ms, err = oneByOne(ctx, c, st.sql, b.cfg.Statements, rows, &next)
					return err
				})
				if err != nil {
					return fmt.Errorf("%s: %w", st.name, err)
				}
				b.book.add(st.name, subject, mode.metric, "µs", quantile(ms, 0.5)*1000)
				if mode.setting == "off" {
					b.book.add(st.name, subject, "CPU", "µs/row", used/float64(b.cfg.Statements)*1e6)
				}
			}
		}
		for _, st := range bulkRows {
			var tag pgconn.CommandTag
			used, err := backendTime(c, func() (err error) {
				tag, err = c.Exec(ctx, fmt.Sprintf(st.sql, b.cfg.Bulk))
				return err
			})
			if err != nil {
				return fmt.Errorf("%s: %w", st.name, err)
			}
			if tag.RowsAffected() != int64(b.cfg.Bulk) {
				return fmt.Errorf("%s: %s, not %d rows", st.name, tag, b.cfg.Bulk)
			}
			b.book.add("bulk "+st.name, subject, "CPU", "µs/row", used/float64(b.cfg.Bulk)*1e6)
		}
		return nil
	})
}

// oneByOne returns the milliseconds that each of n statements took. The first argument is a row's id: an existing one,
// or a new one for INSERT.
func oneByOne(ctx context.Context, c *pgx.Conn, sql string, n, rows int, next *int) ([]float64, error) {
	rng := rand.New(rand.NewPCG(11, 13))
	ms := make([]float64, 0, n)
	for range n {
		id := 1 + rng.IntN(rows)
		if sql == oneRow[0].sql {
			*next++
			id = 1_000_000_000 + *next
		}
		began := time.Now()
		if _, err := c.Exec(ctx, sql, id, rng.IntN(100_000)); err != nil {
			return nil, err
		}
		ms = append(ms, time.Since(began).Seconds()*1000)
	}
	return ms, nil
}

// backendTime is the CPU time in seconds that a connection's server process spends on what do asks of it.
func backendTime(c *pgx.Conn, do func() error) (float64, error) {
	path := fmt.Sprintf("/proc/%d/schedstat", c.PgConn().PID())
	read := func() (ns float64, err error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return 0, fmt.Errorf("read the CPU time of a backend: %w", err)
		}
		_, err = fmt.Sscan(string(data), &ns)
		return ns, err
	}
	before, err := read()
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := read()
	return (after - before) / 1e9, err
}
