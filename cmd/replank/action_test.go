package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAction runs the script of action.yml as GitHub's runner does.
func TestAction(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "      run: |\n")
	if !found || strings.Contains(block, "${{") {
		t.Fatalf("no script, or one that inputs are pasted into:\n%s", block)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := newCLI(t, "")
	c.write("m/a b.sql", "TRUNCATE t;\n", "run.sh", strings.ReplaceAll(block, "\n        ", "\n"))
	run := func(paths, args string) (int, string) {
		cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "run.sh")
		cmd.Dir = c.dir
		cmd.Env = append(c.env, "RUNNER_TEMP="+c.dir, "GITHUB_OUTPUT="+filepath.Join(c.dir, "output"), "REPLANK_PROGRAM="+self, "REPLANK_PATHS="+paths, "REPLANK_ARGS="+args)
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
	code, out := run("m/a b.sql\n", "--off\nfails\n")
	if code != 1 || !strings.Contains(out, "::error file=m/a b.sql,line=1") || strings.Contains(out, "replank fails") {
		t.Errorf("%d %s", code, out)
	}
	output, err := os.ReadFile(filepath.Join(c.dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(output)) {
		_, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", line, err)
		}
	}
	if code, out := run("m", "--off\nfails,truncate"); code != 0 {
		t.Errorf("%d %s", code, out)
	}
}
