package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// allow is one `-- replank:allow RULE, RULE until=2027-01-31 owner=team because …`.
type allow struct {
	pos    ddl.Pos
	rules  []string
	until  string
	reason string
	file   bool // for the whole file
	from   int  // offsets of its statement
	to     int
	used   bool
}

// covers reports whether the comment speaks of a finding.
func (a *allow) covers(f Finding) bool {
	return slices.Contains(a.rules, f.Rule) && (a.file || f.Pos.Offset >= a.from && f.Pos.Offset <= a.to)
}

// readAllows takes the comments of the source, and reports those that say nothing.
func (l *linter) readAllows() {
	for _, d := range l.src.file.Directives {
		if d.Verb == "allow-file" && l.src.first {
			l.readAllow(d, nil)
		}
	}
	for i := range l.src.file.Statements {
		st := &l.src.file.Statements[i]
		for _, d := range st.Directives {
			if d.Verb == "allow" {
				l.readAllow(d, st)
			}
		}
	}
}

func (l *linter) readAllow(d ddl.Directive, st *ddl.Statement) {
	a := &allow{pos: d.Pos, file: st == nil}
	if st != nil {
		a.from, a.to = st.Pos.Offset, st.Pos.Offset+len(st.SQL)
	}
	text, reason, ok := strings.Cut(d.Arg, "because ")
	if !ok {
		text, reason, _ = strings.Cut(d.Arg, ": ")
	}
	a.reason = strings.TrimSpace(reason)
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }) {
		key, value, isOption := strings.Cut(word, "=")
		switch {
		case isOption && key == "until" && isDate(value):
			a.until = value
		case isOption && key == "owner":
		case isOption:
			l.add(Finding{Rule: "allow", Pos: d.Pos, Message: fmt.Sprintf("%s is not understood: until=2027-01-31 and owner=NAME are", word)})
		case RuleByID(word) == nil:
			l.add(Finding{Rule: "allow", Pos: d.Pos, Message: fmt.Sprintf("there is no rule %s: replank rules lists them", word)})
		default:
			a.rules = append(a.rules, word)
		}
	}
	if a.reason == "" {
		l.add(Finding{Rule: "allow", Pos: d.Pos, Message: "no reason is given: … because REASON"})
	}
	if len(a.rules) > 0 {
		l.allows = append(l.allows, a)
	}
}

func isDate(s string) bool {
	if len(s) != len("2006-01-02") || s[4] != '-' || s[7] != '-' {
		return false
	}
	return strings.Trim(s, "0123456789-") == ""
}

// allowed leaves out what comments allow, and reports comments that are expired or unused.
func (l *linter) allowed(found []Finding) []Finding {
	left := slices.DeleteFunc(found, func(f Finding) bool {
		for _, a := range l.allows {
			if a.covers(f) {
				a.used = true
				if a.until == "" || l.Today <= a.until {
					return true
				}
			}
		}
		return false
	})
	for _, a := range l.allows {
		rules := strings.Join(a.rules, ", ")
		switch {
		case !a.used:
			left = append(left, l.made(Finding{Rule: "allow", Pos: a.pos, Message: fmt.Sprintf("nothing here breaks %s: remove the comment", rules)}))
		case a.until != "" && l.Today > a.until:
			left = append(left, l.made(Finding{Rule: "allow", Pos: a.pos, Message: fmt.Sprintf("%s was allowed until %s only", rules, a.until)}))
		}
	}
	return left
}
