package history

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Fingerprint is another one when what the history was read from, at these paths, has changed: names, sizes and times
// of its migrations, of what lies beside them, and of sources and settings below the paths. It costs a look at folders,
// where to read a project of Django starts its Python. Of a History that was not read yet the paths alone count.
func (h *History) Fingerprint(paths ...string) string {
	f := fingerprint{seen: map[string]bool{}}
	for _, path := range paths {
		if p, ok := ProjectAt(path); ok {
			path = p.Dir
		}
		f.below(path)
	}
	// They need not lie below: packages that pip has installed, locations of Flyway.
	for _, m := range h.Migrations {
		if dir := filepath.Dir(m.Path); !f.seen[dir] {
			f.below(dir)
		}
	}
	slices.Sort(f.lines)
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(f.lines), "\n")))
	return hex.EncodeToString(sum[:])
}

type fingerprint struct {
	lines []string
	seen  map[string]bool // folders
}

// below looks at a path and all below it. What cannot be looked at is as if it were not there: to read the history tells.
func (f *fingerprint) below(root string) {
	f.seen[root] = true
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil
		case !e.IsDir():
			f.file(path)
		case path != root && !holdsSources(path, e.Name()):
			return fs.SkipDir
		default:
			f.seen[path] = true
		}
		return nil
	})
}

// file notes a file by which a history could become another one: not what Python compiles, nor what an application logs.
func (f *fingerprint) file(path string) {
	switch filepath.Ext(path) {
	case ext, ".go", ".py", ".ini", ".cfg", ".conf", ".toml", ".plan", ".json", ".env":
	default:
		if !migrateGo.MatchString(filepath.Base(path)) {
			return
		}
	}
	if info, err := os.Stat(path); err == nil && !info.IsDir() { // a link is what it leads to
		f.lines = append(f.lines, fmt.Sprintf("%s\x00%d\x00%d", path, info.Size(), info.ModTime().UnixNano()))
	}
}
