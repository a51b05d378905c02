// Package browser runs scripts that drive a real browser: Debian's Chromium, by Playwright (tests only).
package browser

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

//go:embed package.json
var manifest []byte

//go:embed package-lock.json
var lockfile []byte

// Run runs a script with Node and returns what it prints. Playwright and axe are there to be required, and CHROMIUM is
// the browser's path. What is missing is installed where we are root on Debian; where we are not, the test is skipped.
func Run(t testing.TB, script string, args ...string) []byte {
	t.Helper()
	chromium := program(t, "chromium", "chromium")
	node := program(t, "node", "nodejs")
	modules := modules(t)
	// A browser that hangs must not take the whole run with it.
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, append([]string{script}, args...)...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules, "CHROMIUM="+chromium)
	// The script and its browser are one group, so that nothing of them is left.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, stderr.Bytes())
	}
	return out
}

// program finds a program, or installs Debian's package of it.
func program(t testing.TB, name, pkg string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		t.Skipf("this test needs %s (Debian: apt-get install %s)", name, pkg)
	}
	defer lock(t, "apt")()
	for _, args := range [][]string{{"update", "-q"}, {"install", "-y", "-q", "--no-install-recommends", pkg}} {
		cmd := exec.CommandContext(t.Context(), apt, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is installed, and there is no %s: %v", pkg, name, err)
	}
	return path
}

// modules installs the packages below the user's cache, once for each list of them, and returns the folder.
func modules(t testing.TB) string {
	t.Helper()
	sum := sha256.Sum256(lockfile)
	name := hex.EncodeToString(sum[:6])
	defer lock(t, name)()
	dir := filepath.Join(cache(t), name)
	done := filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err == nil {
		return filepath.Join(dir, "node_modules")
	}
	npm := program(t, "npm", "npm")
	for name, content := range map[string][]byte{"package.json": manifest, "package-lock.json": lockfile} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s in %s: %v\n%s", cmd, dir, err, out)
	}
	if err := os.WriteFile(done, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "node_modules")
}

func cache(t testing.TB) string {
	t.Helper()
	base, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(base, "replank", "browser")
}

// lock keeps other processes from installing the same.
func lock(t testing.TB, name string) (unlock func()) {
	t.Helper()
	if err := os.MkdirAll(cache(t), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(cache(t), name+".lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(fmt.Errorf("lock %s: %w", f.Name(), err))
	}
	return func() { f.Close() }
}
