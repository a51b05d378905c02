package decisions

import "github.com/replank/replank/internal/journal"

// The states of a tenant's placement.
const (
	Settled = "settled"
	Fenced  = "fenced"
	Moving  = "moving"
)

// Placements is the life of a placement. Copying a tenant's rows, however long it takes, is not part of it: the tenant
// is settled meanwhile, and is fenced for the moment in which it changes sides.
var Placements = journal.Machine{
	Kind: "placement",
	States: []journal.State{
		{Name: Settled, Doc: "requests of the tenant go to its application", Finished: true},
		{Name: Fenced, Doc: "new requests of the tenant wait; those that are under way end, and what the applications send because of them"},
		{Name: Moving, Doc: "all requests of the tenant wait; when every gateway has said that none is under way, it may be moved"},
	},
	Edges: map[string][]string{
		Settled: {Fenced},
		Fenced:  {Moving, Settled}, // settled: the fence was taken back
		Moving:  {Settled},         // placed, or taken back
	},
}
