package history

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// folder writes files (path → text) below a new folder.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func names(ms []Migration) []string {
	var s []string
	for _, m := range ms {
		s = append(s, m.Name)
	}
	return s
}

func TestReadOrder(t *testing.T) {
	dir := folder(t, map[string]string{
		"9_late.sql": "", "10_early.sql": "", "Z.sql": "", "a.sql": "", "ä.sql": "",
		"20_sub/2.sql": "", "20_sub/1.sql": "", "20_sub/deep/0.sql": "",
		"README.md": "", ".hidden.sql": "\x00", "_draft.sql": "", ".git/x.sql": "",
	})
	ms, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"10_early", "1", "2", "0", "9_late", "Z", "a", "ä"}
	if d := cmp.Diff(want, names(ms)); d != "" {
		t.Error(d)
	}
}

func TestReadPathsInTheOrderGiven(t *testing.T) {
	dir := folder(t, map[string]string{"b/2.sql": "", "a/1.sql": "", "one.sql": "SELECT 1"})
	ms, err := Read(filepath.Join(dir, "b"), filepath.Join(dir, "one.sql"), filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"2", "one", "1"}, names(ms)); d != "" {
		t.Error(d)
	}
	if ms[1].Path != filepath.Join(dir, "one.sql") || ms[1].Text != "SELECT 1" {
		t.Errorf("got %+v", ms[1])
	}
}

func TestChecksumIsOfTheBytesAndTextHasNoByteOrderMark(t *testing.T) {
	raw := "\xef\xbb\xbfSELECT 1;\r\n"
	ms, err := Read(folder(t, map[string]string{"1.sql": raw}))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(raw))
	if ms[0].Checksum != hex.EncodeToString(sum[:]) {
		t.Errorf("checksum %s", ms[0].Checksum)
	}
	if ms[0].Text != "SELECT 1;\r\n" {
		t.Errorf("text %q", ms[0].Text)
	}
}

func TestNameDirective(t *testing.T) {
	dir := folder(t, map[string]string{
		"1.sql": "-- a comment\n\n-- replank: name first step\nSELECT 1;",
		"2.sql": "SELECT 1;\n-- replank: name too late\nSELECT 2;",
	})
	ms, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if ms[0].Name != "first step" || ms[1].Name != "2" {
		t.Errorf("names %q, %q", ms[0].Name, ms[1].Name)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		path  string // below the folder
		want  string
	}{
		{"duplicate name", map[string]string{"a/1.sql": "", "b/1.sql": ""}, "", "the name 1 is taken by"},
		{"no such path", nil, "nowhere", "no such file"},
		{"empty folder", map[string]string{"x.txt": ""}, "", "no .sql file"},
		{"not sql", map[string]string{"x.txt": ""}, "x.txt", "not a .sql file"},
		{"zero byte", map[string]string{"1.sql": "SELECT\x001"}, "", "zero byte at offset 6"},
		{"latin-1", map[string]string{"1.sql": "SELECT 1;\nSELECT 'M\xfcller'"}, "", "line 2 is not UTF-8"},
		{"utf-16", map[string]string{"1.sql": "\xff\xfeS\x00"}, "", "zero byte"},
		{"down file", map[string]string{"1.up.sql": "", "1.down.sql": ""}, "", "a down migration"},
		{"goose", map[string]string{"1.sql": "-- +goose Up\n-- +goose Down\n"}, "", "a goose migration"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := folder(t, tt.files)
			ms, err := Read(filepath.Join(dir, tt.path))
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(e.Path, dir) {
				t.Fatalf("got %v, %v; want an *Error with %q", ms, err, tt.want)
			}
		})
	}
}

func TestLinks(t *testing.T) {
	dir := folder(t, map[string]string{"x/1.sql": "SELECT 1"})
	if err := os.Symlink(filepath.Join(dir, "x", "1.sql"), filepath.Join(dir, "2.sql")); err != nil {
		t.Skip(err)
	}
	ms, err := Read(dir)
	if err != nil || ms[0].Text != "SELECT 1" || ms[0].Name != "2" {
		t.Fatalf("a link to a file: got %+v, %v", ms, err)
	}
	if err := os.Symlink(dir, filepath.Join(dir, "x", "loop")); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "symbolic link to a folder") {
		t.Fatalf("a link that leads back: %v", err)
	}
}

func BenchmarkRead10000(b *testing.B) {
	files := make(map[string]string, 10000)
	for i := range 10000 {
		files[fmt.Sprintf("%05d_change.sql", i)] = fmt.Sprintf("ALTER TABLE t%d ADD COLUMN c%d integer;\n", i%100, i)
	}
	dir := folder(b, files)
	for b.Loop() {
		ms, err := Read(dir)
		if err != nil || len(ms) != 10000 {
			b.Fatal(len(ms), err)
		}
	}
}
