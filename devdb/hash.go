package devdb

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// link is a step with the hash of the state that it leaves.
type link struct {
	Step
	dir  string            // where it runs
	env  map[string]string // declared for it, before the database is known
	hash string
}

// madeBy goes into every hash: a template of an earlier way to make them is none of today's.
const madeBy = "replank devdb 1"

// chain is the steps in their order, each with the hash of the state after it: of the state before, the command, what is
// declared of its environment, and its inputs.
func chain(cfg Config, major int) ([]link, error) {
	sorted, cycles := order(cfg.Steps)
	if len(sorted) == 0 || len(cycles) > 0 {
		return nil, &Error{Op: "order the steps", Err: fmt.Errorf("%d steps, %d cycles", len(sorted), len(cycles)), Hint: "Check says what is wrong"}
	}
	links := make([]link, len(sorted))
	before := hashOf(madeBy, major)
	for i, s := range sorted {
		l := link{Step: s}
		l.dir, l.env = cfg.place(s.App)
		maps.Copy(l.env, s.Env)
		folder, err := filepath.Rel(cfg.Root, l.dir)
		if err != nil {
			return nil, &Error{Op: "find the folder", Step: s.Name, Err: err}
		}
		read, err := contents(cfg.Root, s.Inputs)
		if err != nil {
			return nil, &Error{Op: "read the inputs", Step: s.Name, Err: err}
		}
		l.hash = hashOf(before, s.Run, filepath.ToSlash(folder), l.env, read)
		before, links[i] = l.hash, l
	}
	return links, nil
}

// place is where the commands of an app run, and what is declared for them; "": of no app.
func (c Config) place(name string) (dir string, env map[string]string) {
	dir, env = c.Root, map[string]string{}
	maps.Copy(env, c.Env)
	if app := c.app(name); app != nil {
		dir = filepath.Join(c.Root, app.Dir)
		maps.Copy(env, app.Env)
	}
	return dir, env
}

// hashOf is a hash over values, which their JSON keeps apart.
func hashOf(values ...any) string {
	b, err := json.Marshal(values)
	if err != nil {
		panic(err) // texts, numbers and maps of texts
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// contents is path and hash of every input.
func contents(root string, patterns []string) ([][2]string, error) {
	var all []string
	for _, p := range patterns {
		files, err := inputs(root, p)
		if err != nil {
			return nil, err
		}
		all = append(all, files...)
	}
	slices.Sort(all)
	var read [][2]string
	for _, name := range slices.Compact(all) {
		sum, err := fileHash(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		read = append(read, [2]string{name, sum})
	}
	return read, nil
}

func fileHash(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// inputs are the files below root that a pattern names. What Python and editors leave behind is no input: a step that
// compiles its own inputs would never be done twice with the same hash.
func inputs(root, pattern string) ([]string, error) {
	base, rest := doublestar.SplitPattern(path.Clean(filepath.ToSlash(pattern)))
	found, err := doublestar.Glob(os.DirFS(filepath.Join(root, filepath.FromSlash(base))), rest, doublestar.WithFilesOnly(), doublestar.WithFailOnIOErrors())
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []string
	for _, name := range found {
		left := strings.HasSuffix(name, ".pyc") || strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".swp") ||
			slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return part == "__pycache__" || part == ".git" || part == "node_modules" })
		if !left {
			files = append(files, path.Join(base, name))
		}
	}
	return files, nil
}
