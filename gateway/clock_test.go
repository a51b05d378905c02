package gateway

import (
	"fmt"
	"net"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/route"
)

// onTheWall counts the times below a value, and names those that a step of the clock would change: those without a reading
// of the clock that nobody can set. Go compares two times by that one where both have it.
func onTheWall(v reflect.Value, path string, all *int) (found []string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return onTheWall(v.Elem(), path, all)
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			found = append(found, onTheWall(i.Key(), path, all)...)
			found = append(found, onTheWall(i.Value(), fmt.Sprintf("%s[%v]", path, i.Key()), all)...)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			const hasMonotonic = 1 << 63
			wall, ext := v.FieldByName("wall").Uint(), v.FieldByName("ext").Int()
			if wall != 0 || ext != 0 { // the zero time is none
				*all++
				if wall&hasMonotonic == 0 {
					return []string{path}
				}
			}
			return nil
		}
		for i := range v.NumField() {
			found = append(found, onTheWall(v.Field(i), path+"."+v.Type().Field(i).Name, all)...)
		}
	}
	return found
}

// TestClockStep: when the clock of the machine is set, nothing is learned for longer or shorter, no breaker stays open, and
// nobody is judged by other answers. What depends on it is the day that is counted for, and that loses nothing.
func TestClockStep(t *testing.T) {
	closes := newRaw(t, func(net.Conn, *http.Request, int) bool { return false })
	g, err := New(Config{Modern: App{URL: closes.url, Failures: 1}, Legacy: App{URL: closes.url}})
	if err != nil {
		t.Fatal(err)
	}
	g.learned.learn(noRoute, "GET", "/a")
	g.learned.learn(noMethod, "GET", "/a")
	canary := &route.Decision{App: route.Modern, Template: "/a", Phase: route.PhaseCanary}
	g.judge.answered(&exchange{decision: canary, status: 200, answerer: answerer{first: Modern}}, time.Second)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, closes.url.String()+"/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.modern.RoundTrip(r); err == nil || g.modern.breaker.State() != gobreaker.StateOpen {
		t.Fatalf("%v: the breaker is not open", err)
	}
	for name, v := range map[string]any{"learned": g.learned, "judge": &g.judge, "breaker": g.modern.breaker} {
		all := 0
		if found := onTheWall(reflect.ValueOf(v), name, &all); len(found) > 0 || all == 0 {
			t.Errorf("%d of the %d times of %s can be set: %v", len(found), all, name, found)
		}
	}
	all := 0
	if found := onTheWall(reflect.ValueOf(map[string]time.Time{"set": time.Now().Round(0)}), "x", &all); len(found) != 1 || all != 1 {
		t.Errorf("this test finds nothing: %v", found)
	}

	// Over midnight and back.
	dsn := pgtest.DB(t)
	store, err := decisions.Open(t.Context(), decisions.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	g.cfg.Decisions = store
	day := today()
	for i, d := range []time.Time{day, day.AddDate(0, 0, 1), day, day.AddDate(-20, 0, 0), day} {
		g.traffic.give([]decisions.Count{{Day: d, Template: "/a", Method: "GET", AnsweredBy: "modern", Requests: 1}})
		if i%2 == 1 {
			if err := g.writeTraffic(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := g.writeTraffic(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := pgtest.Value[string](t, dsn, "SELECT string_agg((day - $1::date) || ': ' || requests, ', ' ORDER BY day DESC) FROM replank.traffic", day); got[:10] != "1: 1, 0: 3" || pgtest.Value[int64](t, dsn, "SELECT sum(requests)::bigint FROM replank.traffic") != 5 {
		t.Errorf("counted: %s", got)
	}
}
