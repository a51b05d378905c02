package pgtest

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/replank/replank/internal/localpg"
)

// PgDump returns what pg_dump says about the shape of a database, outside schema replank: a second opinion beside Dump.
func PgDump(t testing.TB, dsn string, opts ...ViewOption) string {
	t.Helper()
	o := newViewOptions(opts)
	program := Client(t, "pg_dump")
	args := []string{"--schema-only", "--no-password"}
	for _, schema := range o.ignoreSchemas {
		args = append(args, "--exclude-schema="+quote(schema))
	}
	help, err := exec.Command(program, "--help").Output()
	if err != nil {
		t.Fatalf("pg_dump --help: %v", err)
	}
	if bytes.Contains(help, []byte("--restrict-key")) {
		args = append(args, "--restrict-key=replank") // otherwise random
	}
	cmd := exec.Command(program, append(args, dsn)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	// The environment must not lead pg_dump elsewhere.
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PG") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pg_dump %s: %v: %s", Database(dsn), err, stderr.Bytes())
	}
	return string(out)
}

// clients are the programs found so far.
var clients = struct {
	sync.Mutex
	paths map[string]string
}{paths: map[string]string{}}

// Client returns the path of a client program ("psql", "pg_dump" ...) that can talk to the server the tests run on,
// fetching it if need be.
func Client(t testing.TB, program string) string {
	t.Helper()
	clients.Lock()
	defer clients.Unlock()
	if path, ok := clients.paths[program]; ok {
		return path // to look again takes several processes
	}
	path, err := localpg.Client(context.Background(), program, Major(t), slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		t.Fatal(err)
	}
	clients.paths[program] = path
	return path
}

// Psql runs `psql -f` on SQL: the very thing whose result Replank must reproduce. It returns what psql printed and
// its error, which is set when a statement failed (psql stops there).
func Psql(t testing.TB, dsn, sql string, flags ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(Client(t, "psql"), append([]string{"--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname=" + dsn, "--file=-"}, flags...)...)
	cmd.Stdin = strings.NewReader(sql)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
