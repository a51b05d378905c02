package route

import (
	"net/http"
	"strconv"
	"testing"
)

// TestPicks: who is listed is picked, the others by their share; nobody leaves the canary when its share grows, and a
// tenant's users stay together.
func TestPicks(t *testing.T) {
	h := http.Header{"X-Canary": {"1"}}
	for name, tt := range map[string]struct {
		c    Canary
		w    Caller
		want bool
	}{
		"nobody":           {Canary{}, Caller{Subject: "7", Tenant: "a", Address: "127.0.0.1", Header: h.Get}, false},
		"all":              {Canary{Share: 1}, Caller{}, true},
		"subject":          {Canary{Subjects: []string{"7"}}, Caller{Subject: "7"}, true},
		"other subject":    {Canary{Subjects: []string{"7"}}, Caller{Subject: "8"}, false},
		"nobody is no one": {Canary{Subjects: []string{""}, Tenants: []string{""}}, Caller{}, false},
		"tenant":           {Canary{Tenants: []string{"a"}}, Caller{Subject: "8", Tenant: "a"}, true},
		"header":           {Canary{Header: "x-canary: 1"}, Caller{Header: h.Get}, true},
		"other value":      {Canary{Header: "X-Canary: 2"}, Caller{Header: h.Get}, false},
	} {
		if got := tt.c.Picks(tt.w); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	const callers = 10_000
	for _, share := range []float64{0.01, 0.1, 0.5} {
		c, more, n := Canary{Share: share}, Canary{Share: share * 1.5}, 0
		for i := range callers {
			w := Caller{Subject: strconv.Itoa(i), Tenant: ""}
			if !c.Picks(w) {
				continue
			}
			n++
			if !more.Picks(w) {
				t.Fatalf("%d leaves when the share grows", i)
			}
		}
		// Five standard deviations of the binomial distribution are less than a quarter of each of these.
		if got := float64(n) / callers; got < share*0.5 || got > share*1.5 {
			t.Errorf("a share of %v picks %v", share, got)
		}
	}
	c := Canary{Share: 0.5}
	for i := range 100 {
		tenant := strconv.Itoa(i)
		if c.Picks(Caller{Subject: "1", Tenant: tenant}) != c.Picks(Caller{Subject: "2", Tenant: tenant, Address: "10.0.0.1"}) {
			t.Errorf("tenant %s is on both sides", tenant)
		}
	}
}
