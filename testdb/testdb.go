// Package testdb gives a test a real PostgreSQL database with the schema and data of the project, as `replank testdb`
// hands them out, so that nobody has to mock one:
//
//	func TestInvoices(t *testing.T) {
//		dsn := testdb.New(t)
//		conn, err := pgx.Connect(t.Context(), dsn)
//		…
//	}
//
// It needs the program replank on the PATH (or named by REPLANK_BIN) and a replank.toml with a table [dev] in the
// folder of the test or one above. It brings no dependencies of its own.
package testdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// New returns the URL of a database that is the test's alone, and is given back when the test ends. One of a test that
// is killed is found and dropped later, as its process is gone.
func New(t testing.TB) string {
	t.Helper()
	config, err := configuration()
	if err != nil {
		t.Fatal(err)
	}
	out, err := replank(config, "--json", "--for", strconv.Itoa(os.Getpid()))
	if err != nil {
		t.Fatalf("take a database for the test: %v", err)
	}
	var db struct{ Name, DSN string }
	if err := json.Unmarshal(out, &db); err != nil {
		t.Fatalf("take a database for the test: replank testdb has printed %q: %v", out, err)
	}
	t.Cleanup(func() {
		if _, err := replank(config, "release", db.Name); err != nil {
			t.Errorf("give the database of the test back: %v", err)
		}
	})
	return db.DSN
}

// configuration finds replank.toml: tests run in the folder of their package.
func configuration() (string, error) {
	if path := os.Getenv("REPLANK_CONFIG"); path != "" {
		return path, nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, "replank.toml")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("there is no replank.toml in %s, nor above: docs/guide-dev.md of Replank shows one", here)
		}
	}
}

// replank runs replank testdb and returns what it prints.
func replank(config string, args ...string) ([]byte, error) {
	program := os.Getenv("REPLANK_BIN")
	if program == "" {
		program = "replank"
	}
	var complaint bytes.Buffer
	cmd := exec.Command(program, append([]string{"testdb", "--config", config}, args...)...)
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("replank testdb: %w\n%s", err, complaint.Bytes())
	}
	return out, err
}
