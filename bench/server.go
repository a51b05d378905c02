package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/localpg"
)

// settings are those of a small production server; what is not here is PostgreSQL's default, fsync and
// synchronous_commit among them.
var settings = map[string]string{
	"shared_buffers":     "1GB",
	"max_wal_size":       "8GB",
	"checkpoint_timeout": "15min",
	"wal_compression":    "off",
	"max_connections":    "200",
}

// server is the private server that everything is measured on.
type server struct {
	*localpg.Cluster
	admin *pgx.Conn
	count int // databases made so far
}

func startServer(ctx context.Context, cfg Config) (*server, error) {
	c, err := localpg.Start(ctx, localpg.Config{Major: cfg.Major, Dir: cfg.Keep, Settings: settings})
	if err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	s := &server{Cluster: c}
	if s.admin, err = pgx.Connect(ctx, c.DSN("postgres")); err != nil {
		_ = s.stop()
		return nil, fmt.Errorf("connect to the server: %w", err)
	}
	return s, nil
}

func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if s.admin != nil {
		_ = s.admin.Close(ctx)
	}
	return s.Stop(ctx)
}

// seed makes the database of sample data that copies are made of, unless a kept server has it.
func (s *server) seed(ctx context.Context, name string, sql ...string) error {
	var there bool
	err := s.admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there)
	if err != nil || there {
		return err
	}
	say("making the sample data %s", name)
	half := name + "_half"
	if _, err := s.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+half); err != nil {
		return err
	}
	if _, err := s.admin.Exec(ctx, "CREATE DATABASE "+half); err != nil {
		return err
	}
	if err := s.in(ctx, half, func(c *pgx.Conn) error {
		for _, q := range append(sql, "VACUUM (FREEZE, ANALYZE)") {
			if _, err := c.Exec(ctx, q); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("make the sample data %s: %w", name, err)
	}
	_, err = s.admin.Exec(ctx, "ALTER DATABASE "+half+" RENAME TO "+name)
	return err
}

// in runs do with a connection to a database.
func (s *server) in(ctx context.Context, name string, do func(*pgx.Conn) error) error {
	c, err := pgx.Connect(ctx, s.DSN(name))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", name, err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	return do(c)
}

// copied runs do with a fresh copy of the sample data, after a checkpoint.
func (s *server) copied(ctx context.Context, seed string, do func(db string) error) error {
	s.count++
	name := "copy_" + strconv.Itoa(s.count)
	how := ""
	if s.Major() >= 15 {
		how = " STRATEGY file_copy" // the default one writes every page to the WAL
	}
	for _, q := range []string{"DROP DATABASE IF EXISTS " + name, "CREATE DATABASE " + name + " TEMPLATE " + seed + how, "CHECKPOINT"} {
		if _, err := s.admin.Exec(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	err := do(name)
	if _, e := s.admin.Exec(context.WithoutCancel(ctx), "DROP DATABASE "+name+" WITH (FORCE)"); err == nil {
		err = e
	}
	return err
}

// copies is copied for several at once.
func (s *server) copies(ctx context.Context, seed string, n int, do func(dbs []string) error) error {
	if n == 0 {
		return do(nil)
	}
	return s.copied(ctx, seed, func(db string) error {
		return s.copies(ctx, seed, n-1, func(dbs []string) error { return do(append(dbs, db)) })
	})
}

// position in the WAL, in bytes.
func (s *server) position(ctx context.Context) (n float64, err error) {
	err = s.admin.QueryRow(ctx, "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8").Scan(&n)
	return n, err
}

// cpu is the time in seconds that all processes of the server have used, those that have ended included.
func (s *server) cpu() (float64, error) { return cpuOf(s.Pid()) }

// cpuOf is the time in seconds that a process and those that it has started have used.
func cpuOf(pid int) (float64, error) {
	ticks, _, err := stat(pid, true)
	if err != nil {
		return 0, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if t, parent, err := stat(child, false); err == nil && parent == pid {
			ticks += t
		}
	}
	return ticks / 100, nil // USER_HZ is 100 on every Linux that Go runs on
}

// stat reads a process's CPU time in ticks (with that of its ended children) and its parent.
func stat(pid int, children bool) (ticks float64, parent int, err error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, 0, fmt.Errorf("read the CPU time of process %d: %w", pid, err)
	}
	_, rest, _ := strings.Cut(string(data), ") ") // the name may hold blanks
	f := strings.Fields(rest)
	if len(f) < 15 {
		return 0, 0, fmt.Errorf("read the CPU time of process %d: %q", pid, data)
	}
	parent, err = strconv.Atoi(f[1])
	last := 13
	if children {
		last = 15
	}
	for _, v := range f[11:last] {
		n, e := strconv.ParseFloat(v, 64)
		if e != nil {
			return 0, 0, e
		}
		ticks += n
	}
	return ticks, parent, err
}

// stolenTicks reads how much of its time this machine wanted to compute and the hypervisor let others do so.
func stolenTicks() (stolen, total float64, err error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, fmt.Errorf("read the machine's CPU time: %w", err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return 0, 0, fmt.Errorf("read the machine's CPU time: %q", line)
	}
	for i, v := range f[1:9] { // what follows is part of the first two
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return 0, 0, err
		}
		if total += n; i == 7 {
			stolen = n
		}
	}
	return stolen, total, nil
}

// facts are about where it was measured.
type facts struct {
	CPU        string   `json:"cpu"`
	Cores      int      `json:"cores"`
	MemoryGB   float64  `json:"memory_gb"`
	OS         string   `json:"os"`
	Go         string   `json:"go"`
	PostgreSQL string   `json:"postgresql"`
	Settings   []string `json:"settings"`
}

func (f facts) String() string {
	return fmt.Sprintf("%s, %d cores, %.0f GB, %s, %s, PostgreSQL %s with %s", f.CPU, f.Cores, f.MemoryGB, f.OS, f.Go,
		f.PostgreSQL, strings.Join(f.Settings, ", "))
}

func machine(ctx context.Context, s *server) (facts, error) {
	f := facts{CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
	if v, _, _ := strings.Cut(field("/proc/meminfo", "MemTotal"), " "); v != "" {
		kb, _ := strconv.ParseFloat(v, 64)
		f.MemoryGB = kb / (1 << 20)
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		f.OS = "Linux " + strings.TrimSpace(string(release))
	}
	err := s.admin.QueryRow(ctx, "SELECT split_part(current_setting('server_version'), ' ', 1)").Scan(&f.PostgreSQL)
	if err != nil {
		return f, fmt.Errorf("ask for the version: %w", err)
	}
	rows, err := s.admin.Query(ctx, `SELECT name || '=' || current_setting(name) FROM pg_settings
		WHERE name = ANY($1) OR name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'autovacuum') ORDER BY name`,
		slices.Collect(keys(settings)))
	if err != nil {
		return f, err
	}
	f.Settings, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return f, err
}

func keys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// field finds "name : value" in a file of /proc.
func field(path, name string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(data), " ")
	return first
}
