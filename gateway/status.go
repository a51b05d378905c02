package gateway

import (
	"encoding/json"
	"net/http"

	"github.com/replank/replank/internal/route"
)

// status is what /status of the admin listener says: what the gateway goes by now, and what is wrong with it.
type status struct {
	// Table is the number of the table of routes that is in use, as in the log.
	Table int64                    `json:"table"`
	Apps  map[route.App]*appStatus `json:"apps"`
	// Decisions is nil where there is no control database.
	Decisions *decisionsStatus `json:"decisions,omitempty"`
}

type decisionsStatus struct {
	Count int `json:"count"`
	// Problem is why the control database cannot be reached: the last decisions hold.
	Problem string `json:"problem,omitempty"`
}

type appStatus struct {
	// State is "up", or why the application is not asked.
	State string `json:"state"`
	// From is where its routes are read, "" if nowhere: every route is tried.
	From     string `json:"from,omitempty"`
	Build    string `json:"build,omitempty"`
	Routes   int    `json:"routes"`
	Complete bool   `json:"complete"`
	// Bad are the routes that cannot be used. The paths that may be theirs are tried.
	Bad []string `json:"bad,omitempty"`
	// Problem is why its document, as it is now, is not used: the last good one is.
	Problem string `json:"problem,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

func (g *Gateway) status(w http.ResponseWriter, _ *http.Request) {
	s := status{Apps: map[route.App]*appStatus{}}
	for _, a := range []*app{g.modern, g.legacy} {
		s.Apps[route.App(a.side)] = &appStatus{State: "up"}
		if err := a.available(); err != nil {
			s.Apps[route.App(a.side)].State = err.Error()
		}
	}
	if store := g.cfg.Decisions; store != nil {
		s.Decisions = &decisionsStatus{}
		if err := store.Lost(); err != nil {
			s.Decisions.Problem = err.Error()
		}
	}
	g.routes.told(&s)
	w.Header().Set("Content-Type", "application/json")
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(append(text, '\n')) // who has gone does not read it
}

// told writes what is known of routes into a status.
func (r *routes) told(s *status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Table = r.number
	if s.Decisions != nil {
		s.Decisions.Count = len(r.chosen)
	}
	for _, d := range r.docs {
		a := s.Apps[d.app]
		if d.from != nil {
			a.From = d.from.String()
		}
		if d.wrong != nil {
			a.Problem, a.Hint = d.wrong.Error(), hintOf(d.wrong)
		}
		for _, b := range d.bad {
			a.Bad = append(a.Bad, b.Error())
		}
		if d.doc != nil {
			a.Build, a.Routes, a.Complete = d.doc.Build, len(d.doc.Routes), d.doc.Complete
		}
	}
}
