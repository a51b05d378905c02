package livetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
)

// subscriber is a server of its own, which can have a subscription with a slot on the shared one: within one server
// the slot would wait for the statement that makes it.
type subscriber struct {
	t      *testing.T
	server *pgtest.Server
}

const published = "CREATE TABLE t (id int PRIMARY KEY, a text)"

// pair makes a publisher and a site on the subscriber.
func (r subscriber) pair(t *testing.T, prepare, sql string) (publisher string, s *site) {
	t.Helper()
	publisher = pgtest.DB(t)
	pgtest.Exec(t, publisher, published, "INSERT INTO t SELECT g, 'old' FROM generate_series(1, 100) g", "CREATE PUBLICATION p FOR TABLE t")
	dsn := pgtest.DB(t, pgtest.On(r.server))
	// The names of slots are those of a server, and tests share it.
	in := strings.NewReplacer("{slot}", "s_"+pgtest.Database(publisher), "{publisher}", publisher).Replace
	s = siteOn(t, dsn, published, in(sql), accept("irreversible"))
	if prepare != "" {
		pgtest.Exec(t, dsn, strings.Split(in(prepare), "; ")...)
	}
	return publisher, s
}

func slots(t *testing.T, publisher string) int {
	t.Helper()
	return pgtest.Value[int](t, publisher, "SELECT count(*)::int FROM pg_replication_slots WHERE slot_name = 's_' || current_database()")
}

// wantRows waits until the subscriber has so many rows.
func wantRows(t *testing.T, dsn string, want int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		got := pgtest.Value[int](t, dsn, "SELECT count(*)::int FROM t")
		if got == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the subscriber has %d rows, want %d", got, want)
		}
	}
}

const createSubscription = "CREATE SUBSCRIPTION s CONNECTION '{publisher}' PUBLICATION p WITH (slot_name = '{slot}');"

// TestSubscriptionWithSlot: what makes and drops slots on another server is carried out as psql would.
func TestSubscriptionWithSlot(t *testing.T) {
	r := subscriber{t, pgtest.Own(t, nil)}
	const count = "SELECT count(*)::int FROM pg_subscription WHERE subname = 's' AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"

	t.Run("create", func(t *testing.T) {
		publisher, s := r.pair(t, "", "CREATE INDEX t_a ON t (a);\n"+createSubscription)
		s.apply()
		if got := s.state(); got != "done" || slots(t, publisher) != 1 {
			t.Errorf("the run is %s, with %d slots", got, slots(t, publisher))
		}
		wantRows(t, s.dsn, 100)
		pgtest.Exec(t, publisher, "INSERT INTO t VALUES (101, 'new')")
		wantRows(t, s.dsn, 101)
		if pgtest.Value[bool](t, s.dsn, "SELECT plan::text LIKE '%postgres://%' OR plan::text LIKE '%host=%' FROM replank.plan") {
			t.Error("the journal keeps the connection")
		}
		var refused *migrate.RefusedError
		if _, err := s.open().Revert(ctx, ""); !errors.As(err, &refused) || refused.Code != migrate.Irreversible {
			t.Errorf("revert: %v", err)
		}
	})
	t.Run("create, and a failure behind it", func(t *testing.T) {
		publisher, s := r.pair(t, "", createSubscription+"\nSELECT 1 / (SELECT count(*) FROM u);")
		pgtest.Exec(t, s.dsn, "CREATE TABLE u (id int)")
		_, err := s.open().Apply(ctx, s.files)
		if err == nil || s.state() != "failed" || slots(t, publisher) != 1 || strings.Contains(err.Error()+migrate.HintOf(err), "://") {
			t.Errorf("apply: %v, %s, %d slots", err, s.state(), slots(t, publisher))
		}
		pgtest.Exec(t, s.dsn, "INSERT INTO u VALUES (1)")
		if _, err := s.open().Resume(ctx, "0001_change"); err != nil || s.state() != "done" || pgtest.Value[int](t, s.dsn, count) != 1 {
			t.Errorf("resume: %v (%s), %s", err, migrate.HintOf(err), s.state())
		}
	})
	t.Run("a slot of that name", func(t *testing.T) {
		publisher, s := r.pair(t, "", "CREATE INDEX t_a ON t (a);\n"+createSubscription)
		pgtest.Exec(t, publisher, "SELECT pg_create_logical_replication_slot('s_' || current_database(), 'pgoutput')")
		if _, err := s.open().Apply(ctx, s.files); sqlstate(err) != "42710" && !strings.Contains(err.Error(), "already exists") {
			t.Errorf("apply: %v", err)
		}
		if s.state() != "reverted" || slots(t, publisher) != 1 || pgtest.Value[int](t, s.dsn, count) != 0 {
			t.Errorf("the run is %s, with %d slots", s.state(), slots(t, publisher))
		}
	})
	t.Run("killed within, a slot is left", func(t *testing.T) {
		publisher, s := r.pair(t, "", "CREATE INDEX t_a ON t (a);\n"+createSubscription)
		dying, kill := context.WithCancel(ctx)
		e := s.open(func(c *migrate.Config) {
			c.Failpoint = func(name string) {
				if name == "expanding/concurrently/started" {
					kill()
				}
			}
		})
		if _, err := e.Apply(dying, s.files); err == nil {
			t.Fatal("it was to be killed")
		}
		e.Close()
		// The statement's backend, killed behind the slot and before its commit, leaves just that.
		pgtest.Exec(t, publisher, "SELECT pg_create_logical_replication_slot('s_' || current_database(), 'pgoutput')")
		slot := "s_" + pgtest.Database(publisher)
		_, err := s.open().Resume(ctx, "")
		if migrate.VerdictOf(err) != migrate.VerdictUnknown || !strings.Contains(migrate.HintOf(err), slot) || s.state() != "expanding" {
			t.Errorf("resume: %v (%s), %s", err, migrate.HintOf(err), s.state())
		}
		found, err := s.open().Doctor(ctx)
		if err != nil || !slices.ContainsFunc(found, func(f migrate.Finding) bool { return f.Level == migrate.Bad && strings.Contains(f.Text, slot) }) {
			t.Errorf("doctor: %v, %v", found, err)
		}
		pgtest.Exec(t, publisher, "SELECT pg_drop_replication_slot('"+slot+"')")
		if _, err := s.open().Resume(ctx, ""); err != nil || s.state() != "done" || pgtest.Value[int](t, s.dsn, count) != 1 {
			t.Errorf("resume: %v (%s), %s", err, migrate.HintOf(err), s.state())
		}
	})
	t.Run("drop", func(t *testing.T) {
		publisher, s := r.pair(t, createSubscription, "DROP SUBSCRIPTION s;")
		if s.apply(); s.state() != "ready" || slots(t, publisher) != 1 {
			t.Errorf("the run is %s, with %d slots", s.state(), slots(t, publisher))
		}
		s.complete()
		if s.state() != "done" || slots(t, publisher) != 0 || pgtest.Value[int](t, s.dsn, count) != 0 {
			t.Errorf("the run is %s, with %d slots", s.state(), slots(t, publisher))
		}
	})
	t.Run("drop without its publisher", func(t *testing.T) {
		publisher, s := r.pair(t, createSubscription, "DROP SUBSCRIPTION s; ALTER TABLE t DROP COLUMN a;")
		s.apply()
		pgtest.Exec(t, s.dsn, "ALTER SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1'")
		if _, err := s.open().Complete(ctx, "", migrate.CompleteOptions{NoOldReaders: true}); err == nil || s.state() != "ready" {
			t.Fatalf("complete: %v, %s", err, s.state())
		}
		pgtest.Exec(t, s.dsn, "ALTER SUBSCRIPTION s CONNECTION '"+publisher+"'")
		s.complete()
		if slots(t, publisher) != 0 {
			t.Error("the slot is left")
		}
	})
	t.Run("refresh", func(t *testing.T) {
		publisher, s := r.pair(t, createSubscription, "CREATE TABLE u (id int PRIMARY KEY);\nALTER SUBSCRIPTION s REFRESH PUBLICATION;")
		pgtest.Exec(t, publisher, "CREATE TABLE u (id int PRIMARY KEY)", "ALTER PUBLICATION p ADD TABLE u")
		s.apply()
		if got := pgtest.Value[string](t, s.dsn, "SELECT string_agg(srrelid::regclass::text, ' ' ORDER BY srrelid::regclass::text) FROM pg_subscription_rel"); got != "t u" {
			t.Errorf("the subscription has %s", got)
		}
	})
	t.Run("what the slot has to know", func(t *testing.T) {
		pgtest.AtLeast(t, 17)
		publisher, s := r.pair(t, createSubscription+"; ALTER SUBSCRIPTION s DISABLE", "ALTER SUBSCRIPTION s SET (failover = true);")
		pgtest.Exec(t, publisher, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active AND database = current_database()")
		s.apply()
		if !pgtest.Value[bool](t, publisher, "SELECT bool_and(failover) FROM pg_replication_slots WHERE database = current_database()") {
			t.Error("the slot does not know")
		}
	})
	for place, sql := range map[string]string{"created": createSubscription, "dropped": "DROP SUBSCRIPTION s;"} {
		t.Run("killed when it is "+place, func(t *testing.T) {
			prepare, state := "", "expanding"
			if place == "dropped" {
				prepare, state = createSubscription, "completing"
			}
			publisher, s := r.pair(t, prepare, sql)
			dying, kill := context.WithCancel(ctx)
			e := s.open(func(c *migrate.Config) {
				c.Failpoint = func(name string) {
					if name == state+"/concurrently/ran" {
						kill()
					}
				}
			})
			_, err := e.Apply(dying, s.files)
			if err == nil && place == "dropped" {
				_, err = e.Complete(dying, "", migrate.CompleteOptions{NoOldReaders: true})
			}
			if e.Close(); err == nil {
				t.Fatal("it was to be killed")
			}
			if _, err := s.open().Resume(ctx, ""); err != nil && place == "created" {
				t.Fatalf("resume: %v (%s)", err, migrate.HintOf(err))
			}
			if place == "dropped" && s.state() != "done" {
				s.complete()
			}
			want := map[string]int{"created": 1, "dropped": 0}[place]
			if s.state() != "done" || slots(t, publisher) != want || pgtest.Value[int](t, s.dsn, count) != want {
				t.Errorf("the run is %s, with %d slots", s.state(), slots(t, publisher))
			}
		})
	}
}
