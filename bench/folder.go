package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/replank/replank/history"
	"github.com/replank/replank/migrate"
)

// folder measures how long `replank plan` takes over a folder whose files have all been applied.
func folder(ctx context.Context, b *bench) error {
	b.book.About = fmt.Sprintf("A folder of %d applied migrations of a few statements each: the whole process `replank plan`, "+
		"once when nothing has changed and once when one byte of one old file has.", b.cfg.Files)
	binary, _, err := b.build(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "replank-bench-")
	if err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := writeFolder(dir, b.cfg.Files); err != nil {
		return err
	}
	if err := b.server.seed(ctx, "bench_empty"); err != nil {
		return err
	}
	return b.server.copied(ctx, "bench_empty", func(db string) error {
		dsn := b.server.DSN(db)
		ms, err := history.Read(dir)
		if err != nil {
			return err
		}
		err = engine(ctx, replankConfig(dsn), func(e *migrate.Engine) error {
			_, err := e.Baseline(ctx, ms, ms[len(ms)-1].Name)
			return err
		})
		if err != nil {
			return err
		}
		if err := folderRuns(ctx, b, binary, dir, dsn, ms); err != nil {
			return err
		}
		for _, kase := range []string{"nothing changed", "one byte changed"} {
			b.book.judge(ratio{Case: kase, What: "replank plan, slowest run", Unit: "s", Limit: 2, Value: slices.Max(b.book.each(kase, "replank plan", "time"))})
		}
		return nil
	})
}

func folderRuns(ctx context.Context, b *bench, binary, dir, dsn string, ms []history.Migration) error {
	for i := range b.runs {
		out, took, err := planFolder(ctx, binary, dir, dsn)
		if err != nil {
			return fmt.Errorf("plan: %w: %s", err, out)
		}
		if !strings.Contains(strings.ToLower(out), "nothing to do") {
			return fmt.Errorf("plan does not say that there is nothing to do: %s", out)
		}
		b.book.add("nothing changed", "replank plan", "time", "s", took)
		m := ms[rand.New(rand.NewPCG(17, uint64(i))).IntN(len(ms)/2)]
		text, err := os.ReadFile(m.Path)
		if err != nil {
			return err
		}
		edited := bytes.Replace(text, []byte("int"), []byte("inT"), 1)
		if err := os.WriteFile(m.Path, edited, 0o644); err != nil {
			return err
		}
		out, took, err = planFolder(ctx, binary, dir, dsn)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || !strings.Contains(out, filepath.Base(m.Path)) {
			return fmt.Errorf("plan does not name the edited file %s (%w): %s", m.Path, err, out)
		}
		b.book.add("one byte changed", "replank plan", "time", "s", took)
		if err := os.WriteFile(m.Path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func planFolder(ctx context.Context, binary, dir, dsn string) (out string, took float64, err error) {
	cmd := exec.CommandContext(ctx, binary, "plan", dir, "--db", dsn)
	began := time.Now()
	text, err := cmd.CombinedOutput()
	return string(text), time.Since(began).Seconds(), err
}

// writeFolder writes migrations as teams have them: tables, columns, indexes, constraints and data.
func writeFolder(dir string, files int) error {
	for i := range files {
		t := fmt.Sprintf("t%05d", i/5)
		text := []string{
			"CREATE TABLE %[1]s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, amount int NOT NULL DEFAULT 0, created timestamptz NOT NULL DEFAULT now());\nCOMMENT ON TABLE %[1]s IS 'table %[2]d';\n",
			"ALTER TABLE %[1]s ADD COLUMN state int;\nALTER TABLE %[1]s ADD COLUMN note text;\n-- a comment; with a semicolon\n",
			"CREATE INDEX %[1]s_state ON %[1]s (state, (name::text)) WHERE state > %[2]d;\n-- point\n",
			"UPDATE %[1]s SET state = amount %% 7 WHERE state IS NULL AND name <> 'printer';\n",
			"ALTER TABLE %[1]s ADD CONSTRAINT %[1]s_amount CHECK (amount >= 0);\n-- hint\nDO $$ BEGIN PERFORM 1; END $$;\n",
		}[i%5]
		path := filepath.Join(dir, fmt.Sprintf("%05d_change.sql", i))
		if err := os.WriteFile(path, []byte(fmt.Sprintf(text, t, i)), 0o644); err != nil {
			return fmt.Errorf("write a migration: %w", err)
		}
	}
	return nil
}

// build makes the program that is measured, and says where its source is.
func (b *bench) build(ctx context.Context) (binary, root string, err error) {
	if root, err = moduleRoot(ctx); err != nil {
		return "", "", err
	}
	binary = filepath.Join(b.cache, "replank")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/replank/replank/cmd/replank")
	build.Dir = root
	if err := run(build); err != nil {
		return "", "", fmt.Errorf("build replank: %w", err)
	}
	return binary, root, nil
}

// moduleRoot is the folder of the source that is measured.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Module.Dir}}", "github.com/replank/replank/cmd/replank").Output()
	if err != nil {
		return "", fmt.Errorf("find the source of replank; run bench inside of its folder: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
