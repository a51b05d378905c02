package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/drift"
	"github.com/replank/replank/history"
	"github.com/replank/replank/migrate"
)

// adoptJSON is what adopt --json prints; docs/adopt.md describes it.
type adoptJSON struct {
	Tables   []string           `json:"tables"`
	From     string             `json:"from"`
	To       string             `json:"to"`
	Files    []adoptedFile      `json:"files"`
	Written  bool               `json:"written"`
	Recorded []string           `json:"recorded,omitempty"` // migrations that are new to their books
	Accepted []drift.Difference `json:"accepted,omitempty"` // differences that were accepted
}

type adoptedFile struct {
	History   string `json:"history"`
	Migration string `json:"migration,omitempty"`
	Path      string `json:"path"`
	Text      string `json:"text,omitempty"`
}

type adoptOptions struct {
	to       string
	projects []string
	write    bool
	record   bool
}

func (a *app) adoptCommand() *cobra.Command {
	var opt adoptOptions
	cmd := &cobra.Command{
		Use:     "adopt TABLE… --to django|alembic",
		Short:   "Move the ownership of tables from one history of migrations to another",
		GroupID: groupSetUp,
		Long: `For two frameworks on one database: from now on the migrations of the other one
change these tables. The tables stay as they are.

Adopt checks that the models of the new owner are equal to the live schema, as
drift does, and says what differs if they are not. Then it writes a migration for
each side that changes what the framework knows, and nothing in the database; and
` + history.OwnersFile + `, by which lint refuses migrations for the tables of
the other history from then on. Without --write it only says what it would write.

The frameworks' own migrate and upgrade write these migrations down as applied
when they are deployed; --record does it at once, in this database, together with
the owners in replank's journal.`,
		Example: `  replank adopt invoices customers --to django
  replank adopt invoices customers --to django --write
  replank adopt invoices --to alembic --project site/ --project shop/ --write --record`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.adopt(cmd.Context(), args, opt) },
	}
	cmd.Flags().StringVar(&opt.to, "to", "", "the new owner: django or alembic")
	cmd.Flags().StringSliceVar(&opt.projects, "project", nil, "the projects, as drift takes them (default: migrations of replank.toml, or this folder)")
	cmd.Flags().BoolVar(&opt.write, "write", false, "write the files")
	cmd.Flags().BoolVar(&opt.record, "record", false, "write down in the database that the migrations are applied, and who owns the tables")
	cmd.Flags().StringSliceVar(&a.set.Accept, "accept", nil, "drift: adopt although the models are not equal to the live schema")
	return cmd
}

// adoption is one call of adopt.
type adoption struct {
	*app
	opt      adoptOptions
	from, to *project
	path     string // of the owners
	owners   *history.Owners
	tables   []ddl.Name
	moving   []ddl.Name // those of tables that are not the new owner's yet
	out      adoptJSON
}

func (a *app) adopt(ctx context.Context, tables []string, opt adoptOptions) error {
	d := &adoption{app: a, opt: opt}
	if err := d.load(ctx); err != nil {
		return err
	}
	c, err := a.compare(ctx, []*project{d.from, d.to}, "", &history.Owners{})
	if err != nil {
		return err
	}
	if err := d.resolve(c, tables); err != nil {
		return err
	}
	if len(d.moving) > 0 {
		if err := d.check(c); err != nil {
			return err
		}
		if err := d.write(ctx, c); err != nil {
			return err
		}
	}
	if opt.record && (opt.write || len(d.moving) == 0) {
		if err := d.record(ctx); err != nil {
			return err
		}
	}
	if a.set.JSON {
		return a.printJSONDocument(d.out)
	}
	d.told(c)
	return nil
}

// load reads the two projects and the owners.
func (d *adoption) load(ctx context.Context) error {
	if d.opt.to != "django" && d.opt.to != "alembic" {
		return &usageError{err: errors.New("who is to own the tables?"), hint: "--to django or --to alembic"}
	}
	ps, err := d.projects(ctx, d.opt.projects)
	if err != nil {
		return err
	}
	for _, p := range ps {
		into := &d.from
		if p.Framework.Name == d.opt.to {
			into = &d.to
		}
		if *into != nil {
			return &usageError{err: fmt.Errorf("two projects of %s: %s and %s", p.Framework.Name, (*into).at.Dir, p.at.Dir), hint: "name one of each framework with --project"}
		}
		if p.at.Dir == "" {
			return &usageError{err: errors.New("an exported file is no project: adopt writes into it"), hint: "name the folders with --project"}
		}
		*into = p
	}
	if d.from == nil || d.to == nil {
		return &usageError{err: errors.New("adopt needs a project of Django and one of Alembic"), hint: "name both with --project"}
	}
	d.out.From, d.out.To, d.out.Files = d.from.Framework.Name, d.opt.to, []adoptedFile{}
	d.path = cmp.Or(history.FindOwners("."), history.OwnersFile)
	d.owners, err = history.ReadOwners(d.path)
	return err
}

// resolve finds the tables, and whether they are the new owner's already.
func (d *adoption) resolve(c *compared, names []string) error {
	for _, text := range names {
		r := c.live.Relation(history.RelationName(text))
		if r == nil || r.Kind != 'r' && r.Kind != 'p' {
			return &migrate.RefusedError{Code: migrate.NotFound, Reason: "there is no table " + text, Advice: "replank drift --json lists the tables under unclaimed and in its differences"}
		}
		d.tables = append(d.tables, r.Name)
		d.out.Tables = append(d.out.Tables, r.Name.String())
		if d.owners.Tables[r.Name.String()].History != d.opt.to {
			d.moving = append(d.moving, r.Name)
		}
	}
	return nil
}

// check refuses what would leave a framework with work to do.
func (d *adoption) check(c *compared) error {
	refused := func(code migrate.Code, advice, reason string, items []string) error {
		return &migrate.RefusedError{Code: code, Reason: reason, Advice: advice, Items: items}
	}
	if len(c.unjudged) > 0 {
		return &usageError{err: errors.New("something could not be judged: " + strings.Join(c.unjudged, "; ")), hint: "replank drift says more"}
	}
	if len(c.pending) > 0 {
		return refused(migrate.Blocked, "apply them first", "migrations are not applied", c.pending)
	}
	var absent, managed []string
	for _, n := range d.moving {
		to, from := c.table(d.to, n), c.table(d.from, n)
		switch {
		case to == nil:
			absent = append(absent, fmt.Sprintf("%s: %s has no model of it", n, d.to.side))
		case to.Reads && d.opt.to == "django":
			absent = append(absent, fmt.Sprintf("%s: %s has managed = False", n, to.Model))
		case to.Reads:
			absent = append(absent, fmt.Sprintf("%s: include_object of env.py leaves it out", n))
		}
		if from != nil && !from.Reads && d.from.Framework.Name == "django" {
			managed = append(managed, fmt.Sprintf("%s: %s (%s)", n, from.Model, from.Path))
		}
	}
	if len(absent) > 0 {
		return refused(migrate.Drift, "change the models of the new owner as they are to stay, and adopt again", "the new owner does not want the tables yet", absent)
	}
	if len(managed) > 0 {
		return refused(migrate.Drift, "set managed = False in their Meta, or remove the models, and adopt again", "Django's models still claim the tables", managed)
	}
	return d.equal(c)
}

// equal refuses differences between the new owner's models and the live schema.
func (d *adoption) equal(c *compared) error {
	var items []string
	for _, f := range c.report.Differences {
		says, speaks := f.Says[d.to.side]
		if !speaks || f.Note || says == f.Says[drift.Database] || !slices.ContainsFunc(d.moving, func(n ddl.Name) bool { return n.String() == f.Table }) {
			continue
		}
		d.out.Accepted = append(d.out.Accepted, f)
		items = append(items, fmt.Sprintf("%s %s: %s says %s, the database %s", f.Table, strings.TrimSpace(string(f.Kind)+" "+f.Object), d.to.side, says, f.Says[drift.Database]))
	}
	if len(items) > 0 && !slices.Contains(d.set.Accept, "drift") {
		return &migrate.RefusedError{Code: migrate.Drift, Reason: "the models of the new owner are not equal to the live schema", Items: items,
			Advice: "change the models, or the tables through the history that still owns them; --accept drift adopts them as they are"}
	}
	return nil
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// write has the migrations written, and then the owners: all of it or nothing.
func (d *adoption) write(ctx context.Context, c *compared) (err error) {
	defer func() {
		if err == nil || !d.opt.write {
			return
		}
		for _, f := range d.out.Files {
			err = errors.Join(err, os.Remove(f.Path))
		}
	}()
	name := notInNames.ReplaceAllString(strings.ToLower(d.moving[0].Name), "_")
	if len(d.moving) > 1 {
		name += fmt.Sprintf("_and_%d_more", len(d.moving)-1)
	}
	var tables []string
	for _, n := range d.moving {
		tables = append(tables, n.String())
	}
	why := fmt.Sprintf("replank adopt: from here on %s belongs to the migrations of %s, no longer to those of %s.\nThis changes what the framework knows, and nothing in the database.",
		strings.Join(tables, ", "), d.opt.to, d.from.Framework.Name)
	for _, s := range []struct {
		p      *project
		prefix string
		models []string
	}{{d.from, "give_up_", d.from.labels(d.moving)}, {d.to, "adopt_", c.labels(d.to, d.moving)}} {
		if s.p.Framework.Name == "django" && len(s.models) == 0 {
			continue // Django knows nothing of the tables that it could forget
		}
		files, err := s.p.at.Adopt(ctx, history.Adoption{Models: s.models, Name: s.prefix + name, Why: why, Write: d.opt.write})
		if err != nil {
			return err
		}
		for _, f := range files {
			migration := f.Name
			if f.App != "" {
				migration = f.App + "." + f.Name
			}
			d.out.Files = append(d.out.Files, adoptedFile{s.p.Framework.Name, migration, f.Path, f.Text})
		}
	}
	if !d.opt.write {
		return nil
	}
	d.out.Written = true
	return d.own(ctx)
}

// own reads the projects again, looks that what was written does nothing, and writes down who owns the tables.
func (d *adoption) own(ctx context.Context) error {
	for _, p := range []*project{d.from, d.to} {
		e, err := p.at.Export(ctx)
		if err != nil {
			return err
		}
		p.Export = e
	}
	for _, f := range d.out.Files {
		m := d.migration(f.History, f.Migration)
		if !idle(m) {
			return fmt.Errorf("%s was written, and is not what was to be written: it is not in the history, or does something; it is removed again", f.Path)
		}
	}
	for _, n := range d.moving {
		d.owners.Move(n, d.out.From, d.wrote(d.out.From, n), d.opt.to, d.wrote(d.opt.to, n))
	}
	return d.owners.Write(d.path)
}

// wrote is the last migration about a table that was written for a history.
func (d *adoption) wrote(of string, n ddl.Name) string {
	p := d.to
	if of == d.out.From {
		p = d.from
	}
	labels, last := p.labels([]ddl.Name{n}), ""
	for _, f := range d.out.Files {
		app, _, _ := strings.Cut(f.Migration, ".")
		if f.History == of && (of == "alembic" || slices.ContainsFunc(labels, func(l string) bool { return strings.HasPrefix(l, app+".") })) {
			last = f.Migration
		}
	}
	return last
}

func (d *adoption) migration(of, name string) *history.Migration {
	for _, p := range []*project{d.from, d.to} {
		if p.Framework.Name != of {
			continue
		}
		for _, m := range p.Migrations("") {
			if m.Name == name {
				return &m
			}
		}
	}
	return nil
}

// idle reports whether a migration is there and does nothing to a database.
func idle(m *history.Migration) bool { return m != nil && m.Text == "" && len(m.Code) == 0 }

// record writes down in the database what the owners file says of the tables.
func (d *adoption) record(ctx context.Context) error {
	var owners []migrate.Owner
	var fakes []migrate.Fake
	var add func(p *project, name string)
	add = func(p *project, name string) {
		m := d.migration(p.Framework.Name, name)
		if !idle(m) || slices.ContainsFunc(fakes, func(f migrate.Fake) bool { return f.Migration.Name == name }) {
			return
		}
		for _, need := range m.Needs { // what else does nothing: tables that refer to each other take several migrations
			add(p, need)
		}
		fakes = append(fakes, migrate.Fake{Books: p.Books(), Migration: *m})
	}
	for _, n := range d.tables {
		o := d.owners.Tables[n.String()]
		owners = append(owners, migrate.Owner{Table: n.String(), History: o.History, Since: o.Since})
		add(d.from, o.Until[d.out.From])
		add(d.to, o.Since)
	}
	d.history.Books = nil
	e, err := d.open(ctx, nil)
	if err != nil {
		return err
	}
	d.changing = true
	d.out.Recorded, err = e.Adopt(ctx, owners, fakes)
	return err
}

// told says for people what was done, and what is left to do.
func (d *adoption) told(c *compared) {
	p := d.app.out
	tables := strings.Join(d.out.Tables, ", ")
	if len(d.moving) == 0 {
		p.line("%s: the migrations of %s own it already", tables, d.opt.to)
	}
	for _, f := range d.out.Files {
		verb := "would write"
		if d.out.Written {
			verb = "wrote"
		}
		p.wrapped(p.paint(bold, verb+" "), "", relativePath(f.Path))
		if !d.out.Written && f.Text != "" {
			for line := range strings.SplitSeq(strings.TrimRight(f.Text, "\n"), "\n") {
				p.line("    %s", line)
			}
		}
	}
	if d.out.Written {
		p.wrapped(p.paint(bold, "wrote "), "", relativePath(d.path))
	}
	for _, r := range d.out.Recorded {
		p.line("%s is written down as applied", r)
	}
	if d.out.From == "alembic" {
		for _, n := range d.moving {
			if t := c.table(d.from, n); t != nil && !t.Reads {
				p.wrapped(p.paint(cyan, "hint: "), "", fmt.Sprintf("env.py: let include_object leave %s out, so that autogenerate and alembic check do not follow Django's changes of it", n.Name))
			}
		}
	}
	switch {
	case len(d.moving) > 0 && !d.opt.write:
		p.line("nothing was written; --write does it")
	case len(d.out.Recorded) == 0 && !d.opt.record:
		p.line("commit the files; migrate and upgrade write them down where they are deployed, --record does it here")
	}
}

func relativePath(path string) string {
	if rel, err := filepath.Rel(absolute("."), absolute(path)); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}

// labels are the models that the migrations of a Django project have of tables.
func (p *project) labels(tables []ddl.Name) []string {
	if p.Framework.Name != "django" {
		return nil
	}
	known, err := p.Tables("")
	if err != nil {
		return nil
	}
	var labels []string
	for label, t := range known {
		n := history.Model{Table: t.Name}.Relation()
		for _, table := range tables {
			if n.Name == table.Name && (n.Schema == "" || n.Schema == table.Schema) {
				labels = append(labels, strings.TrimSuffix(label, "_"+t.ManyToMany))
			}
		}
	}
	slices.Sort(labels)
	return slices.Compact(labels)
}

// labels are the models that a project's code has of tables. A many-to-many table belongs to the model with the field.
func (c *compared) labels(p *project, tables []ddl.Name) []string {
	var labels []string
	for _, n := range tables {
		t := c.table(p, n)
		if t == nil {
			continue
		}
		label := t.Model
		if len(t.Unsure) > 0 {
			for _, o := range c.sideOf(p).Tables {
				if len(o.Unsure) == 0 && strings.HasPrefix(t.Model, o.Model+"_") {
					label = o.Model
				}
			}
		}
		labels = append(labels, label)
	}
	slices.Sort(labels)
	return slices.Compact(labels)
}

func (c *compared) sideOf(p *project) *drift.Side {
	for i := range c.sides {
		if c.sides[i].Name == p.side {
			return &c.sides[i]
		}
	}
	return nil
}

// table is what a project's models say of a table; nil where they know nothing of it.
func (c *compared) table(p *project, n ddl.Name) *drift.Table {
	side := c.sideOf(p)
	for i := range side.Tables {
		if side.Tables[i].Name == n {
			return &side.Tables[i]
		}
	}
	return nil
}
