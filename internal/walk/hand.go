package walk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
)

const (
	leastRows    = 20                     // in a range, unless errors ask for fewer
	lateRows     = 1024                   // a late slice is walked in ranges of at most this many rows
	carefulRows  = 32                     // and of this many after locks kept us out of it
	lateLock     = time.Second            // for a row lock, when no other row is held meanwhile
	longestLate  = 5 * time.Second        // between two tries of a late slice
	slowest      = 2 * time.Second        // for one statement, unless it is about one row
	sliver       = 700 * time.Microsecond // of work in one statement, while others are at work
	reconnectFor = 60 * time.Second       // after a lost connection
)

// hand is one worker with its connection and the range size it has learnt.
type hand struct {
	*walker
	session *pg.Session
	size    int64
	perUnit float64 // seconds for one row or position, smoothed
	after   Slice   // what the last range would have made of its slice
}

func (h *hand) close() {
	if h.session != nil {
		h.session.Close()
	}
}

// visitError marks an error of Visit: only those can be the data's fault.
type visitError struct{ err error }

func (e *visitError) Error() string { return e.err.Error() }
func (e *visitError) Unwrap() error { return e.err }

func (h *hand) dataError(err error) bool {
	var v *visitError
	return errors.As(err, &v) && DataError(err)
}

// DataError says that rows are not as a statement needs them (cast, constraint, exception of a trigger, too large for
// an index), so that it may do for others.
func DataError(err error) bool {
	state := pg.SQLState(err)
	return slices.ContainsFunc([]string{"21", "22", "23", "38", "39", "44", "54", "P0"}, func(class string) bool {
		return strings.HasPrefix(state, class)
	})
}

func contended(err error) bool {
	return pg.LockNotAvailable(err) || pg.Deadlock(err) || pg.Serialization(err)
}

// step is one range to commit.
type step struct {
	size int64
	skip bool
	act  func(ctx context.Context, tx pgx.Tx, r Range) (Visited, error)
	lock time.Duration
	// toLast gives this pass of a window up for the last one.
	toLast bool
}

// walk visits the slice until it is done or, for a late one, locks keep us out.
func (h *hand) walk(ctx context.Context, s *queued) error {
	if wait := time.Until(s.notBefore); wait > 0 {
		if err := h.pace.pause(ctx, "row locks", wait); err != nil {
			return err
		}
	}
	skip, refused := false, 0
	s.found = false
	for !s.Done {
		if err := h.pace.turn(ctx); err != nil {
			return err
		}
		st := step{size: min(h.size, h.mostInRange(s.Slice)), skip: skip, lock: h.cfg.LockTimeout}
		probe := h.inPasses(s.Slice) && s.Pass == 1
		st.act = func(ctx context.Context, tx pgx.Tx, r Range) (Visited, error) {
			var sum Visited
			for _, part := range h.slivers(r) {
				v, err := h.cfg.Visit(ctx, tx, Attempt{Range: part, Skip: st.skip, Probe: probe})
				if err != nil {
					return sum, &visitError{err}
				}
				sum = Visited{sum.Rows + v.Rows, sum.Left || v.Left, sum.InPlace + v.InPlace}
			}
			return sum, nil
		}
		if s.Late {
			h.beCareful(&st, s.refused)
		}
		began := time.Now()
		r, err := h.commit(ctx, s, st)
		if err := h.pace.rest(ctx, time.Since(began)); err != nil {
			return err
		}
		switch {
		case err == nil:
			skip, refused = false, 0
			s.refused = max(0, s.refused-1)
		case ctx.Err() != nil:
			return ctx.Err()
		case pg.OutcomeOf(err) == pg.Unknown || pg.ConnectionLost(err):
			if err := h.recover(ctx, s, r, err); err != nil {
				return err
			}
		case contended(err) && s.Late:
			s.refused++
			s.notBefore = time.Now().Add(min(longestLate, 50*time.Millisecond<<min(s.refused, 10)))
			h.progress.retried()
			h.queue.give(s)
			return nil
		case contended(err):
			h.progress.retried()
			if refused++; h.cfg.CanSkip && !skip {
				skip = true
				continue
			}
			if refused < 3 {
				h.size = max(1, r.Size/4)
				continue
			}
			st.act = func(context.Context, pgx.Tx, Range) (Visited, error) { return Visited{Left: true}, nil }
			st.size, skip, refused = max(1, r.Size), false, 0
			if r, err = h.commit(ctx, s, st); err != nil {
				if err := h.afterSimple(ctx, s, r, err); err != nil {
					return err
				}
			}
		case pg.Canceled(err) && r.Size > 1:
			h.progress.retried()
			h.size = max(1, r.Size/4)
		case h.dataError(err) && !h.lastPass(s.Slice):
			// The row may fail in every pass, because its condition does: the last one looks for it, once.
			h.progress.retried()
			st.act = func(context.Context, pgx.Tx, Range) (Visited, error) { return Visited{}, nil }
			st.toLast = true
			if r, err = h.commit(ctx, s, st); err != nil {
				if err := h.afterSimple(ctx, s, r, err); err != nil {
					return err
				}
			}
		case h.dataError(err) && r.Size > 1:
			h.progress.retried()
			h.size = max(1, r.Size/2)
		case h.dataError(err) && h.cfg.Reject != nil:
			st.act = func(ctx context.Context, tx pgx.Tx, r Range) (Visited, error) {
				return Visited{}, h.cfg.Reject(ctx, tx, r, err)
			}
			st.size = 1
			if r, err := h.commit(ctx, s, st); err != nil {
				if err := h.afterSimple(ctx, s, r, err); err != nil {
					return err
				}
			}
		case s.found:
			s.found = false // whatever the error is: it may be that of a relation which has gone meanwhile
		default:
			return fmt.Errorf("visit %s: %w", r, err)
		}
	}
	h.queue.give(s)
	return nil
}

// slivers cuts a range by ctid into parts of less than a millisecond of work while others are at work. A server process
// that computes may keep its core until the next tick of the operating system's clock, 4 ms on many kernels, while
// others wait for one; between two statements they get it at once.
func (h *hand) slivers(r Range) []Range {
	n := int64(h.perUnit * float64(r.Size) / sliver.Seconds())
	if n < 2 || len(h.key) > 0 || !h.pace.crowded() {
		return []Range{r}
	}
	from, _ := h.tids.parse(r.From[0]) // both were written by us
	to, _ := h.tids.parse(r.To[0])
	each := max((to-from)/n, h.tids.perBlock)
	var out []Range
	for pos := from; pos < to; pos += each {
		part := r
		part.From, part.To = []string{h.tids.text(pos)}, []string{h.tids.text(min(pos+each, to))}
		part.Size = min(each, to-pos)
		out = append(out, part)
	}
	return out
}

// beCareful sizes the ranges of a late slice: the longer a lock is waited for, the fewer rows we hold meanwhile.
func (h *hand) beCareful(st *step, refused int) {
	rows := h.rowsToSize
	switch refused {
	case 0:
		st.size = min(st.size, rows(lateRows))
	case 1:
		st.size = min(st.size, rows(carefulRows))
	default:
		st.size, st.lock = 1, lateLock
	}
}

// rowsToSize turns rows into units of the walk; a page is taken to hold 32 rows.
func (w *walker) rowsToSize(n int64) int64 {
	if len(w.key) > 0 {
		return n
	}
	return max(1, n/32*w.tids.perBlock)
}

// afterSimple judges the error of a commit that does no work on rows.
func (h *hand) afterSimple(ctx context.Context, s *queued, r Range, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case pg.OutcomeOf(err) == pg.Unknown || pg.ConnectionLost(err):
		return h.recover(ctx, s, r, err)
	case contended(err):
		return nil // nothing happened, the loop tries again
	}
	return fmt.Errorf("move the cursor past %s: %w", r, err)
}

// commit visits one range and moves the cursor past it, in one transaction.
func (h *hand) commit(ctx context.Context, s *queued, st step) (r Range, err error) {
	if h.session == nil {
		if h.session, err = h.connect(ctx); err != nil {
			return r, err
		}
	}
	opts := h.cfg.Tx
	timeout := max(slowest, 20*h.cfg.Target, 2*st.lock)
	if st.size <= 1 {
		timeout = 0
	}
	opts.Settings = slices.Concat(opts.Settings, []pg.Setting{
		pg.LockTimeout(st.lock), {Name: "statement_timeout", Value: milliseconds(timeout)}})
	var v Visited
	var late []Slice
	var seen tally
	h.after = s.Slice
	var visit time.Duration
	err = h.session.Tx(ctx, opts, func(tx pgx.Tx) error {
		if h.cfg.Lease != nil {
			if err := h.cfg.Lease.Guard(ctx, tx); err != nil {
				return err
			}
		}
		at := s.Slice
		var err error
		if !s.found {
			if at, err = h.find(ctx, tx, at); err != nil {
				return err
			}
			if h.after = at; at.Done {
				return h.save(ctx, tx, at)
			}
		}
		cut := func(tx pgx.Tx) (err error) {
			r, err = h.cut(ctx, tx, at, st.size)
			return err
		}
		if len(h.key) > 0 {
			err = Plainly(ctx, tx, cut)
		} else {
			err = cut(tx) // it reads nothing
		}
		if err != nil {
			return err
		}
		visiting := time.Now()
		if v, err = st.act(ctx, tx, r); err != nil {
			return err
		}
		visit = time.Since(visiting)
		seen = s.tally.add(at, v)
		if h.after, err = h.next(at, r, seen.pointless(at)); err != nil {
			return err
		}
		if st.toLast {
			h.after.Pos, h.after.Pass = at.Window, h.passes-1
		}
		h.after.Rows += v.Rows
		if err := h.save(ctx, tx, h.after); err != nil {
			return err
		}
		if !v.Left || !h.lastPass(at) { // the last pass comes back to what was skipped
			return nil
		}
		late = []Slice{{ID: h.queue.newID(), Part: at.Part, OID: at.OID, Only: at.Only, From: r.From, Pos: r.From, To: r.To, Late: true}}
		return h.save(ctx, tx, late[0])
	})
	if err != nil {
		return r, err
	}
	s.Slice, s.tally, s.found = h.after, seen, true
	h.queue.add(late)
	h.learn(r.Size, visit, st)
	h.progress.committed(s.Slice, v.Rows, late)
	return r, nil
}

func (w *walker) visited(before int64, r Range) int64 {
	if len(w.key) > 0 {
		return before + r.Size
	}
	from, _ := w.tids.parse(r.From[0]) // both were written by us
	to, _ := w.tids.parse(r.To[0])
	return before + to/w.tids.perBlock - from/w.tids.perBlock
}

// learn moves the size of the next range towards the target, up by at most a factor of two. What begin, cursor and
// commit cost is left out: making ranges smaller makes that no better.
func (h *hand) learn(size int64, took time.Duration, st step) {
	if st.skip || size <= 0 {
		return
	}
	per := took.Seconds() / float64(size)
	if h.perUnit == 0 {
		h.perUnit = per
	}
	h.perUnit += 0.3 * (per - h.perUnit)
	want := int64(h.cfg.Target.Seconds() * h.pace.factor() / max(per, h.perUnit))
	h.size = max(1, min(max(want, h.rowsToSize(leastRows)), 2*size, h.maxSize))
}

// recover finds out, after a lost connection, what became of the last range: once the old backend is gone for
// certain, the cursor says so, because it was to move in the same transaction. Until then nothing is tried again.
func (h *hand) recover(ctx context.Context, s *queued, r Range, cause error) error {
	h.cfg.Logger.Warn("connection lost, looking for what became of the range", "range", r.String(), "error", cause)
	h.progress.retried()
	var old pg.Backend
	if h.session != nil {
		old = h.session.Backend()
		h.session.Close()
		h.session = nil
	}
	for began, wait := time.Now(), 20*time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := h.lookAtCursor(ctx, s, r, old)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var gone *pg.ReadOnlyError
		if time.Since(began) > reconnectFor || errors.As(err, &gone) || errors.Is(err, errMoved) {
			return fmt.Errorf("after a lost connection (%w) the outcome of %s is unknown: %w", cause, r, err)
		}
		if err := h.pace.pause(ctx, "connection", wait); err != nil {
			return err
		}
	}
}

// errMoved: the cursor is where no transaction of ours put it.
var errMoved = errors.New("somebody else has moved the cursor")

// errStillThere: the old backend has not ended.
var errStillThere = errors.New("the old backend has not ended yet")

func (h *hand) lookAtCursor(ctx context.Context, s *queued, r Range, old pg.Backend) error {
	if old.PID != 0 {
		if _, err := h.cfg.Journal.DB().Terminate(ctx, old); err != nil && !pg.InsufficientPrivilege(err) {
			return err
		}
		alive, err := h.cfg.Journal.DB().Alive(ctx, []pg.Backend{old})
		if err != nil {
			return err
		}
		if len(alive) > 0 {
			return errStillThere
		}
	}
	session, err := h.connect(ctx)
	if err != nil {
		return err
	}
	if h.cfg.Lease == nil {
		h.session = session
		return nil // nothing was to be written
	}
	stored, err := h.load(ctx)
	if err != nil {
		session.Close()
		return err
	}
	h.session = session
	i := slices.IndexFunc(stored, func(x Slice) bool { return x.ID == s.ID })
	if i < 0 {
		return errMoved
	}
	now := stored[i]
	if now.at(s.Slice) {
		return nil // it did not happen
	}
	if !now.at(h.after) {
		return errMoved
	}
	rows := now.Rows - s.Rows
	s.Slice = now
	var late []Slice
	for _, x := range stored { // left behind by the transaction whose answer we missed: only it could
		if x.Late && x.ID != s.ID && !h.queue.knows(x.ID) && x.Part == r.Part && slices.Equal(x.From, r.From) && slices.Equal(x.To, r.To) {
			late = append(late, x)
		}
	}
	h.queue.add(late)
	h.progress.committed(now, rows, late)
	return nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "ms" }
