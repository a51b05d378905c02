package decisions

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/compare"
	"github.com/replank/replank/internal/pg"
)

// Shadow is what comparing the answers of a template has found on a day.
type Shadow struct {
	Day       time.Time
	Template  string
	Same      int64
	Different int64
	Failed    int64 // not compared: no answer, or too large
	Dropped   int64 // not compared: no room, or the client had gone
}

// Sample is a difference that was found.
type Sample struct {
	At             time.Time
	Template       string
	Method, Path   string
	Failed         string // why the answers could not be compared
	compare.Result        // else
}

//go:embed shadow.sql
var shadowSQL string

//go:embed samples.sql
var samplesSQL string

// AddShadow adds what was found.
func (s *Store) AddShadow(ctx context.Context, found []Shadow, samples []Sample) error {
	if len(found) == 0 && len(samples) == 0 {
		return nil
	}
	var days []time.Time
	var templates []string
	var same, different, failed, dropped []int64
	for _, f := range found {
		days, templates = append(days, f.Day), append(templates, f.Template)
		same, different, failed, dropped = append(same, f.Same), append(different, f.Different), append(failed, f.Failed), append(dropped, f.Dropped)
	}
	var at []time.Time
	var of, methods, paths, failures []string
	var results []json.RawMessage
	for _, p := range samples {
		text, err := json.Marshal(p.Result)
		if err != nil {
			return err
		}
		at, of, methods, paths = append(at, p.At), append(of, p.Template), append(methods, p.Method), append(paths, p.Path)
		failures, results = append(failures, p.Failed), append(results, text)
	}
	err := s.db.Ask(ctx, func(q pg.Querier) error {
		if _, err := q.Exec(ctx, shadowSQL, days, templates, same, different, failed, dropped); err != nil {
			return err
		}
		_, err := q.Exec(ctx, samplesSQL, at, of, methods, paths, failures, results)
		return err
	})
	if err != nil {
		return fmt.Errorf("write what comparing answers has found: %w", err)
	}
	return nil
}

// Shadows returns what was found since a day, and the last samples of a template, the newest first.
func (s *Store) Shadows(ctx context.Context, since time.Time, template string) (found []Shadow, samples []Sample, err error) {
	err = s.db.Ask(ctx, func(q pg.Querier) error {
		rows, err := q.Query(ctx, "SELECT * FROM replank.shadow WHERE day >= $1 ORDER BY day, template", since)
		if err != nil {
			return err
		}
		if found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Shadow]); err != nil {
			return err
		}
		rows, err = q.Query(ctx, `SELECT at, template, method, path, failed, result FROM replank.shadow_sample
			WHERE template = $1 ORDER BY id DESC`, template)
		if err != nil {
			return err
		}
		samples, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Sample, err error) {
			return p, row.Scan(&p.At, &p.Template, &p.Method, &p.Path, &p.Failed, &p.Result)
		})
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read what comparing answers has found: %w", err)
	}
	return found, samples, nil
}
