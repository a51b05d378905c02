package python_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// environment is a Python with packages.
type environment struct {
	name     string
	newest   bool // needs Python 3.12
	packages []string
}

var (
	lts = environment{name: "django52", packages: []string{
		"Django==5.2.*", "psycopg[binary]==3.3.*", "pytest", "jsonschema", "alembic==1.20.*", "SQLAlchemy==2.0.*",
		"django-oauth-toolkit==3.4.*", "wagtail==8.0.*", "django-cms==5.1.*", "django-filer==3.6.*", "django-allauth==65.*",
		"django-celery-beat==2.9.*", "django-celery-results==2.6.*", "django-taggit==6.1.*", "django-guardian==3.5.*",
		"django-waffle==5.0.*", "django-reversion==6.4.*"}}
	newest = environment{name: "django61", newest: true, packages: []string{
		"Django==6.1.*", "psycopg[binary]==3.3.*", "pytest", "jsonschema", "alembic==1.20.*", "SQLAlchemy==2.1.*",
		"django-oauth-toolkit==3.4.*", "wagtail==8.0.*", "django-allauth==65.*", "django-celery-beat==2.9.*",
		"django-celery-results==2.6.*", "django-taggit==6.1.*", "django-reversion==6.4.*"}}
)

// environments are those to test with: the older one, with REPLANK_TEST_FULL=1 both.
func environments(t *testing.T) []environment {
	t.Helper()
	if os.Getenv("REPLANK_TEST_FULL") == "" {
		return []environment{lts}
	}
	return []environment{lts, newest}
}

// python makes the environment below the user's cache, once for each list of packages, and returns its interpreter.
func (e environment) python(t *testing.T) string {
	t.Helper()
	base := e.base(t)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(base + "\n" + strings.Join(e.packages, "\n")))
	dir := filepath.Join(cache, "replank", "python", e.name+"-"+hex.EncodeToString(sum[:6]))
	interpreter := filepath.Join(dir, "bin", "python")
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(dir + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	done := filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err == nil {
		return interpreter
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	must(t, base, "-m", "venv", dir)
	must(t, interpreter, append([]string{"-m", "pip", "install", "--quiet"}, e.packages...)...)
	if err := os.WriteFile(done, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return interpreter
}

// base finds a Python that can make the environment.
func (e environment) base(t *testing.T) string {
	t.Helper()
	names := []string{"python3.14", "python3.13", "python3.12"}
	check := "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))"
	if !e.newest {
		names = append([]string{"python3.11", "python3"}, names...)
		check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))"
	}
	if root, ok := os.LookupEnv("PYENV_ROOT"); ok {
		found, _ := filepath.Glob(filepath.Join(root, "versions", "3.1*", "bin", "python3"))
		names = append(names, found...)
	}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil && exec.Command(path, "-c", check).Run() == nil {
			return path
		}
	}
	if e.newest {
		t.Skip("Django 6.1 needs Python 3.12 or later, and there is none")
	}
	t.Fatal("the tests of the Python package need Python 3.10 or later with venv (Debian: apt-get install python3-venv)")
	return ""
}

func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	return mustIn(t, ".", nil, name, args...)
}

func mustIn(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	out, err := run(t.Context(), dir, env, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func run(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
