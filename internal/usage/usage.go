// Package usage knows when statements were last called.
//
// pg_stat_statements counts calls and does not say when they were. Two readings tell: what has the same count in both
// was not called in between. A Watch is what readings have told so far; it is kept in the journal. Where counts may have
// been lost (a reset, a crash, statements that had to make room for others), time starts again.
package usage

import (
	"fmt"
	"time"

	"github.com/replank/replank/internal/catalog"
)

// Key names an entry of pg_stat_statements of one database.
type Key struct {
	Role     uint32 `json:"role"`
	QueryID  int64  `json:"queryid,string"`
	TopLevel bool   `json:"toplevel,omitempty"`
}

// KeyOf is the key of an entry.
func KeyOf(c catalog.Call) Key { return Key{c.Role, c.QueryID, c.TopLevel} }

// Entry is what is known about an entry.
type Entry struct {
	// Last is when it was called last, at the latest.
	Last time.Time
	// Counted is how often it was called since Watch.First.
	Counted int64

	calls int64     // of the last reading
	since time.Time // its counter has counted
}

// Watch is what readings have told. The zero value has seen none.
type Watch struct {
	// At is the last reading, First the first one.
	At, First time.Time
	// Began is since when every call is known: a statement of which there is no entry was not called since.
	Began time.Time
	// Lost says why that is so late; "" where nothing was lost since the first reading.
	Lost string

	entries map[Key]Entry
	started time.Time // the server
	reset   time.Time // its counters; zero where the extension does not tell
	evicted int64
}

// Entry is what is known about an entry; false where there is none.
func (w *Watch) Entry(k Key) (Entry, bool) {
	e, ok := w.entries[k]
	return e, ok
}

// Add takes a reading. It must be later than those before.
func (w *Watch) Add(c *catalog.Calls) {
	next := make(map[Key]Entry, len(c.List))
	for _, e := range c.List {
		k := KeyOf(e)
		now := w.entries[k].after(e, c.At)
		if w.First.IsZero() {
			now.Counted = 0 // nobody knows when
		}
		next[k] = now
	}
	if w.First.IsZero() {
		w.First, w.Began = c.At, complete(c)
	} else if lost := w.lost(c, next); lost != "" {
		w.Lost, w.Began = lost, later(complete(c), w.Began)
	}
	w.At, w.entries = c.At, next
	w.started, w.reset, w.evicted = c.Started, c.Reset, c.Evicted
}

// after is an entry after a reading at which its counter stands as e says.
func (was Entry) after(e catalog.Call, at time.Time) Entry {
	now := Entry{Last: was.Last, Counted: was.Counted, calls: e.Calls, since: e.Since}
	switch {
	case was.calls == e.Calls && was.since.Equal(e.Since):
		return now
	case was.calls < e.Calls && was.since.Equal(e.Since):
		now.Counted += e.Calls - was.calls
	default: // it was forgotten in between
		now.Counted += e.Calls
	}
	now.Last = at
	if e.Calls == 1 && !e.Since.IsZero() {
		now.Last = e.Since // the call that made the entry was the only one
	}
	return now
}

// complete is since when a reading alone knows of every statement that was called.
func complete(c *catalog.Calls) time.Time {
	if !c.Told || c.Evicted > 0 {
		return c.At
	}
	// What was counted before a crash is lost. A clean restart keeps it, but that cannot be told from here.
	return later(c.Reset, c.Started)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// lost says why calls since the last reading may be unknown, "" when they are not.
func (w *Watch) lost(c *catalog.Calls, next map[Key]Entry) string {
	gone := 0
	for k, was := range w.entries {
		if is, ok := next[k]; !ok || is.calls < was.calls || !is.since.Equal(was.since) {
			gone++
		}
	}
	switch restarted := !c.Started.Equal(w.started); {
	case restarted && (gone > 0 || len(w.entries) == 0):
		return fmt.Sprintf("the server was started at %s, and what it had counted is lost", stamp(c.Started))
	case c.Told && c.Reset.After(w.reset):
		return fmt.Sprintf("pg_stat_statements was reset at %s", stamp(c.Reset))
	case c.Told && c.Evicted != w.evicted:
		return fmt.Sprintf("pg_stat_statements has forgotten statements to make room for others, the last time before %s", stamp(c.At))
	case gone > 0:
		return fmt.Sprintf("%d of the statements of %s are not in pg_stat_statements any more", gone, stamp(w.At))
	}
	return ""
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
