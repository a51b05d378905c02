package localpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// account is who the server runs as. The zero value means "as we are".
type account struct {
	name     string
	uid, gid uint32
	unlikeUs bool // we are root and the server must not be
}

// serverAccount returns the account for servers: ours, or an unprivileged one when we are root.
func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return &account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, fmt.Errorf("account %s: %w", name, err)
		}
		return &account{name: name, uid: uint32(uid), gid: uint32(gid), unlikeUs: true}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as: create one, or do not work as root")
}

// apply makes cmd run under the account, in dir, with an environment free of settings that would lead it elsewhere.
func (a *account) apply(cmd *exec.Cmd, dir string) {
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if a.unlikeUs {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "PG") || strings.HasPrefix(kv, "LC_") || strings.HasPrefix(kv, "LANG") ||
			strings.HasPrefix(kv, "TZ=") || a.unlikeUs && (strings.HasPrefix(kv, "HOME=") || strings.HasPrefix(kv, "XDG_"))
	})
	cmd.Env = append(cmd.Env, "LC_ALL=C", "TZ=UTC")
	if a.unlikeUs {
		cmd.Env = append(cmd.Env, "HOME="+dir)
	}
}

// own gives path, and everything below it, to the account.
func (a *account) own(path string) error {
	if !a.unlikeUs {
		return nil
	}
	return filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := os.Lchown(p, int(a.uid), int(a.gid)); err != nil {
			return fmt.Errorf("give %s to %s: %w", p, a.name, err)
		}
		return nil
	})
}

// canReach checks that the account may walk down to path. Only the owner of path itself matters to its caller.
func (a *account) canReach(path string) error {
	if !a.unlikeUs {
		return nil
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		st, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("look at %s: %w", dir, err)
		}
		sys, ok := st.Sys().(*syscall.Stat_t)
		mode := st.Mode().Perm()
		reachable := mode&0o001 != 0 || ok && sys.Uid == a.uid && mode&0o100 != 0 || ok && sys.Gid == a.gid && mode&0o010 != 0
		if !reachable {
			return fmt.Errorf("user %s, under whom the server runs, cannot enter %s (mode %v): choose another place for %s", a.name, dir, mode, path)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// tempDir makes a temporary directory that the account owns and can reach.
func (a *account) tempDir(prefix string) (string, error) {
	for _, parent := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		dir, err := os.MkdirTemp(parent, prefix)
		if err != nil {
			continue
		}
		if a.canReach(dir) == nil {
			if real, err := filepath.EvalSymlinks(dir); err == nil {
				dir = real
			}
			return dir, a.own(dir)
		}
		if err := os.Remove(dir); err != nil {
			return "", fmt.Errorf("remove %s: %w", dir, err)
		}
	}
	return "", fmt.Errorf("no temporary directory that user %s can enter (tried %s, /tmp, /var/tmp)", a.name, os.TempDir())
}

// childrenOf lists the processes whose parent is pid.
func childrenOf(pid int) ([]int, error) {
	if runtime.GOOS == "linux" {
		return childrenInProc(pid)
	}
	out, err := exec.Command("ps", "-A", "-o", "pid=", "-o", "ppid=").Output()
	if err != nil {
		return nil, fmt.Errorf("run ps: %w", err)
	}
	var children []int
	for line := range strings.Lines(string(out)) {
		var child, parent int
		if _, err := fmt.Sscan(line, &child, &parent); err == nil && parent == pid {
			children = append(children, child)
		}
	}
	return children, nil
}

// childrenInProc is childrenOf without ps, which a bare Debian lacks.
func childrenInProc(pid int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var children []int
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it has ended
		}
		// "pid (command) state ppid ...", and the command may contain anything, also ")".
		_, rest, ok := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
		if fields := strings.Fields(rest); ok && len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			children = append(children, child)
		}
	}
	return children, nil
}
