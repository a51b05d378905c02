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
	subjects := b.subjects("plain", "replank")
	for run := range b.runs {
		err := b.server.copies(ctx, seed, len(subjects), func(dbs []string) error { return triggerRun(ctx, b, run, subjects, dbs, rows) })
		if err != nil {
			return fmt.Errorf("run %d: %w", run+1, err)
		}
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

// client is one subject's connection with what its statements have cost so far.
type client struct {
	subject string
	conn    *pgx.Conn
	rng     *rand.Rand // the same for all
	next    int        // id of the next new row
	ms      []float64
	cpu     float64 // seconds
}

// triggerRun makes the subjects take turns, every few statements: what the disk does in between hits all alike.
func triggerRun(ctx context.Context, b *bench, run int, subjects, dbs []string, rows int) error {
	var clients []*client
	for i, subject := range subjects {
		if err := bothShapes(ctx, b, subject, b.server.DSN(dbs[i])); err != nil {
			return fmt.Errorf("%s: %w", subject, err)
		}
		c, err := pgx.Connect(ctx, b.server.DSN(dbs[i]))
		if err != nil {
			return fmt.Errorf("connect to %s: %w", dbs[i], err)
		}
		defer c.Close(context.WithoutCancel(ctx))
		// The fill leaves the tables in different states; what is compared is the statements.
		for _, q := range []string{"VACUUM FULL big", "VACUUM (FREEZE, ANALYZE) big", "CHECKPOINT"} {
			if _, err := c.Exec(ctx, q); err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
		}
		clients = append(clients, &client{subject: subject, conn: c, rng: rand.New(rand.NewPCG(11, uint64(run)))})
	}
	order := rand.New(rand.NewPCG(19, uint64(run)))
	shuffle := func() {
		order.Shuffle(len(clients), func(i, j int) { clients[i], clients[j] = clients[j], clients[i] })
	}
	for _, mode := range []struct{ setting, metric string }{{"on", "p50"}, {"off", "p50 async"}} {
		for _, st := range oneRow {
			for _, c := range clients {
				if _, err := c.conn.Exec(ctx, "SET synchronous_commit = "+mode.setting); err != nil {
					return err
				}
				if err := c.few(ctx, st.sql, rows, 20); err != nil { // prepares the statement, compiles the trigger
					return fmt.Errorf("%s, %s: %w", c.subject, st.name, err)
				}
				c.ms, c.cpu = nil, 0
			}
			const turn = 25
			for done := 0; done < b.cfg.Statements; done += turn {
				shuffle()
				for _, c := range clients {
					if err := c.few(ctx, st.sql, rows, turn); err != nil {
						return fmt.Errorf("%s, %s: %w", c.subject, st.name, err)
					}
				}
			}
			for _, c := range clients {
				b.book.add(st.name, c.subject, mode.metric, "µs", quantile(c.ms, 0.5)*1000)
				if mode.setting == "off" {
					b.book.add(st.name, c.subject, "CPU", "µs/row", c.cpu/float64(len(c.ms))*1e6)
				}
			}
		}
	}
	for _, st := range bulkRows {
		shuffle()
		for _, c := range clients {
			var tag pgconn.CommandTag
			used, err := backendTime(c.conn, func() (err error) {
				tag, err = c.conn.Exec(ctx, fmt.Sprintf(st.sql, b.cfg.Bulk))
				return err
			})
			if err != nil {
				return fmt.Errorf("%s, %s: %w", c.subject, st.name, err)
			}
			if tag.RowsAffected() != int64(b.cfg.Bulk) {
				return fmt.Errorf("%s, %s: %s, not %d rows", c.subject, st.name, tag, b.cfg.Bulk)
			}
			b.book.add("bulk "+st.name, c.subject, "CPU", "µs/row", used/float64(b.cfg.Bulk)*1e6)
		}
	}
	return nil
}

// bothShapes begins the subject's change of column n, and leaves it there.
func bothShapes(ctx context.Context, b *bench, subject, dsn string) error {
	switch subject {
	case "replank":
		cfg := replankConfig(dsn)
		cfg.BigRows, cfg.BigBytes = 1, 1
		return engine(ctx, cfg, func(e *migrate.Engine) error { return apply(ctx, e, fillChange) })
	case "pgroll":
		if err := b.peer.init(ctx, dsn); err != nil {
			return err
		}
		return b.peer.start(ctx, dsn, fillPgroll)
	}
	return nil
}

// few executes n statements one by one. The first argument is a row's id: an existing one, or a new one for INSERT.
func (c *client) few(ctx context.Context, sql string, rows, n int) error {
	used, err := backendTime(c.conn, func() error {
		for range n {
			id := 1 + c.rng.IntN(rows)
			if sql == oneRow[0].sql {
				c.next++
				id = 1_000_000_000 + c.next
			}
			began := time.Now()
			if _, err := c.conn.Exec(ctx, sql, id, c.rng.IntN(100_000)); err != nil {
				return err
			}
			c.ms = append(c.ms, time.Since(began).Seconds()*1000)
		}
		return nil
	})
	c.cpu += used
	return err
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
