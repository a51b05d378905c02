package ddl

import (
	"fmt"
	"strings"
)

// DirectiveVerb documents one verb of "-- replank: verb argument".
type DirectiveVerb struct {
	Verb     string
	Argument string // what follows the verb; "" = nothing may follow
	Optional bool   // the argument may be left out
	Doc      string
}

// DirectiveVerbs is every verb there is. A verb that is not in this table is an error of the file, because a
// misspelt instruction must never be taken for an ordinary comment.
var DirectiveVerbs = []DirectiveVerb{
	{Verb: "inverse", Argument: "[COLUMN =] EXPRESSION", Doc: "how to compute the old value from the new one, so that writes through the new shape reach the old one and the change can be reverted"},
	{Verb: "fill", Argument: "[COLUMN =] EXPRESSION", Doc: "the value that existing rows get in a new column, or that takes the place of NULL on the way back"},
	{Verb: "name", Argument: "NAME", Doc: "the name of the migration where it should not be the file's"},
	{Verb: "backfill", Doc: "this UPDATE, DELETE or INSERT … SELECT is a backfill: it is carried out in batches, or refused where it would have to run whole, however small its table is"},
	{Verb: "no-undo", Doc: "keep no before-images of the changed rows: faster, but the migration cannot be reverted"},
	{Verb: "wait", Argument: "WHAT FOR", Optional: true, Doc: "stop before this statement: it and what follows is done by complete, the operator's word"},
	{Verb: "plain", Doc: "execute the statement exactly as written, under lock discipline only"},
	{Verb: "key", Argument: "COLUMN, …", Doc: "the immutable unique NOT NULL key by which a backfill walks the table"},
	{Verb: "allow", Argument: "RULE, … until=DATE owner=NAME because REASON", Doc: "rules of `replank lint` that this statement may break, why, and until when (`until` and `owner` may be left out)"},
	{Verb: "allow-file", Argument: "RULE, … until=DATE owner=NAME because REASON", Doc: "the same for all statements of the file; it stands above the first one"},
}

func knownVerbs() string {
	verbs := make([]string, len(DirectiveVerbs))
	for i, v := range DirectiveVerbs {
		verbs[i] = v.Verb
	}
	return strings.Join(verbs, ", ")
}

// directive reads the comment token c; ok is false for an ordinary comment.
func (s *source) directive(c token) (d Directive, ok bool, err error) {
	body, ok := strings.CutPrefix(s.text[c.start:c.end], "--")
	if !ok {
		return d, false, nil
	}
	body, ok = strings.CutPrefix(strings.TrimLeft(body, "- \t"), "replank:")
	if !ok {
		return d, false, nil
	}
	verb, arg := strings.TrimSpace(body), ""
	if i := strings.IndexAny(verb, " \t"); i >= 0 {
		verb, arg = verb[:i], strings.TrimSpace(verb[i:])
	}
	d = Directive{Pos: s.pos(c.start), Verb: strings.ToLower(verb), Arg: arg}
	for _, v := range DirectiveVerbs {
		switch {
		case v.Verb != d.Verb:
		case v.Argument == "" && arg != "":
			return d, true, s.errorAt(c.start, fmt.Sprintf("replank: %s takes no argument, not %q", v.Verb, arg))
		case v.Argument != "" && !v.Optional && arg == "":
			return d, true, s.errorAt(c.start, fmt.Sprintf("replank: %s needs an argument: %s", v.Verb, v.Argument))
		default:
			return d, true, nil
		}
	}
	if verb == "" {
		return d, true, s.errorAt(c.start, "a replank: comment without a verb; known are "+knownVerbs())
	}
	return d, true, s.errorAt(c.start, fmt.Sprintf("unknown verb %q in a replank: comment; known are %s", verb, knownVerbs()))
}

// attach hands every directive of the source to the statement it belongs to: the one that it stands in, the
// one that ends on its line, or the next one.
func (s *source) attach(f *File, spans []span) error {
	for _, c := range s.comments {
		d, ok, err := s.directive(c)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if len(spans) == 0 || c.start < spans[0].start {
			f.Directives = append(f.Directives, d)
		}
		if len(spans) == 0 {
			continue
		}
		i := s.owner(c, spans)
		if i < 0 {
			return s.errorAt(c.start, "this replank: comment stands behind the last statement and belongs to none; write it above its statement")
		}
		f.Statements[i].Directives = append(f.Statements[i].Directives, d)
	}
	return nil
}

func (s *source) owner(c token, spans []span) int {
	for i, sp := range spans {
		if c.start >= sp.end {
			last := i+1 == len(spans) || c.start < spans[i+1].start
			if last && !strings.Contains(s.text[sp.end:c.start], "\n") {
				return i
			}
			continue
		}
		return i // inside statement i, or before it
	}
	return -1
}
