package python_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pyenv"
)

var (
	lts = pyenv.Environment{Name: "django52", Packages: []string{
		"Django==5.2.*", "psycopg[binary]==3.3.*", "pytest", "jsonschema", "alembic==1.20.*", "SQLAlchemy==2.0.*",
		"django-oauth-toolkit==3.4.*", "wagtail==8.0.*", "django-cms==5.1.*", "django-filer==3.6.*", "django-allauth==65.*",
		"django-celery-beat==2.9.*", "django-celery-results==2.6.*", "django-taggit==6.1.*", "django-guardian==3.5.*",
		"django-waffle==5.0.*", "django-reversion==6.4.*",
		"djangorestframework==3.*", "Flask==3.1.*", "Flask-Login==0.6.*", "PyJWT[crypto]==2.*", "gunicorn==27.*"}}
	newest = pyenv.Environment{Name: "django61", Newest: true, Packages: []string{
		"Django==6.1.*", "psycopg[binary]==3.3.*", "pytest", "jsonschema", "alembic==1.20.*", "SQLAlchemy==2.1.*",
		"django-oauth-toolkit==3.4.*", "wagtail==8.0.*", "django-allauth==65.*",
		"django-celery-results==2.6.*", "django-taggit==6.1.*", "django-reversion==6.4.*",
		"djangorestframework==3.*", "Flask==3.1.*", "Flask-Login==0.6.*", "PyJWT[crypto]==2.*", "gunicorn==27.*"}}
)

// environments are those to test with: the older one, with REPLANK_TEST_FULL=1 both.
func environments(t *testing.T) []pyenv.Environment {
	t.Helper()
	if os.Getenv("REPLANK_TEST_FULL") == "" {
		return []pyenv.Environment{lts}
	}
	return []pyenv.Environment{lts, newest}
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
