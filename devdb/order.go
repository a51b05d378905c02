package devdb

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Mistake is something in a Config that cannot be meant.
type Mistake struct {
	// Key is the place as replank.toml names it, below [dev]: "steps.users.needs".
	Key  string
	What string
}

// Check returns everything that is wrong with a configuration before a server is asked.
func Check(cfg Config) []Mistake {
	cfg = cfg.withDefaults()
	var wrong []Mistake
	add := func(key, format string, args ...any) {
		wrong = append(wrong, Mistake{key, fmt.Sprintf(format, args...)})
	}
	for _, a := range cfg.Apps {
		if info, err := os.Stat(filepath.Join(cfg.Root, a.Dir)); err != nil || !info.IsDir() {
			add("apps."+a.Name+".dir", "there is no folder %s", a.Dir)
		}
		if u, err := url.Parse(a.Ready); a.Ready != "" && (err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "tcp"}, u.Scheme)) {
			add("apps."+a.Name+".ready", "want a URL (http://127.0.0.1:8000/health), not %q", a.Ready)
		}
	}
	if len(cfg.Steps) == 0 {
		add("steps", "there are no steps: a table [dev.steps.NAME] for each command that makes the database")
	}
	for _, s := range cfg.Steps {
		if strings.TrimSpace(s.Run) == "" {
			add("steps."+s.Name, "it has no command: run = \"…\"")
		}
		if s.App != "" && cfg.app(s.App) == nil {
			add("steps."+s.Name+".app", "there is no app %s", s.App)
		}
		for _, need := range s.Needs {
			if !slices.ContainsFunc(cfg.Steps, func(o Step) bool { return o.Name == need }) {
				add("steps."+s.Name+".needs", "there is no step %s", need)
			}
		}
		for _, pattern := range s.Inputs {
			if files, err := inputs(cfg.Root, pattern); err != nil {
				add("steps."+s.Name+".inputs", "%s: %v", pattern, err)
			} else if len(files) == 0 {
				add("steps."+s.Name+".inputs", "%s matches no file; it is relative to the folder of the file that says it", pattern)
			}
		}
	}
	if cfg.TestAfter != "" && !slices.ContainsFunc(cfg.Steps, func(s Step) bool { return s.Name == cfg.TestAfter }) {
		add("test_after", "there is no step %s", cfg.TestAfter)
	}
	_, cycles := order(cfg.Steps)
	for _, c := range cycles {
		add("steps."+c[0]+".needs", "the steps need each other: %s", strings.Join(append(c, c[0]), " needs "))
	}
	return wrong
}

func (c Config) app(name string) *App {
	for i := range c.Apps {
		if c.Apps[i].Name == name {
			return &c.Apps[i]
		}
	}
	return nil
}

// order sorts steps such that each comes after those it needs, and otherwise as they are given. Steps that need each
// other are left out and returned, one list a cycle.
func order(steps []Step) (sorted []Step, cycles [][]string) {
	const (
		unseen = iota
		within
		placed
	)
	byName := map[string]Step{}
	for _, s := range steps {
		byName[s.Name] = s
	}
	mark := map[string]int{}
	var path []string
	var visit func(s Step)
	visit = func(s Step) {
		switch mark[s.Name] {
		case placed:
			return
		case within:
			cycles = append(cycles, slices.Clone(path[slices.Index(path, s.Name):]))
			return
		}
		mark[s.Name] = within
		path = append(path, s.Name)
		for _, need := range s.Needs {
			if n, ok := byName[need]; ok {
				visit(n)
			}
		}
		path = path[:len(path)-1]
		mark[s.Name] = placed
		sorted = append(sorted, s)
	}
	for _, s := range steps {
		visit(s)
	}
	return sorted, cycles
}
