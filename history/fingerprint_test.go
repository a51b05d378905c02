package history

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestFingerprint: it changes with what a history is read from, and with nothing else.
func TestFingerprint(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	put := func(name, text string) func() {
		return func() {
			t.Helper()
			if err := os.MkdirAll(filepath.Dir(path(name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path(name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("site/manage.py", "")()
	put("site/one/migrations/0001_t.py", "1")()
	put("packages/other/migrations/0001_o.py", "1")()
	put("away/2.sql", "")()
	h := &History{Migrations: []Migration{{Path: path("site/one/migrations/0001_t.py")}, {Path: path("packages/other/migrations/0001_o.py")}}}
	for _, project := range []string{path("site"), path("site/manage.py"), path("linked")} {
		if project == path("linked") {
			if err := os.Symlink(path("site"), project); err != nil {
				t.Fatal(err)
			}
		}
		was := h.Fingerprint(project)
		for _, tt := range []struct {
			name    string
			change  func()
			another bool
		}{
			{"nothing", func() {}, false},
			{"a longer file", put("site/one/migrations/0001_t.py", "22"), true},
			{"a file of another time", func() {
				if err := os.Chtimes(path("site/one/migrations/0001_t.py"), time.Time{}, time.Now().Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
			}, true},
			{"a new file", put("site/one/migrations/0002_u.py", ""), true},
			{"a file less", func() { os.Remove(path("site/one/migrations/0002_u.py")) }, true},
			{"settings", put("site/settings.py", "X = 1"), true},
			{"a new app", put("site/two/models.py", ""), true},
			{"a package of others", put("packages/other/migrations/0002_p.py", ""), true},
			{"what Python compiles", put("site/one/migrations/__pycache__/0001_t.cpython-311.pyc", "x"), false},
			{"a log", put("site/site.log", "x"), false},
			{"an environment", put("site/env/pyvenv.cfg", ""), false},
			{"in the environment", put("site/env/lib/x.py", ""), false},
			{"git", put("site/.git/x.py", ""), false},
			{"elsewhere", put("away/1.sql", ""), false},
		} {
			tt.change()
			now := h.Fingerprint(project)
			if (now != was) != tt.another {
				t.Errorf("%s: %s is another one: %v", project, tt.name, now != was)
			}
			was = now
		}
		for _, made := range []string{"site/settings.py", "site/two", "site/env", "packages/other/migrations/0002_p.py"} {
			os.RemoveAll(path(made))
		}
		put("site/one/migrations/0001_t.py", "1")()
	}
	// A single file, and one that is not there.
	one := new(History).Fingerprint(path("away/2.sql"))
	put("away/3.sql", "")()
	if now := new(History).Fingerprint(path("away/2.sql")); now != one {
		t.Error("another file has changed it")
	}
	put("away/2.sql", "x")()
	if now := new(History).Fingerprint(path("away/2.sql")); now == one {
		t.Error("the file has changed")
	}
	if new(History).Fingerprint(path("nosuch")) == one {
		t.Error("what is not there looks like a file")
	}
}
