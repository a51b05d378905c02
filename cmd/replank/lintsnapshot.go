package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/lint"
	"github.com/replank/replank/oracle"
)

// readTwice is a snapshot that was read from a file as it was then: an editor asks at every key.
type readTwice struct {
	path string
	info fs.FileInfo
	snap *ddl.Snapshot
}

// snapshot is that of lint's settings.
func (a *app) snapshot() (*ddl.Snapshot, error) {
	path := a.set.Lint.Snapshot
	info, err := os.Stat(path)
	if was := a.snap; err == nil && was.path == path && was.info.Size() == info.Size() && was.info.ModTime().Equal(info.ModTime()) {
		return was.snap, nil
	}
	snap, err := readSnapshot(path)
	if err == nil {
		a.snap = readTwice{path, info, snap}
	}
	return snap, err
}

// useSnapshot judges on the database of the snapshot: what it has applied is left out, its sizes count, and the
// statements of its workload are tried before and after the migrations that are judged.
func (a *app) useSnapshot(ctx context.Context, in input, j *judged, cfg *lint.Config) error {
	snap, err := a.snapshot()
	if err != nil {
		return err
	}
	if asked, major := a.set.Lint.Server, snap.Schema.Version/10000; a.set.from["server"].name != "" && asked != major && !in.hurried {
		a.messages.wrapped(a.messages.paint(yellow, "notice: "), "", fmt.Sprintf("judged for PostgreSQL %d, of which the snapshot is: %s = %d does not count",
			major, a.set.from["server"].name, asked))
	}
	schema := snap.Schema.Clone()
	facts := ddl.Builtin(schema.Version / 10000)
	if snap.Schema.Facts != nil {
		facts.Add(snap.Schema.Facts)
	}
	schema.Facts = facts
	cfg.Schema, cfg.Complete = schema, true

	applied, err := a.appliedIn(snap, j.migrations)
	if err != nil {
		return err
	}
	// What is deployed is in the snapshot, too: it would be applied twice.
	j.sources = slices.DeleteFunc(j.sources, func(s lint.Source) bool { return (applied[s.Name] || s.Deployed) && len(s.Problems) == 0 })
	judged := map[string]*lint.Source{}
	for i := range j.sources {
		if !j.sources[i].Deployed {
			judged[j.sources[i].Name] = &j.sources[i]
		}
	}
	pending := slices.DeleteFunc(slices.Clone(j.migrations), func(m history.Migration) bool { return judged[m.Name] == nil })
	if in.hurried || len(snap.Workload.Statements) == 0 || len(pending) == 0 {
		return nil
	}
	return a.tryWorkload(ctx, snap, pending, judged)
}

// readCounting is readToJudge. With a snapshot it gives the migrations that count on its database: those that the tool,
// and apply, would take there.
func (a *app) readCounting(ctx context.Context, paths []string) ([]history.Migration, error) {
	ms, err := a.readToJudge(ctx, paths)
	if err != nil || a.set.Lint.Snapshot == "" {
		return ms, err
	}
	snap, err := a.snapshot()
	if err != nil {
		return nil, err
	}
	versions, err := a.versionsIn(snap)
	return history.Select(a.history.Books, ms, versions), err
}

// versionsIn are those that the tool of the history had applied when the snapshot was taken.
func (a *app) versionsIn(snap *ddl.Snapshot) (map[string]bool, error) {
	versions := map[string]bool{}
	for _, t := range snap.Applied {
		if a.history.Books == nil || t.Tool != string(a.history.Format) {
			continue
		}
		found, err := a.history.Books.Read(t.Versions)
		if err != nil {
			return nil, fmt.Errorf("the snapshot's %s: %w", t.Table, err)
		}
		maps.Copy(versions, found)
	}
	return versions, nil
}

// appliedIn are the migrations that the database had when the snapshot was taken, by name.
func (a *app) appliedIn(snap *ddl.Snapshot, ms []history.Migration) (map[string]bool, error) {
	versions, err := a.versionsIn(snap)
	if err != nil {
		return nil, err
	}
	applied := map[string]bool{}
	for _, m := range ms {
		applied[m.Name] = versions[m.Version]
	}
	for _, t := range snap.Applied {
		if t.Tool == "replank" { // whatever tool they are of
			for _, name := range t.Versions {
				applied[name] = true
			}
		}
	}
	return applied, nil
}

// tryWorkload writes what the oracle says of the workload to the sources that it is about.
func (a *app) tryWorkload(ctx context.Context, snap *ddl.Snapshot, pending []history.Migration, judged map[string]*lint.Source) (err error) {
	// Where no clone can be made, that is said of the first migration: nothing is passed over in silence.
	first := judged[pending[0].Name]
	clone, err := oracle.NewClone(ctx, snap, oracle.CloneConfig{Logger: a.log})
	if err != nil {
		var noScript *oracle.NoScriptError
		if !errors.As(err, &noScript) {
			return err
		}
		first.Problems = append(first.Problems, lint.Problem{Rule: "unjudged-query", Pos: firstLine(first.Path),
			Message: fmt.Sprintf("none of the %d statements of the workload could be judged: %v (%s)", len(snap.Workload.Statements), err, noScript.Hint())})
		return nil
	}
	defer func() { err = errors.Join(err, clone.Close(ctx)) }()
	for _, n := range clone.Notices {
		a.messages.wrapped(a.messages.paint(yellow, "notice: "), "", n)
	}
	said, err := clone.Workload(ctx, pending)
	if err != nil {
		return err
	}
	for _, v := range said.Broken {
		text := fmt.Sprintf("a statement that is called %s fails behind this: %s (%s)", callsText(v.CallsPerDay), v.Message, v.Code)
		if v.Healed != "" {
			text += "; it works again behind " + v.Healed
		}
		addVerdict(judged, first, "breaks-query", text, v)
	}
	for _, v := range said.Changed {
		addVerdict(judged, first, "changes-query", fmt.Sprintf("a statement that is called %s: %s", callsText(v.CallsPerDay), strings.Join(v.Changes, "; ")), v)
	}
	for _, v := range said.Unjudged {
		addVerdict(judged, first, "unjudged-query", fmt.Sprintf("a statement that is called %s could not be judged: %s", callsText(v.CallsPerDay), v.Message), v)
	}
	return nil
}

func addVerdict(judged map[string]*lint.Source, first *lint.Source, rule, text string, v oracle.Verdict) {
	s := judged[v.Migration]
	if s == nil {
		s = first
	}
	s.Problems = append(s.Problems, lint.Problem{Rule: rule, Message: text, Statement: v.Statement.Text, Pos: firstLine(s.Path)})
}

func callsText(perDay float64) string {
	switch {
	case perDay < 0:
		return "by applications"
	case perDay < 1:
		return "less than once a day"
	}
	return number(int64(perDay)) + " times a day"
}
