package lint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/replank/replank/ddl"
)

// Severity is how bad a finding is.
type Severity byte

// The severities. The zero value is that of the rule.
const (
	Notice  Severity = iota + 1 // worth knowing
	Warning                     // goes wrong under circumstances that are usual
	Error                       // stops an application, loses data or fails
)

func (s Severity) String() string {
	return [...]string{"", "notice", "warning", "error"}[s]
}

// MarshalText writes the severity as a word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a severity.
func (s *Severity) UnmarshalText(text []byte) error {
	for v := Notice; v <= Error; v++ {
		if v.String() == string(text) {
			*s = v
			return nil
		}
	}
	return fmt.Errorf("unknown severity %q: notice, warning or error", text)
}

// Finding is one thing that a rule says of a statement.
type Finding struct {
	Rule      string   `json:"rule"`
	Severity  Severity `json:"severity"`
	Migration string   `json:"migration"`
	Pos       ddl.Pos  `json:"position"`
	// Statement is the statement as written; "" where the finding is about a whole migration.
	Statement string `json:"statement,omitempty"`
	Message   string `json:"message"`
	// Relation is the table, view or index that suffers; Rows and Bytes are its size where that is known.
	Relation string `json:"relation,omitempty"`
	Rows     *int64 `json:"rows,omitempty"`
	Bytes    *int64 `json:"bytes,omitempty"`
	// Lock is the lock that is held meanwhile.
	Lock string `json:"lock,omitempty"`
	// Why explains, one sentence each.
	Why []string `json:"why,omitempty"`
	// Fingerprint stays the same when the statement moves within its file.
	Fingerprint string `json:"fingerprint"`

	end int // offset of the statement's end, for fixes
	// mended reports whether a later change of the same source takes the danger away.
	mended func(ddl.Op) bool
	// gone is true once a later source of the run has taken it away.
	gone *bool
}

// fingerprint names a finding by what it says of which statement; nth tells equal ones of a migration apart.
func (f Finding) fingerprint(nth int) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{f.Rule, f.Migration, strings.Join(strings.Fields(f.Statement), " "), f.Relation, fmt.Sprint(nth)}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// sizeText is a size for people: "1.2 million rows, 340 MB".
func sizeText(r *ddl.Relation) string {
	if r == nil || r.Rows < 0 {
		return "of unknown size"
	}
	return countText(r.Rows) + " rows, " + bytesText(r.Bytes)
}

func countText(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f billion", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f million", float64(n)/1e6)
	case n >= 1000:
		return fmt.Sprintf("%d,%03d", n/1000, n%1000)
	}
	return fmt.Sprint(n)
}

func bytesText(n int64) string {
	const k = 1 << 10
	for _, u := range []struct {
		name string
		size int64
	}{{"TB", k * k * k * k}, {"GB", k * k * k}, {"MB", k * k}, {"kB", k}} {
		if n >= u.size {
			return fmt.Sprintf("%.3g %s", float64(n)/float64(u.size), u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
