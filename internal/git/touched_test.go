package git

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTouched asks a real repository: files with odd names, a merge, another folder, commits before the day.
func TestTouched(t *testing.T) {
	dir := t.TempDir()
	git := func(day string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_COMMITTER_DATE="+day+"T12:00:00Z", "GIT_AUTHOR_DATE=2020-01-01T00:00:00Z")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
	}
	commit := func(day string, files ...string) {
		t.Helper()
		for _, f := range files {
			path := filepath.Join(dir, filepath.FromSlash(f))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(day), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		git(day, "add", "-A")
		git(day, "commit", "-q", "-m", "of "+day)
	}
	git("2026-01-01", "init", "-q", "-b", "main")
	commit("2026-01-01", "legacy/a.py", "legacy/b.py", "legacy/c.py", "legacy/deep/d.py", "modern/a.py")
	commit("2026-03-01", "legacy/a.py", "modern/a.py")
	git("2026-03-01", "checkout", "-q", "-b", "side")
	commit("2026-03-02", "legacy/deep/d.py", "legacy/ä b\n.py")
	git("2026-03-02", "checkout", "-q", "main")
	commit("2026-03-05", "legacy/a.py")
	git("2026-03-06", "merge", "-q", "--no-ff", "-m", "merge", "side")

	since := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	got, err := Touched(t.Context(), filepath.Join(dir, "legacy"), since)
	if err != nil {
		t.Fatal(err)
	}
	at := func(day int) time.Time { return time.Date(2026, 3, day, 12, 0, 0, 0, time.UTC) }
	want := map[string]time.Time{"a.py": at(5), "deep/d.py": at(2), "ä b\n.py": at(2)}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if none, err := Touched(t.Context(), dir, at(7)); err != nil || len(none) != 0 {
		t.Errorf("after the last commit: %v, %v", none, err)
	}

	clone := filepath.Join(t.TempDir(), "clone")
	if out, err := exec.CommandContext(t.Context(), "git", "clone", "-q", "--depth", "1", "file://"+filepath.ToSlash(dir), clone).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var hint *Error
	if _, err := Touched(t.Context(), clone, since); !errors.As(err, &hint) || !strings.Contains(hint.Hint(), "--unshallow") {
		t.Errorf("a shallow clone: %v", err)
	}
	if _, err := Touched(t.Context(), t.TempDir(), since); !errors.As(err, &hint) {
		t.Errorf("no repository: %v", err)
	}
}
