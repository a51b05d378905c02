package decisions

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
)

// Follower is a gateway that follows placements.
type Follower struct {
	// Name is what people know it by. No two gateways that run may have the same.
	Name string
	// Tenants says that it can tell tenants apart.
	Tenants bool
	// Apply is called with the placements that matter, by tenant: those that are not settled, and those with an App. When it
	// returns, no request passes that has not seen them. It must not change the map.
	Apply func(map[string]Placement)
	// InFlight says how many requests of which tenants that are not settled are under way. It is called after Apply.
	InFlight func() map[string]int64
}

const (
	seenEvery = 2 * time.Second  // how often a gateway says that it is there, at least
	goneAfter = 10 * time.Second // when one that says nothing is told to be missing
	drainLook = 20 * time.Millisecond
)

//go:embed register.sql
var registerSQL string

// Follow calls f.Apply with the placements as they are now, and whenever they have changed, and tells those who fence a
// tenant what f has under way, until ctx ends.
//
// A fence misses no gateway: one is in the table before it reads the placements. Either its row is there when a fence looks
// for gateways, and the fence waits for it, or it reads them later, and sees the fence. A gateway that has lost the
// database keeps its row and what it knows.
func (s *Store) Follow(ctx context.Context, f Follower) error {
	w := follow{Follower: f, id: rand.Text(), epoch: -1, placed: map[string]Placement{}}
	defer func() {
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		err := s.db.Ask(bound, func(q pg.Querier) error {
			_, err := q.Exec(bound, "DELETE FROM replank.gateway WHERE id = $1", w.id)
			return err
		})
		if err != nil {
			s.cfg.Logger.Warn("the gateway has ended, but the database does not know: fences wait for it until it is forgotten (replank tenants forget)",
				"name", f.Name, "error", err)
		}
	}()
	return s.stay(ctx, "replank gateway placements", "tenants stay where they were, and what is fenced stays fenced", func(ctx context.Context, conn *pgx.Conn) (time.Duration, error) {
		if err := w.look(ctx, conn); err != nil {
			return 0, err
		}
		for tenant := range w.said.InFlight {
			if time.Now().Before(w.placed[tenant].Until) {
				return min(drainLook, s.cfg.Poll), nil // somebody waits for its end
			}
		}
		return min(seenEvery, s.cfg.Poll), nil
	})
}

// follow is what one Follow knows.
type follow struct {
	Follower
	id     string
	conn   *pgx.Conn // that it is registered on
	epoch  int64     // -1: nothing was read yet
	placed map[string]Placement
	said   report
	saidAt time.Time
}

// report is what a gateway says of itself.
type report struct {
	Epoch    int64
	InFlight map[string]int64
}

var errForgotten = errors.New("this gateway was forgotten while it runs (replank tenants forget): it enters itself again")

func (w *follow) look(ctx context.Context, conn *pgx.Conn) error {
	if w.conn != conn {
		if _, err := conn.Exec(ctx, registerSQL, w.id, w.Name, w.Tenants); err != nil {
			return fmt.Errorf("enter the gateway: %w", err)
		}
		w.conn, w.saidAt = conn, time.Time{}
	}
	now, changed, err := placementsSince(ctx, conn, w.epoch)
	if err == nil && now < w.epoch { // the database was restored to an earlier time: what it says holds
		w.placed = map[string]Placement{}
		now, changed, err = placementsSince(ctx, conn, -1)
	}
	if err != nil {
		return err
	}
	if now != w.epoch {
		placed := maps.Clone(w.placed)
		for _, p := range changed {
			if p.State == Settled && p.App == "" {
				delete(placed, p.Tenant)
				continue
			}
			placed[p.Tenant] = p
		}
		w.Apply(placed)
		w.epoch, w.placed = now, placed
	}
	// After Apply: whatever is under way now was counted before it, and nothing is added.
	say := report{w.epoch, w.InFlight()}
	if say.Epoch == w.said.Epoch && maps.Equal(say.InFlight, w.said.InFlight) && time.Since(w.saidAt) < seenEvery {
		return nil
	}
	flying, err := json.Marshal(say.InFlight)
	if err != nil {
		return err
	}
	tag, err := conn.Exec(ctx, "UPDATE replank.gateway SET epoch = $2, in_flight = $3, seen_at = clock_timestamp() WHERE id = $1", w.id, say.Epoch, flying)
	if err == nil && tag.RowsAffected() == 0 {
		w.conn = nil
		err = errForgotten
	}
	if err != nil {
		return fmt.Errorf("say what the gateway has under way: %w", err)
	}
	w.said, w.saidAt = say, time.Now()
	return nil
}

// Gateway is one that follows placements.
type Gateway struct {
	Name     string
	Tenants  bool
	Epoch    int64
	InFlight map[string]int64
	Started  time.Time
	Seen     time.Duration // how long ago it was heard of
}

// Gateways returns those that are at work, or were not stopped as they should be.
func (s *Store) Gateways(ctx context.Context) (list []Gateway, err error) {
	err = s.db.Ask(ctx, func(q pg.Querier) error {
		rows, err := q.Query(ctx, `SELECT name, tenants, epoch, in_flight, started_at, extract(epoch FROM clock_timestamp() - seen_at)::float8
			FROM replank.gateway ORDER BY name, started_at`)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (g Gateway, err error) {
			var seen float64
			err = row.Scan(&g.Name, &g.Tenants, &g.Epoch, &g.InFlight, &g.Started, &seen)
			g.Seen = time.Duration(seen * float64(time.Second))
			return g, err
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read which gateways there are: %w", err)
	}
	return list, nil
}

// Forget says that a gateway does not run any more, so that fences do not wait for it. Whoever says so has to know it: one
// that has lost the database but not its clients would let requests of a fenced tenant pass. It returns how many of that
// name were forgotten; one that was heard of within 10 s is not.
func (s *Store) Forget(ctx context.Context, name string) (n int64, err error) {
	err = s.db.Ask(ctx, func(q pg.Querier) error {
		tag, err := q.Exec(ctx, "DELETE FROM replank.gateway WHERE name = $1 AND seen_at < clock_timestamp() - $2::float8 * interval '1 second'", name, goneAfter.Seconds())
		n = tag.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("forget gateway %s: %w", name, err)
	}
	return n, nil
}
