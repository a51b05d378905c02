package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/oracle"
)

func (a *app) snapshotCommand() *cobra.Command {
	var cfg oracle.TakeConfig
	cmd := &cobra.Command{
		Use:     "snapshot",
		Short:   "Write down what judging migrations needs to know: shapes, sizes, workload",
		GroupID: groupWatch,
		Long: `Prints one JSON file: the shapes of the database and their sizes, the settings
that decide, what other migration tools have applied, and the normalised
statements of pg_stat_statements with their calls. Verify and lint take it with
--snapshot, wherever they run.

It holds no row, no literal of a query, no comment, no statistics of columns and
no password. Constants in definitions (defaults, CHECK, bounds of partitions,
bodies of views and functions) are part of the shape, and are in it.

Short read-only transactions, with timeouts; a standby will do, and no privilege
is needed: what cannot be seen is told on standard error, and in the file.`,
		Example: `  replank snapshot --db postgres://readonly@db.example.com/shop > replank.snapshot.json
  replank snapshot --lock-timeout 1s > replank.snapshot.json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.DSN, cfg.Logger = a.set.dsn(), a.log
			snap, err := oracle.Take(cmd.Context(), cfg)
			if err != nil {
				return a.connectError(err)
			}
			for _, what := range snap.Unseen {
				a.messages.wrapped(a.messages.paint(yellow, "not seen: "), "", what)
			}
			text, err := snap.Encode()
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(text)
			return err
		},
	}
	cmd.Flags().DurationVar(&cfg.LockTimeout, "lock-timeout", 0, "longest wait for a lock of somebody else (default 5s)")
	cmd.Flags().DurationVar(&cfg.StatementTimeout, "statement-timeout", 0, "longest time for one query (default 1m)")
	return cmd
}

// readSnapshot reads the file of --snapshot.
func readSnapshot(path string) (*ddl.Snapshot, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		var cause *fs.PathError
		if errors.As(err, &cause) {
			err = cause.Err
		}
		return nil, &usageError{err: fmt.Errorf("read the snapshot %s: %w", path, err), hint: "replank snapshot --db … > " + path + " makes it"}
	}
	snap, err := ddl.ReadSnapshot(text)
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("%s: %w", path, err)}
	}
	return snap, nil
}
