package decisions

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Watch calls fn with the decisions as they are now, and whenever they have changed, until ctx ends.
func (s *Store) Watch(ctx context.Context, fn func(Snapshot)) error {
	w := watch{fn: fn, version: -1}
	return s.stay(ctx, "replank gateway watch", "the last decisions about routes hold", func(ctx context.Context, conn *pgx.Conn) (time.Duration, error) {
		return s.cfg.Poll, w.look(ctx, conn)
	})
}

// look is called on a connection that listens. It says how soon to look again if nothing is notified.
type look func(context.Context, *pgx.Conn) (time.Duration, error)

// stay looks, whenever something was notified and every so often, until ctx ends: on a connection of its own, and on
// another one when that has failed. holds tells people what is true meanwhile.
func (s *Store) stay(ctx context.Context, name, holds string, look look) error {
	lost := false
	for {
		err := s.listen(ctx, name, func(ctx context.Context, conn *pgx.Conn) (time.Duration, error) {
			// What takes longer than a gateway may be behind is a failure.
			bound, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			next, err := look(bound, conn)
			if err == nil && lost {
				s.cfg.Logger.Warn("the control database is there again")
				lost = false
				s.lost.Store(nil)
			}
			return next, err
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !lost {
			s.cfg.Logger.Error("the control database cannot be reached; "+holds, "error", err)
			lost = true
			s.lost.Store(&err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(s.cfg.Poll):
		}
	}
}

// Lost is why the control database cannot be reached, nil if it can: what was read last holds.
func (s *Store) Lost() error {
	if err := s.lost.Load(); err != nil {
		return *err
	}
	return nil
}

// listen listens on a connection of its own until that fails.
func (s *Store) listen(ctx context.Context, name string, look look) error {
	cfg, err := pgx.ParseConfig(s.db.ConnString())
	if err != nil {
		return err
	}
	cfg.RuntimeParams["application_name"] = name
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
		next, err := look(ctx, conn)
		if err != nil {
			return err
		}
		turn, cancel := context.WithTimeout(ctx, next)
		_, err = conn.WaitForNotification(turn)
		quiet := errors.Is(turn.Err(), context.DeadlineExceeded)
		cancel()
		if err != nil && (!quiet || conn.IsClosed()) {
			return err
		}
	}
}

// watch is what one Watch knows.
type watch struct {
	fn      func(Snapshot)
	version int64
}

// look reads the decisions if there are others than before.
func (w *watch) look(ctx context.Context, conn *pgx.Conn) error {
	var version int64
	if err := conn.QueryRow(ctx, "SELECT version FROM replank.route_version").Scan(&version); err != nil {
		return err
	}
	if version == w.version {
		return nil
	}
	snap, err := read(ctx, conn)
	if err != nil {
		return err
	}
	w.version = snap.Version
	w.fn(snap)
	return nil
}
