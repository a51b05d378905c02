package main

import (
	"regexp"
	"slices"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/plan"
)

// redactPlan is a copy of a plan without the values in its SQL: passwords and rows of customers have no business
// in a CI log.
func redactPlan(p *plan.Plan) *plan.Plan {
	out := *p
	out.Steps = slices.Clone(p.Steps)
	for i := range out.Steps {
		s := &out.Steps[i]
		s.Title = pg.Redact(s.Title)
		s.SQL, s.Reverse, s.Cleanup = redactAll(s.SQL), redactAll(s.Reverse), redactAll(s.Cleanup)
		s.Probe, s.CleanupIf, s.CleanupQuery, s.Outcome = pg.Redact(s.Probe), pg.Redact(s.CleanupIf), pg.Redact(s.CleanupQuery), pg.Redact(s.Outcome)
		if s.Fill != nil {
			f := *s.Fill
			f.From, f.Where, f.Guard, f.Into, f.OnConflict =
				pg.Redact(f.From), pg.Redact(f.Where), pg.Redact(f.Guard), pg.Redact(f.Into), pg.Redact(f.OnConflict)
			f.Set = slices.Clone(f.Set)
			for k := range f.Set {
				f.Set[k] = ddl.Assignment{Column: f.Set[k].Column, Expr: pg.Redact(f.Set[k].Expr)}
			}
			s.Fill = &f
		}
	}
	out.Consents = slices.Clone(p.Consents)
	for i := range out.Consents {
		out.Consents[i].Reason = redactProse(out.Consents[i].Reason)
	}
	out.Notices = slices.Clone(p.Notices)
	for i := range out.Notices {
		out.Notices[i].Text = redactProse(out.Notices[i].Text)
	}
	return &out
}

func redactAll(sqls []string) []string {
	if sqls == nil {
		return nil
	}
	out := make([]string, len(sqls))
	for i, s := range sqls {
		out[i] = pg.Redact(s)
	}
	return out
}

// What the parser cites where a statement goes wrong, when it is a constant.
var near = regexp.MustCompile(`(?s)( at or near ")(?:(?:[eEbBxXnN]|[uU]&)?'|\$[^\d"]).*"`)

// A quoted constant in a sentence; an apostrophe behind a letter begins none.
var quoted = regexp.MustCompile(`(?s)(?:\b[eEbBxXnN]|\b[uU]&|\B)'(?:[^']|'')*(?:'|$)|\$(\w*)\$.*?(?:\$\w*\$|$)`)

// redactProse takes quoted constants out of a sentence that cites SQL. A lexer of SQL would stumble over an
// apostrophe.
func redactProse(s string) string {
	return quoted.ReplaceAllString(hideSecretsInProse(s), "'…'")
}

var secretInProse = regexp.MustCompile(`(?is)(\b\w*(?:password|passwd|passphrase|secret)["']?(?:\s*[:=]+>?\s*|\s+))((?:e|n|u&)?'(?:[^']|'')*(?:'|$)|\$(\w*)\$.*?(?:\$\w*\$|$))`)

// hideSecretsInProse is for what people read: they know their own SQL, but whoever looks over their shoulder, or
// into the log of a pipeline, must not learn a password. [pg.HideSecrets] is the same for SQL itself.
func hideSecretsInProse(s string) string {
	s = secretInProse.ReplaceAllString(near.ReplaceAllString(s, `${1}'…'"`), "${1}'…'")
	return quoted.ReplaceAllStringFunc(s, pg.HideSecrets)
}
