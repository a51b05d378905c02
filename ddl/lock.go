package ddl

import "fmt"

// LockMode is a table-level lock mode, in PostgreSQL's order of strength. The zero value is no lock.
type LockMode uint8

// The modes, weakest first.
const (
	NoLock LockMode = iota
	AccessShare
	RowShare
	RowExclusive
	ShareUpdateExclusive
	Share
	ShareRowExclusive
	Exclusive
	AccessExclusive
)

var lockModes = [...]struct {
	name, abbrev, catalog string
	conflicts             uint16 // bit m is set when the mode conflicts with m
}{
	NoLock:               {"none", "", "", 0},
	AccessShare:          {"ACCESS SHARE", "AS", "AccessShareLock", bits(AccessExclusive)},
	RowShare:             {"ROW SHARE", "RS", "RowShareLock", bits(Exclusive, AccessExclusive)},
	RowExclusive:         {"ROW EXCLUSIVE", "RE", "RowExclusiveLock", bits(Share, ShareRowExclusive, Exclusive, AccessExclusive)},
	ShareUpdateExclusive: {"SHARE UPDATE EXCLUSIVE", "SUE", "ShareUpdateExclusiveLock", bits(ShareUpdateExclusive, Share, ShareRowExclusive, Exclusive, AccessExclusive)},
	Share:                {"SHARE", "S", "ShareLock", bits(RowExclusive, ShareUpdateExclusive, ShareRowExclusive, Exclusive, AccessExclusive)},
	ShareRowExclusive:    {"SHARE ROW EXCLUSIVE", "SRE", "ShareRowExclusiveLock", bits(RowExclusive, ShareUpdateExclusive, Share, ShareRowExclusive, Exclusive, AccessExclusive)},
	Exclusive:            {"EXCLUSIVE", "X", "ExclusiveLock", bits(RowShare, RowExclusive, ShareUpdateExclusive, Share, ShareRowExclusive, Exclusive, AccessExclusive)},
	AccessExclusive:      {"ACCESS EXCLUSIVE", "AE", "AccessExclusiveLock", bits(AccessShare, RowShare, RowExclusive, ShareUpdateExclusive, Share, ShareRowExclusive, Exclusive, AccessExclusive)},
}

func bits(modes ...LockMode) (b uint16) {
	for _, m := range modes {
		b |= 1 << m
	}
	return b
}

// String is the mode in the words of LOCK TABLE.
func (m LockMode) String() string { return lockModes[m].name }

// Abbrev is the mode in one to three letters: AS RS RE SUE S SRE X AE.
func (m LockMode) Abbrev() string { return lockModes[m].abbrev }

// Conflicts reports whether two sessions cannot hold m and other on one relation at the same time.
func (m LockMode) Conflicts(other LockMode) bool { return lockModes[m].conflicts&(1<<other) != 0 }

// BlocksReads reports whether a plain SELECT has to wait for the holder of m.
func (m LockMode) BlocksReads() bool { return m.Conflicts(AccessShare) }

// BlocksWrites reports whether INSERT, UPDATE and DELETE have to wait for the holder of m.
func (m LockMode) BlocksWrites() bool { return m.Conflicts(RowExclusive) }

// MarshalText writes the mode in the words of LOCK TABLE, so that a stored plan reads like the manual.
func (m LockMode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (m *LockMode) UnmarshalText(text []byte) (err error) {
	*m, err = ParseLockMode(string(text))
	return err
}

// ParseLockMode reads a mode as LOCK TABLE ("ACCESS EXCLUSIVE"), pg_locks ("AccessExclusiveLock") or Abbrev
// ("AE") write it.
func ParseLockMode(text string) (LockMode, error) {
	for m, l := range lockModes {
		if text == l.name || text == l.abbrev || text == l.catalog {
			return LockMode(m), nil
		}
	}
	return NoLock, fmt.Errorf("%q is no lock mode", text)
}
