package ddl_test

import (
	"testing"

	"github.com/replank/replank/ddl"
)

// TestBuiltinMajors looks for what a few majors brought, and that majors nobody knows are the nearest.
func TestBuiltinMajors(t *testing.T) {
	for _, tt := range []struct {
		function   string
		since      int
		volatility byte
	}{{"gen_random_uuid", 13, 'v'}, {"string_to_table", 14, 'i'}, {"random_normal", 16, 'v'}, {"uuidv7", 18, 'v'}, {"lower", 12, 'i'}, {"now", 12, 's'}} {
		for major := ddl.OldestMajor - 1; major <= ddl.NewestMajor+1; major++ {
			s := ddl.Empty(major, "app")
			known := s.Facts.Volatile[tt.function] || s.Facts.Stable[tt.function] || s.Facts.Immutable[tt.function]
			if known != (major >= tt.since || tt.since == ddl.OldestMajor) {
				t.Errorf("PostgreSQL %d knows %s: %t", major, tt.function, known)
			}
			if known && s.FunctionVolatility(tt.function) != tt.volatility {
				t.Errorf("PostgreSQL %d: %s is %c", major, tt.function, s.FunctionVolatility(tt.function))
			}
		}
	}
}

func BenchmarkBuiltin(b *testing.B) {
	for b.Loop() {
		ddl.Builtin(15)
	}
}
