package decisions

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Watch calls fn with the decisions as they are now, and whenever they have changed, until ctx ends.
func (s *Store) Watch(ctx context.Context, fn func(Snapshot)) error {
	w := watch{store: s, fn: fn, version: -1}
	lost := false
	for {
		err := w.listen(ctx, func() {
			if lost {
				s.cfg.Logger.Info("the control database is there again")
				lost = false
			}
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !lost {
			s.cfg.Logger.Error("the control database cannot be reached; the last decisions about routes hold", "error", err)
			lost = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(s.cfg.Poll):
		}
	}
}

// watch is what one Watch knows.
type watch struct {
	store   *Store
	fn      func(Snapshot)
	version int64
}

// listen listens on a connection of its own until that fails.
func (w *watch) listen(ctx context.Context, reached func()) error {
	cfg, err := pgx.ParseConfig(w.store.db.ConnString())
	if err != nil {
		return err
	}
	cfg.RuntimeParams["application_name"] = "replank gateway watch"
	bound, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(bound, cfg)
	if err != nil {
		return err
	}
	defer func() {
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(bound)
	}()
	if _, err := conn.Exec(bound, "LISTEN "+channel); err != nil {
		return err
	}
	for {
		if err := w.look(ctx, conn); err != nil {
			return err
		}
		reached()
		turn, cancel := context.WithTimeout(ctx, w.store.cfg.Poll)
		_, err := conn.WaitForNotification(turn)
		quiet := errors.Is(turn.Err(), context.DeadlineExceeded)
		cancel()
		if err != nil && (!quiet || conn.IsClosed()) {
			return err
		}
	}
}

// look reads the decisions if there are others than before. What takes longer than a gateway may be behind is a failure.
func (w *watch) look(ctx context.Context, conn *pgx.Conn) error {
	bound, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var version int64
	if err := conn.QueryRow(bound, "SELECT version FROM replank.route_version").Scan(&version); err != nil {
		return err
	}
	if version == w.version {
		return nil
	}
	snap, err := read(bound, conn)
	if err != nil {
		return err
	}
	w.version = snap.Version
	w.fn(snap)
	return nil
}
