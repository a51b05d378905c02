package migrate

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/plan"
)

// fillOf is a plan whose fill works on a table of so many bytes.
func fillOf(bytes int64) library {
	return library{"0001_fill": func() *plan.Plan {
		p := steps(increment(plan.Fill))()
		p.Steps[0].Bytes = bytes
		return p
	}}
}

// wantRoom plans and expects a refusal that names all of the words, or none at all.
func wantRoom(t *testing.T, e *Engine, l library, words ...string) {
	t.Helper()
	p, err := e.Plan(context.Background(), l.history("0001_fill"))
	if err != nil {
		t.Fatal(err)
	}
	err = p.Err()
	var refused *RefusedError
	switch {
	case len(words) == 0 && err != nil:
		t.Errorf("refused: %v", err)
	case len(words) > 0 && (!errors.As(err, &refused) || refused.Code != Room):
		t.Errorf("not refused for want of room: %v", err)
	}
	for _, w := range words {
		if err != nil && !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

// TestRoomOnTheDisk: what is going to be written must fit, as far as anybody knows.
func TestRoomOnTheDisk(t *testing.T) {
	dsn := site(t)
	const gb = 1 << 30
	small, big := fillOf(10*gb), fillOf(1<<55)
	wantRoom(t, small.open(t, dsn, func(c *Config) { c.DiskFree = 100 * gb }), small)
	wantRoom(t, small.open(t, dsn, func(c *Config) { c.DiskFree = 10 * gb }), small, "10240 MB free", "10240 MB for tables and indexes")
	wantRoom(t, small.open(t, dsn, func(c *Config) { c.DiskFree, c.Accept = gb, []string{"room"} }), small)
	wantRoom(t, big.open(t, dsn), big, "the disk has") // the server runs here, so its disk can be looked at
}

// TestRoomInReplicationSlots: a slot that nobody reads, with a limit, is not lost to a fill without a warning.
func TestRoomInReplicationSlots(t *testing.T) {
	s := pgtest.Own(t, map[string]string{"max_slot_wal_keep_size": "1GB", "wal_level": "replica"})
	dsn := pgtest.DB(t, pgtest.On(s))
	pgtest.Exec(t, dsn, siteSQL, "SELECT pg_create_physical_replication_slot('old_standby', true)")
	fits, not := fillOf(100<<20), fillOf(500<<20)
	plenty := func(c *Config) { c.DiskFree = 1 << 50 }
	wantRoom(t, fits.open(t, dsn, plenty), fits)
	wantRoom(t, not.open(t, dsn, plenty), not, "old_standby", "2000 MB")
}
