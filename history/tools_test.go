package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// The real tools, fetched with the ordinary clients of their registries into the user's cache.

const (
	gooseVersion   = "v3.29.0"
	migrateVersion = "v4.20.1"
	dbmateVersion  = "2.36.0"
	flywayVersion  = "11.20.0"
	jdbcVersion    = "42.7.7"
)

// fetched gives a folder of the cache, filled on first use. A tool that cannot be fetched skips the test, except in
// continuous integration, where a test that always skips would stay unseen.
func fetched(t *testing.T, name string, fill func(dir string) error) string {
	t.Helper()
	base, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	target := filepath.Join(base, "replank", "tools", name)
	if exists(target) {
		return target
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(target), ".staging-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := fill(dir); err != nil {
		unavailable(t, fmt.Errorf("fetch %s: %w", name, err))
	}
	if err := os.Rename(dir, target); err != nil && !exists(target) {
		t.Fatal(err)
	}
	return target
}

func unavailable(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// run runs a program and gives what it printed.
func run(dir string, env []string, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), strings.Join(args, " "), err, out.String())
	}
	return out.String(), nil
}

func mustRun(t *testing.T, dir string, env []string, program string, args ...string) string {
	t.Helper()
	out, err := run(dir, env, program, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// goProgram builds a Go program at an exact version, outside of this module.
func goProgram(t *testing.T, name, version, pkg, tags string) string {
	t.Helper()
	dir := fetched(t, name+"-"+version, func(dir string) error {
		_, err := run(dir, []string{"GOBIN=" + dir, "GOFLAGS=-mod=mod"}, "go", "install", "-tags", tags, pkg+"@"+version)
		return err
	})
	return filepath.Join(dir, name)
}

func gooseProgram(t *testing.T) string {
	return goProgram(t, "goose", gooseVersion, "github.com/pressly/goose/v3/cmd/goose",
		"no_clickhouse no_duckdb no_libsql no_mssql no_mysql no_redshift no_spanner no_sqlite3 no_starrocks no_tidb no_turso no_vertica no_ydb")
}

func migrateProgram(t *testing.T) string {
	return goProgram(t, "migrate", migrateVersion, "github.com/golang-migrate/migrate/v4/cmd/migrate", "postgres")
}

func dbmateProgram(t *testing.T) string {
	t.Helper()
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	dir := fetched(t, "dbmate-"+dbmateVersion, func(dir string) error {
		if _, err := run(dir, nil, "npm", "pack", "--silent", "@dbmate/"+runtime.GOOS+"-"+arch+"@"+dbmateVersion); err != nil {
			return err
		}
		tarball, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
		if err != nil || len(tarball) != 1 {
			return fmt.Errorf("npm left %d packages (%v)", len(tarball), err)
		}
		_, err = run(dir, nil, "tar", "xzf", tarball[0])
		return err
	})
	return filepath.Join(dir, "package", "bin", "dbmate")
}

// flywayJars gives the class path of Flyway with its driver.
func flywayJars(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("java"); err != nil {
		t.Skip(err)
	}
	dir := fetched(t, "flyway-"+flywayVersion, func(dir string) error {
		const pom = `<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version><dependencies>
<dependency><groupId>org.flywaydb</groupId><artifactId>flyway-database-postgresql</artifactId><version>` + flywayVersion + `</version></dependency>
<dependency><groupId>org.postgresql</groupId><artifactId>postgresql</artifactId><version>` + jdbcVersion + `</version></dependency>
</dependencies></project>`
		if err := os.WriteFile(filepath.Join(dir, "pom.xml"), []byte(pom), 0o644); err != nil {
			return err
		}
		_, err := run(dir, nil, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib")
		return err
	})
	return filepath.Join(dir, "lib", "*")
}

var installSqitch = sync.OnceValue(func() error {
	if _, err := exec.LookPath("sqitch"); err == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return errors.New("no sqitch here, and only root on Debian can install it")
	}
	if _, err := run("", nil, "apt-get", "update", "-q"); err != nil {
		return err
	}
	_, err := run("", []string{"DEBIAN_FRONTEND=noninteractive"}, "apt-get", "install", "-y", "-q", "--no-install-recommends", "sqitch", "libdbd-pg-perl")
	return err
})

func sqitchProgram(t *testing.T) string {
	t.Helper()
	if err := installSqitch(); err != nil {
		unavailable(t, err)
	}
	return "sqitch"
}
