package devdb

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"time"
)

// The states of a database for tests.
const (
	testReady    = "ready"    // nobody has had it
	testTaken    = "taken"    // a test has it
	testReleased = "released" // to be dropped
)

// staleReady is how long ready databases of another state are kept: somebody may be testing another branch.
const staleReady = time.Hour

// strangeTaken is how long a database is kept that a process of another machine (a container) has, while no session is
// in it: whether the process lives cannot be told.
const strangeTaken = time.Hour

// TestDB is a database for one test.
type TestDB struct {
	Name     string `json:"name"`
	DSN      string `json:"dsn"`
	Host     string `json:"host"`
	Port     string `json:"port"`
	User     string `json:"user"`
	Password string `json:"password"`
	Hash     string `json:"hash"` // of the state that it has
}

func (d *Dev) testDB(name, hash string) *TestDB {
	t := d.target.at(name)
	return &TestDB{Name: name, DSN: t.url(), Host: t.Host, Port: t.Port, User: t.User, Password: t.Password, Hash: hash}
}

// testLinks are the steps whose outcome tests get.
func (d *Dev) testLinks() []link {
	if i := slices.IndexFunc(d.links, func(l link) bool { return l.Name == d.cfg.TestAfter }); i >= 0 {
		return d.links[:i+1]
	}
	return d.links
}

// Take hands out a database, for as long as a process of this machine lives or until Release. It is one of those that
// Fill has made; where none is ready it is made now, and its template as well where that is missing.
func (d *Dev) Take(ctx context.Context, pid int) (*TestDB, error) {
	links := d.testLinks()
	taken := marker{Kind: kindTest, Hash: links[len(links)-1].hash, State: testTaken, Host: d.host, PID: pid}
	name, err := d.takeReady(ctx, taken)
	if err != nil {
		return nil, err
	}
	if name == "" {
		from, _, err := d.template(ctx, links)
		if err != nil {
			return nil, err
		}
		if name, err = d.place(ctx, from, d.newName(kindTest), taken); err != nil {
			return nil, err
		}
	}
	return d.testDB(name, taken.Hash), nil
}

// takeReady marks a ready database as taken; "": there is none.
func (d *Dev) takeReady(ctx context.Context, taken marker) (name string, err error) {
	unlock, err := d.lock(ctx, "pool", func() {})
	if err != nil {
		return "", err
	}
	defer unlock()
	all, err := d.databases(ctx)
	if err != nil {
		return "", err
	}
	for _, db := range all {
		if db.Kind == kindTest && db.State == testReady && db.Hash == taken.Hash {
			return db.Name, d.mark(ctx, db.Name, taken)
		}
	}
	return "", nil
}

// Release gives databases back; Fill drops them.
func (d *Dev) Release(ctx context.Context, names ...string) error {
	all, err := d.databases(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		i := slices.IndexFunc(all, func(db database) bool { return db.Name == name && db.Kind == kindTest })
		if i < 0 {
			errs = append(errs, &Error{Op: "release " + name, Err: errors.New("it is no database for tests of " + d.conn.Database),
				Hint: "give what replank testdb has printed"})
			continue
		}
		m := all[i].marker
		m.State = testReleased
		errs = append(errs, d.mark(ctx, name, m))
	}
	return errors.Join(errs...)
}

// Wanting says whether Fill would find work and nobody is at it.
func (d *Dev) Wanting(ctx context.Context) (bool, error) {
	make, garbage, err := d.poolWork(ctx)
	if err != nil || make == 0 && len(garbage) == 0 {
		return false, err
	}
	// Whoever has the lock looks once more after giving it back, and so sees what was marked before this look.
	free, err := d.try(ctx, "fill")
	if free {
		d.unlock(ctx, "fill")
	}
	return free, err
}

// Fill makes databases until Pool are ready, and drops those that nobody has any more. One process does that at a time.
func (d *Dev) Fill(ctx context.Context) error {
	for {
		free, err := d.try(ctx, "fill")
		if err != nil || !free {
			return err
		}
		err = d.fill(ctx)
		d.unlock(ctx, "fill")
		if err != nil {
			return err
		}
		if more, err := d.Wanting(ctx); err != nil || !more {
			return err
		}
	}
}

func (d *Dev) fill(ctx context.Context) error {
	links := d.testLinks()
	hash := links[len(links)-1].hash
	for {
		make, garbage, err := d.poolWork(ctx)
		if err != nil {
			return err
		}
		switch {
		case make > 0: // a test waits for it
			all, err := d.databases(ctx)
			if err != nil {
				return err
			}
			from, ok := find(all, kindTemplate, hash)
			if !ok {
				return nil // it was removed just now
			}
			if _, err := d.place(ctx, &from, d.newName(kindTest), marker{Kind: kindTest, Hash: hash, State: testReady}); err != nil {
				return err
			}
		case len(garbage) > 0:
			if err := d.dropTest(ctx, garbage[0]); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// dropTest drops a database for tests, unless it is ready and somebody takes it just now.
func (d *Dev) dropTest(ctx context.Context, db database) error {
	if db.State != testReady {
		return d.drop(ctx, db.Name)
	}
	unlock, err := d.lock(ctx, "pool", func() {})
	if err != nil {
		return err
	}
	defer unlock()
	all, err := d.databases(ctx)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(all, func(now database) bool { return now.Name == db.Name }); i < 0 || all[i].State != testReady {
		return nil
	}
	return d.drop(ctx, db.Name)
}

// poolWork is how many databases are to be made, and which are to be dropped. Without a template none can be made.
func (d *Dev) poolWork(ctx context.Context) (make int, garbage []database, err error) {
	all, err := d.databases(ctx)
	if err != nil {
		return 0, nil, err
	}
	links := d.testLinks()
	hash := links[len(links)-1].hash
	ready := 0
	for _, db := range all {
		switch {
		case db.Kind != kindTest:
		case db.State == testReady && db.Hash == hash:
			ready++
		case db.State == testReady && db.Age > staleReady, db.State == testReleased, db.State == testTaken && d.abandoned(db):
			garbage = append(garbage, db)
		}
	}
	if _, ok := find(all, kindTemplate, hash); ok {
		make = max(0, d.cfg.Pool-ready)
	}
	return make, garbage, nil
}

// abandoned tells whether the process that has taken a database is gone.
func (d *Dev) abandoned(db database) bool {
	if db.Host != d.host {
		return db.Age > strangeTaken && db.Sessions == 0
	}
	// EPERM: it lives, and is somebody else's.
	return errors.Is(syscall.Kill(db.PID, 0), syscall.ESRCH)
}
