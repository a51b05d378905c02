package route

import "slices"

// Phase is how far a template has come on its way from the legacy application to the modern one.
type Phase string

// The phases.
const (
	PhaseLegacy  Phase = "legacy"
	PhaseShadow  Phase = "shadow"
	PhaseCanary  Phase = "canary"
	PhaseModern  Phase = "modern"
	PhaseRetired Phase = "retired"
)

// Phases lists them from first to last with a sentence for people.
var Phases = []struct {
	Name Phase
	Doc  string
}{
	{PhaseLegacy, "the legacy application answers, although the modern one has the route"},
	{PhaseShadow, "the legacy application answers, the modern one is asked too, and the answers are compared"},
	{PhaseCanary, "a share of the requests goes to the modern application"},
	{PhaseModern, "the modern application answers; what it labels as not found falls back"},
	{PhaseRetired, "the modern application answers, and nothing falls back"},
}

// Edges of the phases: forward any number of steps, and back to any at any time. A template without a decision may
// enter any phase.
var Edges = map[Phase][]Phase{
	PhaseLegacy:  {PhaseShadow, PhaseCanary, PhaseModern, PhaseRetired},
	PhaseShadow:  {PhaseLegacy, PhaseCanary, PhaseModern, PhaseRetired},
	PhaseCanary:  {PhaseLegacy, PhaseShadow, PhaseModern, PhaseRetired},
	PhaseModern:  {PhaseLegacy, PhaseShadow, PhaseCanary, PhaseRetired},
	PhaseRetired: {PhaseLegacy, PhaseShadow, PhaseCanary, PhaseModern},
}

// Can says whether the edge is listed.
func Can(from, to Phase) bool { return slices.Contains(Edges[from], to) }

// known says whether the phase is listed.
func (p Phase) known() bool { return Edges[p] != nil }

// back returns the decision that is further back on the way. Where both applications have the route and both templates
// have a decision, that one holds, so that taking a step back always works.
func back(a, b *Decision) *Decision {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	for _, p := range Phases {
		if a.Phase == p.Name {
			return a
		}
		if b.Phase == p.Name {
			return b
		}
	}
	return a
}

// Decision is what people have decided about a template of an application.
type Decision struct {
	App      App
	Template string
	Phase    Phase
	Canary   Canary // of phase canary
	// ShadowWrites, of phase shadow: requests that write are sent to the modern application, too.
	ShadowWrites bool
}

// Answer is who answers a request.
type Answer struct {
	// By answers. Where Canary is set it is the legacy application, but for the share that the gateway chooses, which
	// goes to the modern one and may fall back.
	By     App
	Canary bool
	// Shadow: the modern application is asked too, its answer compared and thrown away.
	Shadow bool
	// Trial: nobody knows whether By has the route, so the request is kept until the answer is there.
	Trial bool
	// Fallback: an answer of the modern application that is labelled as not found is replaced by the legacy one's.
	Fallback bool
}

// Decide says who answers what was matched, under a decision (nil: none).
func Decide(m Match, d *Decision) Answer {
	trial := Answer{By: Modern, Trial: true, Fallback: true}
	// A phase cannot give the modern application a route that it surely does not have.
	absent := m.Modern.Kind == Missing && !m.modernMay
	if d != nil {
		switch d.Phase {
		case PhaseLegacy:
			return Answer{By: Legacy}
		case PhaseShadow:
			return Answer{By: Legacy, Shadow: !absent}
		case PhaseCanary:
			return Answer{By: Legacy, Canary: !absent}
		case PhaseRetired:
			return Answer{By: Modern}
		case PhaseModern:
			switch {
			case absent:
				return Answer{By: Legacy}
			case m.Modern.Kind == Found:
				return Answer{By: Modern, Fallback: true}
			}
			return trial
		}
	}
	switch m.Verdict {
	case VerdictModern:
		return Answer{By: Modern, Fallback: m.Modern.Kind == Found}
	case VerdictLegacy:
		return Answer{By: Legacy}
	}
	return trial
}

// Placed says who answers what was matched, for a tenant that was placed on an application: that comes before decisions.
// The legacy application answers all of it. The modern one answers what it has, as in phase modern, or in phase retired
// where that was decided.
func Placed(m Match, app App) Answer {
	switch {
	case app == Legacy:
		return Answer{By: Legacy}
	case m.Decision != nil && m.Decision.Phase == PhaseRetired:
		return Answer{By: Modern}
	}
	return Decide(m, &Decision{Phase: PhaseModern})
}
