package demo

import (
	"errors"
	"maps"
	"math/rand/v2"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
)

// ledger is what one client has been told is committed. The client writes it; whoever verifies reads it.
type ledger struct {
	mu    sync.Mutex
	pages pages
}

// pages are the parts of a ledger, by table.
type pages map[string]*page

type page struct {
	value map[int64]string // row → what was written last
	ids   []int64
	// doubt are rows whose last write may or may not be there, and more is how many further rows may be there:
	// the connection went before the answer came.
	doubt map[int64]bool
	more  int
}

func (ps pages) page(table string) *page {
	p := ps[table]
	if p == nil {
		p = &page{value: map[int64]string{}, doubt: map[int64]bool{}}
		ps[table] = p
	}
	return p
}

func (ps pages) put(table string, id int64, value string) {
	p := ps.page(table)
	if _, ok := p.value[id]; !ok {
		p.ids = append(p.ids, id)
	}
	p.value[id] = value
	delete(p.doubt, id)
}

func (l *ledger) put(table string, id int64, value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pages.put(table, id, value)
}

// add enters what one transaction has written.
func (l *ledger) add(made pages) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for table, p := range made {
		for id, v := range p.value {
			l.pages.put(table, id, v)
		}
	}
}

// unsure notes a write (of a new row when id is 0) whose outcome is not known. An error that the server told
// means that it is not there.
func (l *ledger) unsure(id int64, err error, tables ...string) {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, table := range tables {
		if p := l.pages.page(table); id == 0 {
			p.more++
		} else {
			p.doubt[id] = true
		}
	}
}

// any picks a row that was written before.
func (l *ledger) any(table string, rng *rand.Rand) (id int64, value string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pages[table]
	if p == nil || len(p.ids) == 0 {
		return 0, "", false
	}
	id = p.ids[rng.IntN(len(p.ids))]
	return id, p.value[id], !p.doubt[id]
}

// written is what all clients together have been told about a table.
func (f *fleet) written(table string) *page {
	all := &page{value: map[int64]string{}, doubt: map[int64]bool{}}
	for _, c := range f.clients {
		c.ledger.mu.Lock()
		if p := c.ledger.pages[table]; p != nil {
			maps.Copy(all.value, p.value)
			maps.Copy(all.doubt, p.doubt)
			all.more += p.more
		}
		c.ledger.mu.Unlock()
	}
	return all
}
