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
	t.Run("tried", func(t *testing.T) { porting(t, false) })
	t.Run("known", func(t *testing.T) { porting(t, true) })
}

// portingEnv makes the table of both applications of testdata/port, and is their environment.
func portingEnv(t *testing.T, dsn, ported string) []string {
	t.Helper()
	pgtest.Exec(t, dsn, "CREATE TABLE entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, by text NOT NULL, note text NOT NULL)")
	conn, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return []string{"PORTED=" + ported, "PGHOST=" + conn.Host, fmt.Sprintf("PGPORT=%d", conn.Port), "PGUSER=" + conn.User, "PGPASSWORD=" + conn.Password, "PGDATABASE=" + conn.Database,
		"ALCHEMY=postgresql+psycopg://", "DJANGO_SETTINGS_MODULE=settings"}
}

func porting(t *testing.T, known bool) {
	dsn := pgtest.DB(t)
	dir := t.TempDir()
	ported, routes := filepath.Join(dir, "ported"), filepath.Join(dir, "routes.json")
	write := func(names []string) {
		t.Helper()
		if err := os.WriteFile(ported, []byte(strings.Join(names, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(nil)
	env := portingEnv(t, dsn, ported)
	modern := gunicorn(t, "port/modern", "django.core.wsgi:get_wsgi_application()", env...)
	legacy := gunicorn(t, "port/legacy", "app:app", env...)
	cfg := Config{Modern: App{URL: modern.url, Companion: true}, Legacy: App{URL: legacy.url}, LearnFor: 100 * time.Millisecond, Look: 20 * time.Millisecond}
	export := func() {
		t.Helper()
		root, err := filepath.Abs(filepath.Join("..", "python"))
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), python.Python(t), "-B", "-m", "replank.django", "routes", "--settings", "settings", "-o", routes)
		cmd.Dir, cmd.Env = modern.dir, append(append(os.Environ(), "PYTHONPATH="+root+string(os.PathListSeparator)+"."), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if known {
		export()
		cfg.ModernRoutes = routes
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
			write(endpoints[:n])
			if err := modern.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			if known {
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
