package measure

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/replank/replank/ddl"
)

// Recorded is an entry of ddl/testdata/ddl_effects.json: what a statement did once on servers of several versions.
type Recorded struct {
	ID       string   `json:"id"`
	SQL      string   `json:"sql"`
	Setup    []string `json:"setup"` // run before, committed
	Pre      []string `json:"pre"`   // run before, in the same transaction
	TZ       string   `json:"tz"`
	NoTx     int      `json:"notx"` // 1: it cannot run in a transaction
	Measured []struct {
		PG        []int             `json:"pg"` // the versions that behaved alike
		Locks     map[string]string `json:"locks"`
		Rewritten []string          `json:"rewritten"`
		Reindexed []string          `json:"reindexed"`
		Scanned   []string          `json:"scanned"`
		Err       string            `json:"err"`
	} `json:"measured"`
}

// ReadRecorded reads the file of recorded facts.
func ReadRecorded(path string) ([]Recorded, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []Recorded
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return all, nil
}

// Heavy reports whether others wait while the statement works on all rows of a table. runs is false where the version
// refuses the statement.
func (r Recorded) Heavy(major int) (heavy, runs bool) {
	for _, m := range r.Measured {
		if !slices.Contains(m.PG, major) || m.Err != "" {
			continue
		}
		strong := false
		for _, mode := range m.Locks {
			lock, err := ddl.ParseLockMode(mode)
			strong = strong || err == nil && lock.BlocksWrites()
		}
		return len(m.Rewritten) > 0 || strong && len(m.Scanned)+len(m.Reindexed) > 0, true
	}
	return false, false
}
