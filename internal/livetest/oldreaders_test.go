package livetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
)

// TestCompleteAsksBeforeANameGoes: nothing is lost when an old name goes, but code that still uses it fails.
func TestCompleteAsksBeforeANameGoes(t *testing.T) {
	for change, ends := range map[string]string{
		"ALTER TABLE t RENAME COLUMN a TO b;":         "the name a of column b of public.t",
		"ALTER TABLE t RENAME TO u;":                  "the name public.t of public.u",
		"ALTER TABLE t RENAME COLUMN stored TO kept;": "the name stored of column kept of public.t", // at complete
	} {
		t.Run(change, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "CREATE TABLE t (id int PRIMARY KEY, a int, stored int GENERATED ALWAYS AS (a * 2) STORED)", change, accept("column-order")).apply()
			_, err := s.open().Complete(ctx, "", migrate.CompleteOptions{})
			var refused *migrate.RefusedError
			if !errors.As(err, &refused) || refused.Code != migrate.OldReaders || strings.Join(refused.Items, "") != ends {
				t.Fatalf("complete without a word: %v", err)
			}
			s.complete()
		})
	}
}

// TestWhatIsNoRelationWaits: apply completes by itself what it has made itself, but not what takes away a function that
// was there before.
func TestWhatIsNoRelationWaits(t *testing.T) {
	s := newSite(t, "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE TABLE made (id int, gone int); DROP FUNCTION f(); ALTER TABLE made DROP COLUMN gone;",
		accept("irreversible")).apply()
	if s.state() != string(migrate.Ready) {
		t.Errorf("after apply the run is %s", s.state())
	}
	if got := pgtest.Value[int](t, s.dsn, "SELECT f()"); got != 1 {
		t.Errorf("f() is %d", got)
	}
	s.complete()
	if pgtest.Value[bool](t, s.dsn, "SELECT EXISTS (SELECT FROM pg_proc WHERE proname = 'f')") {
		t.Error("f() is there after complete")
	}
}
