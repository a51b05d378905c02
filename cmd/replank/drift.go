package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/drift"
	"github.com/replank/replank/history"
	"github.com/replank/replank/oracle"
)

// driftJSON is what drift --json prints; docs/adopt.md describes it.
type driftJSON struct {
	Sides       []string           `json:"sides"`
	Tables      int                `json:"tables"`
	Differences []drift.Difference `json:"differences"`
	Unjudged    []string           `json:"unjudged,omitempty"`
	Unclaimed   []string           `json:"unclaimed,omitempty"`
	ExitCode    int                `json:"exit_code"`
}

func (a *app) driftCommand() *cobra.Command {
	var snapshot string
	cmd := &cobra.Command{
		Use:     "drift [PATH…]",
		Short:   "Compare the database with the models of Django and SQLAlchemy, and say who is wrong",
		GroupID: groupWatch,
		Long: `Compares the live schema with what the models of Django and of SQLAlchemy want, all
three at once: tables, columns, types, nullability, defaults, enums, indexes,
constraints and PostgreSQL schemas. Where two agree, the third is wrong; where a
migration that is not applied yet explains a difference, it is named.

The models' tables are made on a private server, beside the shapes of the
database, so that two spellings of one type or expression are no difference.
The database is only read; with --snapshot it is not needed.

PATH is a project (a folder with manage.py or alembic.ini), a folder with several,
or what the companion package has exported; default: migrations of replank.toml,
or this folder.

Exit codes: 0 no drift, 1 drift, 2 something could not be judged.`,
		Example: `  replank drift
  replank drift django/ flask/ --json
  replank drift --snapshot replank.snapshot.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			err := a.drift(cmd.Context(), args, snapshot)
			if codeOf(err) == exitFailed && !errors.As(err, new(*toldError)) { // 1 says that there is drift
				return &usageError{err: err}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&snapshot, "snapshot", "", "compare with what replank snapshot has written, not with the database")
	return cmd
}

func (a *app) drift(ctx context.Context, paths []string, snapshot string) error {
	projects, err := a.projects(ctx, paths)
	if err != nil {
		return err
	}
	owners := &history.Owners{}
	if path := history.FindOwners("."); path != "" {
		if owners, err = history.ReadOwners(path); err != nil {
			return err
		}
	}
	c, err := a.compare(ctx, projects, snapshot, owners)
	if err != nil {
		return err
	}
	code := exitOK
	switch {
	case len(c.unjudged) > 0:
		code = exitUsage
	case slices.ContainsFunc(c.report.Differences, func(d drift.Difference) bool { return !d.Note }):
		code = exitFailed
	}
	if a.set.JSON {
		err = a.printJSONDocument(driftJSON{Sides: c.names(), Tables: c.report.Tables, Differences: append([]drift.Difference{}, c.report.Differences...),
			Unjudged: c.unjudged, Unclaimed: c.report.Unclaimed, ExitCode: code})
	} else {
		a.out.drifted(c)
	}
	if err != nil {
		return err
	}
	return verdict(code == exitUsage, code == exitFailed)
}

// project is one of the projects that are compared.
type project struct {
	*history.Export
	at     history.Project // Dir is "" where it is an exported file
	side   string          // what its models are called
	failed error           // why it could not be read
}

// projects reads the projects at the paths.
func (a *app) projects(ctx context.Context, paths []string) ([]*project, error) {
	if len(paths) == 0 {
		paths = a.set.Migrations
	}
	if len(paths) == 0 {
		paths = []string{"."}
	}
	var list []*project
	var loading sync.WaitGroup
	defer loading.Wait()
	for _, path := range paths {
		if filepath.Ext(path) == ".json" {
			e, err := history.ReadExport(path, "")
			if err != nil {
				return nil, err
			}
			list = append(list, &project{Export: e})
			continue
		}
		for _, at := range history.Projects(path) {
			at.Models = true
			p := &project{at: at}
			list = append(list, p)
			loading.Go(func() { p.Export, p.failed = at.Export(ctx) })
		}
	}
	loading.Wait()
	var failed []error
	for _, p := range list {
		failed = append(failed, p.failed)
	}
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, &usageError{err: fmt.Errorf("no project of Django or Alembic at %s", strings.Join(paths, ", ")),
			hint: "name the folders with manage.py and alembic.ini, or set migrations in " + configFile}
	}
	for i, p := range list {
		name := cmp.Or(sideNames[p.Framework.Name], p.Framework.Name)
		p.side = name
		for n := 2; slices.ContainsFunc(list[:i], func(o *project) bool { return o.side == p.side }); n++ {
			p.side = fmt.Sprintf("%s %d", name, n)
		}
	}
	return list, nil
}

// compared is the database beside the models of projects.
type compared struct {
	live     *ddl.Schema
	sides    []drift.Side
	report   *drift.Report
	pending  []string // migrations that are not applied
	notices  []string
	unjudged []string // one sentence each
}

func (c *compared) names() []string {
	names := []string{drift.Database}
	for _, s := range c.sides {
		names = append(names, s.Name)
	}
	return names
}

// compare asks all sides. Where a snapshot is named, the database is not asked. A side reads the tables that belong to
// another history.
func (a *app) compare(ctx context.Context, projects []*project, snapshot string, owners *history.Owners) (_ *compared, err error) {
	snap, err := a.snapshotOf(ctx, snapshot)
	if err != nil {
		return nil, err
	}
	clone, err := oracle.NewClone(ctx, snap, oracle.CloneConfig{Logger: a.log})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, clone.Close(ctx)) }()
	c := &compared{live: snap.Schema, notices: clone.Notices}
	pending := map[string][]history.Migration{}
	for _, p := range projects {
		side, err := c.side(ctx, clone, p)
		if err != nil {
			return nil, err
		}
		for i, t := range side.Tables {
			if o, owned := owners.Relations()[t.Name]; owned && o.History != p.Framework.Name {
				side.Tables[i].Reads = true
			}
		}
		c.sides = append(c.sides, *side)
		applied, err := a.appliedOf(ctx, p.Export, snap, snapshot)
		if err != nil {
			return nil, err
		}
		pending[p.side] = slices.DeleteFunc(p.Plan("", applied), func(m history.Migration) bool { return applied[m.Version] })
		for _, m := range pending[p.side] {
			c.pending = append(c.pending, m.Name)
		}
	}
	if c.report = drift.Compare(c.live, c.sides, nil); len(c.report.Differences) == 0 {
		return c, nil
	}
	steps, err := c.ask(ctx, clone, projects, pending)
	if err != nil {
		return nil, err
	}
	c.report = drift.Compare(c.live, c.sides, steps)
	return c, nil
}

// ask asks the histories why something differs.
func (c *compared) ask(ctx context.Context, clone *oracle.Clone, projects []*project, pending map[string][]history.Migration) ([]drift.Step, error) {
	var steps []drift.Step
	for i, p := range projects {
		if len(pending[p.side]) > 0 {
			follow, err := clone.Follow(ctx, pending[p.side])
			if err != nil {
				return nil, err
			}
			for _, s := range follow {
				steps = append(steps, drift.Step{Side: p.side, Migration: s.Migration, Schema: s.Schema})
			}
		}
		if p.Framework.Name == "django" { // whose states have told already
			continue
		}
		made, err := clone.Replay(ctx, p.Migrations(""))
		if err != nil {
			return nil, err
		}
		if made != nil {
			c.sides[i].Follow(made)
		}
	}
	return steps, nil
}

// snapshotOf is the file that is named, or a look at the database.
func (a *app) snapshotOf(ctx context.Context, path string) (*ddl.Snapshot, error) {
	if path != "" {
		return readSnapshot(path)
	}
	snap, err := oracle.Take(ctx, oracle.TakeConfig{DSN: a.set.dsn(), Logger: a.log})
	if err != nil {
		return nil, a.connectError(err)
	}
	return snap, nil
}

// appliedOf is what the project's own books say, in the snapshot or in the database.
func (a *app) appliedOf(ctx context.Context, e *history.Export, snap *ddl.Snapshot, snapshot string) (map[string]bool, error) {
	books := e.Books()
	if snapshot == "" {
		a.history.Books = books
		engine, err := a.open(ctx, nil)
		if err != nil {
			return nil, err
		}
		defer engine.Close()
		return engine.Applied(ctx)
	}
	for _, t := range snap.Applied {
		if t.Tool == e.Framework.Name {
			return books.Read(t.Versions)
		}
	}
	return nil, nil
}

// sideNames are what a framework's models are called.
var sideNames = map[string]string{"alembic": "sqlalchemy"}

// side makes the models of a project on the clone.
func (c *compared) side(ctx context.Context, clone *oracle.Clone, e *project) (*drift.Side, error) {
	name := e.side
	for _, w := range e.Warnings {
		c.notices = append(c.notices, name+": "+w)
	}
	models := e.Models()
	if models == nil {
		c.unjudged = append(c.unjudged, name+": the export has no models (manage.py replank export --models; target_metadata of env.py)")
		return &drift.Side{Name: name, Schema: ddl.Empty(c.live.Version/10000, "")}, nil
	}
	schema, failed, err := clone.Models(ctx, models)
	if err != nil {
		return nil, err
	}
	for _, model := range slices.Sorted(maps.Keys(failed)) {
		c.unjudged = append(c.unjudged, strings.TrimSuffix(name+": "+model, ": ")+": "+failed[model])
	}
	side := &drift.Side{Name: name, Schema: schema}
	for _, o := range models.Before {
		if t := schema.Type(ddl.Name{Schema: o.Schema, Name: o.Name}); t != nil {
			side.Types = append(side.Types, t.Name)
		}
	}
	for _, t := range models.Tables {
		if failed[t.Model] != "" {
			continue
		}
		n := t.Relation()
		if r := schema.Relation(n); r != nil {
			n = r.Name
		}
		side.Tables = append(side.Tables, drift.Table{Name: n, Model: t.Model, Path: t.Path, Reads: t.Reads(), Named: t.Named, Unsure: t.Unsure,
			Migrated: models.Migrated[t.Model], Unmigrated: models.Unmigrated[t.Model]})
	}
	return side, nil
}

// drifted prints the differences, table by table.
func (p *printer) drifted(c *compared) {
	for _, n := range c.notices {
		p.wrapped(p.paint(yellow, "notice: "), "", n)
	}
	for _, u := range c.unjudged {
		p.wrapped(p.paint(yellow, "could not judge: "), "", u)
	}
	table, counted := "", 0
	for _, d := range c.report.Differences {
		if d.Table != table {
			table = d.Table
			p.line("%s", p.paint(bold, table))
		}
		if !d.Note {
			counted++
		}
		p.difference(d, c.names())
	}
	p.line("%s in %s, %s compared", plural(counted, "difference", "differences"), plural(c.report.Tables, "table", "tables"), strings.Join(c.names(), ", "))
}

func (p *printer) difference(d drift.Difference, order []string) {
	title := strings.TrimSpace(string(d.Kind) + " " + d.Object)
	switch {
	case d.Note:
		p.wrapped("  "+p.paint(dim, "note: "), "", title)
	case d.Wrong != "":
		p.wrapped("  "+p.paint(red, d.Wrong+" is wrong: "), "", title)
	default:
		p.wrapped("  "+p.paint(yellow, "differs: "), "", title)
	}
	for _, side := range order {
		says, ok := d.Says[side]
		if !ok {
			continue
		}
		style, who := style(""), side
		if side == d.Wrong {
			style = red
		}
		if m := d.Models[side]; m != "" {
			who += " (" + m + ")"
		}
		p.wrapped("      "+who+": ", style, says)
	}
	if d.Why != "" {
		p.wrapped("      ", dim, d.Why)
	}
}
