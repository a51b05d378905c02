package migrate

import "github.com/replank/replank/internal/journal"

// State is where a run is in its life.
type State string

// The states of a run.
const (
	Planned    State = "planned"
	Expanding  State = "expanding"
	Filling    State = "filling"
	Verifying  State = "verifying"
	Ready      State = "ready"
	Completing State = "completing"
	Done       State = "done"
	Reverting  State = "reverting"
	Reverted   State = "reverted"
	Failed     State = "failed"
)

// Machine is the whole life of a run.
//
// The phases of a plan may alternate (a short change can follow a fill), so the three states of apply lead to
// one another. Pausing is no state: it is a person's wish about a run in any state, kept beside it, which the
// executor obeys between two steps or ranges; so a paused run goes on exactly where it was.
//
// Whatever stops an executor (a crash, a lost connection, a lost lease, locks that could not be had) changes no
// state either: the next executor finds the run where it was and goes on with the first step that is not done.
var Machine = journal.Machine{
	Kind: "migrate",
	States: []journal.State{
		{Name: string(Planned), Doc: "the plan is in the journal, and nothing else was done"},
		{Name: string(Expanding), Doc: "the new shape is being made beside the old one, in short steps"},
		{Name: string(Filling), Doc: "rows are being changed"},
		{Name: string(Verifying), Doc: "indexes are built, constraints validated, proofs made"},
		{Name: string(Ready), Doc: "old and new shape live side by side; complete or revert comes next"},
		{Name: string(Completing), Doc: "the old shape goes"},
		{Name: string(Done), Finished: true, Doc: "as psql would have left it"},
		{Name: string(Reverting), Doc: "the steps are taken back, last first"},
		{Name: string(Reverted), Finished: true, Doc: "as it was before"},
		{Name: string(Failed), Doc: "it worked neither forwards nor backwards; the error says why, and a person decides which way to try again"},
	},
	Edges: map[string][]string{
		string(Planned):    names(Expanding, Filling, Verifying, Ready, Done, Reverting),
		string(Expanding):  names(Filling, Verifying, Ready, Done, Reverting, Failed),
		string(Filling):    names(Expanding, Verifying, Ready, Done, Reverting, Failed),
		string(Verifying):  names(Expanding, Filling, Ready, Done, Reverting, Failed),
		string(Ready):      names(Completing, Reverting),
		string(Completing): names(Done, Ready, Failed),
		string(Done):       names(Reverting),
		string(Reverting):  names(Reverted, Failed),
		string(Failed):     names(Expanding, Filling, Verifying, Ready, Completing, Done, Reverting),
	},
}

func names(states ...State) []string {
	out := make([]string, len(states))
	for i, s := range states {
		out[i] = string(s)
	}
	return out
}
