package journal

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
)

// Config says how the journal is kept.
type Config struct {
	// Owner is the role that creates and owns schema replank. Default: the role of the connection.
	Owner string
	// LeaseFor is how long a lease lasts without being renewed. Default: 30s.
	LeaseFor time.Duration
	// RenewEvery is how often it is renewed. Default: a third of LeaseFor.
	RenewEvery time.Duration
	// PredecessorWait is how long Acquire waits for backends of a dead executor. Default: 1m.
	PredecessorWait time.Duration
	// Logger hears about lost and renewed leases. Default: slog.DiscardHandler.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.LeaseFor == 0 {
		c.LeaseFor = 30 * time.Second
	}
	if c.RenewEvery == 0 {
		c.RenewEvery = c.LeaseFor / 3
	}
	if c.PredecessorWait == 0 {
		c.PredecessorWait = time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Journal is the journal of one database.
type Journal struct {
	db      *pg.DB
	cfg     Config
	version int // 0: there is none
}

//go:embed v1.sql
var v1SQL string

//go:embed v2.sql
var v2SQL string

//go:embed v3.sql
var v3SQL string

// upgrades[i] takes the journal from version i to i+1. Released ones never change.
var upgrades = []string{v1SQL, v2SQL, v3SQL}

// upgradeLock is the advisory lock key under which the journal is created,
// upgraded, adopted and removed: "replank" in ASCII.
const upgradeLock = 0x7265706c616e6b

// Open looks for the journal and writes nothing; it works on a standby and
// where there is no journal (see Present). It refuses a *NewerError and a
// *ForeignError.
func Open(ctx context.Context, db *pg.DB, cfg Config) (*Journal, error) {
	return open(ctx, db, cfg, len(upgrades))
}

func open(ctx context.Context, db *pg.DB, cfg Config, known int) (*Journal, error) {
	j := &Journal{db: db, cfg: cfg.withDefaults()}
	err := db.Ask(ctx, func(q pg.Querier) error {
		v, err := readMeta(ctx, q, db.Server(), known)
		j.version = v
		return err
	})
	if err != nil {
		return nil, err
	}
	return j, nil
}

// readMeta returns the version of the journal, 0 where there is none.
func readMeta(ctx context.Context, q pg.Querier, here pg.Server, known int) (int, error) {
	var there bool
	err := q.QueryRow(ctx, `SELECT to_regclass('replank.meta') IS NOT NULL`).Scan(&there)
	if err != nil || !there {
		return 0, wrap("look for the journal", err)
	}
	var version int
	var system string
	var database uint32
	err = q.QueryRow(ctx, `SELECT version, system_identifier, database_oid FROM replank.meta`).
		Scan(&version, &system, &database)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return 0, errors.New("schema replank has no row in replank.meta: it was not made by replank, or was damaged")
	case err != nil:
		return 0, wrap("read replank.meta", err)
	case version > known:
		return version, &NewerError{Journal: version, Known: known}
	case database != here.DatabaseOID || system != "" && here.SystemID != "" && system != here.SystemID:
		return version, &ForeignError{JournalSystem: system, System: here.SystemID,
			JournalDatabase: database, Database: here.DatabaseOID}
	}
	return version, nil
}

// Present says whether there is a journal at all.
func (j *Journal) Present() bool { return j.version > 0 }

// Version of the journal in the database; 0: there is none.
func (j *Journal) Version() int { return j.version }

// DB is the database the journal is about.
func (j *Journal) DB() *pg.DB { return j.db }

// Upgrade creates the journal, or brings it to the version of this binary. It
// may be called at any time by any number of processes.
func (j *Journal) Upgrade(ctx context.Context) error { return j.upgrade(ctx, upgrades) }

func (j *Journal) upgrade(ctx context.Context, upgrades []string) error {
	if j.version == len(upgrades) {
		return nil
	}
	return j.exclusively(ctx, "create or upgrade the journal", func(tx pgx.Tx) error {
		version, err := readMeta(ctx, tx, j.db.Server(), len(upgrades))
		if err != nil {
			return err
		}
		from := version
		for ; version < len(upgrades); version++ {
			if _, err := tx.Exec(ctx, upgrades[version]); err != nil {
				return fmt.Errorf("upgrade the journal to version %d: %w", version+1, err)
			}
		}
		sv := j.db.Server()
		if from == 0 {
			_, err = tx.Exec(ctx, `INSERT INTO replank.meta (version, system_identifier, database_oid)
				VALUES ($1, $2, $3)`, version, sv.SystemID, sv.DatabaseOID)
		} else if from != version {
			_, err = tx.Exec(ctx, `UPDATE replank.meta SET version = $1`, version)
		}
		if err != nil {
			return wrap("write replank.meta", err)
		}
		j.version = version
		return nil
	})
}

// exclusively runs fn in a transaction under the advisory lock of the journal.
func (j *Journal) exclusively(ctx context.Context, op string, fn func(pgx.Tx) error) error {
	s, err := j.db.Session(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	before := j.version
	opts := pg.TxOptions{Settings: []pg.Setting{{Name: "search_path", Value: "pg_catalog"}}}
	if j.cfg.Owner != "" {
		opts.Settings = append(opts.Settings, pg.Setting{Name: "role", Value: j.cfg.Owner})
	}
	err = s.Tx(ctx, opts, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(upgradeLock)); err != nil {
			return err
		}
		return fn(tx)
	})
	if err != nil {
		j.version = before
		return wrap(op, err)
	}
	return nil
}

// Forget makes a foreign journal ours: the copy goes its own way from here.
// Applied migrations and unfinished runs are kept, since the schema and the
// rows they describe came along; leases and backends belong to the other side
// and are dropped.
func Forget(ctx context.Context, db *pg.DB, cfg Config) error {
	j := &Journal{db: db, cfg: cfg.withDefaults()}
	return j.exclusively(ctx, "adopt the journal", func(tx pgx.Tx) error {
		_, err := readMeta(ctx, tx, db.Server(), len(upgrades))
		var foreign *ForeignError
		if !errors.As(err, &foreign) {
			return err // nil: it is ours already
		}
		sv := db.Server()
		for _, sql := range []string{
			`DELETE FROM replank.backend`,
			`UPDATE replank.lease SET epoch = epoch + 1, token = NULL, lease_until = '-infinity'`,
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `UPDATE replank.meta SET system_identifier = $1, database_oid = $2`, sv.SystemID, sv.DatabaseOID)
		if err != nil {
			return err
		}
		return AddEvent(ctx, tx, 0, "adopted", map[string]any{
			"from_system": foreign.JournalSystem, "from_database": foreign.JournalDatabase})
	})
}

// Uninstall drops schema replank. It refuses with an *UnfinishedError while a
// run is unfinished, and while something outside still uses a function of ours.
func (j *Journal) Uninstall(ctx context.Context) error {
	if !j.Present() {
		return nil
	}
	return j.exclusively(ctx, "uninstall", func(tx pgx.Tx) error {
		// Nobody starts a run or takes a lease while we look.
		if _, err := tx.Exec(ctx, `LOCK TABLE replank.run, replank.lease IN ACCESS EXCLUSIVE MODE`); err != nil {
			return err
		}
		runs, err := readRuns(ctx, tx, RunFilter{Unfinished: true})
		if err != nil {
			return err
		}
		if len(runs) > 0 {
			return &UnfinishedError{Runs: runs}
		}
		if err := refuseHeld(ctx, tx); err != nil {
			return err
		}
		if err := refuseUsed(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DROP SCHEMA replank CASCADE`); err != nil {
			return err
		}
		j.version = 0
		return nil
	})
}

// refuseUsed names the triggers outside of the schema that run our functions:
// CASCADE would drop them silently.
func refuseUsed(ctx context.Context, tx pgx.Tx) error {
	var trigger, table string
	err := tx.QueryRow(ctx, `SELECT t.tgname, t.tgrelid::regclass::text
		FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = t.tgrelid
		WHERE p.pronamespace = to_regnamespace('replank') AND c.relnamespace <> p.pronamespace LIMIT 1`).
		Scan(&trigger, &table)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("trigger %s on %s still uses a function of schema replank", trigger, table)
}

func (j *Journal) ready() error {
	switch {
	case j.version == 0:
		return &AbsentError{}
	case j.version < len(upgrades):
		return &OlderError{Journal: j.version, Known: len(upgrades)}
	}
	return nil
}

func wrap(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case pg.InsufficientPrivilege(err):
		return &PrivilegeError{Op: op, Err: err}
	}
	return fmt.Errorf("%s: %w", op, err)
}
