package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// djangos measures the export of a big Django project, and lint of what was exported.
func djangos(ctx context.Context, b *bench) error {
	b.book.About = fmt.Sprintf("A generated Django project (bench/django/generate.py) of %d apps and %d migrations: the whole process of "+
		"`python -m replank.django export`, and `replank lint` of the file that it writes. Python has compiled "+
		"the migrations before.", b.cfg.Apps, b.cfg.Migrations)
	replank, root, err := b.build(ctx)
	if err != nil {
		return err
	}
	python, err := venv(ctx, b.cache, "django", "Django==5.2.*", "psycopg[binary]==3.3.*")
	if err != nil {
		b.book.note("not measured: %v", err)
		return nil
	}
	dir, err := os.MkdirTemp("", "replank-bench-")
	if err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	defer os.RemoveAll(dir)
	project, exported := filepath.Join(dir, "project"), filepath.Join(dir, "history.json")
	generate := exec.CommandContext(ctx, python, filepath.Join(root, "bench", "django", "generate.py"), project,
		"--apps", strconv.Itoa(b.cfg.Apps), "--migrations", strconv.Itoa(b.cfg.Migrations))
	if err := run(generate); err != nil {
		return fmt.Errorf("generate the project: %w", err)
	}
	if err := run(exec.CommandContext(ctx, python, "-m", "compileall", "-q", project)); err != nil {
		return fmt.Errorf("compile the project: %w", err)
	}
	env := []string{"PYTHONPATH=" + filepath.Join(root, "python"), "PYTHONDONTWRITEBYTECODE=1"}
	for range b.runs {
		if err := b.timed(ctx, "export", "Replank", project, env, python, "-m", "replank.django", "export", "-o", exported); err != nil {
			return err
		}
		if err := b.timed(ctx, "lint", "Replank", project, nil, replank, "lint", exported); err != nil {
			return err
		}
	}
	file, err := os.Stat(exported)
	if err != nil {
		return fmt.Errorf("the export wrote nothing: %w", err)
	}
	b.book.note("The exported history has %.1f MB.", float64(file.Size())/1e6)
	for _, kase := range []string{"export", "lint"} {
		limit := map[string]float64{"export": 60, "lint": 5}[kase]
		b.book.judge(ratio{Case: kase, What: "Replank, slowest run", Unit: "s", Limit: limit, Value: slices.Max(b.book.each(kase, "Replank", "time"))})
	}
	return nil
}
