package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/replank/replank/lint"
)

func TestLintFix(t *testing.T) {
	t.Parallel()
	c := newCLI(t, "")
	const index = "\xef\xbb\xbf-- By note.\nCREATE INDEX orders_note_idx ON orders (note);\n"
	c.write("m/001_index.sql", index, "m/002_drop.sql", "SET lock_timeout = '1s';\nALTER TABLE orders DROP COLUMN old;\n")

	r := c.want(exitFailed, "lint", "m", "--diff")
	if got := c.read("m/001_index.sql"); got != index {
		t.Errorf("--diff writes %q", got)
	}
	// What it prints is a patch.
	c.write("fix.patch", r.out)
	patch := exec.Command("patch", "--dry-run", "-p0", "-i", "fix.patch")
	patch.Dir = c.dir
	if out, err := patch.CombinedOutput(); err != nil {
		t.Errorf("patch: %v\n%s\n%s", err, out, r.out)
	}

	r = c.want(exitFailed, "lint", "m", "--fix")
	contains(t, r.out, "001_index.sql", "mended", "index-not-concurrently", "left", "drop-column", "1 left")
	if got, want := c.read("m/001_index.sql"), "\xef\xbb\xbf-- By note.\nCREATE INDEX CONCURRENTLY orders_note_idx ON orders (note);\n"; got != want {
		t.Errorf("--fix writes %q, want %q", got, want)
	}
	contains(t, c.want(exitFailed, "lint", "m", "--fix", "--json").out, `"left"`, `"drop-column"`)
	c.want(exitOK, "lint", "m/001_index.sql")
	c.want(exitOK, "lint", "m/001_index.sql", "--fix")
}

// TestLintFixKeepsFiles: a file that is in the way of a new one is never written over, and nothing is written then.
func TestLintFixKeepsFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := filepath.Join(dir, "1.sql"), filepath.Join(dir, "1_2.sql")
	for _, path := range []string{first, second} {
		if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeFixed(fixedFiles(first, second)); err == nil {
		t.Error("a file is written over")
	}
	for _, path := range []string{first, second} {
		if b, _ := os.ReadFile(path); string(b) != "old" {
			t.Errorf("%s has %q", path, b)
		}
	}
}

func TestUnified(t *testing.T) {
	for _, tt := range []struct{ before, after, want string }{
		{"a\n", "a\n", ""},
		{"a\nb\nc\n", "a\nB\nc\n", "--- x\n+++ y\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"},
		{"", "a\n", "--- x\n+++ y\n@@ -0,0 +1,1 @@\n+a\n"},
		{"a", "a\nb\n", "--- x\n+++ y\n@@ -1,1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n"},
		{"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "0\n1\n2\n3\n4\n5\n6\n7\n8\n", "--- x\n+++ y\n@@ -1,3 +1,4 @@\n+0\n 1\n 2\n 3\n@@ -6,4 +7,3 @@\n 6\n 7\n 8\n-9\n"},
	} {
		if got := unified("x", "y", tt.before, tt.after); got != tt.want {
			t.Errorf("%q → %q:\n%s\nwant\n%s", tt.before, tt.after, got, tt.want)
		}
	}
}

func fixedFiles(paths ...string) []lint.File {
	files := make([]lint.File, len(paths))
	for i, path := range paths {
		files[i] = lint.File{Path: path, Text: "new"}
	}
	return files
}

func (c *cli) read(name string) string {
	c.t.Helper()
	b, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}
