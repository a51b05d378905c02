package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/migrate"
)

// seriesParts is how finely the story of a run is told.
const seriesParts = 48

// catchUpFor is how long clients get to work off what a migration made wait, before the next one begins.
const catchUpFor = 10 * time.Second

// idle measures what the application feels when nothing happens.
func (s *show) idle(ctx context.Context) error {
	s.act("Nothing happens: how fast is the application on this machine?")
	run := &s.result.Idle
	run.Name = "idle"
	return s.withFleet(ctx, run, idleDB, func(f *fleet) (shape, error) {
		s.doing("%d clients, %.0f requests a second, and a report now and then", s.cfg.Clients, s.cfg.Rate)
		return oldShape, s.watch(ctx)
	})
}

// watch lets the application work for a while.
func (s *show) watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(s.cfg.Watch):
		return nil
	}
}

// withFleet lets the application run on a database while something is done, and proves afterwards, in the shape
// that is returned, that it kept what the application was told is committed.
func (s *show) withFleet(ctx context.Context, run *Side, database string, do func(*fleet) (shape, error)) error {
	f, err := startFleet(ctx, s.cfg, s.cluster.DSN(database))
	if err != nil {
		return err
	}
	quiet := s.tellLive(f)
	now, err := do(f)
	endErr := f.end()
	quiet()
	run.Stats = f.rec.summary(seriesParts)
	if err := errors.Join(err, endErr); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	return s.piece("prove that nothing was lost", func() error { return s.prove(ctx, run, f, database, now) })
}

// tellLive tells how the application is until the returned function is called.
func (s *show) tellLive(f *fleet) (quiet func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				s.tell(Event{Kind: EventLive, Live: f.rec.live()})
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

func (s *show) prove(ctx context.Context, run *Side, f *fleet, database string, now shape) error {
	conn, err := pgx.Connect(ctx, s.cluster.DSN(database))
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	committed, err := f.verify(ctx, conn, now)
	if err != nil {
		return err
	}
	counted, err := f.counted(ctx, conn)
	if err != nil {
		return err
	}
	untouched, err := s.untouched(ctx, conn, now)
	if err != nil {
		return err
	}
	run.Proof = append(run.Proof, committed, counted, untouched, f.believed())
	return nil
}

// psql carries the folder out as it is written, while the application's code knows the old shape; the new code is
// deployed as soon as the last file is through.
func (s *show) psql(ctx context.Context) error {
	path := psqlPath(s.cluster.Bin())
	s.result.Through = "psql -f"
	if path == "" {
		s.result.Through = "pgx, simple protocol (there is no psql here)"
	}
	s.act("The same folder through psql")
	run := &s.result.Psql
	run.Name = "psql"
	return s.withFleet(ctx, run, psqlDB, func(f *fleet) (shape, error) {
		s.doing("warm up")
		f.catchUp(catchUpFor)
		for _, m := range s.files {
			s.doing("%s", m.Name)
			from := time.Now()
			tries, halted, err := s.naive(ctx, f, path, m)
			if err != nil {
				return oldShape, fmt.Errorf("%s: %w", m.Name, err)
			}
			s.file(run, f, File{Name: m.Name, State: "done", Tries: tries, Halted: halted, Took: time.Since(from)}, from)
		}
		f.deploy(newShape)
		s.doing("the new code is deployed")
		return newShape, s.watch(ctx)
	})
}

// file tells what was felt while a migration was carried out, when everyone who waited for it has an answer.
func (s *show) file(run *Side, f *fleet, file File, from time.Time) {
	to := from.Add(file.Took)
	f.catchUp(catchUpFor)
	file.Worst, file.Failed = f.rec.window(from, to)
	run.Files = append(run.Files, file)
	s.tell(Event{Kind: EventFile, File: &file})
}

// psqlPath finds psql beside the server's programs or in PATH; "" when there is none that runs.
func psqlPath(bin string) string {
	if p := filepath.Join(bin, "psql"); isFile(p) {
		return p
	}
	p, err := exec.LookPath("psql")
	// Debian has a wrapper of that name also where no client is installed.
	if err != nil || exec.Command(p, "--version").Run() != nil {
		return ""
	}
	return p
}

func isFile(path string) bool {
	i, err := os.Stat(path)
	return err == nil && i.Mode().IsRegular()
}

// naiveTries is how often a person starts a migration again that met a deadlock with the application. Every file
// of the folder that can meet one may be started again from its beginning.
const naiveTries = 5

// naive does what most deployments do with a migration: start it, start it again when it was the victim of a
// deadlock, and in the end stop the application for it.
func (s *show) naive(ctx context.Context, f *fleet, psql string, m history.Migration) (tries int, halted bool, err error) {
	for tries = 1; tries <= naiveTries; tries++ {
		if deadlock, err := s.naively(ctx, psql, m); err == nil || !deadlock {
			return tries, false, err
		}
	}
	f.halt()
	defer f.reopen()
	_, err = s.naively(ctx, psql, m)
	return tries, true, err
}

func (s *show) naively(ctx context.Context, psql string, m history.Migration) (deadlock bool, err error) {
	const deadlockDetected = "40P01"
	dsn := s.cluster.DSN(psqlDB)
	if psql != "" {
		// VERBOSITY makes psql print the SQLSTATE.
		cmd := exec.CommandContext(ctx, psql, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=verbose", "--file="+m.Path, dsn)
		if out, err := cmd.CombinedOutput(); err != nil {
			return strings.Contains(string(out), " "+deadlockDetected+": "), fmt.Errorf("psql: %w: %s", err, strings.TrimSpace(string(out)))
		}
		return false, nil
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return false, err
	}
	defer conn.Close(context.Background())
	file, err := ddl.Parse(m.Path, m.Text)
	if err != nil {
		return false, err
	}
	// One by one: the simple protocol would make one transaction of the whole text, which psql does not.
	for _, st := range file.Statements {
		if _, err := conn.Exec(ctx, st.SQL, pgx.QueryExecModeSimpleProtocol); err != nil {
			var pgErr *pgconn.PgError
			return errors.As(err, &pgErr) && pgErr.Code == deadlockDetected, err
		}
	}
	return false, nil
}

// replank carries the folder out with Replank, takes everything back, does it again and completes it. The
// application never stops.
func (s *show) replank(ctx context.Context) error {
	s.act("The same folder through Replank")
	run := &s.result.Replank
	run.Name = "Replank"
	return s.withFleet(ctx, run, replankDB, func(f *fleet) (shape, error) {
		s.doing("warm up")
		f.catchUp(catchUpFor)
		w := &windows{show: s, run: run, fleet: f}
		e, err := s.engine(ctx, w.event)
		if err != nil {
			return oldShape, err
		}
		defer e.Close()
		for _, part := range []func(context.Context, *windows, *migrate.Engine) error{s.apply, s.revert, s.apply, s.complete} {
			if err := part(ctx, w, e); err != nil {
				return oldShape, err
			}
		}
		return newShape, nil
	})
}

// apply brings every file to where both shapes live, and lets old and new code run side by side.
func (s *show) apply(ctx context.Context, w *windows, e *migrate.Engine) error {
	s.act("replank apply: expand, fill, verify")
	sum, err := e.Apply(ctx, s.files)
	if err != nil {
		return err
	}
	if len(sum.Blocked)+len(sum.Paused)+len(sum.Failed) > 0 || len(sum.Done)+len(sum.Ready) != len(s.files) {
		return fmt.Errorf("apply left files behind: %+v", *sum)
	}
	w.fleet.deploy(bothShapes)
	err = s.piece("old and new code side by side", func() error { return s.watch(ctx) })
	return err
}

// revert takes all files back, newest first. The new code has to go before.
func (s *show) revert(ctx context.Context, w *windows, e *migrate.Engine) error {
	s.act("replank revert: all of it back, newest first")
	w.fleet.deploy(oldShape)
	for range s.files {
		if _, err := e.Revert(ctx, ""); err != nil {
			return err
		}
	}
	return s.piece("compare with how it was", func() error {
		p, err := sameShape(ctx, "after revert the shape is that of before", s.cluster.DSN(seedDB), s.cluster.DSN(replankDB))
		if err != nil {
			return err
		}
		conn, err := pgx.Connect(ctx, s.cluster.DSN(replankDB))
		if err != nil {
			return err
		}
		defer conn.Close(context.Background())
		kept, err := w.fleet.verify(ctx, conn, oldShape)
		kept.What = "after revert every committed write is there"
		s.result.Replank.Proof = append(s.result.Replank.Proof, p, kept)
		return err
	})
}

// complete lets the old shape go, when no old code runs any more.
func (s *show) complete(ctx context.Context, w *windows, e *migrate.Engine) error {
	s.act("replank complete: the old shape goes")
	w.fleet.deploy(newShape)
	if _, err := e.Complete(ctx, "", migrate.CompleteOptions{NoOldReaders: true}); err != nil {
		return err
	}
	return s.piece("the new code alone", func() error { return s.watch(ctx) })
}

// windows cuts the time at the events of Replank's runs, so that what the application felt can be told file by
// file.
type windows struct {
	show  *show
	run   *Side
	fleet *fleet
	name  string
	from  time.Time
}

func (w *windows) event(e migrate.Event) {
	if e.Run != w.name {
		w.name, w.from = e.Run, time.Now()
	}
	switch e.Kind {
	case migrate.EventStep:
		w.show.doing("%s: %s", e.Run, e.Title)
	case migrate.EventProgress:
		if e.Idle != "" {
			w.show.doing("%s: %s (waiting: %s)", e.Run, e.Title, e.Idle)
		} else if e.Total > 0 {
			w.show.doing("%s: %s, %d %%", e.Run, e.Title, int(100*e.Fraction))
		}
	case migrate.EventState:
		switch e.State {
		case migrate.Ready, migrate.Done, migrate.Reverted:
			f := File{Name: e.Run, State: string(e.State), Took: time.Since(w.from)}
			f.Worst, f.Failed = w.fleet.rec.window(w.from, time.Now())
			w.run.Files = append(w.run.Files, f)
			w.show.tell(Event{Kind: EventFile, File: &f})
			w.name = ""
		}
	}
}

// compare holds the two copies side by side.
func (s *show) compare(ctx context.Context) error {
	s.act("Is it the same?")
	return s.piece("compare psql's copy and Replank's", func() error {
		p, err := sameShape(ctx, "both copies have the same shape, order of columns aside", s.cluster.DSN(psqlDB), s.cluster.DSN(replankDB))
		s.result.Same = append(s.result.Same, p)
		return err
	})
}
