// Package pyenv makes the Python environments that tests run real frameworks in (tests only).
package pyenv

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Environment is a Python with packages.
type Environment struct {
	Name     string
	Newest   bool // needs Python 3.12
	Packages []string
}

// The environments of the tests: Django with a support of years and the newest one, both with Flask, SQLAlchemy and what
// applications run under.
var (
	LTS = Environment{Name: "django52", Packages: []string{
		"Django==5.2.*", "psycopg[binary]==3.3.*", "pytest", "jsonschema", "alembic==1.20.*", "SQLAlchemy==2.0.*",
		"django-oauth-toolkit==3.4.*", "wagtail==8.0.*", "django-cms==5.1.*", "django-filer==3.6.*", "django-allauth==65.*",
		"django-celery-beat==2.9.*", "django-celery-results==2.6.*", "django-taggit==6.1.*", "django-guardian==3.5.*",
		"django-waffle==5.0.*", "django-reversion==6.4.*",
		"djangorestframework==3.*", "Flask==3.1.*", "Flask-Login==0.6.*", "PyJWT[crypto]==2.*", "gunicorn==27.*",
		"uvicorn[standard]==0.35.*"}}
	Newest = Environment{Name: "django61", Newest: true, Packages: []string{
		"Django==6.1.*", "psycopg[binary]==3.3.*", "pytest", "jsonschema", "alembic==1.20.*", "SQLAlchemy==2.1.*",
		"django-oauth-toolkit==3.4.*", "wagtail==8.0.*", "django-allauth==65.*",
		"django-celery-results==2.6.*", "django-taggit==6.1.*", "django-reversion==6.4.*",
		"djangorestframework==3.*", "Flask==3.1.*", "Flask-Login==0.6.*", "PyJWT[crypto]==2.*", "gunicorn==27.*",
		"uvicorn[standard]==0.35.*"}}
)

// Python makes the environment below the user's cache, once for each list of packages, and returns its interpreter.
func (e Environment) Python(t testing.TB) string {
	t.Helper()
	base := e.base(t)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(base + "\n" + strings.Join(e.Packages, "\n")))
	dir := filepath.Join(cache, "replank", "python", e.Name+"-"+hex.EncodeToString(sum[:6]))
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
	for _, cmd := range []*exec.Cmd{
		exec.CommandContext(t.Context(), base, "-m", "venv", dir),
		exec.CommandContext(t.Context(), interpreter, append([]string{"-m", "pip", "install", "--quiet"}, e.Packages...)...),
	} {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
		}
	}
	if err := os.WriteFile(done, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return interpreter
}

// base finds a Python that can make the environment.
func (e Environment) base(t testing.TB) string {
	t.Helper()
	names := []string{"python3.14", "python3.13", "python3.12"}
	check := "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))"
	if !e.Newest {
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
	if e.Newest {
		t.Skip("Django 6.1 needs Python 3.12 or later, and there is none")
	}
	t.Fatal("the tests of the Python package need Python 3.10 or later with venv (Debian: apt-get install python3-venv)")
	return ""
}
