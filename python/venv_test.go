package python_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pyenv"
)

var lts, newest = pyenv.LTS, pyenv.Newest

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
