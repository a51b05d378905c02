package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pgtest"
)

// TestPorting ports a Flask application with SQLAlchemy to Django, endpoint by endpoint, on one database, while clients
// read and write through the gateway: no request fails, and no write is lost or done twice. The modern application is
// deployed as it is anywhere: its file changes, and gunicorn gets SIGHUP.
func TestPorting(t *testing.T) {
	onEach(t, func(t *testing.T) {
		t.Run("tried", func(t *testing.T) { porting(t, tried) })
		t.Run("known", func(t *testing.T) { porting(t, known) })
		t.Run("asked", func(t *testing.T) { porting(t, asked) })
	})
}

// What the gateway knows of routes while applications are ported.
type knowledge int

const (
	tried knowledge = iota // nothing
	known                  // a file, which is written with each deployment
	asked                  // what the applications say when it asks them
)

// port is two applications that write into one table.
type port struct {
	modern, legacy *server
	dsn            string
	env            []string
	ported         string // file with the names that the modern one has
}

func newPort(t *testing.T, names ...string) *port {
	t.Helper()
	p := &port{dsn: pgtest.DB(t), ported: filepath.Join(t.TempDir(), "ported")}
	pgtest.Exec(t, p.dsn, "CREATE TABLE entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, by text NOT NULL, note text NOT NULL)")
	conn, err := pgx.ParseConfig(p.dsn)
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, names)
	p.env = []string{"PORTED=" + p.ported, "PGHOST=" + conn.Host, fmt.Sprintf("PGPORT=%d", conn.Port), "PGUSER=" + conn.User, "PGPASSWORD=" + conn.Password, "PGDATABASE=" + conn.Database,
		"ALCHEMY=postgresql+psycopg://", "DJANGO_SETTINGS_MODULE=settings", "ROUTES_SECRET=of both"}
	p.modern = gunicorn(t, "port/modern", "django.core.wsgi:get_wsgi_application()", p.env...)
	p.legacy = gunicorn(t, "port/legacy", "app:app", p.env...)
	return p
}

// write says what is ported; the modern application reads it when it is started, or gets SIGHUP.
func (p *port) write(t *testing.T, names []string) {
	t.Helper()
	if err := os.WriteFile(p.ported, []byte(strings.Join(names, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

func porting(t *testing.T, k knowledge) {
	p := newPort(t)
	dsn, modern, legacy, routes := p.dsn, p.modern, p.legacy, filepath.Join(t.TempDir(), "routes.json")
	cfg := Config{Modern: App{URL: modern.url, Companion: true}, Legacy: App{URL: legacy.url}, LearnFor: 100 * time.Millisecond, Look: 20 * time.Millisecond}
	export := func() {
		t.Helper()
		root, err := filepath.Abs(filepath.Join("..", "python"))
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), python.Python(t), "-B", "-m", "replank.django", "routes", "--settings", "settings", "-o", routes)
		cmd.Dir, cmd.Env = modern.dir, append(append(os.Environ(), "PYTHONPATH="+root+string(os.PathListSeparator)+"."), p.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	switch k {
	case known:
		export()
		cfg.ModernRoutes = routes
	case asked:
		cfg.ModernRoutes, cfg.LegacyRoutes, cfg.RoutesSecretFile = Ask, Ask, secretFile(t, "of both")
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go g.Run(ctx)
	front := httptest.NewServer(g)
	defer front.Close()

	endpoints := []string{"invoices", "customers", "payments"}
	// by tells who has written to an endpoint, whenever that changes.
	by := make(chan string, 1000)
	var clients sync.WaitGroup
	var mu sync.Mutex
	written := map[string]int{}
	for i := range 4 {
		clients.Go(func() {
			defer func() { by <- "a client has ended" }()
			client, last := &http.Client{Timeout: 30 * time.Second}, map[string]string{}
			for n := 0; ctx.Err() == nil; n++ {
				name := endpoints[n%len(endpoints)]
				method, body := http.MethodGet, io.Reader(nil)
				note := fmt.Sprintf("%d of %d", n, i)
				if n%2 == 0 {
					method, body = http.MethodPost, strings.NewReader(url.Values{"note": {note}}.Encode())
				}
				r, _ := http.NewRequest(method, front.URL+"/"+name+"/", body)
				if body != nil {
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				}
				res, err := client.Do(r)
				if err != nil {
					t.Errorf("%s %s: %v", method, name, err)
					return
				}
				text, _ := io.ReadAll(res.Body)
				res.Body.Close()
				var said struct{ By string }
				if err := json.Unmarshal(text, &said); res.StatusCode != http.StatusOK || err != nil {
					t.Errorf("%s %s: %s %.200s", method, name, res.Status, text)
					return
				}
				if body == nil {
					continue
				}
				mu.Lock()
				written[note]++
				mu.Unlock()
				if last[name] != said.By {
					last[name] = said.By
					by <- name + " " + said.By
				}
			}
		})
	}
	for n := range len(endpoints) + 1 {
		if n > 0 {
			p.write(t, endpoints[:n])
			if err := modern.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			if k == known {
				export()
			}
		}
		want := "payments legacy" // all are, at first
		if n > 0 {
			want = endpoints[n-1] + " modern"
		}
		for said := range by {
			if said == want {
				break
			}
			if said == "a client has ended" {
				t.FailNow()
			}
		}
	}
	if trials := value(t, g, `replank_gateway_trials_total{said="route"}`); k == asked && trials > 0 {
		t.Errorf("%v trials, although all routes are known", trials)
	}
	cancel()
	clients.Wait()
	rows := pgtest.Value[[]string](t, dsn, "SELECT coalesce(array_agg(note), '{}') FROM entry")
	if len(rows) != len(written) {
		t.Errorf("%d rows for %d writes", len(rows), len(written))
	}
	for _, note := range rows {
		if written[note] != 1 {
			t.Errorf("the write %q was answered %d times", note, written[note])
		}
	}
	sides := pgtest.Value[[]string](t, dsn, "SELECT array_agg(DISTINCT name || ' ' || by ORDER BY name || ' ' || by) FROM entry")
	if len(sides) != 2*len(endpoints) {
		t.Errorf("not everything was written on both sides: %v", sides)
	}
}
