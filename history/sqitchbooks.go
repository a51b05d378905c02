package history

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// sqitchBooks is the registry of sqitch: a schema of its own with what is deployed, and each deploy and revert as an
// event.
type sqitchBooks struct {
	schema           string
	plan             *sqitchPlan
	committer, email string
}

//go:embed sqitch_registry.sql
var sqitchRegistry string

var sqitchSchema = regexp.MustCompile(`\bsqitch\b`)

func (b *sqitchBooks) Table() string      { return b.table("changes") }
func (b *sqitchBooks) Present() Statement { return present(b.schema, "changes") }

func (b *sqitchBooks) table(name string) string { return quoted(b.schema, name) }

func (b *sqitchBooks) Create() []Statement {
	_, sql, _ := strings.Cut(sqitchRegistry, "\n\n") // without the licence
	sql = sqitchSchema.ReplaceAllString(sql, ddl.QuoteIdent(b.schema))
	var list []Statement
	for s := range strings.SplitSeq(sql, ";\n") {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, Statement{SQL: s})
		}
	}
	return append(list, Statement{
		SQL:  "INSERT INTO " + b.table("releases") + " (version, installer_name, installer_email) VALUES (1.1, $1, $2)",
		Args: []any{b.committer, b.email},
	})
}

func (b *sqitchBooks) Applied() Statement {
	return Statement{SQL: "SELECT change_id FROM " + b.table("changes") + " WHERE project = $1 ORDER BY committed_at", Args: []any{b.plan.project}}
}

// Read refuses what sqitch refuses: a change that the plan does not have, or no longer has as it was deployed. An id may
// have its project before it, and does not count then when that is another one: a snapshot has those of all projects.
func (b *sqitchBooks) Read(answer []string) (map[string]bool, error) {
	var ids []string
	for _, text := range answer {
		project, id, of := strings.Cut(text, ":")
		if !of {
			id = text
		} else if project != b.plan.project {
			continue
		}
		ids = append(ids, id)
	}
	for _, id := range ids {
		if !slices.ContainsFunc(b.plan.changes, func(c *sqitchChange) bool { return c.id == id }) {
			return nil, &Error{Path: b.plan.path, Err: fmt.Errorf("the change %s is deployed, and the plan does not have it", id),
				hint: "the plan was changed behind what is deployed (a change's id depends on all before it): get it back as it was, or revert with sqitch"}
		}
	}
	return set(ids), nil
}

func (b *sqitchBooks) change(m Migration) *sqitchChange {
	i := slices.IndexFunc(b.plan.changes, func(c *sqitchChange) bool { return c.id == m.Version })
	return b.plan.changes[i]
}

func (b *sqitchBooks) Record(m Migration) []Statement {
	c, p := b.change(m), b.plan
	var uri any
	if p.uri != "" {
		uri = p.uri
	}
	list := []Statement{
		{SQL: "INSERT INTO " + b.table("projects") + ` (project, uri, creator_name, creator_email)
SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT FROM ` + b.table("projects") + " WHERE project = $1)",
			Args: []any{p.project, uri, b.committer, b.email}},
		{SQL: "INSERT INTO " + b.table("changes") + ` (change_id, script_hash, change, project, note, committer_name, committer_email,
	planned_at, planner_name, planner_email)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::timestamptz, $9, $10)`,
			Args: []any{c.id, c.scriptHash, c.name, p.project, c.note, b.committer, b.email, c.date, c.planner, c.email}},
	}
	i := slices.Index(p.changes, c)
	for _, d := range c.requires {
		s := Statement{SQL: "INSERT INTO " + b.table("dependencies") + " (change_id, type, dependency, dependency_id) VALUES ($1, 'require', $2, "}
		s.Args = []any{c.id, d.String()}
		if at := p.find(d, i); d.project == "" && at >= 0 {
			s.SQL += "$3)"
			s.Args = append(s.Args, p.changes[at].id)
		} else {
			// Of another project: what is deployed of it. Where nothing is, the table's CHECK refuses, as sqitch does.
			s.SQL += "(SELECT c.change_id FROM " + b.table("changes") + " AS c WHERE c.project = $3 AND (c.change_id = $4 OR c.change = $5" +
				" AND ($6 = '' OR c.committed_at <= (SELECT t.committed_at FROM " + b.table("tags") + " AS t WHERE t.project = $3 AND t.tag = '@' || $6)))" +
				" OR c.change_id = (SELECT t.change_id FROM " + b.table("tags") + " AS t WHERE $5 = '' AND t.project = $3 AND t.tag = '@' || $6)" +
				" ORDER BY c.committed_at DESC LIMIT 1))"
			s.Args = append(s.Args, d.project, d.id, d.change, d.tag)
		}
		list = append(list, s)
	}
	for _, d := range c.conflicts {
		list = append(list, Statement{
			SQL:  "INSERT INTO " + b.table("dependencies") + " (change_id, type, dependency) VALUES ($1, 'conflict', $2)",
			Args: []any{c.id, d.String()},
		})
	}
	for _, t := range c.tags {
		list = append(list, Statement{
			SQL: "INSERT INTO " + b.table("tags") + ` (tag_id, tag, project, change_id, note, committer_name, committer_email,
	planned_at, planner_name, planner_email)
VALUES ($1, '@' || $2::text, $3, $4, $5, $6, $7, $8::text::timestamptz, $9, $10)`,
			Args: []any{t.id, t.name, p.project, c.id, t.note, b.committer, b.email, t.date, t.planner, t.email},
		})
	}
	return append(list, b.event("deploy", c))
}

// Erase takes a change back as `sqitch revert` does, which leaves the event.
func (b *sqitchBooks) Erase(m Migration) []Statement {
	c := b.change(m)
	list := []Statement{b.event("revert", c)}
	for _, table := range []string{"tags", "dependencies", "changes"} {
		list = append(list, Statement{SQL: "DELETE FROM " + b.table(table) + " WHERE change_id = $1", Args: []any{c.id}})
	}
	return list
}

func (b *sqitchBooks) event(kind string, c *sqitchChange) Statement {
	var tags, requires, conflicts []string
	for _, t := range c.tags {
		tags = append(tags, "@"+t.name)
	}
	for _, d := range c.requires {
		requires = append(requires, d.String())
	}
	for _, d := range c.conflicts {
		conflicts = append(conflicts, d.String())
	}
	return Statement{
		SQL: "INSERT INTO " + b.table("events") + ` (event, change_id, change, project, note, requires, conflicts, tags,
	committer_name, committer_email, planned_at, planner_name, planner_email)
VALUES ($1, $2, $3, $4, $5, coalesce($6::text[], '{}'), coalesce($7::text[], '{}'), coalesce($8::text[], '{}'), $9, $10,
	$11::text::timestamptz, $12, $13)`,
		Args: []any{kind, c.id, c.name, b.plan.project, c.note, requires, conflicts, tags, b.committer, b.email, c.date, c.planner, c.email},
	}
}
