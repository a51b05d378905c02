package localpg

import (
	_ "embed"
	"fmt"
	"io"
	"os/exec"
)

//go:embed watchdog.sh
var watchdogScript string

// watchdog is a shell which waits for the end of its owner: this process.
//
// Why not PR_SET_PDEATHSIG: it is bound to the thread that forked (which Go may end at any time unless it is locked
// for ever), exists on Linux only, and leaves the directory behind. A pipe closes however the owner dies, on any Unix.
type watchdog struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// startWatchdog starts a watchdog that will remove paths when this process dies.
func startWatchdog(owner *account, paths []string) (*watchdog, error) {
	cmd := exec.Command("/bin/sh", append([]string{"-c", watchdogScript, "replank-watchdog"}, paths...)...)
	owner.apply(cmd, "/")
	cmd.SysProcAttr.Setsid = true // survives what ends the owner's process group
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start watchdog: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start watchdog: %w", err)
	}
	return &watchdog{cmd: cmd, pipe: pipe}, nil
}

// watch tells the watchdog which server to end; 0 for none.
func (w *watchdog) watch(pid int) error {
	if _, err := fmt.Fprintf(w.pipe, "watch %d\n", pid); err != nil {
		return fmt.Errorf("tell watchdog about server %d: %w", pid, err)
	}
	return nil
}

// dismiss ends the watchdog without it touching anything.
func (w *watchdog) dismiss() error {
	if _, err := io.WriteString(w.pipe, "bye\n"); err != nil {
		return fmt.Errorf("dismiss watchdog: %w", err)
	}
	if err := w.cmd.Wait(); err != nil {
		return fmt.Errorf("dismiss watchdog: %w", err)
	}
	return nil
}
