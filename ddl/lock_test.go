package ddl

import "testing"

// TestLockConflicts is the table of the manual's chapter "Explicit Locking": a row for each mode, an X where the
// mode of the column has to wait, in the order of strength.
func TestLockConflicts(t *testing.T) {
	manual := []string{
		".......X",
		"......XX",
		"....XXXX",
		"...XXXXX",
		"..XX.XXX",
		"..XXXXXX",
		".XXXXXXX",
		"XXXXXXXX",
	}
	for i, row := range manual {
		for j, mark := range row {
			a, b := AccessShare+LockMode(i), AccessShare+LockMode(j)
			if got, want := a.Conflicts(b), mark == 'X'; got != want {
				t.Errorf("%s conflicts with %s: %v, want %v", a, b, got, want)
			}
			if a.Conflicts(b) != b.Conflicts(a) {
				t.Errorf("%s and %s: conflict is not symmetric", a, b)
			}
		}
	}
}

func TestLockModeText(t *testing.T) {
	for m := AccessShare; m <= AccessExclusive; m++ {
		for _, text := range []string{m.String(), m.Abbrev(), lockModes[m].catalog} {
			if got, err := ParseLockMode(text); err != nil || got != m {
				t.Errorf("ParseLockMode(%q) = %v, %v; want %v", text, got, err, m)
			}
		}
	}
	if _, err := ParseLockMode("VERY EXCLUSIVE"); err == nil {
		t.Error("an unknown mode was accepted")
	}
}
