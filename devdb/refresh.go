package devdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/replank/replank/internal/pg"
)

// Result is what Refresh and Reset have done.
type Result struct {
	Database string
	Hash     string        // of its state
	Ran      []string      // steps that were run; the others were there
	Made     bool          // the database was made; else it was up to date
	Took     time.Duration // to make it from its template
}

// cleanUp is how long what must be done may take after a signal.
const cleanUp = time.Minute

// Refresh carries out the steps whose outcome is not there yet, and makes the database where it is missing or of another state.
func (d *Dev) Refresh(ctx context.Context) (*Result, error) {
	if err := d.refuseUnmarked(ctx); err != nil {
		return nil, err
	}
	final, ran, err := d.template(ctx, d.links)
	if err != nil {
		return nil, err
	}
	r := &Result{Database: d.conn.Database, Hash: final.Hash, Ran: ran}
	all, err := d.databases(ctx)
	if err != nil {
		return nil, err
	}
	if dev, ok := find(all, kindDev, final.Hash); !ok || !dev.Open {
		if err := d.replace(ctx, final, r); err != nil {
			return nil, err
		}
	}
	return r, d.prune(ctx)
}

// Reset makes the database anew, whatever state it is in, and runs only what its template lacks.
func (d *Dev) Reset(ctx context.Context) (*Result, error) {
	if err := d.refuseUnmarked(ctx); err != nil {
		return nil, err
	}
	final, ran, err := d.template(ctx, d.links)
	if err != nil {
		return nil, err
	}
	r := &Result{Database: d.conn.Database, Hash: final.Hash, Ran: ran}
	if err := d.replace(ctx, final, r); err != nil {
		return nil, err
	}
	return r, d.prune(ctx)
}

// refuseUnmarked declines to replace a database that was not made here.
func (d *Dev) refuseUnmarked(ctx context.Context) error {
	name := d.conn.Database
	var there bool
	if err := d.sql.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil {
		return &Error{Op: "look for the database", Err: err}
	}
	all, err := d.databases(ctx)
	if err != nil {
		return err
	}
	ours := slices.ContainsFunc(all, func(db database) bool { return db.Name == name && db.Kind == kindDev })
	if !there || ours || d.cfg.TakeOver == name {
		return nil
	}
	return &RefusedError{SignUnmarked, "Replank has not made the database " + name + ", and would replace it",
		"give db in [dev] another name, or lose what is in it: --take-over " + name}
}

// template gives the template after the last of some steps, and runs those that have none yet.
func (d *Dev) template(ctx context.Context, links []link) (final *database, ran []string, err error) {
	all, err := d.databases(ctx)
	if err != nil {
		return nil, nil, err
	}
	next := 0
	for i := len(links) - 1; i >= 0; i-- {
		if db, ok := find(all, kindTemplate, links[i].hash); ok {
			final, next = &db, i+1
			break
		}
	}
	for _, l := range links[:next] {
		d.cfg.Events(Event{Kind: EventCached, Name: l.Name})
	}
	for ; next < len(links); next++ {
		l := links[next]
		var did bool
		if final, did, err = d.build(ctx, l, final); err != nil {
			return nil, nil, err
		}
		if did {
			ran = append(ran, l.Name)
		}
	}
	return final, ran, nil
}

// build makes the template after a step, unless another process has just done that.
func (d *Dev) build(ctx context.Context, l link, before *database) (after *database, did bool, err error) {
	unlock, err := d.lock(ctx, "build "+l.hash, func() { d.cfg.Events(Event{Kind: EventWaiting, Name: l.Name}) })
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	all, err := d.databases(ctx)
	if err != nil {
		return nil, false, err
	}
	if db, ok := find(all, kindTemplate, l.hash); ok {
		d.cfg.Events(Event{Kind: EventCached, Name: l.Name})
		return &db, false, nil
	}
	d.cfg.Events(Event{Kind: EventStep, Name: l.Name})
	began := time.Now()
	scratch, err := d.place(ctx, before, d.newName(kindScratch), marker{Kind: kindScratch, Hash: l.hash, Step: l.Name})
	if err != nil {
		return nil, false, err
	}
	if err := d.run(ctx, l, scratch); err != nil {
		// Also after a signal: the half that was done is of no use, the state before is a template.
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
		defer cancel()
		err = d.explain(late, err, l, before)
		return nil, false, errors.Join(err, d.drop(late, scratch))
	}
	if err := d.unchanged(l); err != nil {
		return nil, false, errors.Join(err, d.drop(ctx, scratch))
	}
	if after, err = d.seal(ctx, l, scratch); err != nil {
		return nil, false, err
	}
	d.cfg.Events(Event{Kind: EventDone, Name: l.Name, Took: time.Since(began)})
	return after, true, nil
}

// place makes a database with a name and a mark.
func (d *Dev) place(ctx context.Context, from *database, name string, m marker) (string, error) {
	unfinished, unlock, err := d.create(ctx, from)
	if err != nil {
		return "", err
	}
	defer unlock()
	return name, d.named(ctx, unfinished, name, m)
}

// explain adds to a step's failure how to run it alone: a database with the state before it, which the last refresh
// that failed has left its place to.
func (d *Dev) explain(ctx context.Context, err error, l link, before *database) error {
	var failed *StepError
	if !errors.As(err, &failed) {
		return err
	}
	all, listErr := d.databases(ctx)
	for _, db := range all {
		if db.Kind == kindStep {
			listErr = errors.Join(listErr, d.drop(ctx, db.Name))
		}
	}
	name, placeErr := d.place(ctx, before, d.newName(kindStep), marker{Kind: kindStep, Hash: l.hash, Step: l.Name})
	if placeErr == nil {
		failed.Database, failed.Alone = name, d.target.at(name).alone(l.dir, l.Run, l.env)
	}
	return errors.Join(err, listErr, placeErr)
}

// unchanged checks that a step's inputs are what its hash says: otherwise its outcome would be found where it does not belong.
func (d *Dev) unchanged(l link) error {
	now, err := chain(d.cfg, d.major)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(now, func(n link) bool { return n.hash == l.hash }) {
		return nil
	}
	return &Error{Op: "refresh", Step: l.Name, Err: errors.New("inputs have changed while it ran, so nobody knows what its outcome belongs to"),
		Hint: "call replank dev refresh again; a step that writes files must not have them in its inputs"}
}

// seal makes a template of the database that a step is done in: nobody can enter it any more, and DROP DATABASE alone
// does not drop it.
func (d *Dev) seal(ctx context.Context, l link, scratch string) (*database, error) {
	m := marker{Kind: kindTemplate, Hash: l.hash, Step: l.Name}
	var err error
	if m.Journal, err = d.hasJournal(ctx, scratch); err != nil {
		return nil, err
	}
	if err := d.shut(ctx, scratch); err != nil {
		return nil, err
	}
	if err := d.sql.QueryRow(ctx, "SELECT pg_database_size($1::text)", scratch).Scan(&m.Bytes); err != nil {
		return nil, &Error{Op: "measure " + scratch, Err: err}
	}
	name := d.newName("tpl_" + l.hash[:8])
	err = d.together(ctx, func() error {
		if err := d.mark(ctx, scratch, m); err != nil {
			return err
		}
		if err := d.statements(ctx, "make a template of "+scratch, "ALTER DATABASE "+pg.Ident(scratch)+" IS_TEMPLATE true"); err != nil {
			return err
		}
		return d.rename(ctx, scratch, name)
	})
	if err != nil {
		return nil, err
	}
	return &database{Name: name, marker: m}, nil
}

// hasJournal asks a database whether it holds a journal of Replank.
func (d *Dev) hasJournal(ctx context.Context, name string) (there bool, err error) {
	conn, err := d.connect(ctx, name)
	if err != nil {
		return false, err
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, "SELECT to_regclass('replank.meta') IS NOT NULL").Scan(&there); err != nil {
		return false, &Error{Op: "look for a journal in " + name, Err: err}
	}
	return there, nil
}

// replace puts a copy of a template in the place of the database to develop with. Its sessions are ended, no others; it
// is missing for the time of one transaction, which sees none of the two or both names changed.
func (d *Dev) replace(ctx context.Context, from *database, r *Result) (err error) {
	unlock, err := d.lock(ctx, "database", func() { d.cfg.Events(Event{Kind: EventWaiting, Name: d.conn.Database}) })
	if err != nil {
		return err
	}
	defer unlock()
	began := time.Now()
	unfinished, release, err := d.create(ctx, from)
	if err != nil {
		return err
	}
	defer release()
	name, old := d.conn.Database, d.newName(kindOld)
	// Once more, now under the lock: somebody may have put a database of theirs there.
	if err := d.refuseUnmarked(ctx); err != nil {
		return errors.Join(err, d.drop(ctx, unfinished))
	}
	var there bool
	if err := d.sql.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil {
		return &Error{Op: "look for the database", Err: err}
	}
	if there {
		if err := d.shut(ctx, name); err != nil {
			return err
		}
		defer func() {
			if err != nil { // it is still there under its name
				late, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
				defer cancel()
				err = errors.Join(err, d.statements(late, "open the database again", "ALTER DATABASE "+pg.Ident(name)+" ALLOW_CONNECTIONS true"))
			}
		}()
	}
	err = d.together(ctx, func() error {
		if there {
			if err := d.mark(ctx, name, marker{Kind: kindOld}); err != nil {
				return err
			}
			if err := d.rename(ctx, name, old); err != nil {
				return err
			}
		}
		if err := d.mark(ctx, unfinished, marker{Kind: kindDev, Hash: from.Hash}); err != nil {
			return err
		}
		return d.rename(ctx, unfinished, name)
	})
	if err != nil {
		return err
	}
	r.Made, r.Took = true, time.Since(began)
	d.cfg.Events(Event{Kind: EventMade, Database: name, Took: r.Took})
	if there {
		if dropErr := d.drop(ctx, old); dropErr != nil {
			d.cfg.Logger.Warn("the database of before is left", "name", old, "error", dropErr)
		}
	}
	return nil
}

// prune removes what is of no use: what killed processes have left, and templates beyond Keep, the longest unused first.
func (d *Dev) prune(ctx context.Context) error {
	all, err := d.databases(ctx)
	if err != nil {
		return err
	}
	present := map[string]bool{}
	for _, l := range d.links {
		present[l.hash] = true
	}
	var others []database
	var errs []error
	for _, db := range all {
		switch {
		case db.Kind == kindTemplate && present[db.Hash]:
			errs = append(errs, d.touch(ctx, db))
		case db.Kind == kindTemplate:
			others = append(others, db)
		default:
			errs = append(errs, d.collect(ctx, db))
		}
	}
	slices.SortFunc(others, func(a, b database) int { return a.At.Compare(b.At) })
	for _, db := range others[:max(0, len(others)-d.cfg.Keep)] {
		errs = append(errs, d.unlessHeld(ctx, "use "+db.Hash, db.Name))
	}
	return errors.Join(errs...)
}

// touch says that a template is in use, once in a while.
func (d *Dev) touch(ctx context.Context, db database) error {
	if db.Age < 10*time.Minute {
		return nil
	}
	return d.mark(ctx, db.Name, db.marker)
}

// collect drops a database that the process which made it has no use for any more, because it is dead.
func (d *Dev) collect(ctx context.Context, db database) error {
	switch db.Kind {
	case "": // unfinished
		return d.unlessHeld(ctx, db.Name, db.Name)
	case kindScratch:
		return d.unlessHeld(ctx, "build "+db.Hash, db.Name)
	case kindOld:
		return d.unlessHeld(ctx, "database", db.Name)
	}
	return nil
}

// unlessHeld drops a database under the lock of whoever works with it, if nobody does.
func (d *Dev) unlessHeld(ctx context.Context, lock, name string) error {
	free, err := d.try(ctx, lock)
	if err != nil || !free {
		return err
	}
	defer d.unlock(ctx, lock)
	if err := d.drop(ctx, name); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	return nil
}
