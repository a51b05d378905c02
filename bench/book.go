package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// book holds what one benchmark has measured.
type book struct {
	Name    string    `json:"name"`
	About   string    `json:"about"`
	Machine facts     `json:"machine"`
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended"`
	Runs    int       `json:"runs"`
	Loads   [2]string `json:"load_average"` // of the machine, before and after
	Rows    []*row    `json:"rows"`
	Ratios  []ratio   `json:"ratios"`
	Notes   []string  `json:"notes,omitempty"`
}

// row is one subject in one case.
type row struct {
	Case    string             `json:"case"`
	Subject string             `json:"subject"`
	Values  map[string]*sample `json:"values"`
}

// sample is one metric over all runs; the order of Each is the order of the runs.
type sample struct {
	Unit   string    `json:"unit"`
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Each   []float64 `json:"each"`
}

// ratio compares two subjects within a turn; what counts is the median over the turns, or the worst of them.
type ratio struct {
	Case   string  `json:"case"`
	What   string  `json:"what"`
	Value  float64 `json:"value"`
	Limit  float64 `json:"limit"`
	Least  bool    `json:"at_least,omitempty"` // the limit is a lower one
	Met    bool    `json:"met"`
	Unit   string  `json:"unit"`
	Detail string  `json:"detail,omitempty"`
}

func newBook(name string, runs int) *book {
	b := &book{Name: name, Runs: runs, Began: time.Now()}
	b.Loads[0] = loadAverage()
	return b
}

func (b *book) close() {
	b.Ended = time.Now()
	b.Loads[1] = loadAverage()
}

func (b *book) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(b.Notes, text) {
		b.Notes = append(b.Notes, text)
	}
}

// add takes one measurement of the current run.
func (b *book) add(kase, subject, metric, unit string, value float64) {
	r := b.find(kase, subject)
	if r == nil {
		r = &row{Case: kase, Subject: subject, Values: map[string]*sample{}}
		b.Rows = append(b.Rows, r)
	}
	s := r.Values[metric]
	if s == nil {
		s = &sample{Unit: unit}
		r.Values[metric] = s
	}
	s.Each = append(s.Each, value)
	s.Median, s.Min, s.Max = median(s.Each), slices.Min(s.Each), slices.Max(s.Each)
	say("  %s %s: %s %s", kase, subject, metric, show(value, unit))
}

func (b *book) find(kase, subject string) *row {
	for _, r := range b.Rows {
		if r.Case == kase && r.Subject == subject {
			return r
		}
	}
	return nil
}

// each returns all measurements of a metric; nil when there are none.
func (b *book) each(kase, subject, metric string) []float64 {
	if r := b.find(kase, subject); r != nil && r.Values[metric] != nil {
		return r.Values[metric].Each
	}
	return nil
}

// compare adds the ratio of two subjects in one metric: the median of the ratios of the turns.
func (b *book) compare(kase, metric, a, c string, limit float64, least bool) {
	b.compareWith(kase, metric, a, kase, c, limit, least)
}

// compareWith is compare with a subject of another case.
func (b *book) compareWith(kase, metric, a, other, c string, limit float64, least bool) {
	x, y := b.each(kase, a, metric), b.each(other, c, metric)
	var q []float64
	for i := range min(len(x), len(y)) {
		if y[i] > 0 {
			q = append(q, x[i]/y[i])
		}
	}
	if len(q) == 0 {
		return
	}
	b.judge(ratio{Case: kase, What: fmt.Sprintf("%s: %s ÷ %s", metric, a, c), Value: median(q), Limit: limit, Least: least,
		Unit: "×", Detail: fmt.Sprintf("%s to %s", show(slices.Min(q), "×"), show(slices.Max(q), "×"))})
}

// added adds what a subject has more than another in one metric: the median of the differences of the turns.
func (b *book) added(kase, metric, a, c string, limit float64) {
	x, y := b.each(kase, a, metric), b.each(kase, c, metric)
	var more []float64
	for i := range min(len(x), len(y)) {
		more = append(more, x[i]-y[i])
	}
	if len(more) == 0 {
		return
	}
	unit := b.find(kase, a).Values[metric].Unit
	b.judge(ratio{Case: kase, What: fmt.Sprintf("%s: %s − %s", metric, a, c), Value: median(more), Limit: limit,
		Unit: unit, Detail: fmt.Sprintf("%s to %s", show(slices.Min(more), ""), show(slices.Max(more), unit))})
}

func (b *book) judge(r ratio) {
	switch {
	case r.Limit == 0:
		r.Met = true
	case r.Least:
		r.Met = r.Value >= r.Limit
	default:
		r.Met = r.Value <= r.Limit
	}
	b.Ratios = append(b.Ratios, r)
}

// turns calls do for every subject in every run, in another order each time.
func (b *bench) turns(subjects []string, do func(run int, subject string) error) error {
	rng := rand.New(rand.NewPCG(1, 2))
	for run := range b.runs {
		order := slices.Clone(subjects)
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, s := range order {
			if err := do(run, s); err != nil {
				return fmt.Errorf("run %d of %s: %w", run+1, s, err)
			}
		}
	}
	return nil
}

func median(v []float64) float64 { return quantile(v, 0.5) }

// quantile interpolates between the two nearest values.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	at := q * float64(len(s)-1)
	i := int(at)
	if i+1 == len(s) {
		return s[i]
	}
	return s[i] + (at-float64(i))*(s[i+1]-s[i])
}

// show writes a number with three digits that mean something.
func show(v float64, unit string) string {
	var s string
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case a >= 100 || v == math.Trunc(v):
		s = fmt.Sprintf("%.0f", v)
	case a >= 10:
		s = fmt.Sprintf("%.1f", v)
	case a >= 0.1:
		s = fmt.Sprintf("%.2f", v)
	default:
		s = fmt.Sprintf("%.3f", v)
	}
	if unit == "" || unit == "×" {
		return s + unit
	}
	return s + " " + strings.TrimSpace(unit)
}
