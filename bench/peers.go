package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/replank/replank/internal/measure"
)

// squawkVersion is the peer's, as npm has it.
const squawkVersion = "2.66.0"

// aside are squawk's rules that have nothing to do with the work on rows: style and timeouts, and clients that break.
var aside = []string{"prefer-robust-stmts", "prefer-bigint-over-int", "prefer-bigint-over-smallint", "prefer-text-field", "prefer-identity",
	"prefer-timestamp-tz", "prefer-timestamptz", "ban-char-field", "require-lock-timeout", "require-statement-timeout", "require-timeout-settings", "syntax-error",
	"ban-drop-column", "ban-drop-table", "ban-drop-database", "ban-drop-not-null", "renaming-column", "renaming-table"}

// pythonPeers are linters that PyPI has; bench/django/judge.py asks them.
var pythonPeers = []string{"django-migration-linter==6.0.0", "pg-migration-guard==1.0.2"}

func peersAside() string {
	return "of squawk " + squawkVersion + " the rules " + strings.Join(aside, ", ") +
		"; of django-migration-linter 6.0.0, whose analyser gets the form as the SQL of a migration, RENAME_* and DROP_TABLE and DROP_COLUMN" +
		"; of pg-migration-guard 1.0.2 advice, LCK01 and DES01 but for TRUNCATE"
}

func installSquawk(ctx context.Context, cache string) (string, error) {
	dir := filepath.Join(cache, "squawk-"+squawkVersion)
	path := filepath.Join(dir, "node_modules", ".bin", "squawk")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "squawk-cli@"+squawkVersion)
	if err := run(cmd); err != nil {
		return "", fmt.Errorf("npm install squawk-cli: %w", err)
	}
	return path, nil
}

// venv makes an environment with packages of PyPI below the cache, once, and gives its interpreter.
func venv(ctx context.Context, cache, name string, packages ...string) (string, error) {
	dir := filepath.Join(cache, name)
	python, done := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "complete")
	want := strings.Join(packages, "\n")
	if have, err := os.ReadFile(done); err == nil && string(have) == want {
		return python, nil
	}
	if err := run(exec.CommandContext(ctx, "python3", "-m", "venv", "--clear", dir)); err != nil {
		return "", fmt.Errorf("make an environment of Python: %w", err)
	}
	if err := run(exec.CommandContext(ctx, python, append([]string{"-m", "pip", "install", "--quiet"}, packages...)...)); err != nil {
		return "", fmt.Errorf("install %s: %w", strings.Join(packages, ", "), err)
	}
	return python, os.WriteFile(done, []byte(want), 0o644)
}

// squawkBlames reports for each form whether squawk has a rule about what it does.
func squawkBlames(ctx context.Context, forms []measure.Recorded, dir, squawk string) ([]bool, error) {
	at := map[string]int{}
	args := []string{"--reporter", "json", "--assume-in-transaction"}
	for i, f := range forms {
		path := filepath.Join(dir, f.ID+".sql")
		if err := os.WriteFile(path, []byte(strings.Join(append(slices.Clone(f.Pre), f.SQL), ";\n")+";\n"), 0o644); err != nil {
			return nil, err
		}
		at[path] = i
		args = append(args, path)
	}
	cmd := exec.CommandContext(ctx, squawk, args...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, fmt.Errorf("squawk: %w", err)
	}
	blamed := make([]bool, len(forms))
	for line := range bytes.Lines(out) {
		var found []struct {
			File string `json:"file"`
			Rule string `json:"rule_name"`
		}
		if json.Unmarshal(line, &found) != nil {
			continue
		}
		for _, x := range found {
			if i, ok := at[x.File]; ok && !slices.Contains(aside, x.Rule) {
				blamed[i] = true
			}
		}
	}
	return blamed, nil
}

// judged is what a linter says of the forms, for each version of PostgreSQL.
type judged struct {
	Linter string         `json:"linter"`
	Blames map[int][]bool `json:"blames"`
}

// pythonBlames asks the linters of PyPI.
func pythonBlames(ctx context.Context, forms []measure.Recorded, root, cache string) ([]judged, error) {
	python, err := venv(ctx, cache, "linters", pythonPeers...)
	if err != nil {
		return nil, err
	}
	var texts [][]string
	for _, f := range forms {
		texts = append(texts, append(slices.Clone(f.Pre), f.SQL))
	}
	in, err := json.Marshal(texts)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, python, filepath.Join(root, "bench", "django", "judge.py"))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("judge.py: %w", err)
	}
	var list []judged
	return list, json.Unmarshal(out, &list)
}
