package devdb

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
)

// signs are those of a refusal, sorted.
func signs(err error) []string {
	var found []string
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		for _, one := range many.Unwrap() {
			var r *RefusedError
			if errors.As(one, &r) {
				found = append(found, r.Sign)
			}
		}
	}
	slices.Sort(found)
	return found
}

func refused(t *testing.T, cfg Config, want ...string) {
	t.Helper()
	d, err := Open(context.Background(), cfg)
	if err == nil {
		d.Close()
	}
	if got := signs(err); !slices.Equal(got, want) {
		t.Errorf("refused for %q, want %q: %v", got, want, err)
	}
}

// TestLooksLikeProduction: each sign, all of them at once, and what is allowed knowingly.
func TestLooksLikeProduction(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t, map[string]string{"archive_mode": "on", "archive_command": "true"})
	s := newShop(t, server)
	admin := server.DSN("postgres")
	pgtest.Exec(t, admin, "SELECT pg_create_physical_replication_slot('backup')", "CREATE ROLE rds_superuser", "CREATE DATABASE "+s.name())
	cfg := s.cfg
	refused(t, cfg, SignArchive, SignManaged, SignSlots)
	cfg.MaxBytes, cfg.MaxTransactions = 1, 1
	refused(t, cfg, SignAge, SignArchive, SignManaged, SignSize, SignSlots)
	cfg.Allow = []string{SignAge, SignArchive, SignManaged, SignSlots}
	refused(t, cfg, SignSize)
	cfg.Allow = append(cfg.Allow, SignSize)
	refused(t, cfg)
	cfg.DSN = strings.Replace(cfg.DSN, s.name(), "shop_prod", 1)
	cfg.Allow = nil
	refused(t, cfg, SignName) // what needs no connection is told before there is one
}

func TestStandbyIsRefused(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t, nil)
	replica := pgtest.Replica(t, server, nil)
	s := newShop(t, replica)
	refused(t, s.cfg, SignStandby)
	s.cfg.DSN = server.DSN("shop_dev")
	if err := func() error { _, err := Open(context.Background(), s.cfg); return err }(); !slices.Contains(signs(err), SignStandby) {
		t.Errorf("a server with a standby: %v", err)
	}
}

// TestRefusedBeforeConnecting: what the configuration and the environment say.
func TestRefusedBeforeConnecting(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"another machine", Config{DSN: "postgres://db.example.com/shop_dev"}, []string{SignHost}},
		{"an address", Config{DSN: "host=10.0.0.7 dbname=shop_dev"}, []string{SignHost}},
		{"one of two", Config{DSN: "postgres://127.0.0.1,db.example.com/shop_dev"}, []string{SignHost}},
		{"another one allowed", Config{DSN: "postgres://db.example.com/shop_dev", AllowHost: "db2.example.com"}, []string{SignHost}},
		{"named like production", Config{DSN: "postgres://127.0.0.1/shop-production"}, []string{SignName}},
		{"all at once", Config{DSN: "postgres://10.1.1.1/live", Environ: []string{"DJANGO_DEBUG=0", "FLASK_ENV=production", "DEBUG=false"}},
			[]string{SignHost, SignName, SignSettings, SignSettings, SignSettings}},
		{"settings module", Config{DSN: "postgres://127.0.0.1/shop_dev", Env: map[string]string{"DJANGO_SETTINGS_MODULE": "shop.settings.prod"}}, []string{SignSettings}},
		{"a database elsewhere", Config{DSN: "postgres://127.0.0.1/shop_dev", Environ: []string{"LEGACY_URL=postgresql+psycopg2://app@legacy.example.com/shop"}}, []string{SignEnvironment}},
		{"declared", Config{DSN: "postgres://127.0.0.1/shop_dev", Steps: []Step{{Env: map[string]string{"X": "postgres://legacy.example.com/shop"}}}}, []string{SignEnvironment}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Environ = append(c.cfg.Environ, "PATH=/bin")
			refused(t, c.cfg, c.want...)
		})
	}
	// What is replaced by us, or declared to be here, is nothing to mind; and neither are names that only look alike.
	for _, cfg := range []Config{
		{Environ: []string{"DATABASE_URL=postgres://db.example.com/shop"}},
		{Environ: []string{"LEGACY_URL=postgres://db.example.com/shop"}, Env: map[string]string{"LEGACY_URL": "{url}"}},
		{Environ: []string{"DEBUG=1", "FLASK_ENV=development"}},
		{DSN: "postgres://127.0.0.1:1/products_delivery"},
		{DSN: "postgres://db:1/shop_dev"},
		{DSN: "postgres://db.example.invalid:1/shop_dev", AllowHost: "db.example.invalid"},
	} {
		if cfg.DSN == "" {
			cfg.DSN = "postgres://127.0.0.1:1/shop_dev"
		}
		_, err := Open(context.Background(), cfg)
		if err == nil || len(signs(err)) > 0 {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// TestNothingOfOthersIsDropped: a database that was not made here is replaced only when it is named, also when a dump has
// brought our comment along; and so is one whose name begins like ours.
func TestNothingOfOthersIsDropped(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	admin := s.server.DSN("postgres")
	alike := s.name() + "_replank_test_0123456789ab"
	pgtest.Exec(t, admin, "CREATE DATABASE "+s.name(), "CREATE DATABASE "+alike, "CREATE DATABASE "+s.name()+"_replank_new_0123456789abcdef")
	pgtest.Exec(t, s.cfg.DSN, "CREATE TABLE precious ()")
	var r *RefusedError
	for _, comment := range []string{"", `{"replank":"dev","project":"` + s.name() + `","oid":1,"at":"2020-01-01T00:00:00Z"}`} {
		pgtest.Exec(t, admin, "COMMENT ON DATABASE "+s.name()+" IS '"+comment+"'")
		if _, err := s.open().Refresh(context.Background()); !errors.As(err, &r) || r.Sign != SignUnmarked || !strings.Contains(r.Hint(), "--take-over "+s.name()) {
			t.Errorf("%v", err)
		}
		if _, err := s.open().Reset(context.Background()); !errors.As(err, &r) {
			t.Errorf("%v", err)
		}
	}
	if !pgtest.Value[bool](t, s.cfg.DSN, "SELECT to_regclass('precious') IS NOT NULL") {
		t.Fatal("it was replaced")
	}
	if err := s.open().drop(context.Background(), alike); err != nil || pgtest.Value[int](t, s.server.DSN(alike), "SELECT 1") != 1 {
		t.Errorf("a database without our mark: %v", err)
	}
	s.cfg.TakeOver = s.name()
	s.refresh()
	if s.count(s.name()) != 1000 || len(s.made(kindOld)) != 0 {
		t.Error("it was not taken over")
	}
	s.cfg.TakeOver = ""
	s.write("data.sql", "INSERT INTO item VALUES (1)")
	s.refresh()
	pgtest.Exec(t, admin, "ALTER DATABASE "+s.name()+" RENAME TO "+s.name()+"_mine")
	s.refresh() // makes it anew; the renamed one is a person's
	if s.count(s.name()+"_mine") != 1 || s.count(s.name()) != 1 {
		t.Error("the renamed one is not there")
	}
}
