package demo

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/localpg"
)

//go:embed sql/schema.sql
var schemaSQL string

// The databases. All are copies of the first.
const (
	seedDB    = "demo"
	idleDB    = "demo_idle"
	psqlDB    = "demo_psql"
	replankDB = "demo_replank"
)

// settings suit a laptop: a cache for the sample data, and no checkpoint in the middle of the show that would be
// blamed on whoever is at work.
var settings = map[string]string{
	"shared_buffers":     "512MB",
	"max_wal_size":       "8GB",
	"checkpoint_timeout": "30min",
	"max_connections":    "120",
	"track_activities":   "on",
}

// prepare starts the server and makes the copies.
func (s *show) prepare(ctx context.Context) error {
	s.act("A private PostgreSQL with a small company's books")
	err := s.piece("start PostgreSQL", func() (err error) {
		s.cluster, err = localpg.Start(ctx, localpg.Config{Major: s.cfg.Major, Settings: settings, Logger: s.cfg.Logger})
		return err
	})
	if err != nil {
		return err
	}
	admin, err := pgx.Connect(ctx, s.cluster.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the new server: %w", err)
	}
	defer admin.Close(context.Background())
	if err := admin.QueryRow(ctx, "SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1)").Scan(&s.result.Server); err != nil {
		return fmt.Errorf("ask for the version: %w", err)
	}
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+seedDB); err != nil {
		return fmt.Errorf("create database %s: %w", seedDB, err)
	}
	if err := s.piece("fill six tables", func() error { return s.seed(ctx) }); err != nil {
		return err
	}
	return s.piece("copy the database for everyone", func() error {
		how := ""
		if s.cluster.Major() >= 15 {
			how = " STRATEGY file_copy" // the default one writes every page to the WAL
		}
		for _, name := range []string{idleDB, psqlDB, replankDB} {
			if _, err := admin.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+seedDB+how); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *show) seed(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.cluster.DSN(seedDB))
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	// One transaction, which the simple protocol makes of the whole text.
	sql := "SET demo.rows = " + strconv.Itoa(s.cfg.Rows) + ";\n" + schemaSQL
	if _, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	// FREEZE: a vacuum of a million fresh rows in the middle of the show would be nobody's doing.
	if _, err := conn.Exec(ctx, "VACUUM (FREEZE, ANALYZE)"); err != nil {
		return err
	}
	s.seeds, err = digests(ctx, conn, oldShape, s.cfg.seedRows())
	return err
}

// table names and their share of the rows, in hundredths; schema.sql says the same.
var tables = []struct {
	name  string
	share int
}{
	{"customers", 6}, {"accounts", 4}, {"invoices", 20}, {"entries", 50}, {"deliveries", 10}, {"payments", 10},
}

func (c Config) seedRows() map[string]int64 {
	n := map[string]int64{}
	for _, t := range tables {
		n[t.name] = int64(c.Rows) * int64(t.share) / 100
	}
	return n
}
