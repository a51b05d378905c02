package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// results are the last books of all benchmarks.
type results struct {
	Books []*book `json:"benchmarks"`
}

const jsonName, markdownName = "benchmarks.json", "benchmarks.md"

func readResults(dir string) (*results, error) {
	r := new(results)
	if dir == "" {
		return r, nil
	}
	data, err := os.ReadFile(filepath.Join(dir, jsonName))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the earlier results: %w", err)
	}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("read the earlier results: %w", err)
	}
	return r, nil
}

// put replaces the earlier book of a benchmark.
func (r *results) put(b *book) {
	r.Books = slices.DeleteFunc(r.Books, func(o *book) bool { return o.Name == b.Name })
	r.Books = append(r.Books, b)
	place := func(b *book) int {
		return slices.IndexFunc(benchmarks, func(m benchmark) bool { return m.name == b.Name })
	}
	slices.SortFunc(r.Books, func(a, b *book) int { return cmp.Compare(place(a), place(b)) })
}

// write stores the results, or prints the last of them.
func (r *results) write(dir string) error {
	if dir == "" {
		_, err := fmt.Print(r.Books[len(r.Books)-1].markdown())
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the results: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of the results: %w", err)
	}
	err = os.WriteFile(filepath.Join(dir, jsonName), append(data, '\n'), 0o644)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, markdownName), []byte(r.markdown()), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	return nil
}

const preface = `# Benchmarks

Written by ` + "`make bench`" + ` (` + "`go run ./bench -out docs`" + `) from benchmarks.json; do not edit. All subjects of a benchmark take
turns on one private server within one run, in another order each time. Numbers are medians over the runs, with the
least and the greatest in parentheses; a ratio is the median of the ratios within a turn.

`

func (r *results) markdown() string {
	var b strings.Builder
	b.WriteString(preface)
	for _, k := range r.Books {
		b.WriteString(k.markdown())
	}
	return b.String()
}

func (b *book) markdown() string {
	var s strings.Builder
	fmt.Fprintf(&s, "## %s\n\n%s\n\n", b.Name, b.About)
	var metrics []string
	for _, r := range b.Rows {
		for m := range r.Values {
			if !slices.Contains(metrics, m) {
				metrics = append(metrics, m)
			}
		}
	}
	slices.Sort(metrics)
	fmt.Fprintf(&s, "| case | subject | %s |\n|---|---|%s\n", strings.Join(metrics, " | "), strings.Repeat("---:|", len(metrics)))
	rows := slices.Clone(b.Rows)
	slices.SortStableFunc(rows, func(x, y *row) int {
		return cmp.Or(cmp.Compare(x.Case, y.Case), cmp.Compare(x.Subject, y.Subject))
	})
	for _, r := range rows {
		fmt.Fprintf(&s, "| %s | %s |", r.Case, r.Subject)
		for _, m := range metrics {
			fmt.Fprintf(&s, " %s |", r.Values[m].cell())
		}
		s.WriteString("\n")
	}
	s.WriteString("\n")
	if len(b.Ratios) > 0 {
		s.WriteString("| case | compared | found | range | wanted | |\n|---|---|---:|---|---:|---|\n")
		for _, q := range b.Ratios {
			fmt.Fprintf(&s, "| %s | %s | %s | %s | %s | %s |\n", q.Case, q.What, show(q.Value, q.Unit), q.Detail, q.wanted(), q.verdict())
		}
		s.WriteString("\n")
	}
	for _, n := range b.Notes {
		fmt.Fprintf(&s, "- %s\n", n)
	}
	fmt.Fprintf(&s, "- %d runs, %s to %s, load average of the machine %s before and %s after\n", b.Runs,
		b.Began.UTC().Format("2006-01-02 15:04"), b.Ended.UTC().Format("15:04 UTC"), b.Loads[0], b.Loads[1])
	fmt.Fprintf(&s, "- %s\n\n", b.Machine)
	return s.String()
}

func (v *sample) cell() string {
	switch {
	case v == nil:
		return ""
	case len(v.Each) == 1 || v.Min == v.Max:
		return show(v.Median, v.Unit)
	}
	return fmt.Sprintf("%s (%s–%s)", show(v.Median, v.Unit), show(v.Min, ""), show(v.Max, ""))
}

func (q ratio) wanted() string {
	switch {
	case q.Limit == 0:
		return ""
	case q.Least:
		return "≥ " + show(q.Limit, q.Unit)
	}
	return "≤ " + show(q.Limit, q.Unit)
}

func (q ratio) verdict() string {
	switch {
	case q.Limit == 0:
		return ""
	case q.Met:
		return "yes"
	}
	return "**no**"
}
