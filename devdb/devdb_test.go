package devdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/localpg"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
)

// asCommand makes this test binary be a command of a project: "journal" makes a journal of Replank, "serve ADDRESS" is an app.
const asCommand = "REPLANK_TEST_COMMAND"

func TestMain(m *testing.M) {
	if err := command(os.Getenv(asCommand)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	pgtest.Main(m)
}

func command(name string) error {
	name, address, _ := strings.Cut(name, " ")
	switch name {
	case "journal":
		db, err := pg.Open(context.Background(), pg.Config{DSN: os.Getenv("DATABASE_URL")})
		if err != nil {
			return err
		}
		defer db.Close()
		j, err := journal.Open(context.Background(), db, journal.Config{})
		if err != nil {
			return err
		}
		if err := j.Upgrade(context.Background()); err != nil {
			return err
		}
		os.Exit(0)
	case "serve":
		fmt.Println("listening")
		return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				http.NotFound(w, r)
			}
		}))
	}
	return nil
}

// shop is a project whose steps are files of SQL.
type shop struct {
	t      testing.TB
	server *pgtest.Server
	cfg    Config

	mu     sync.Mutex
	events []Event
}

var projects atomic.Int64

// newShop is a project on the shared server, or one of its own, with three steps.
func newShop(t testing.TB, server *pgtest.Server) *shop {
	t.Helper()
	if server == nil {
		server = pgtest.Shared(t)
	}
	psql, err := localpg.Client(t.Context(), "psql", 14, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{t: t, server: server}
	s.cfg = Config{
		DSN: server.DSN(fmt.Sprintf("shop%d_dev", projects.Add(1))), Root: t.TempDir(), Environ: []string{"PATH=" + filepath.Dir(psql) + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir()},
		Steps: []Step{
			{Name: "data", Run: "psql -qXv ON_ERROR_STOP=1 -f data.sql", Needs: []string{"more"}, Inputs: []string{"data.sql"}},
			{Name: "tables", Run: "psql -qXv ON_ERROR_STOP=1 -f tables.sql", Inputs: []string{"tables.sql"}},
			{Name: "more", Run: "psql -qXv ON_ERROR_STOP=1 -f more.sql", Needs: []string{"tables"}, Inputs: []string{"more.sql"}},
		},
		Events: func(e Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, e)
		},
	}
	s.write("tables.sql", "CREATE TABLE item (id int PRIMARY KEY);")
	s.write("more.sql", "ALTER TABLE item ADD name text;")
	s.write("data.sql", "INSERT INTO item SELECT g, 'item ' || g FROM generate_series(1, 1000) g;")
	return s
}

func (s *shop) name() string { return pgtest.Database(s.cfg.DSN) }

func (s *shop) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.cfg.Root, name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// open connects as a process of its own would.
func (s *shop) open() *Dev {
	s.t.Helper()
	if wrong := Check(s.cfg); len(wrong) > 0 {
		s.t.Fatal(wrong)
	}
	d, err := Open(context.Background(), s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(d.Close)
	return d
}

func (s *shop) refresh() *Result {
	s.t.Helper()
	r, err := s.open().Refresh(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// count is the number of items in a database.
func (s *shop) count(database string) int {
	s.t.Helper()
	return pgtest.Value[int](s.t, s.server.DSN(database), "SELECT count(*) FROM item")
}

// made lists our databases of a kind.
func (s *shop) made(kind string) []database {
	s.t.Helper()
	all, err := s.open().databases(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(db database) bool { return db.Kind != kind })
}

func ran(t *testing.T, r *Result, want ...string) {
	t.Helper()
	if !slices.Equal(r.Ran, want) {
		t.Errorf("ran %q, want %q", r.Ran, want)
	}
}

// TestRefreshRunsWhatHasChanged: the order, the templates after each step, and what runs after a change.
func TestRefreshRunsWhatHasChanged(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	r := s.refresh()
	ran(t, r, "tables", "more", "data")
	if !r.Made || s.count(s.name()) != 1000 {
		t.Errorf("%+v, %d rows", r, s.count(s.name()))
	}
	again := s.refresh()
	ran(t, again)
	if again.Made || again.Hash != r.Hash {
		t.Errorf("nothing has changed, and it was made: %+v", again)
	}
	s.write("data.sql", "INSERT INTO item VALUES (1)")
	ran(t, s.refresh(), "data")
	if n := s.count(s.name()); n != 1 {
		t.Errorf("%d rows", n)
	}
	if n := len(s.made(kindTemplate)); n != 4 {
		t.Errorf("%d templates", n)
	}
	// Back on the other branch: nothing runs.
	s.write("data.sql", "INSERT INTO item SELECT g, 'item ' || g FROM generate_series(1, 1000) g;")
	back := s.refresh()
	ran(t, back)
	if !back.Made || s.count(s.name()) != 1000 || back.Hash != r.Hash {
		t.Errorf("%+v", back)
	}
	s.cfg.Env = map[string]string{"PGOPTIONS": "-c work_mem=8MB"}
	ran(t, s.refresh(), "tables", "more", "data")
	s.cfg.Steps[1].Name = "renamed" // is no change of what it does
	s.cfg.Steps[2].Needs = []string{"renamed"}
	ran(t, s.refresh())
	s.cfg.Keep = 1
	s.refresh()
	if n := len(s.made(kindTemplate)); n != 4 {
		t.Errorf("%d templates, want the three of now and one", n)
	}
	for _, kind := range []string{kindScratch, kindOld, kindStep, ""} {
		if left := s.made(kind); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// TestResetPutsAFreshOne in place of the database, under sessions, and with its settings, privileges and journal.
func TestReset(t *testing.T) {
	t.Parallel()
	const role = "reader"
	s := newShop(t, nil)
	pgtest.Exec(t, s.server.DSN("postgres"), "CREATE ROLE "+role+" LOGIN")
	s.write("more.sql", "ALTER TABLE item ADD name text; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = app, public', current_database());"+
		"EXECUTE format('ALTER DATABASE %I SET DateStyle = ''German, DMY''', current_database()); EXECUTE format('ALTER ROLE "+role+" IN DATABASE %I SET work_mem = ''7MB''', current_database());"+
		"EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()); EXECUTE format('GRANT CONNECT ON DATABASE %I TO "+role+"', current_database()); END $$")
	s.refresh()
	conn := pgtest.Connect(t, s.cfg.DSN)
	other := pgtest.Connect(t, s.server.DSN("postgres"))
	if _, err := conn.Exec(t.Context(), "DELETE FROM public.item"); err != nil {
		t.Fatal(err)
	}
	r, err := s.open().Reset(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ran(t, r)
	if s.count(s.name()) != 1000 {
		t.Error("it is not fresh")
	}
	if conn.Ping(t.Context()) == nil {
		t.Error("the session of the database of before lives")
	}
	if err := other.Ping(t.Context()); err != nil {
		t.Errorf("a session of another database was ended: %v", err)
	}
	if got := pgtest.Value[string](t, s.cfg.DSN, "SELECT current_setting('search_path') || ' ' || current_setting('DateStyle')"); got != "app, public German, DMY" {
		t.Errorf("settings: %s", got)
	}
	asRole := pgtest.As(s.cfg.DSN, role)
	if got := pgtest.Value[string](t, asRole, "SHOW work_mem"); got != "7MB" {
		t.Errorf("settings of a role: %s", got)
	}
	if pgtest.Value[bool](t, s.cfg.DSN, "SELECT has_database_privilege('public', current_database(), 'CONNECT')") {
		t.Error("everybody may connect")
	}
}

// TestStepFails: it is named with its output and how to run it alone, in the state before it; the next refresh goes on there.
func TestStepFails(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	s.cfg.Env = map[string]string{"SHOP": "it's {database}"}
	s.write("data.sql", "INSERT INTO item VALUES (1, 'a');\nINSERT INTO nowhere VALUES (2);")
	_, err := s.open().Refresh(context.Background())
	var failed *StepError
	if !errors.As(err, &failed) || failed.Step != "data" || !strings.Contains(strings.Join(failed.Last, "\n"), `relation "nowhere" does not exist`) {
		t.Fatalf("%v", err)
	}
	for _, part := range []string{"cd " + s.cfg.Root, "SHOP='it'\\''s " + failed.Database + "'", "PGDATABASE=" + failed.Database, "sh -c 'psql "} {
		if !strings.Contains(failed.Alone, part) {
			t.Errorf("no %s in %s", part, failed.Alone)
		}
	}
	if n := s.count(failed.Database); n != 0 {
		t.Errorf("%d rows of the step in the state before it", n)
	}
	// Alone, as it says, without any other environment than what finds the programs.
	s.write("data.sql", "INSERT INTO item VALUES (1, 'a')")
	d := s.open()
	p, err := d.start("alone", "/", failed.Alone, s.cfg.Environ, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if <-p.ended; p.err != nil || s.count(failed.Database) != 1 {
		t.Fatalf("%v: %q", p.err, p.output())
	}
	ran(t, s.refresh(), "data")
	if n := s.count(s.name()); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// TestInputsThatChange while their step runs would give its outcome a wrong name.
func TestInputsThatChange(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	s.cfg.Steps[0].Run = "echo '-- more' >> data.sql"
	_, err := s.open().Refresh(context.Background())
	if err == nil || !strings.Contains(err.Error(), "step data: inputs have changed while it ran") {
		t.Fatalf("%v", err)
	}
	if n := len(s.made(kindTemplate)); n != 2 {
		t.Errorf("%d templates", n)
	}
	if left := s.made(kindScratch); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestRefreshAtOnce: processes that want the same wait for one another, and each step runs once.
func TestRefreshAtOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	log := filepath.Join(s.cfg.Root, "log")
	for i := range s.cfg.Steps {
		s.cfg.Steps[i].Run = "echo " + s.cfg.Steps[i].Name + " >> " + log + "; " + s.cfg.Steps[i].Run
	}
	var all sync.WaitGroup
	for range 4 {
		d := s.open()
		all.Go(func() {
			if _, err := d.Refresh(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	text, err := os.ReadFile(log)
	if err != nil || string(text) != "tables\nmore\ndata\n" {
		t.Errorf("%v %q", err, text)
	}
	if s.count(s.name()) != 1000 {
		t.Error("it is not complete")
	}
}

// TestTakeAndRelease: each test has its own; the pool is filled, what is released or of dead processes goes.
func TestTakeAndRelease(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	s.cfg.Pool, s.cfg.TestAfter = 2, "more"
	ctx := context.Background()
	d := s.open()
	first, err := d.Take(ctx, os.Getpid()) // makes the templates it needs, and no more
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.made(kindTemplate)); n != 2 || s.count(first.Name) != 0 {
		t.Errorf("%d templates", n)
	}
	if err := d.Fill(ctx); err != nil {
		t.Fatal(err)
	}
	ready := s.made(kindTest)
	if len(ready) != 3 {
		t.Fatalf("%v", ready)
	}
	second, err := d.Take(ctx, 1<<22+5) // above what Linux gives: dead
	if err != nil || second.Name == first.Name || !slices.ContainsFunc(ready, func(db database) bool { return db.Name == second.Name }) {
		t.Fatalf("%v %+v", err, second)
	}
	pgtest.Exec(t, second.DSN, "INSERT INTO item VALUES (7)")
	if s.count(first.Name) != 0 {
		t.Error("they share rows")
	}
	if err := d.Release(ctx, first.Name); err != nil {
		t.Fatal(err)
	}
	if err := d.Release(ctx, s.name()); err == nil {
		t.Error("the database to develop with can be released")
	}
	if wanting, err := d.Wanting(ctx); err != nil || !wanting {
		t.Errorf("%v %v", wanting, err)
	}
	if err := d.Fill(ctx); err != nil {
		t.Fatal(err)
	}
	left := s.made(kindTest)
	if len(left) != 2 || slices.ContainsFunc(left, func(db database) bool {
		return db.State != testReady || db.Name == first.Name || db.Name == second.Name
	}) {
		t.Errorf("%v", left)
	}
	if wanting, err := d.Wanting(ctx); err != nil || wanting {
		t.Errorf("%v %v", wanting, err)
	}
}

// TestJournalOfACopy: Replank works in every copy of a database that it has changed.
func TestJournalOfACopy(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.cfg.Steps[2].Run = asCommand + "=journal " + self
	s.write("data.sql", "INSERT INTO item VALUES (1)")
	s.refresh()
	one, err := s.open().Take(context.Background(), os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, dsn := range []string{s.cfg.DSN, one.DSN} {
		db, err := pg.Open(t.Context(), pg.Config{DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		j, err := journal.Open(t.Context(), db, journal.Config{})
		if err != nil || !j.Present() {
			t.Errorf("%s: %v", pgtest.Database(dsn), err)
		}
	}
}

// TestLargeTemplate is copied file by file, cloned where server and file system can.
func TestLargeTemplate(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	s.refresh()
	d := s.open()
	from, ok := find(s.made(kindTemplate), kindTemplate, d.links[2].hash)
	if !ok || from.Bytes < 1<<20 {
		t.Fatalf("%v", from)
	}
	from.Bytes = smallBytes + 1
	name, err := d.place(context.Background(), &from, d.newName(kindTest), marker{Kind: kindTest, State: testReleased})
	if err != nil {
		t.Fatal(err)
	}
	if s.count(name) != 1000 {
		t.Error("it is not complete")
	}
}
