package ddl_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/replank/replank/ddl"
)

// TestReadSnapshotRefuses what is no snapshot, and one of another format, and says what to do.
func TestReadSnapshotRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "not a snapshot",
		"[]":                         "not a snapshot",
		`{"format":`:                 "not a snapshot",
		`{"tables": []}`:             "it has no format",
		`{"format": 1}`:              "it has no shape",
		`{"format": 1, "schema": 5}`: "not a snapshot",
		`{"format": 2, "schema": 5}`: "the snapshot has format 2, this replank reads format 1",
	} {
		_, err := ddl.ReadSnapshot([]byte(text))
		var wrong *ddl.SnapshotError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) || wrong.Hint() == "" {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if hint := (&ddl.SnapshotError{Format: 2}).Hint(); !strings.Contains(hint, "newer") {
		t.Errorf("a newer format: %s", hint)
	}
}

// TestCallsPerDay: since the statement was counted first, or else since counting began; unknown where neither is.
func TestCallsPerDay(t *testing.T) {
	taken := time.Date(2026, 3, 11, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		reset, since time.Duration // before; 0 = not known
		want         float64
	}{{240 * time.Hour, 0, 10}, {240 * time.Hour, 48 * time.Hour, 50}, {time.Minute, 0, 2400}, {0, 0, -1}} {
		s := ddl.Snapshot{Taken: taken}
		st := ddl.LiveStatement{Calls: 100}
		if c.reset > 0 {
			s.Workload.Since = taken.Add(-c.reset)
		}
		if c.since > 0 {
			st.Since = taken.Add(-c.since)
		}
		if n, ok := s.CallsPerDay(st); ok != (c.want >= 0) || ok && n != c.want {
			t.Errorf("%+v: %v %t", c, n, ok)
		}
	}
}
