package history

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// sqitchPlan is a plan file of sqitch (App::Sqitch::Plan).
type sqitchPlan struct {
	path    string
	project string
	uri     string // "" = none
	changes []*sqitchChange
	tagged  map[string]int // "@tag": index of the change that carries it
}

type sqitchChange struct {
	sqitchLine
	requires, conflicts []sqitchDependency
	tags                []sqitchTag
	revert              bool        // - instead of +
	reworkTags          []sqitchTag // between it and the next change of its name, the nearest first
	scriptHash          string
}

type sqitchTag struct{ sqitchLine }

// sqitchLine is what changes and tags have in common.
type sqitchLine struct {
	id             string
	name           string // of a tag without @
	date           string
	planner, email string
	note           string
	number         int
}

type sqitchDependency struct {
	project, change, tag, id string // change@tag, @tag or an id
	conflict                 bool
}

// String is the dependency as sqitch writes it into ids and books.
func (d sqitchDependency) String() string {
	s := d.change
	if d.tag != "" {
		s += "@" + d.tag
	}
	if s == "" {
		s = d.id
	}
	if d.project != "" {
		s = d.project + ":" + s
	}
	return s
}

var (
	sqitchPragma = regexp.MustCompile(`^\s*%\s*([^\s=]+)(?:\s*=\s*(.+?))?\s*$`)
	sqitchEntry  = regexp.MustCompile(`^[ \t]*(@|[ \t]*([+-])[ \t]*)?([^ \t:@#\\\[]+)[ \t]*(?:\[([^\]]+)\][ \t]*)?` +
		`(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z)[ \t]*([^<]+?)[ \t]+<([^>]+)>[ \t]*$`)
	sqitchNeeds  = regexp.MustCompile(`^(!?)(?:([^\s:@#\\]+):)?(?:([0-9a-f]{40})|([^\s:@#\\]+)?(?:@([^\s:@#\\]+))?)$`)
	sqitchEscape = strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\\`, `\`)
)

// parseSqitchPlan reads a plan, and gives each line its id.
func parseSqitchPlan(path, text string) (*sqitchPlan, error) {
	p := &sqitchPlan{path: path, tagged: make(map[string]int)}
	fail := func(n int, hint, format string, args ...any) error {
		return &Error{Path: fmt.Sprintf("%s:%d", path, n), Err: fmt.Errorf(format, args...), hint: hint}
	}
	n, header := 0, true
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		body, note, _ := strings.Cut(line, "#")
		note = sqitchEscape.Replace(strings.TrimSpace(note))
		if strings.TrimSpace(body) == "" {
			header = header && note != ""
			continue
		}
		if header {
			pragma := sqitchPragma.FindStringSubmatch(body)
			if pragma == nil {
				return nil, fail(n, "leave a blank line behind the lines with %", "not a pragma of sqitch")
			}
			switch pragma[1] {
			case "project":
				p.project = pragma[2]
			case "uri":
				p.uri = pragma[2]
			}
			continue
		}
		part := sqitchEntry.FindStringSubmatch(body)
		if part == nil {
			return nil, fail(n, "a line is NAME [DEPENDENCIES] YYYY-MM-DDThh:mm:ssZ PLANNER <EMAIL> # NOTE", "not a change or tag of sqitch")
		}
		l := sqitchLine{name: part[3], date: part[5], planner: part[6], email: part[7], note: note, number: n}
		if part[1] == "@" {
			if len(p.changes) == 0 {
				return nil, fail(n, "", "the tag @%s has no change before it", l.name)
			}
			if at, dup := p.tagged["@"+l.name]; dup {
				return nil, fail(n, "", "the tag @%s is taken by %s", l.name, p.changes[at].name)
			}
			p.tag(l)
			continue
		}
		c := &sqitchChange{sqitchLine: l, revert: part[2] == "-"}
		for _, text := range strings.Fields(part[4]) {
			d := sqitchNeeds.FindStringSubmatch(text)
			if d == nil {
				return nil, fail(n, "", "%q is not a dependency of sqitch", text)
			}
			need := sqitchDependency{project: d[2], id: d[3], change: d[4], tag: d[5], conflict: d[1] != ""}
			if need.project == p.project {
				need.project = ""
			}
			if need.conflict {
				c.conflicts = append(c.conflicts, need)
			} else {
				c.requires = append(c.requires, need)
			}
		}
		if err := p.add(c); err != nil {
			return nil, fail(n, "sqitch rework gives a change a second form, behind a tag", "%w", err)
		}
	}
	if p.project == "" {
		return nil, &Error{Path: path, Err: fmt.Errorf("no %%project in it"), hint: "a plan of sqitch begins with %syntax-version=1.0.0 and %project=NAME"}
	}
	return p, nil
}

// add appends a change. The form that an earlier one of the same name has is the one at the tags between.
func (p *sqitchPlan) add(c *sqitchChange) error {
	for i := len(p.changes) - 1; i >= 0; i-- {
		if p.changes[i].name != c.name {
			continue
		}
		var between []sqitchTag
		for j := len(p.changes) - 1; j >= i; j-- {
			between = append(between, p.changes[j].tags...)
		}
		if len(between) == 0 {
			return fmt.Errorf("the change %s stands in line %d, and there is no tag between", c.name, p.changes[i].number)
		}
		p.changes[i].reworkTags = between
		break
	}
	parent := ""
	if n := len(p.changes); n > 0 {
		parent = p.changes[n-1].id
	}
	c.id = p.changeID(c, parent)
	p.changes = append(p.changes, c)
	return nil
}

func (p *sqitchPlan) tag(l sqitchLine) {
	c := p.changes[len(p.changes)-1]
	info := p.head() + "tag @" + l.name + "\nchange " + c.id + "\nplanner " + l.planner + " <" + l.email + ">\ndate " + l.date
	if l.note != "" {
		info += "\n\n" + l.note
	}
	l.id = sqitchID("tag", info)
	c.tags = append(c.tags, sqitchTag{l})
	p.tagged["@"+l.name] = len(p.changes) - 1
}

func (p *sqitchPlan) head() string {
	if p.uri == "" {
		return "project " + p.project + "\n"
	}
	return "project " + p.project + "\nuri " + canonicalURI(p.uri) + "\n"
}

// changeID names a change by all that the plan says of it and of those before it.
func (p *sqitchPlan) changeID(c *sqitchChange, parent string) string {
	var b strings.Builder
	b.WriteString(p.head() + "change " + c.name + "\n")
	if parent != "" {
		b.WriteString("parent " + parent + "\n")
	}
	b.WriteString("planner " + c.planner + " <" + c.email + ">\ndate " + c.date)
	for i, d := range c.requires {
		b.WriteString(map[bool]string{true: "\nrequires"}[i == 0] + "\n  + " + d.String())
	}
	for i, d := range c.conflicts {
		b.WriteString(map[bool]string{true: "\nconflicts"}[i == 0] + "\n  - " + d.String())
	}
	if c.note != "" {
		b.WriteString("\n\n" + c.note)
	}
	return sqitchID("change", b.String())
}

func sqitchID(kind, info string) string {
	sum := sha1.Sum([]byte(fmt.Sprintf("%s %d\x00%s", kind, len(info), info)))
	return hex.EncodeToString(sum[:])
}

// canonicalURI writes a URI as Perl's URI->canonical does for those that projects have.
func canonicalURI(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return s
	}
	u.Host = strings.ToLower(u.Host)
	switch {
	case u.Scheme == "http":
		u.Host = strings.TrimSuffix(u.Host, ":80")
	case u.Scheme == "https":
		u.Host = strings.TrimSuffix(u.Host, ":443")
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String()
}

// find gives the index of the change that a dependency of change i means, -1 where the plan has none before it.
func (p *sqitchPlan) find(d sqitchDependency, i int) int {
	end := i
	if d.tag != "" && d.tag != "HEAD" && d.tag != "ROOT" {
		at, ok := p.tagged["@"+d.tag]
		if !ok || at >= i {
			return -1
		}
		end = at + 1
		if d.change == "" {
			return at
		}
	}
	for j := end - 1; j >= 0; j-- {
		if p.changes[j].name == d.change && d.change != "" || d.id != "" && p.changes[j].id == d.id {
			return j
		}
	}
	return -1
}
