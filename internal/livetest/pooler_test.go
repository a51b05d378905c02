package livetest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/migrate"
)

// bouncer starts PgBouncer in transaction mode before the server of dsn, and returns dsn through it.
func bouncer(t *testing.T, dsn string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal("pgbouncer is not installed: .ci/run installs it (Debian: apt-get install pgbouncer)")
			}
			t.Skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
		}
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close() // pgbouncer takes the port
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "replank-bouncer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ini := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
* = host=%s port=%d user=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
ignore_startup_parameters = extra_float_digits,options,search_path
`, cfg.Host, cfg.Port, cfg.User, port)
	if err := os.WriteFile(ini, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, ini)
	if os.Geteuid() == 0 { // it refuses to be root
		u, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		uid, errU := strconv.Atoi(u.Uid)
		gid, errG := strconv.Atoi(u.Gid)
		if errU != nil || errG != nil || os.Chmod(dir, 0o755) != nil {
			t.Fatalf("run pgbouncer as nobody: %v, %v", errU, errG)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	var log strings.Builder
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	up := make(chan bool, 1)
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := logs.Read(buffer)
			log.Write(buffer[:n])
			if strings.Contains(log.String(), "process up") {
				select {
				case up <- true:
				default:
				}
			}
			if err != nil {
				close(up)
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	if !<-up {
		t.Fatalf("pgbouncer does not start: %s", log.String())
	}
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", cfg.User, port, cfg.Database)
}

// TestBehindPgBouncer (RULES 18): behind transaction pooling the application writes through every transition, with fewer
// server connections than clients, and the executor refuses to work there, naming --direct-db.
func TestBehindPgBouncer(t *testing.T) {
	t.Run("executor", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, thousand, "ALTER TABLE t RENAME COLUMN a TO c;")
		_, err := migrate.Open(ctx, migrate.Config{DSN: bouncer(t, s.dsn)})
		if !isPooler(err) || !strings.Contains(migrate.HintOf(err), "--direct-db") {
			t.Fatalf("open through the pooler: %v, %s", err, migrate.HintOf(err))
		}
	})
	for _, name := range []string{"rename column", "primary key int to bigint with foreign keys", "split with inverse", "rename table"} {
		i := slices.IndexFunc(scenes, func(s scene) bool { return s.name == name })
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			live(t, scenes[i], func(dsn string) string { return bouncer(t, dsn) })
		})
	}
}
