package migrate

import (
	"slices"

	"github.com/replank/replank/plan"
)

// A failpoint is a named place in the life of a run where a crash must do no harm. Config.Failpoint is called at
// each; the crash matrix kills the process there. Names are state/kind/place, and Failpoints lists them all, so
// that a test can tell which were never reached.
//
// The places of a step, by how it is carried out. Every place stands between two durable effects.
var stepPlaces = map[plan.Kind][]string{
	plan.Transaction:  {"begin", "before-commit", "after-commit"},
	plan.Validate:     {"begin", "before-commit", "after-commit"},
	plan.Long:         {"begin", "before-commit", "after-commit"},
	plan.Concurrently: {"begin", "started", "ran", "probed", "marked"},
	plan.Rows:         {"begin", "started", "ran", "marked"},
	plan.Quiesce:      {"begin", "started", "ran", "marked"},
	plan.Proof:        {"begin", "started", "ran", "marked"},
	plan.Script:       {"begin", "started", "ran"},
}

// The places of a step that is taken back.
var (
	reversePlaces             = []string{"begin", "before-commit", "after-commit"}
	reverseConcurrentlyPlaces = []string{"begin", "ran", "marked"}
	reverseRowsPlaces         = []string{"begin", "started", "ran", "marked"}
	reverseCodePlaces         = []string{"begin", "ran"}
)

// phaseState is the state a run is in while steps of a phase are carried out.
var phaseState = map[plan.Phase]State{
	plan.Expand:   Expanding,
	plan.Fill:     Filling,
	plan.Verify:   Verifying,
	plan.Contract: Completing,
}

// Failpoints names every failpoint, sorted.
func Failpoints() []string {
	var all []string
	for _, state := range phaseState {
		for kind, places := range stepPlaces {
			for _, p := range places {
				all = append(all, pointName(state, kind, p))
			}
		}
	}
	for _, s := range Machine.States {
		all = append(all, s.Name+"/entered")
		if len(Machine.Edges[s.Name]) > 0 {
			all = append(all, s.Name+"/leaving")
		}
	}
	for _, p := range reversePlaces {
		all = append(all, pointName(Reverting, plan.Transaction, p))
	}
	for _, p := range reverseConcurrentlyPlaces {
		all = append(all, pointName(Reverting, plan.Concurrently, p))
	}
	for _, p := range reverseRowsPlaces {
		all = append(all, pointName(Reverting, plan.Rows, p))
	}
	for _, p := range reverseCodePlaces {
		all = append(all, pointName(Reverting, plan.Script, p))
	}
	slices.Sort(all)
	return all
}

func pointName(s State, k plan.Kind, place string) string {
	return string(s) + "/" + string(k) + "/" + place
}
