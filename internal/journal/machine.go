package journal

import (
	"fmt"
	"slices"
)

// State is one state of a Machine.
type State struct {
	Name string
	// Doc is one sentence for docs/states.md.
	Doc string
	// Finished: nothing is pending here, even if an edge leads out (done, then reverted). Default: false.
	Finished bool
}

// Machine is the whole life of a kind of run. States are names, never
// numbers: they are compared for equality only. The first one is the start.
type Machine struct {
	Kind   string
	States []State
	Edges  map[string][]string // from -> to
}

// Validate says what is wrong with the tables: for the test of each states.go.
func (m Machine) Validate() error {
	if m.Kind == "" || len(m.States) == 0 {
		return fmt.Errorf("machine %q has no kind or no states", m.Kind)
	}
	seen := map[string]bool{}
	for _, s := range m.States {
		if s.Name == "" || seen[s.Name] {
			return fmt.Errorf("machine %s: state %q is empty or listed twice", m.Kind, s.Name)
		}
		seen[s.Name] = true
	}
	reached := map[string]bool{m.States[0].Name: true}
	for from, tos := range m.Edges {
		for _, to := range tos {
			if !seen[from] || !seen[to] || from == to {
				return fmt.Errorf("machine %s: edge %s -> %s does not join two listed states", m.Kind, from, to)
			}
			reached[to] = true
		}
	}
	for _, s := range m.States {
		if !reached[s.Name] {
			return fmt.Errorf("machine %s: no edge leads to state %s", m.Kind, s.Name)
		}
		if !s.Finished && len(m.Edges[s.Name]) == 0 {
			return fmt.Errorf("machine %s: state %s is neither finished nor left by an edge", m.Kind, s.Name)
		}
	}
	return nil
}

// Start is the state of a new run.
func (m Machine) Start() string { return m.States[0].Name }

// Can says whether the edge is listed.
func (m Machine) Can(from, to string) bool { return slices.Contains(m.Edges[from], to) }

// State returns a listed state.
func (m Machine) State(name string) (State, bool) {
	i := slices.IndexFunc(m.States, func(s State) bool { return s.Name == name })
	if i < 0 {
		return State{}, false
	}
	return m.States[i], true
}

// The states of a step. They are the same for all engines.
const (
	StepPending   = "pending"
	StepRunning   = "running"
	StepDone      = "done"
	StepFailed    = "failed"
	StepSkipped   = "skipped"
	StepReversing = "reversing" // a part of its work is taken back, which takes more than one transaction
	StepReversed  = "reversed"
)

// stepEdges: a step that was found running after a crash is probed and then
// runs on, is done, or is taken back.
var stepEdges = map[string][]string{
	StepPending: {StepRunning, StepSkipped, StepDone},
	StepRunning: {StepRunning, StepDone, StepFailed, StepSkipped, StepReversing, StepReversed, StepPending},
	StepFailed:  {StepRunning, StepSkipped, StepDone, StepReversing, StepReversed},
	StepDone:    {StepReversing, StepReversed, StepRunning},
	StepSkipped: {StepReversed, StepRunning},
	// Whichever way goes on from here, the rest is taken back first.
	StepReversing: {StepReversed},
	// The way back failed half way, and a person goes forward again.
	StepReversed: {StepRunning},
}
