// Package measure finds out what a statement does to a live server: which relations it locked and how
// strongly, which heaps it wrote anew, which indexes it rebuilt and which tables it read through.
//
// It is the yardstick of ddl.Effects: everything that package claims is compared with what this one saw.
package measure

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
)

// ScanRows is the number of rows that must have been read before a table counts as scanned.
const ScanRows = 1000

// Facts are what was seen. Relations are named as they were before the statement; those of the system
// catalogs, of TOAST, and those which the statement itself created are left out.
type Facts struct {
	// Locks are the strongest ones that the transaction held at its end.
	Locks map[ddl.Name]ddl.LockMode
	// Rewritten are tables and materialized views whose heap has another file.
	Rewritten []ddl.Name
	// Reindexed are indexes that were built anew, also when another index took the place of one under its name.
	Reindexed []ddl.Name
	// Scanned are the relations of which at least ScanRows rows were read.
	Scanned []ddl.Name
	// Begun are the relations of which a scan from beginning to end began, also of those without rows.
	Begun []ddl.Name
	// Gone are relations that no longer exist, by OID.
	Gone []ddl.Name
}

//go:embed relations.sql
var relationsSQL string

//go:embed locks.sql
var locksSQL string

//go:embed scans.sql
var scansSQL string

type relation struct {
	name ddl.Name
	kind byte
	file uint32
}

// Tx executes statements in tx and says what they did together. The caller rolls tx back or commits it.
// Locks that tx held before the call are counted as if the statements had taken them.
func Tx(ctx context.Context, tx pgx.Tx, statements ...string) (Facts, error) {
	before, err := relations(ctx, tx)
	if err != nil {
		return Facts{}, err
	}
	scansBefore, err := scans(ctx, tx)
	if err != nil {
		return Facts{}, err
	}
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return Facts{}, fmt.Errorf("measure %q: %w", sql, err)
		}
	}
	var pid int
	if err := tx.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		return Facts{}, fmt.Errorf("measure: own pid: %w", err)
	}
	locks, err := locksOf(ctx, tx, pid)
	if err != nil {
		return Facts{}, err
	}
	scansAfter, err := scans(ctx, tx)
	if err != nil {
		return Facts{}, err
	}
	after, err := relations(ctx, tx)
	if err != nil {
		return Facts{}, err
	}

	f := compare(before, after)
	f.Locks = name(locks, before)
	for oid, n := range scansAfter {
		r, ok := before[oid]
		if ok && n.rows-scansBefore[oid].rows >= ScanRows {
			f.Scanned = append(f.Scanned, r.name)
		}
		if ok && n.begun > scansBefore[oid].begun {
			f.Begun = append(f.Begun, r.name)
		}
	}
	sortNames(f.Scanned)
	sortNames(f.Begun)
	return f, nil
}

// compare finds what got another file or disappeared. An index that another one replaced under the same name
// (ALTER COLUMN TYPE does that) counts as rebuilt unless the new one took over the old one's file.
func compare(before, after map[uint32]relation) Facts {
	var f Facts
	created := map[ddl.Name]uint32{}
	for oid, r := range after {
		if _, old := before[oid]; !old {
			created[r.name] = r.file
		}
	}
	for oid, r := range before {
		now, ok := after[oid]
		file := now.file
		if !ok {
			f.Gone = append(f.Gone, r.name)
			file, ok = created[r.name]
		}
		if !ok || file == r.file {
			continue
		}
		switch r.kind {
		case 'i':
			f.Reindexed = append(f.Reindexed, r.name)
		case 'r', 'm':
			f.Rewritten = append(f.Rewritten, r.name)
		}
	}
	sortNames(f.Gone)
	sortNames(f.Reindexed)
	sortNames(f.Rewritten)
	return f
}

// ErrNotWaiting means that the statement ended although somebody should have been in its way.
var ErrNotWaiting = errors.New("the statement did not wait")

// Waiting executes a statement which refuses transaction blocks on conn, while another session, holder, holds
// something that it must wait for, and gives the locks that it has or wants at that moment. Then release is
// called and the statement runs to its end. What it locks only later is not seen, nor what it reads.
func Waiting(ctx context.Context, conn, observer *pgx.Conn, sql string, release func() error) (Facts, error) {
	before, err := relations(ctx, observer)
	if err != nil {
		return Facts{}, err
	}
	pid := int(conn.PgConn().PID())
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
		done <- err
	}()
	locks, waitErr := whileWaiting(ctx, observer, pid, done)
	if err := release(); err != nil {
		return Facts{}, fmt.Errorf("measure %q: release: %w", sql, err)
	}
	if waitErr != nil {
		return Facts{}, fmt.Errorf("measure %q: %w", sql, waitErr)
	}
	if err := <-done; err != nil {
		return Facts{}, fmt.Errorf("measure %q: %w", sql, err)
	}
	after, err := relations(ctx, observer)
	if err != nil {
		return Facts{}, err
	}
	f := compare(before, after)
	f.Locks = name(locks, before)
	return f, nil
}

func whileWaiting(ctx context.Context, observer *pgx.Conn, pid int, done <-chan error) (map[uint32]ddl.LockMode, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		var waits bool
		if err := observer.QueryRow(ctx, "SELECT cardinality(pg_blocking_pids($1)) > 0", pid).Scan(&waits); err != nil {
			return nil, fmt.Errorf("wait until backend %d waits: %w", pid, err)
		}
		if waits {
			return locksOf(ctx, observer, pid)
		}
		select {
		case err := <-done:
			return nil, errors.Join(ErrNotWaiting, err)
		default:
		}
	}
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func relations(ctx context.Context, q querier) (map[uint32]relation, error) {
	rows, err := q.Query(ctx, relationsSQL)
	if err != nil {
		return nil, fmt.Errorf("list relations: %w", err)
	}
	out := map[uint32]relation{}
	var oid, file uint32
	var n ddl.Name
	var kind string
	_, err = pgx.ForEachRow(rows, []any{&oid, &n.Schema, &n.Name, &kind, &file}, func() error {
		out[oid] = relation{n, kind[0], file}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list relations: %w", err)
	}
	return out, nil
}

func locksOf(ctx context.Context, q querier, pid int) (map[uint32]ddl.LockMode, error) {
	rows, err := q.Query(ctx, locksSQL, pid)
	if err != nil {
		return nil, fmt.Errorf("list locks of backend %d: %w", pid, err)
	}
	out := map[uint32]ddl.LockMode{}
	var oid uint32
	var text string
	_, err = pgx.ForEachRow(rows, []any{&oid, &text}, func() error {
		mode, err := ddl.ParseLockMode(text)
		if err != nil {
			return err
		}
		out[oid] = max(out[oid], mode)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list locks of backend %d: %w", pid, err)
	}
	return out, nil
}

// scan counts the scans of a relation in a transaction, and the rows they gave.
type scan struct{ begun, rows int64 }

func scans(ctx context.Context, q querier) (map[uint32]scan, error) {
	rows, err := q.Query(ctx, scansSQL)
	if err != nil {
		return nil, fmt.Errorf("read scan counters: %w", err)
	}
	out := map[uint32]scan{}
	var oid uint32
	var n scan
	_, err = pgx.ForEachRow(rows, []any{&oid, &n.begun, &n.rows}, func() error {
		out[oid] = n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read scan counters: %w", err)
	}
	return out, nil
}

func name(locks map[uint32]ddl.LockMode, before map[uint32]relation) map[ddl.Name]ddl.LockMode {
	out := map[ddl.Name]ddl.LockMode{}
	for oid, mode := range locks {
		if r, ok := before[oid]; ok {
			out[r.name] = mode
		}
	}
	return out
}

func sortNames(names []ddl.Name) {
	slices.SortFunc(names, func(a, b ddl.Name) int { return strings.Compare(a.String(), b.String()) })
}
