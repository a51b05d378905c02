package journal

import "strings"

// SQL is what creates the journal, for subscribers of a publication of all tables: they need the same objects
// before the first row arrives (RULES 19).
func SQL() string { return strings.Join(upgrades, "\n") }
