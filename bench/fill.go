package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/migrate"
)

// fillSeed is a table of 200-byte rows (with their headers) with two secondary indexes and full pages.
func fillSeed(rows int) (name string, sql []string) {
	return fmt.Sprintf("bench_fill_%d", rows), []string{
		"CREATE TABLE big (id bigint PRIMARY KEY, a int NOT NULL, b text NOT NULL, n int, pad text NOT NULL) WITH (fillfactor = 100)",
		fmt.Sprintf("INSERT INTO big SELECT g, g %% 1000, md5(g::text), g %% 100000, repeat('x', 110) FROM generate_series(1, %d) g", rows),
		"CREATE INDEX big_a ON big (a)", "CREATE INDEX big_b ON big (b)",
	}
}

const (
	fillChange = "ALTER TABLE big ALTER COLUMN n TYPE bigint;"
	fillPgroll = `{"alter_column": {"table": "big", "column": "n", "type": "bigint", "up": "n", "down": "n"}}`
	// columns of another order are the same data
	fillDigest = "SELECT count(*)::text || ' ' || sum(hashtextextended(concat_ws('|', id, a, b, n, pad), 0)::numeric)::text FROM big"
	fillType   = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'big'::regclass AND attname = 'n'"
)

// The big UPDATE does by hand what the others do: a new column, filled, checked, and put in the old one's place.
var fillPlain = []string{
	"ALTER TABLE big ADD COLUMN n2 bigint",
	"UPDATE big SET n2 = n",
	"DO $$ BEGIN IF EXISTS (SELECT FROM big WHERE n2 IS DISTINCT FROM n) THEN RAISE 'not filled'; END IF; END $$",
	"ALTER TABLE big DROP COLUMN n", "ALTER TABLE big RENAME COLUMN n2 TO n",
}

// fill measures how long it takes to give every row of a large table a column of another type.
func fill(ctx context.Context, b *bench) error {
	b.book.About = fmt.Sprintf("%d rows of 200 bytes, two secondary indexes, fillfactor 100: column n becomes a bigint in a second column beside it. "+
		"Total: fill, verification, swap and VACUUM; equal digests at the end. Fill: the UPDATE, Replank's step with its proof, pgroll start. "+
		"CPU is that of all the server's processes, VACUUM included.", b.cfg.Rows)
	seed, sql := fillSeed(b.cfg.Rows)
	if err := b.server.seed(ctx, seed, sql...); err != nil {
		return err
	}
	const one, two, update = "replank, 1 worker", "replank, 2 workers", "one big UPDATE"
	digest := ""
	err := b.turns(b.subjects(update, one, two), func(_ int, subject string) error {
		return b.server.copied(ctx, seed, func(db string) error {
			found, err := fillOnce(ctx, b, subject, db, map[string]int{one: 1, two: 2}[subject])
			if err != nil {
				return err
			}
			if digest == "" {
				digest = found
			}
			if found != digest {
				return fmt.Errorf("%s leaves %s, another %s", subject, found, digest)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	b.book.compare("fill", "total", two, update, 0.8, false)
	b.book.compare("fill", "total", one, update, 0, false)
	b.book.compare("fill", "total", "pgroll", two, 3.5, true)
	b.book.compare("fill", "fill", "pgroll", two, 3.5, true)
	b.book.compare("fill", "WAL", two, update, 0, false)
	b.book.compare("fill", "CPU", two, update, 0, false)
	b.book.note("digest of all subjects: %s", digest)
	return nil
}

func fillOnce(ctx context.Context, b *bench, subject, db string, workers int) (digest string, err error) {
	dsn, s := b.server.DSN(db), b.server
	if subject == "pgroll" {
		if err := b.peer.init(ctx, dsn); err != nil {
			return "", err
		}
	}
	err = s.in(ctx, db, func(c *pgx.Conn) error {
		before, err := sizes(ctx, c)
		if err != nil {
			return err
		}
		wal0, err := s.position(ctx)
		if err != nil {
			return err
		}
		cpu0, err := s.cpu()
		if err != nil {
			return err
		}
		var filled float64
		total, err := seconds(func() error {
			if filled, err = fillBy(ctx, b, subject, c, dsn, workers); err != nil {
				return err
			}
			_, err = c.Exec(ctx, "VACUUM big")
			return err
		})
		if err != nil {
			return err
		}
		wal1, err := s.position(ctx)
		if err != nil {
			return err
		}
		cpu1, err := s.cpu()
		if err != nil {
			return err
		}
		after, err := sizes(ctx, c)
		if err != nil {
			return err
		}
		var typ string
		if err := c.QueryRow(ctx, fillType).Scan(&typ); err != nil || typ != "bigint" {
			return fmt.Errorf("column n is %q in the end: %w", typ, err)
		}
		rows := float64(b.cfg.Rows)
		b.book.add("fill", subject, "total", "s", total)
		b.book.add("fill", subject, "fill", "s", filled)
		b.book.add("fill", subject, "WAL", "B/row", (wal1-wal0)/rows)
		b.book.add("fill", subject, "CPU", "µs/row", (cpu1-cpu0)/rows*1e6)
		b.book.add("fill", subject, "table grows", "×", after[0]/before[0])
		b.book.add("fill", subject, "indexes grow", "×", after[1]/before[1])
		return c.QueryRow(ctx, fillDigest).Scan(&digest)
	})
	return digest, err
}

// fillBy does the work and returns how long the fill alone took.
func fillBy(ctx context.Context, b *bench, subject string, c *pgx.Conn, dsn string, workers int) (filled float64, err error) {
	switch {
	case workers > 0:
		cfg := replankConfig(dsn)
		cfg.Workers, cfg.BigRows, cfg.BigBytes = workers, 1, 1
		cfg.Events = func(ev migrate.Event) {
			if ev.Kind == migrate.EventDone && ev.Rows > 0 {
				filled += ev.Took.Seconds()
			}
		}
		return filled, engine(ctx, cfg, func(e *migrate.Engine) error {
			if err := apply(ctx, e, fillChange); err != nil {
				return err
			}
			return complete(ctx, e)
		})
	case subject == "pgroll":
		if filled, err = seconds(func() error { return b.peer.start(ctx, dsn, fillPgroll) }); err != nil {
			return 0, err
		}
		return filled, b.peer.complete(ctx, dsn)
	}
	for i, q := range fillPlain {
		took, err := seconds(func() error { _, err := c.Exec(ctx, q); return err })
		if err != nil {
			return 0, err
		}
		if i == 1 {
			filled = took
		}
	}
	return filled, nil
}

// sizes of the table and its indexes, in bytes.
func sizes(ctx context.Context, c *pgx.Conn) (v [2]float64, err error) {
	err = c.QueryRow(ctx, "SELECT pg_table_size('big')::float8, pg_indexes_size('big')::float8").Scan(&v[0], &v[1])
	return v, err
}
