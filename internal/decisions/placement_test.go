package decisions_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/route"
)

// TestPlacementStates: the table of states is sound, and a tenant is never placed without a fence that is in force.
func TestPlacementStates(t *testing.T) {
	if err := decisions.Placements.Validate(); err != nil {
		t.Error(err)
	}
	if decisions.Placements.Can(decisions.Settled, decisions.Moving) {
		t.Error("a tenant is moved without a fence")
	}
}

// placement is what is known about a tenant.
func placement(t *testing.T, s *decisions.Store, tenant string) decisions.Placement {
	t.Helper()
	list, err := s.Placements(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if p.Tenant == tenant {
			return p
		}
	}
	return decisions.Placement{}
}

// TestPlacement: a tenant is fenced, moved and placed, each time with a higher epoch, and whoever shows the epoch of a
// fence that is not there any more changes nothing.
func TestPlacement(t *testing.T) {
	s := open(t, decisions.Config{DSN: pgtest.DB(t)})
	fence := func(tenant string) decisions.Placement {
		t.Helper()
		p, err := s.Fence(t.Context(), tenant, time.Second, time.Minute, "mover")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := fence("acme")
	left := time.Until(first.Until)
	if first.State != decisions.Moving || first.App != "" || left > time.Minute || left < 50*time.Second {
		t.Errorf("%+v", first)
	}
	if p := placement(t, s, "acme"); p.State != decisions.Moving || p.Epoch != first.Epoch || p.ChangedBy != "mover" || p.Until.Sub(first.Until).Abs() > 5*time.Second {
		t.Errorf("%+v, want %+v", p, first)
	}
	var state *decisions.StateError
	if _, err := s.Fence(t.Context(), "acme", time.Second, time.Minute, "other"); !errors.As(err, &state) || !strings.Contains(err.Error(), "by mover") || state.Hint() == "" {
		t.Errorf("fenced twice: %v", err)
	}
	if err := s.Place(t.Context(), "acme", first.Epoch-1, route.Modern, "mover"); !errors.As(err, &state) {
		t.Errorf("placed with the epoch before: %v", err)
	}
	if err := s.Place(t.Context(), "acme", first.Epoch, "new", "mover"); err == nil {
		t.Error("placed on no application")
	}
	if err := s.Place(t.Context(), "acme", first.Epoch, route.Modern, "mover"); err != nil {
		t.Fatal(err)
	}
	if p := placement(t, s, "acme"); p.State != decisions.Settled || p.App != route.Modern || p.Epoch <= first.Epoch || !p.Until.IsZero() {
		t.Errorf("%+v", p)
	}
	if err := s.Place(t.Context(), "acme", first.Epoch, route.Legacy, "mover"); !errors.As(err, &state) {
		t.Errorf("placed without a fence: %v", err)
	}
	// Taken back: it stays where it was, and the mover of that fence cannot place it any more.
	second := fence("acme")
	if second.App != route.Modern {
		t.Errorf("%+v", second)
	}
	if err := s.Release(t.Context(), "acme", first.Epoch, "else"); !errors.As(err, &state) {
		t.Errorf("released with an epoch of before: %v", err)
	}
	if err := s.Release(t.Context(), "acme", 0, "operator"); err != nil {
		t.Fatal(err)
	}
	third := fence("acme")
	if err := s.Place(t.Context(), "acme", second.Epoch, route.Legacy, "mover"); !errors.As(err, &state) {
		t.Errorf("placed with the fence of before: %v", err)
	}
	if err := s.Place(t.Context(), "acme", third.Epoch, "", "mover"); err != nil {
		t.Fatal(err)
	}
	if p := placement(t, s, "acme"); p.App != "" || p.State != decisions.Settled {
		t.Errorf("%+v", p)
	}
	if err := s.Release(t.Context(), "acme", 0, "x"); !errors.As(err, &state) {
		t.Errorf("released without a fence: %v", err)
	}
	for _, tenant := range []string{"", strings.Repeat("x", 257)} {
		if _, err := s.Fence(t.Context(), tenant, time.Second, time.Minute, "x"); err == nil || errors.As(err, &state) {
			t.Errorf("a name of %d bytes: %v", len(tenant), err)
		}
	}
	if _, err := s.Fence(t.Context(), "x", time.Minute, time.Second, "x"); err == nil {
		t.Error("a fence that ends before it is in force")
	}
}

// gateway is a follower whose requests under way the test chooses.
type gateway struct {
	flying  atomic.Int64
	applied chan map[string]decisions.Placement
	stop    func()
}

func follow(t *testing.T, s *decisions.Store, f decisions.Follower) *gateway {
	t.Helper()
	g := &gateway{applied: make(chan map[string]decisions.Placement, 100)}
	var now atomic.Pointer[map[string]decisions.Placement]
	f.Apply = func(p map[string]decisions.Placement) {
		now.Store(&p)
		g.applied <- p
	}
	f.InFlight = func() map[string]int64 {
		found := map[string]int64{}
		for tenant, p := range *now.Load() {
			if n := g.flying.Load(); n > 0 && p.State != decisions.Settled {
				found[tenant] = n
			}
		}
		return found
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Follow(ctx, f) }()
	g.stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(cancel)
	if p := <-g.applied; len(p) != 0 {
		t.Errorf("at first %v", p)
	}
	return g
}

// TestFenceWaits: a fence is in force when every gateway has heard of it and has nothing of the tenant under way; it is
// taken back when that does not come about.
func TestFenceWaits(t *testing.T) {
	dsn := pgtest.DB(t)
	// Nobody polls: what is heard in time was notified.
	s := open(t, decisions.Config{DSN: dsn, Poll: time.Minute})
	idle, busy := follow(t, s, decisions.Follower{Name: "idle", Tenants: true}), follow(t, s, decisions.Follower{Name: "busy", Tenants: true})
	busy.flying.Store(2)
	type result struct {
		p   decisions.Placement
		err error
	}
	fenced := make(chan result, 1)
	fence := func(drain time.Duration) {
		p, err := s.Fence(t.Context(), "acme", drain, 2*time.Minute, "mover")
		fenced <- result{p, err}
	}
	go fence(time.Minute)
	for _, g := range []*gateway{idle, busy} {
		if p := <-g.applied; p["acme"].State != decisions.Fenced {
			t.Errorf("%+v", p)
		}
	}
	busy.flying.Store(1)
	select {
	case r := <-fenced:
		t.Fatalf("in force while a request is under way: %+v", r)
	case p := <-busy.applied:
		t.Fatalf("not fenced any more while a request is under way: %+v", p)
	case <-time.After(300 * time.Millisecond):
	}
	busy.flying.Store(0)
	r := <-fenced
	if r.err != nil || r.p.State != decisions.Moving {
		t.Fatalf("%+v", r)
	}
	if err := s.Place(t.Context(), "acme", r.p.Epoch, route.Legacy, "mover"); err != nil {
		t.Fatal(err)
	}
	for p := range idle.applied {
		if p["acme"].State == decisions.Settled && p["acme"].App == route.Legacy {
			break
		}
	}

	busy.flying.Store(3)
	go fence(200 * time.Millisecond)
	r = <-fenced
	var failed *decisions.FenceError
	if !errors.As(r.err, &failed) || len(failed.Open) != 1 || failed.Open[0] != "busy has 3 of its requests under way" {
		t.Errorf("%v", r.err)
	}
	if p := placement(t, s, "acme"); p.State != decisions.Settled || p.App != route.Legacy {
		t.Errorf("after a fence that was taken back: %+v", p)
	}
	// A mover that goes away takes its fence with it.
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := s.Fence(ctx, "acme", time.Minute, 2*time.Minute, "mover"); err == nil || errors.As(err, &failed) {
		t.Errorf("%v", err)
	}
	if p := placement(t, s, "acme"); p.State != decisions.Settled {
		t.Errorf("after its mover has gone: %+v", p)
	}
	busy.stop()
	if n := pgtest.Value[int](t, dsn, "SELECT count(*)::int FROM replank.gateway WHERE name = 'busy'"); n != 0 {
		t.Error("a gateway that has ended is still there")
	}
	go fence(time.Minute)
	if r := <-fenced; r.err != nil {
		t.Errorf("after the busy one has ended: %v", r.err)
	}
}

// TestFenceMissesNoGateway: one that was killed is waited for until somebody says that it is gone, or it is started anew;
// one that cannot tell tenants apart makes a fence impossible; one that runs is not forgotten.
func TestFenceMissesNoGateway(t *testing.T) {
	dsn := pgtest.DB(t)
	s := open(t, decisions.Config{DSN: dsn, Poll: 20 * time.Millisecond})
	refused := func(want string) {
		t.Helper()
		_, err := s.Fence(t.Context(), "acme", 100*time.Millisecond, time.Minute, "mover")
		var failed *decisions.FenceError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	inForce := func() {
		t.Helper()
		p, err := s.Fence(t.Context(), "acme", 10*time.Second, time.Minute, "mover")
		if err == nil {
			err = s.Release(t.Context(), "acme", p.Epoch, "mover")
		}
		if err != nil {
			t.Error(err)
		}
	}
	killed := func() {
		pgtest.Exec(t, dsn, "INSERT INTO replank.gateway (id, name, tenants, epoch, seen_at) VALUES (gen_random_uuid(), 'host :1', true, 0, now() - interval '1 minute')")
	}
	killed()
	refused("host :1 was last heard of 1m")
	if n, err := s.Forget(t.Context(), "host :1"); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	inForce()
	killed()
	g := follow(t, s, decisions.Follower{Name: "host :1", Tenants: true})
	inForce()
	if n, err := s.Forget(t.Context(), "host :1"); n != 0 || err != nil {
		t.Errorf("%d that run were forgotten, %v", n, err)
	}
	// Somebody has taken its row away: it notices, and enters itself again.
	pgtest.Exec(t, dsn, "DELETE FROM replank.gateway")
	for {
		inForce()
		if list, err := s.Gateways(t.Context()); err != nil {
			t.Fatal(err)
		} else if len(list) == 1 && list[0].Epoch >= 0 && list[0].Tenants && list[0].Name == "host :1" {
			break
		}
	}
	g.stop()
	g = follow(t, s, decisions.Follower{Name: "blind"})
	refused("blind cannot tell tenants apart")
	g.stop()
	inForce()
}

// TestFollow: a gateway that has lost the database hears of what has changed meanwhile, and follows a database that was
// restored to an earlier time.
func TestFollow(t *testing.T) {
	dsn := pgtest.DB(t)
	s := open(t, decisions.Config{DSN: dsn, Poll: 10 * time.Millisecond})
	g := follow(t, s, decisions.Follower{Name: "g", Tenants: true})
	insert := func(tenant, app string, epoch string) string {
		return "INSERT INTO replank.placement (tenant, app, state, epoch, changed_by) VALUES ('" + tenant + "', '" + app + "', 'settled', " + epoch + ", 'x')"
	}
	// Nobody is notified of any of this.
	if n := pgtest.Value[int](t, dsn, "SELECT count(pg_terminate_backend(pid))::int FROM pg_stat_activity WHERE application_name = 'replank gateway placements' AND datname = current_database()"); n != 1 {
		t.Fatalf("%d followed", n)
	}
	pgtest.Exec(t, dsn, insert("acme", "modern", "7"), "UPDATE replank.placement_epoch SET epoch = 7")
	if p := <-g.applied; len(p) != 1 || p["acme"].App != route.Modern {
		t.Errorf("%+v", p)
	}
	pgtest.Exec(t, dsn, insert("umbrella", "legacy", "8"), "UPDATE replank.placement_epoch SET epoch = 8")
	p := <-g.applied
	if len(p) != 2 || p["acme"].App != route.Modern || p["umbrella"].App != route.Legacy {
		t.Errorf("%+v", p)
	}
	before := maps.Clone(p)
	pgtest.Exec(t, dsn, "BEGIN; DELETE FROM replank.placement; "+insert("acme", "legacy", "3")+"; UPDATE replank.placement_epoch SET epoch = 3; COMMIT")
	restored := <-g.applied
	if len(restored) != 1 || restored["acme"].App != route.Legacy {
		t.Errorf("after a restore: %+v", restored)
	}
	if !maps.Equal(before, p) {
		t.Error("a map that was handed out has changed")
	}
}
