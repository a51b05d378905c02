package annotate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Baseline is a file of findings that are known and not told again: what a team starts with that adopts lint.
type Baseline struct {
	FormatVersion int     `json:"format_version"`
	Findings      []Entry `json:"findings"`

	entries map[string]int // by fingerprint, index in Findings
	seen    map[string]bool
}

// Entry is a finding of a baseline. The fingerprint is what counts; the rest is for people.
type Entry struct {
	Rule        string `json:"rule"`
	Migration   string `json:"migration"`
	Path        string `json:"path"`
	Message     string `json:"message"`
	Fingerprint string `json:"fingerprint"`
}

// ReadBaseline reads a baseline.
func ReadBaseline(path string) (*Baseline, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b := &Baseline{entries: map[string]int{}, seen: map[string]bool{}}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(b); err != nil {
		return nil, fmt.Errorf("%s is no baseline of replank lint: %w", path, err)
	}
	if b.FormatVersion != 1 {
		return nil, fmt.Errorf("%s: a baseline of form %d; this replank knows form 1", path, b.FormatVersion)
	}
	for i, e := range b.Findings {
		b.entries[e.Fingerprint] = i
	}
	return b, nil
}

// unjudged is what must always be told: nobody knows what stands there.
func unjudged(f Finding) bool { return f.Rule == "syntax" || f.Rule == "client-command" }

// Baseline is the one that knows every finding of the document, but not what could not be judged.
func (d *Document) Baseline() *Baseline {
	b := &Baseline{FormatVersion: 1, Findings: []Entry{}}
	for _, f := range d.Findings {
		if !unjudged(f) {
			b.Findings = append(b.Findings, Entry{f.Rule, f.Migration, f.Path, f.Message, f.Fingerprint})
		}
	}
	return b
}

// Write writes the baseline, an entry a line: merges of branches that both write it mostly just work.
func (b *Baseline) Write(path string) error {
	var out bytes.Buffer
	out.WriteString("{\n  \"format_version\": 1,\n  \"findings\": [")
	for i, e := range b.Findings {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString("\n    ")
		line, err := marshal(e)
		if err != nil {
			return err
		}
		out.Write(line)
	}
	out.WriteString("\n  ]\n}\n")
	return os.WriteFile(path, out.Bytes(), 0o644)
}

func (b *Baseline) knows(f Finding) bool {
	if b == nil {
		return false
	}
	i, ok := b.entries[f.Fingerprint]
	if !ok || b.Findings[i].Rule != f.Rule || unjudged(f) {
		return false
	}
	b.seen[f.Fingerprint] = true
	return true
}

// stale are the entries of migrations that were judged, or are gone, and that match nothing.
func (b *Baseline) stale(cfg Config) []Entry {
	if b == nil {
		return nil
	}
	judged, there := map[string]bool{}, map[string]bool{}
	for _, s := range cfg.Sources {
		there[s.Name] = true
		judged[s.Name] = judged[s.Name] || !s.Deployed
	}
	var stale []Entry
	for _, e := range b.Findings {
		if b.seen[e.Fingerprint] {
			continue
		}
		if judged[e.Migration] || !there[e.Migration] && !exists(filepath.Join(cfg.Root, filepath.FromSlash(e.Path))) {
			stale = append(stale, e)
		}
	}
	return stale
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
