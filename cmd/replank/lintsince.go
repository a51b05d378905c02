package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/replank/replank/internal/git"
	"github.com/replank/replank/lint"
)

// target is the revision that what is new is compared with, and where that was said; "" judges everything.
func (a *app) target() (ref, said string) {
	switch since := a.set.Lint.Since; {
	case since == "none":
		return "", ""
	case since != "":
		return since, ""
	}
	if branch := a.getenv("GITHUB_BASE_REF"); branch != "" {
		return "origin/" + branch, "GITHUB_BASE_REF"
	}
	if commit := a.getenv("CI_MERGE_REQUEST_DIFF_BASE_SHA"); commit != "" {
		return commit, "CI_MERGE_REQUEST_DIFF_BASE_SHA"
	}
	return "", ""
}

// since marks what the target has as deployed, as it is there, and reports what was changed of it.
func (a *app) since(ctx context.Context, in input, j *judged) error {
	ref, said := a.target()
	if ref == "" {
		return nil
	}
	fail := func(err error) error {
		e := &usageError{err: fmt.Errorf("--since %s: %w", ref, err)}
		var asked *git.Error
		if errors.As(err, &asked) {
			e.hint = asked.Hint()
		}
		if said != "" {
			e.hint = strings.TrimPrefix(e.hint+"; ", "; ") + "it was named by " + said + ", --since none judges everything"
		}
		return e
	}
	dir := "."
	if own := slices.IndexFunc(j.sources, func(s lint.Source) bool { return !isInstalled(s.Path) }); own >= 0 {
		dir = filepath.Dir(absolute(j.sources[own].Path))
	}
	branch, err := git.Since(ctx, dir, ref)
	if err != nil {
		return fail(err)
	}
	c := &comparison{app: a, branch: branch, root: absolute(branch.Root), ref: ref, there: map[string]bool{}, replaces: map[string][]string{}, code: map[string]bool{}}
	for _, m := range j.migrations {
		if len(m.Replaces) > 0 {
			c.replaces[m.Name] = m.Replaces
		}
	}
	var sources []lint.Source
	for _, s := range j.sources {
		path, ok := c.relative(s.Path)
		switch filepath.Ext(s.Path) {
		case ".ini": // what is said of the whole project
			sources = append(sources, s)
			continue
		case pythonExt:
			if !ok || isInstalled(s.Path) {
				s.Deployed = true // a package of others, which comes as it is
				sources = append(sources, s)
				continue
			}
			c.code[filepath.Dir(path)] = len(s.Text) > 0 || c.code[filepath.Dir(path)]
		}
		if !ok {
			return fail(fmt.Errorf("%s is outside of the repository %s", s.Path, branch.Root))
		}
		c.there[path] = true
		more, err := c.source(ctx, path, s)
		if err != nil {
			return fail(err)
		}
		sources = append(sources, more...)
	}
	gone, err := c.deleted(ctx, cmpPaths(in.paths, a.set.Migrations))
	if err != nil {
		return fail(err)
	}
	for _, g := range gone {
		at := slices.IndexFunc(sources, func(s lint.Source) bool { return cmp.Less(absolute(g[0].Path), absolute(s.Path)) })
		if at < 0 {
			at = len(sources)
		}
		sources = slices.Insert(sources, at, g...)
	}
	j.sources = sources
	a.outOfOrder(j)
	j.since = "what was added since " + ref
	if said != "" {
		j.since += " (" + said + ")"
	}
	return nil
}

func cmpPaths(given, configured []string) []string {
	if len(given) > 0 {
		return given
	}
	return configured
}

// comparison is of the sources with the files of the base.
type comparison struct {
	*app
	branch *git.Branch
	root   string
	ref    string
	there  map[string]bool
	// replaces are the files in whose place a squash stands, by its name; code are the folders with migrations in Python.
	replaces map[string][]string
	code     map[string]bool
}

const pythonExt = ".py"

// isInstalled reports whether a file belongs to a package that pip has installed.
func isInstalled(path string) bool {
	path = filepath.ToSlash(path)
	return strings.Contains(path, "/site-packages/") || strings.Contains(path, "/dist-packages/")
}

func (c *comparison) relative(path string) (string, bool) {
	rel, err := filepath.Rel(c.root, absolute(path))
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// source is a source as it was deployed, followed by what is wrong with that.
func (c *comparison) source(ctx context.Context, path string, s lint.Source) ([]lint.Source, error) {
	change, old := c.branch.Files[path]
	switch {
	case !old && c.replaces[s.Name] != nil:
		return c.squash(s), nil
	case !old:
		return []lint.Source{s}, nil
	}
	s.Deployed = true
	if change == git.Same {
		return []lint.Source{s}, nil
	}
	if !strings.HasSuffix(path, ".sql") { // nobody has what the framework made of the code of before
		edited := problem(s.Name, s.Path, fmt.Sprintf("differs from what %s has: databases that have run it do not run it again; see that its operations are the same", c.ref))
		edited.Problems[0].Severity = lint.Notice
		return []lint.Source{s, edited}, nil
	}
	text, err := c.branch.Old(ctx, path)
	if err != nil {
		return nil, err
	}
	// What runs in production is the text of before. One that cannot be read says nothing of the database.
	if m, err := c.readText(s.Path, text); err == nil {
		s = c.lintSource(m)
		s.Deployed = true
	}
	return []lint.Source{s, problem(s.Name, s.Path, fmt.Sprintf("differs from what %s has: databases that have run it do not run it again, so that they and new ones drift apart; write another migration", c.ref))}, nil
}

// squash is a new migration in the place of others, which counts as run where they were run. Where one of them goes
// with the same change, databases that have run only some of them can neither go on nor take the squash.
func (c *comparison) squash(s lint.Source) []lint.Source {
	s.Deployed = true
	var gone []string
	for _, file := range c.replaces[s.Name] {
		path, ok := c.relative(file)
		change, old := c.branch.Files[path]
		if !ok || !old {
			s.Deployed = false
		}
		if old && change == git.Deleted {
			gone = append(gone, filepath.Base(file))
			c.there[path] = true
		}
	}
	sources := []lint.Source{s}
	if s.Deployed && len(gone) > 0 {
		sources = append(sources, problem(s.Name, s.Path, fmt.Sprintf("replaces %s, which go with the same change: a database that has run only some of them can neither go on nor take the squash; delete them in a later release", strings.Join(gone, ", "))))
	}
	return sources
}

// deleted are the migrations of the base that are gone.
func (c *comparison) deleted(ctx context.Context, paths []string) ([][]lint.Source, error) {
	var gone [][]lint.Source
	for path, change := range c.branch.Files {
		name := filepath.Base(path)
		if change == git.Deleted && !c.there[path] && filepath.Ext(name) == pythonExt && c.code[filepath.Dir(path)] && name[0] != '_' {
			said := problem(strings.TrimSuffix(name, pythonExt), filepath.Join(c.root, filepath.FromSlash(path)), c.isGone())
			gone = append(gone, []lint.Source{said})
			continue
		}
		if change != git.Deleted || c.there[path] || !strings.HasSuffix(path, ".sql") || strings.HasSuffix(path, ".down.sql") || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
			continue
		}
		file := filepath.Join(c.root, filepath.FromSlash(path))
		if !slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(file, absolute(p)+string(filepath.Separator)) }) {
			continue
		}
		text, err := c.branch.Old(ctx, path)
		if err != nil {
			return nil, err
		}
		said := problem(strings.TrimSuffix(name, ".sql"), file, c.isGone())
		if m, err := c.readText(file, text); err == nil {
			s := c.lintSource(m)
			s.Deployed, said.Name = true, s.Name
			gone = append(gone, []lint.Source{s, said})
		} else {
			gone = append(gone, []lint.Source{said})
		}
	}
	slices.SortFunc(gone, func(x, y []lint.Source) int { return cmp.Compare(x[0].Path, y[0].Path) })
	return gone, nil
}

func (c *comparison) isGone() string {
	return c.ref + " has it, and here it is gone: new databases would lack what it makes"
}

// problem is a source that only says what is wrong with a file.
func problem(name, path, message string) lint.Source {
	return lint.Source{Name: name, Path: path, Problems: []lint.Problem{{Rule: "history", Message: message, Pos: firstLine(path)}}}
}
