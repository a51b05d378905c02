package history

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// sqitch reads the plan of a project and the scripts that it names, as sqitch 1.3 does.
func (r *reader) sqitch(paths []string) error {
	r.h.ordered = true
	var only []string // scripts that were named
	roots := make(map[string]bool)
	for _, path := range paths {
		root, shown := sqitchRoot(path)
		if shown == "" {
			return &Error{Path: path, Err: errors.New("no sqitch.plan in it"), hint: "name the folder with sqitch.plan"}
		}
		roots[filepath.Clean(root)] = true
		r.h.Root = root
		if strings.HasSuffix(path, ext) {
			only = append(only, path)
		}
	}
	if len(roots) > 1 {
		return &Error{Path: paths[0], Err: errors.New("several projects of sqitch"), hint: "each is a history of its own: name one"}
	}
	conf, err := r.sqitchConf(r.h.Root)
	if err != nil {
		return err
	}
	in := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(r.h.Root, path)
	}
	top := conf.get("top_dir", ".")
	planFile := in(conf.get("plan_file", filepath.Join(top, "sqitch.plan")))
	text, err := readIfThere(planFile)
	if err != nil || text == nil {
		return &Error{Path: planFile, Err: cmp.Or(cause(err), errors.New("no plan of sqitch there")), hint: "sqitch.conf says where it is (core.plan_file)"}
	}
	plan, err := parseSqitchPlan(planFile, string(text))
	if err != nil {
		return err
	}
	deploy, revert := in(conf.get("deploy_dir", filepath.Join(top, "deploy"))), in(conf.get("revert_dir", filepath.Join(top, "revert")))
	suffix := "." + conf.get("extension", "sql")
	name, email := r.who(conf)
	r.h.Books = &sqitchBooks{schema: cmp.Or(r.Table, conf.get("registry", "sqitch")), plan: plan, committer: name, email: email}
	var files []*file
	names := make([]string, len(plan.changes))
	for i, c := range plan.changes {
		names[i] = scriptName(c, deploy, suffix)
		path := filepath.Join(deploy, filepath.FromSlash(names[i])+suffix)
		if !exists(path) {
			return &Error{Path: path, Err: fmt.Errorf("missing: line %d of %s names the change %s", c.number, planFile, c.name),
				hint: "get the file back, or take the change out of the plan (sqitch rm)"}
		}
		files = append(files, &file{path: path})
	}
	if err := r.load(files); err != nil {
		return err
	}
	for i, c := range plan.changes {
		m, err := r.sqitchChange(plan, i, files[i], names)
		if err != nil {
			return err
		}
		back, err := readIfThere(filepath.Join(revert, filepath.FromSlash(names[i])+suffix))
		if err != nil {
			return err
		}
		if says(string(back)) {
			m.Down = string(back)
		}
		if c.revert {
			r.notice(planFile, "line %d takes %s back: sqitch itself does not carry that out, and neither does replank", c.number, c.name)
			continue
		}
		if only == nil || slices.ContainsFunc(only, func(o string) bool { return same(o, m.Path) }) {
			r.h.Migrations = append(r.h.Migrations, m)
		}
	}
	return nil
}

// scriptName is a change's script below the folder, without its extension: NAME, or for one that was reworked later
// NAME@TAG with the first tag for which there is a file.
func scriptName(c *sqitchChange, deploy, suffix string) string {
	for _, t := range c.reworkTags {
		if name := c.name + "@" + t.name; exists(filepath.Join(deploy, filepath.FromSlash(name)+suffix)) {
			return name
		}
	}
	if len(c.reworkTags) > 0 {
		return c.name + "@" + c.reworkTags[0].name
	}
	return c.name
}

func (r *reader) sqitchChange(plan *sqitchPlan, i int, f *file, names []string) (Migration, error) {
	c := plan.changes[i]
	m, err := f.migration()
	if err != nil {
		return m, err
	}
	m.Name, m.Version, m.Tx = names[i], c.id, Each
	if name := nameDirective(f.text); name != "" {
		m.Name = name
	}
	sum := sha1.Sum(f.all)
	c.scriptHash = hex.EncodeToString(sum[:])
	for _, d := range c.requires {
		if d.project != "" {
			continue // the registry of the database has to know it
		}
		at := plan.find(d, i)
		if at < 0 {
			return m, &Error{Path: fmt.Sprintf("%s:%d", plan.path, c.number), Err: fmt.Errorf("%s requires %s, which the plan does not have before it", c.name, d),
				hint: "put it before the change, or take the dependency out"}
		}
		m.Needs = append(m.Needs, names[at])
	}
	return m, nil
}
