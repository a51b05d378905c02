package devdb

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
)

// maintenance is the database whose advisory locks everybody takes: they count within one database alone.
const maintenance = "postgres"

// The kinds of databases that are made here.
const (
	kindDev      = "dev"      // to develop with
	kindTemplate = "template" // the state after a step
	kindScratch  = "scratch"  // a step is at work in it
	kindStep     = "step"     // the state before a step that failed, for a person
	kindTest     = "test"     // for one test
	kindOld      = "old"      // replaced, to be dropped
)

// marker is the comment of a database that was made here. Whatever lacks one is not ours.
type marker struct {
	Kind    string `json:"replank"`
	Project string `json:"project"` // the name of the database to develop with
	Hash    string `json:"hash,omitempty"`
	Step    string `json:"step,omitempty"`
	Journal bool   `json:"journal,omitempty"` // the state holds a journal of Replank
	Bytes   int64  `json:"bytes,omitempty"`
	// Who has a database for tests; State is ready, taken or released.
	State string `json:"state,omitempty"`
	Host  string `json:"host,omitempty"`
	PID   int    `json:"pid,omitempty"`
	// When it was made, or used last; by the server's clock.
	At time.Time `json:"at"`
	// OID of the database: pg_dump takes the comment along, and a restored database was not made here.
	OID uint32 `json:"oid"`
}

// database is one that was made here for our project.
type database struct {
	Name string
	marker
	Open     bool          // connections are allowed
	Age      time.Duration // since At
	Sessions int           // that are in it
}

// databases lists what was made here.
func (d *Dev) databases(ctx context.Context) ([]database, error) {
	rows, err := d.sql.Query(ctx, `SELECT datname, oid, coalesce(shobj_description(oid, 'pg_database'), ''), datallowconn, now(),
		coalesce(sessions, 0) FROM pg_database LEFT JOIN (SELECT datid, count(*) AS sessions FROM pg_stat_activity GROUP BY datid) AS a ON datid = oid ORDER BY datname`)
	if err != nil {
		return nil, &Error{Op: "list the databases", Err: err}
	}
	var all []database
	var one database
	var comment string
	var oid uint32
	var now time.Time
	_, err = pgx.ForEachRow(rows, []any{&one.Name, &oid, &comment, &one.Open, &now, &one.Sessions}, func() error {
		one.marker = marker{}
		if comment == "" && d.unfinished(one.Name) {
			all = append(all, one)
			return nil
		}
		if !strings.HasPrefix(comment, `{"replank":`) || json.Unmarshal([]byte(comment), &one.marker) != nil ||
			one.Project != d.conn.Database || one.OID != oid || one.Kind == kindDev != (one.Name == d.conn.Database) {
			return nil
		}
		one.Age = now.Sub(one.At)
		all = append(all, one)
		return nil
	})
	if err != nil {
		return nil, &Error{Op: "list the databases", Err: err}
	}
	return all, nil
}

// find is the first database of a kind and hash.
func find(all []database, kind, hash string) (database, bool) {
	i := slices.IndexFunc(all, func(db database) bool { return db.Kind == kind && db.Hash == hash })
	if i < 0 {
		return database{}, false
	}
	return all[i], true
}

// prefix is what the names of all our databases beside the one to develop with start with.
func (d *Dev) prefix() string {
	name := d.conn.Database
	if len(name) > 28 {
		sum := sha256.Sum256([]byte(name))
		name = name[:20] + "_" + hex.EncodeToString(sum[:3])
	}
	return name + "_replank_"
}

// newName is a name of ours that nothing has.
func (d *Dev) newName(kind string) string {
	b := make([]byte, 6)
	_, _ = rand.Read(b) // it never fails
	return d.prefix() + kind + "_" + hex.EncodeToString(b)
}

// A database has no comment while it is being made, and one whose maker was killed then would stay for ever. So its name
// is its mark: eight digits at random and a check over them that nobody else's name has by chance.
func (d *Dev) unfinishedName() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // it never fails
	digits := hex.EncodeToString(b)
	return d.prefix() + "new_" + digits + check(digits)
}

func check(digits string) string {
	sum := sha256.Sum256([]byte("replank devdb " + digits))
	return hex.EncodeToString(sum[:4])
}

var unfinishedName = regexp.MustCompile(`^([0-9a-f]{8})([0-9a-f]{8})$`)

// unfinished tells whether a database was being made here.
func (d *Dev) unfinished(name string) bool {
	digits, ok := strings.CutPrefix(name, d.prefix()+"new_")
	m := unfinishedName.FindStringSubmatch(digits)
	return ok && m != nil && check(m[1]) == m[2]
}

// lockKey is an advisory lock of this project.
func (d *Dev) lockKey(what string) int64 {
	sum := sha256.Sum256([]byte("replank devdb\x00" + d.conn.Database + "\x00" + what))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// lock waits for an advisory lock; waiting is called when somebody else has it. The lock goes with the connection: a
// process that is killed leaves none.
func (d *Dev) lock(ctx context.Context, what string, waiting func()) (unlock func(), err error) {
	got, err := d.try(ctx, what)
	if err != nil {
		return nil, err
	}
	if !got {
		waiting()
		if _, err := d.sql.Exec(ctx, "SELECT pg_advisory_lock($1)", d.lockKey(what)); err != nil {
			return nil, &Error{Op: "wait for another replank", Err: err}
		}
	}
	return func() { d.unlock(ctx, what) }, nil
}

func (d *Dev) try(ctx context.Context, what string) (got bool, err error) {
	if err := d.sql.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", d.lockKey(what)).Scan(&got); err != nil {
		return false, &Error{Op: "take a lock", Err: err}
	}
	return got, nil
}

func (d *Dev) unlock(ctx context.Context, what string) {
	// If it fails the connection is gone, and the lock with it.
	_, _ = d.sql.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", d.lockKey(what))
}

// hold keeps a template from being removed while it is copied.
func (d *Dev) hold(ctx context.Context, hash string) (release func(), err error) {
	key := d.lockKey("use " + hash)
	if _, err := d.sql.Exec(ctx, "SELECT pg_advisory_lock_shared($1)", key); err != nil {
		return nil, &Error{Op: "hold a template", Err: err}
	}
	return func() {
		_, _ = d.sql.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock_shared($1)", key)
	}, nil
}

// mark writes a comment, with the server's time.
func (d *Dev) mark(ctx context.Context, name string, m marker) error {
	m.Project = d.conn.Database
	if err := d.sql.QueryRow(ctx, "SELECT now(), oid FROM pg_database WHERE datname = $1", name).Scan(&m.At, &m.OID); err != nil {
		return &Error{Op: "mark " + name, Err: err}
	}
	b, err := json.Marshal(m)
	if err != nil {
		return &Error{Op: "mark " + name, Err: err}
	}
	return d.statements(ctx, "mark "+name, "COMMENT ON DATABASE "+pg.Ident(name)+" IS "+pg.Literal(string(b)))
}

// statements runs them one by one, outside of a transaction: those on databases want that.
func (d *Dev) statements(ctx context.Context, op string, sql ...string) error {
	for _, s := range sql {
		if _, err := d.sql.Exec(ctx, s); err != nil {
			hint := ""
			if pg.InsufficientPrivilege(err) {
				hint = "the role " + d.conn.User + " makes databases: ALTER ROLE " + pg.Ident(d.conn.User) + " CREATEDB"
			}
			return &Error{Op: op, Err: err, Hint: hint}
		}
	}
	return nil
}

// together runs fn in a transaction of our one connection: marks and names change both or not at all.
func (d *Dev) together(ctx context.Context, fn func() error) error {
	return pgx.BeginFunc(ctx, d.sql, func(pgx.Tx) error { return fn() })
}

// named gives a database that is being made its mark and its name.
func (d *Dev) named(ctx context.Context, unfinished, name string, m marker) error {
	return d.together(ctx, func() error {
		if err := d.mark(ctx, unfinished, m); err != nil {
			return err
		}
		return d.rename(ctx, unfinished, name)
	})
}

func (d *Dev) rename(ctx context.Context, from, to string) error {
	return d.statements(ctx, "name the database "+to, "ALTER DATABASE "+pg.Ident(from)+" RENAME TO "+pg.Ident(to))
}

// smallBytes is up to where copying through the WAL is faster than two checkpoints and a copy of files. BenchmarkClone on
// 15 with fsync: 50 ms against 330 ms for an empty database, 670 ms against 360 ms for one of 100 MB.
const smallBytes = 64 << 20

// create makes a database under an unfinished name, as a copy of a template; nil: of nothing. What a copy lacks is
// brought along, and its journal is made its own. Nobody removes it while the returned lock is held.
func (d *Dev) create(ctx context.Context, from *database) (name string, unlock func(), err error) {
	name = d.unfinishedName()
	if unlock, err = d.lock(ctx, name, func() {}); err != nil {
		return "", nil, err
	}
	defer func() {
		if err != nil {
			d.unlock(ctx, name)
		}
	}()
	if from == nil {
		return name, unlock, d.statements(ctx, "make an empty database", "CREATE DATABASE "+pg.Ident(name)+" TEMPLATE template0")
	}
	release, err := d.hold(ctx, from.Hash)
	if err != nil {
		return "", nil, err
	}
	defer release()
	if err := d.copyOf(ctx, name, from); err != nil {
		return "", nil, err
	}
	rows, err := d.sql.Query(ctx, propertiesSQL, from.Name, name)
	if err != nil {
		return "", nil, &Error{Op: "read the settings of " + from.Name, Err: err}
	}
	properties, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "", nil, &Error{Op: "read the settings of " + from.Name, Err: err}
	}
	if err := d.statements(ctx, "copy the settings of "+from.Name, properties...); err != nil {
		return "", nil, err
	}
	if from.Journal {
		if err := d.ownJournal(ctx, name); err != nil {
			return "", nil, err
		}
	}
	return name, unlock, nil
}

//go:embed properties.sql
var propertiesSQL string

// copyOf is CREATE DATABASE in the way that is quickest for the size. Cloned files cost nothing, whatever their size,
// where the file system can do that; the server says so only when it is asked.
func (d *Dev) copyOf(ctx context.Context, name string, from *database) error {
	create := "CREATE DATABASE " + pg.Ident(name) + " TEMPLATE " + pg.Ident(from.Name)
	large := from.Bytes > smallBytes
	switch {
	case large && d.major >= 18:
		err := d.statements(ctx, "clone "+from.Name, "SET file_copy_method = clone", create+" STRATEGY file_copy")
		_, reset := d.sql.Exec(ctx, "RESET file_copy_method")
		if err == nil || reset != nil {
			return errors.Join(err, reset)
		}
		fallthrough
	case large && d.major >= 15:
		create += " STRATEGY file_copy"
	}
	return d.statements(ctx, "copy "+from.Name, create)
}

// ownJournal makes the journal that came with a copy the copy's own: see journal.ForeignError.
func (d *Dev) ownJournal(ctx context.Context, name string) error {
	db, err := pg.Open(ctx, pg.Config{DSN: d.target.at(name).url(), ApplicationName: "replank dev"})
	if err != nil {
		return &Error{Op: "open the copy " + name, Err: err}
	}
	defer db.Close()
	if err := journal.Forget(ctx, db, journal.Config{}); err != nil {
		return &Error{Op: "take over the journal in " + name, Err: err}
	}
	return nil
}

// shut ends the sessions of one database, and lets nobody in any more.
func (d *Dev) shut(ctx context.Context, name string) error {
	return d.statements(ctx, "end the sessions of "+name, "ALTER DATABASE "+pg.Ident(name)+" ALLOW_CONNECTIONS false",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "+pg.Literal(name))
}

// drop removes a database that was made here. It is the only place that drops one.
//
// This is safe: the comment, or the name of one without, is read once more on the server right before. Names with
// random digits are given once only, so that between that look and DROP no other database can have come to the name;
// and the one name without digits, that of the database to develop with, is never dropped but renamed first.
func (d *Dev) drop(ctx context.Context, name string) error {
	all, err := d.databases(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(db database) bool { return db.Name == name })
	if i < 0 {
		return nil // it is gone already, or not ours
	}
	if !strings.HasPrefix(name, d.prefix()) {
		return &Error{Op: "drop " + name, Err: errors.New("its name is none of those that are dropped")}
	}
	d.cfg.Logger.Info("drop a database", "name", name, "kind", all[i].Kind, "age", all[i].Age.Round(time.Second).String())
	var sql []string
	if all[i].Kind == kindTemplate {
		sql = append(sql, "ALTER DATABASE "+pg.Ident(name)+" IS_TEMPLATE false")
	}
	return d.statements(ctx, "drop "+name, append(sql, "DROP DATABASE IF EXISTS "+pg.Ident(name)+" WITH (FORCE)")...)
}
