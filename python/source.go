// Package python holds the companion package for Django and Alembic as it is installed, so that a project that does
// not have it can be exported as well.
package python

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed all:replank
var source embed.FS

// Write puts the package into a folder, which belongs on PYTHONPATH then.
func Write(dir string) error {
	return fs.WalkDir(source, "replank", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(path))
		if d.IsDir() {
			if d.Name() == "__pycache__" {
				return fs.SkipDir
			}
			return os.MkdirAll(to, 0o755)
		}
		if !strings.HasSuffix(path, ".py") {
			return nil
		}
		text, err := source.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o644)
	})
}
