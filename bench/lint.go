package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/measure"
	"github.com/replank/replank/lint"
)

// lints measures what linters find among statements whose work was measured on servers, and how long they take.
func lints(ctx context.Context, b *bench) error {
	forms, err := recordedForms(ctx)
	if err != nil {
		return err
	}
	b.book.About = fmt.Sprintf("Linters over the %d recorded forms (ddl/testdata/ddl_effects.json), and over %d files of a generated history, whole processes in turns. "+
		"Heavy: the form writes a whole table anew, or reads or indexes one while others wait for its lock. Light: it does neither. "+
		"Replank and pg-migration-guard judge each form on every version from 12 to 18, the others know no versions. What a linter says of something else than the work on rows "+
		"(style, timeouts, clients that break, what is dropped) does not count, for none of them: %s.",
		len(forms), b.cfg.LintFiles, peersAside())
	replank, root, err := b.build(ctx)
	if err != nil {
		return err
	}
	squawk, err := installSquawk(ctx, b.cache)
	if err != nil {
		b.book.note("no squawk: %v", err)
	}
	dir, err := os.MkdirTemp("", "replank-bench-")
	if err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := matrix(ctx, b, forms, root, dir, squawk); err != nil {
		return err
	}
	return lintSpeed(ctx, b, dir, replank, squawk)
}

// matrix counts heavy forms of which a linter says nothing, and light ones which it blames.
func matrix(ctx context.Context, b *bench, forms []measure.Recorded, root, dir, squawk string) error {
	fixture, err := os.ReadFile(filepath.Join(root, "ddl", "testdata", "ddl_fixture.sql"))
	if err != nil {
		return err
	}
	for major := 12; major <= 18; major++ {
		var blamed []bool
		for _, f := range forms {
			blamed = append(blamed, replankBlames(f, major, string(fixture)))
		}
		count(b, forms, major, "Replank", blamed)
	}
	if squawk != "" {
		blames, err := squawkBlames(ctx, forms, dir, squawk)
		if err != nil {
			return err
		}
		for major := 12; major <= 18; major++ {
			count(b, forms, major, "squawk", blames)
		}
	}
	peers, err := pythonBlames(ctx, forms, root, b.cache)
	if err != nil {
		b.book.note("no linters of PyPI: %v", err)
	}
	for _, p := range peers {
		for major := 12; major <= 18; major++ {
			count(b, forms, major, p.Linter, p.Blames[major])
		}
	}
	return nil
}

func count(b *bench, forms []measure.Recorded, major int, subject string, blamed []bool) {
	var missed, heavy, alarms, light float64
	for i, f := range forms {
		h, runs := f.Heavy(major)
		switch {
		case !runs:
		case h:
			heavy++
			if !blamed[i] {
				missed++
			}
		default:
			light++
			if blamed[i] {
				alarms++
			}
		}
	}
	kase := "forms on PostgreSQL " + strconv.Itoa(major)
	b.book.add(kase, subject, "heavy", "forms", heavy)
	b.book.add(kase, subject, "missed", "forms", missed)
	b.book.add(kase, subject, "light", "forms", light)
	b.book.add(kase, subject, "blamed", "forms", alarms)
	if subject == "Replank" {
		b.book.judge(ratio{Case: kase, What: "Replank: heavy forms missed and light ones blamed", Value: missed + alarms, Limit: 0.5, Unit: "forms"})
	}
}

// replankBlames reports whether lint finds work that others wait for.
func replankBlames(f measure.Recorded, major int, fixture string) bool {
	schema := ddl.Empty(major, "postgres")
	if f.TZ != "" {
		schema.TimeZone = f.TZ
	}
	sources := []lint.Source{
		{Name: "0", Path: "0.sql", Text: fixture + ";\n" + strings.Join(f.Setup, ";\n"), Deployed: true},
		{Name: "1", Path: "1.sql", Text: strings.Join(append(slices.Clone(f.Pre), f.SQL), ";\n"), Tx: lint.Whole, Timeouts: true},
	}
	if f.NoTx != 0 {
		sources[1].Tx = lint.Each
	}
	return slices.ContainsFunc(lint.Run(lint.Config{Schema: schema}, sources).Findings, func(x lint.Finding) bool {
		switch x.Rule {
		case "truncate", "validate-in-same-transaction", "work-under-lock":
			return x.Severity == lint.Error
		case "fails":
			return false
		}
		return x.Severity == lint.Error && lint.RuleByID(x.Rule).Family == lint.Families[0] // locks and rewrites
	})
}

// lintSpeed times whole processes over a history, and over one file.
func lintSpeed(ctx context.Context, b *bench, dir, replank, squawk string) error {
	folder := filepath.Join(dir, "history")
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	statements, size, err := writeHistory(folder, b.cfg.LintFiles)
	if err != nil {
		return err
	}
	b.book.note("The history has %d statements, %.1f MB.", statements, float64(size)/1e6)
	paths, err := filepath.Glob(filepath.Join(folder, "*.sql"))
	if err != nil {
		return err
	}
	one := paths[len(paths)/2]
	subjects := map[string][2][]string{"Replank": {{replank, "lint", folder}, {replank, "lint", one}}}
	names := []string{"Replank"}
	if squawk != "" {
		subjects["squawk"] = [2][]string{append([]string{squawk}, paths...), {squawk, one}}
		names = append(names, "squawk")
	}
	err = b.turns(names, func(_ int, name string) error {
		for i, kase := range []string{"history", "one file"} {
			if err := b.timed(ctx, kase, name, "", nil, subjects[name][i]...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.book.compare("history", "CPU", "Replank", "squawk", 0.5, false)
	b.book.compare("history", "time", "Replank", "squawk", 0.5, false)
	b.book.judge(ratio{Case: "history", What: "Replank, most memory", Unit: "MB", Limit: 200, Value: slices.Max(b.book.each("history", "Replank", "memory"))})
	b.book.judge(ratio{Case: "one file", What: "Replank, median time", Unit: "s", Limit: 0.05, Value: median(b.book.each("one file", "Replank", "time"))})
	return nil
}

// timed runs a process, whose exit code 1 says that it has found something, and adds what it took.
func (b *bench) timed(ctx context.Context, kase, subject, dir string, env []string, args ...string) error {
	// The kernel counts the memory of whoever starts a process as the process's own: a shell has little, and so has
	// this program as long as it does not keep what they print.
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", `"$@" & wait $!`, "sh"}, args...)...)
	cmd.Stderr, cmd.Dir, cmd.Env = &said, dir, append(os.Environ(), env...)
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		return fmt.Errorf("%s: %w: %s", subject, err, said.String())
	}
	b.book.add(kase, subject, "CPU", "s", (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	b.book.add(kase, subject, "time", "s", took.Seconds())
	if use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		b.book.add(kase, subject, "memory", "MB", float64(use.Maxrss)/1024)
	}
	return nil
}

// recordedForms are the statements whose work was measured.
func recordedForms(ctx context.Context) ([]measure.Recorded, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	return measure.ReadRecorded(filepath.Join(root, "ddl", "testdata", "ddl_effects.json"))
}
