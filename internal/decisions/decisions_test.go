package decisions_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/route"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func open(t *testing.T, cfg decisions.Config) *decisions.Store {
	t.Helper()
	s, err := decisions.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("%v (%s)", err, pg.HintOf(err))
	}
	t.Cleanup(s.Close)
	return s
}

func decide(t *testing.T, s *decisions.Store, d route.Decision) (int64, route.Phase) {
	t.Helper()
	version, before, err := s.Decide(t.Context(), d, "because", "somebody")
	if err != nil {
		t.Fatal(err)
	}
	return version, before
}

// TestDecide: phases, owners and waivers are read as they were written, each with a version of its own, and every change
// of a phase is an event.
func TestDecide(t *testing.T) {
	dsn := pgtest.DB(t)
	s := open(t, decisions.Config{DSN: dsn})
	snap, err := s.Read(t.Context())
	if err != nil || len(snap.Routes) != 0 {
		t.Fatalf("%+v, %v", snap, err)
	}
	first := route.Decision{App: route.Legacy, Template: "/invoices/<int:id>", Phase: route.PhaseShadow, ShadowWrites: true}
	version, before := decide(t, s, first)
	if version != snap.Version+1 || before != "" {
		t.Errorf("version %d after %d, before %q", version, snap.Version, before)
	}
	if now, err := s.Read(t.Context()); err != nil || cmp.Diff([]route.Decision{first}, now.Decisions()) != "" {
		t.Errorf("%+v, %v", now, err)
	}
	second := route.Decision{App: first.App, Template: first.Template}
	second.Phase, second.Canary = route.PhaseCanary, route.Canary{Share: 0.25, Subjects: []string{"7"}, Header: "X-Canary: 1"}
	if version, before = decide(t, s, second); version != snap.Version+2 || before != route.PhaseShadow {
		t.Errorf("version %d, before %q", version, before)
	}
	owner, until := "team billing", time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)
	if _, err := s.Describe(t.Context(), route.Legacy, first.Template, &owner, nil, "else"); err != nil {
		t.Fatal(err)
	}
	if version, err = s.Describe(t.Context(), route.Modern, "/old/", nil, &decisions.Waiver{Because: "goes away", Until: &until}, "else"); err != nil || version != snap.Version+4 {
		t.Fatalf("version %d, %v", version, err)
	}
	snap, err = s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]route.Decision{second}, snap.Decisions()); diff != "" {
		t.Error(diff)
	}
	if len(snap.Routes) != 2 || snap.Routes[0].Owner != owner || snap.Routes[0].Waiver != nil || snap.Routes[0].ChangedBy != "else" {
		t.Fatalf("%+v", snap.Routes)
	}
	w := snap.Routes[1].Waiver
	if w == nil || w.Because != "goes away" || !w.Holds(until) || w.Holds(until.AddDate(0, 0, 1)) {
		t.Errorf("%+v", w)
	}
	// Back, and the waiver taken back.
	if _, before = decide(t, s, route.Decision{App: route.Legacy, Template: first.Template}); before != route.PhaseCanary {
		t.Errorf("before %q", before)
	}
	if _, err := s.Describe(t.Context(), route.Modern, "/old/", nil, &decisions.Waiver{}, "else"); err != nil {
		t.Fatal(err)
	}
	if snap, err = s.Read(t.Context()); err != nil || len(snap.Decisions()) != 0 || snap.Routes[1].Waiver != nil || snap.Routes[0].Owner != owner {
		t.Errorf("%+v, %v", snap, err)
	}
	events := pgtest.Value[[]string](t, dsn, "SELECT array_agg(coalesce(before, '-') || ' ' || coalesce(after, '-') || ' ' || because || ' ' || by ORDER BY id) FROM replank.route_event")
	if want := []string{"- shadow because somebody", "shadow canary because somebody", "canary - because somebody"}; !slices.Equal(events, want) {
		t.Errorf("%q", events)
	}
}

// TestDecideRefuses: what cannot be is not written.
func TestDecideRefuses(t *testing.T) {
	s := open(t, decisions.Config{DSN: pgtest.DB(t)})
	for _, d := range []route.Decision{
		{App: "new", Template: "/", Phase: route.PhaseModern},
		{App: route.Modern, Phase: route.PhaseModern},
		{App: route.Modern, Template: "/", Phase: "ported"},
		{App: route.Modern, Template: "/", Phase: route.PhaseCanary, Canary: route.Canary{Share: 25}},
		{App: route.Modern, Template: "/", Phase: route.PhaseCanary, Canary: route.Canary{Header: "X-Canary"}},
		{App: route.Modern, Template: "/", Phase: route.PhaseModern, Canary: route.Canary{Share: 0.5}},
	} {
		if _, _, err := s.Decide(t.Context(), d, "", "x"); err == nil {
			t.Errorf("accepted: %+v", d)
		}
	}
	if snap, err := s.Read(t.Context()); err != nil || snap.Version != 0 {
		t.Errorf("%+v, %v", snap, err)
	}
}

// TestWatch: who watches hears of every decision, also of those that were made while its connection was lost, and of none
// twice.
func TestWatch(t *testing.T) {
	dsn := pgtest.DB(t)
	// Polled so rarely that only notifications explain what is heard at once.
	s := open(t, decisions.Config{DSN: dsn, Poll: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	heard, ended := make(chan decisions.Snapshot, 100), make(chan error, 1)
	go func() { ended <- s.Watch(ctx, func(snap decisions.Snapshot) { heard <- snap }) }()
	if snap := <-heard; snap.Version != 0 {
		t.Errorf("at first version %d", snap.Version)
	}
	version, _ := decide(t, s, route.Decision{App: route.Modern, Template: "/a/", Phase: route.PhaseModern})
	if snap := <-heard; snap.Version != version || len(snap.Routes) != 1 {
		t.Errorf("%+v", snap)
	}
	cancel()
	if err := <-ended; err != context.Canceled {
		t.Error(err)
	}

	s.Close()
	s = open(t, decisions.Config{DSN: dsn, Poll: 10 * time.Millisecond})
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	go func() { ended <- s.Watch(ctx, func(snap decisions.Snapshot) { heard <- snap }) }()
	<-heard
	if n := pgtest.Value[int](t, dsn, "SELECT count(pg_terminate_backend(pid))::int FROM pg_stat_activity WHERE application_name = 'replank gateway watch' AND datname = current_database()"); n != 1 {
		t.Fatalf("%d watched", n)
	}
	// Nobody is notified of this one.
	pgtest.Exec(t, dsn, "INSERT INTO replank.route (app, template, phase, changed_by) VALUES ('legacy', '/b', 'legacy', 'x')", "UPDATE replank.route_version SET version = version + 1")
	if snap := <-heard; snap.Version != version+1 || len(snap.Routes) != 2 {
		t.Errorf("%+v", snap)
	}
	cancel()
	<-ended
	select {
	case snap := <-heard:
		t.Errorf("heard once more: %+v", snap)
	default:
	}
}

// TestWrongWay: what may be called in the wrong direction is read with the decisions, until its day; what was counted by
// several gateways adds up; and all of them have one secret.
func TestWrongWay(t *testing.T) {
	dsn := pgtest.DB(t)
	s, other := open(t, decisions.Config{DSN: dsn}), open(t, decisions.Config{DSN: dsn})
	day := time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)
	allow := func(caller, template, because string) {
		t.Helper()
		before, err := s.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		version, err := s.Allow(t.Context(), decisions.Allowance{Caller: caller, Route: template, Waiver: decisions.Waiver{Because: because, Until: &day}, By: "somebody"})
		if err != nil || version != before.Version+1 {
			t.Errorf("version %d after %d, %v", version, before.Version, err)
		}
	}
	allow("/a", "/b", "first")
	allow("/a", "/b", "second")
	allow("", decisions.Any, "unknown")
	for range 2 { // they are read with the first of several rows, too
		decide(t, s, route.Decision{App: route.Modern, Template: "/x", Phase: route.PhaseModern})
		decide(t, s, route.Decision{App: route.Modern, Template: "/y", Phase: route.PhaseModern})
	}
	snap, err := other.Read(t.Context())
	if err != nil || len(snap.Routes) != 2 || len(snap.Allowances) != 2 {
		t.Fatalf("%+v, %v", snap, err)
	}
	if w, ok := snap.Allowances.Of("/a", "/b", day); !ok || w.Because != "second" || w.By != "somebody" || !w.Until.Equal(day) || w.At.IsZero() {
		t.Errorf("%+v", w)
	}
	for _, tt := range []struct {
		caller, template string
		day              time.Time
		want             bool
	}{
		{"/a", "/b", day.AddDate(0, 0, 1), false}, {"/a", "/c", day, false}, {"/b", "/a", day, false}, {"/c", "/b", day, false},
		{"", "/c", day, true}, {"", "", day, true}, {"", "/c", day.AddDate(0, 0, 1), false},
	} {
		if _, ok := snap.Allowances.Of(tt.caller, tt.template, tt.day); ok != tt.want {
			t.Errorf("%+v: %v", tt, ok)
		}
	}
	if version, err := s.Disallow(t.Context(), "/a", "/b"); err != nil || version != snap.Version+1 {
		t.Errorf("version %d, %v", version, err)
	}
	if version, err := s.Disallow(t.Context(), "/a", "/b"); err != nil || version != 0 {
		t.Errorf("nothing to take back: version %d, %v", version, err)
	}
	if snap, err = s.Read(t.Context()); err != nil || len(snap.Allowances) != 1 {
		t.Errorf("%+v, %v", snap, err)
	}
	if _, err := s.Allow(t.Context(), decisions.Allowance{Caller: "/a", Route: "/b", Waiver: decisions.Waiver{Because: "for good"}, By: "x"}); err == nil {
		t.Error("allowed without a last day")
	}

	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	one := decisions.WrongWay{Why: decisions.Direction, CallerApp: "legacy", Caller: "/a", Method: "GET", Route: "/b", Refused: 1, First: at, Last: at}
	two := decisions.WrongWay{Why: decisions.Loop, CallerApp: "modern", Method: "POST", Refused: 2, First: at, Last: at}
	if err := s.AddWrongWays(t.Context(), []decisions.WrongWay{two, one}); err != nil {
		t.Fatal(err)
	}
	again := one
	again.Refused, again.Allowed, again.First, again.Last = 0, 5, at.Add(-time.Hour), at.Add(time.Hour)
	if err := other.AddWrongWays(t.Context(), []decisions.WrongWay{again}); err != nil {
		t.Fatal(err)
	}
	again.Refused = 1
	list, err := s.WrongWays(t.Context())
	for i := range list {
		list[i].First, list[i].Last = list[i].First.UTC(), list[i].Last.UTC()
	}
	if diff := cmp.Diff([]decisions.WrongWay{again, two}, list); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}

	first, err := s.HopSecret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if second, err := other.HopSecret(t.Context()); err != nil || len(first) != 32 || !slices.Equal(first, second) {
		t.Errorf("%x, %x, %v", first, second, err)
	}
}

// TestAdd: counts of several gateways add up.
func TestAdd(t *testing.T) {
	s := open(t, decisions.Config{DSN: pgtest.DB(t)})
	day := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	one := decisions.Count{Day: day, Template: "/a/", Method: "GET", AnsweredBy: "modern", Requests: 3, Errors: 1}
	two := decisions.Count{Day: day, Method: "POST", AnsweredBy: "legacy", Requests: 1}
	for range 2 {
		if err := s.Add(t.Context(), []decisions.Count{one, two}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Counts(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	one.Requests, one.Errors, two.Requests = 6, 2, 2
	if diff := cmp.Diff([]decisions.Count{two, one}, got); diff != "" {
		t.Error(diff)
	}
	if got, err = s.Counts(t.Context(), day.AddDate(0, 0, 1)); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
