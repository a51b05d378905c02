package localpg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// quick is what a server needs that nobody's data depends on.
var quick = map[string]string{"fsync": "off", "shared_buffers": "16MB", "wal_level": "replica", "max_connections": "20"}

const envHelper = "REPLANK_LOCALPG_HELPER"

// TestMain lets the test binary be the process whose death TestWatchdog watches.
func TestMain(m *testing.M) {
	if os.Getenv(envHelper) != "" {
		c, err := Start(context.Background(), Config{Settings: quick})
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(c.Pid(), c.dir)
		select {}
	}
	os.Exit(m.Run())
}

func startCluster(t *testing.T, cfg Config) *Cluster {
	t.Helper()
	if cfg.Settings == nil {
		cfg.Settings = quick
	}
	c, err := Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func query[T any](t *testing.T, c *Cluster, sql string) (v T) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, c.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, sql).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func execute(t *testing.T, c *Cluster, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, c.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// eventually waits for a condition in another process, which has no event to wait for.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestStartAndStop(t *testing.T) {
	a, b := startCluster(t, Config{}), startCluster(t, Config{})
	if got := query[string](t, a, "SELECT current_setting('server_encoding') || ' ' || datcollate FROM pg_database WHERE datname = 'postgres'"); got != "UTF8 C" {
		t.Errorf("encoding and locale are %q", got)
	}
	if got := query[string](t, a, "SHOW shared_buffers"); got != "16MB" {
		t.Errorf("shared_buffers is %s", got)
	}
	const identifier = "SELECT system_identifier FROM pg_control_system()"
	if x, y := query[int64](t, a, identifier), query[int64](t, b, identifier); x == y || x <= 0 || y <= 0 {
		t.Errorf("two clusters have the system identifiers %d and %d", x, y)
	}
	if version := query[string](t, a, "SHOW server_version"); !strings.HasPrefix(version, fmt.Sprint(a.Major())) {
		t.Errorf("server %s calls itself major %d", version, a.Major())
	}
	pid, dir := a.Pid(), a.dir
	if err := a.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !gone(pid) {
		t.Errorf("postmaster %d survived Stop", pid)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Stop left %s (%v)", dir, err)
	}
	if err := a.Stop(context.Background()); err != nil {
		t.Errorf("the second Stop: %v", err)
	}
	if err := a.Restart(context.Background()); err == nil {
		t.Error("Restart after Stop succeeded")
	}
}

// Kill ends every backend at once, also a busy one; what was committed is there after Restart, the rest is not.
func TestKillAndRestart(t *testing.T) {
	ctx := context.Background()
	c := startCluster(t, Config{})
	execute(t, c, "CREATE TABLE a (id int)")
	execute(t, c, "INSERT INTO a VALUES (1)")
	conn, err := pgx.Connect(ctx, c.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "BEGIN; INSERT INTO a VALUES (2)"); err != nil {
		t.Fatal(err)
	}
	busy := make(chan error, 1)
	go func() {
		_, err := conn.Exec(ctx, "SELECT count(*) FROM generate_series(1, 1000000000000)")
		busy <- err
	}()
	backend := int(conn.PgConn().PID())
	eventually(t, "the backend is busy", func() bool {
		return query[bool](t, c, fmt.Sprintf("SELECT coalesce((SELECT state = 'active' FROM pg_stat_activity WHERE pid = %d), false)", backend))
	})
	dsn := c.DSN("postgres")
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-busy; err == nil {
		t.Error("a query survived the crash")
	}
	if c.Pid() != 0 {
		t.Error("a killed cluster has a postmaster")
	}
	if err := c.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if c.DSN("postgres") != dsn {
		t.Error("Restart changed the DSN")
	}
	if n := query[int](t, c, "SELECT sum(id) FROM a"); n != 1 {
		t.Errorf("sum after the crash is %d, want 1", n)
	}
	if err := c.Restart(ctx); err != nil { // of a running server
		t.Fatal(err)
	}
	if n := query[int](t, c, "SELECT sum(id) FROM a"); n != 1 {
		t.Errorf("sum after a restart is %d, want 1", n)
	}
}

// A directory of the caller's is kept and reused.
func TestKeepsNamedDirectory(t *testing.T) {
	owner, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := owner.tempDir("replank-keep-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := startCluster(t, Config{Dir: dir})
	execute(t, c, "CREATE TABLE kept ()")
	if err := c.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	c = startCluster(t, Config{Dir: dir})
	if !query[bool](t, c, "SELECT to_regclass('kept') IS NOT NULL") {
		t.Error("the table is gone")
	}
}

// A wrong setting is reported with the server's own words, and leaves nothing.
func TestStartFails(t *testing.T) {
	_, err := Start(context.Background(), Config{Settings: map[string]string{"no_such_setting": "1"}})
	var ended *endedError
	if !errors.As(err, &ended) || !strings.Contains(ended.log, "no_such_setting") {
		t.Errorf("error is %v", err)
	}
}

// The server and its directory go when their owner is killed with -9.
func TestWatchdog(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), envHelper+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	var dir string
	if _, err := fmt.Sscan(line, &pid, &dir); err != nil {
		t.Fatalf("helper says %q", line)
	}
	if gone(pid) {
		t.Fatal("the helper's server does not run")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
	eventually(t, "the server has ended", func() bool { return ended(pid) })
	eventually(t, "its directory is gone", func() bool { _, err := os.Stat(dir); return errors.Is(err, os.ErrNotExist) })
}

// ended also accepts a zombie: in a container nobody may reap the orphan.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return gone(pid) || err == nil && strings.Contains(string(stat), ") Z ")
}

func TestReplica(t *testing.T) {
	ctx := context.Background()
	primary := startCluster(t, Config{})
	execute(t, primary, "CREATE TABLE a AS SELECT generate_series(1, 1000) AS id")
	replica, err := primary.Replica(ctx, map[string]string{"hot_standby_feedback": "on"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := replica.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	if !query[bool](t, replica, "SELECT pg_is_in_recovery()") {
		t.Error("the replica is no replica")
	}
	execute(t, primary, "INSERT INTO a VALUES (1001)")
	eventually(t, "the replica has the new row", func() bool { return query[int](t, replica, "SELECT count(*) FROM a") == 1001 })
	if got := query[string](t, replica, "SHOW hot_standby_feedback"); got != "on" {
		t.Errorf("hot_standby_feedback is %s", got)
	}
}
