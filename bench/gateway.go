package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/route"
)

const (
	bareProxy = "bare ReverseProxy"
	stuckFor  = time.Second // the application that is asked besides
	visiting  = 50          // connections of clients
	inTurns   = 16          // of them, where the CPU is measured
	manyPages = 20_000
)

// The cases.
const (
	caseCPU      = "CPU of a request"
	caseFallback = "CPU with a fallback"
	caseLatency  = "latency"
	caseShadow   = "stuck shadow"
	caseRoutes   = "20,000 routes"
)

// gateways measures what a proxy costs, and what its users wait for.
func gateways(ctx context.Context, b *bench) error {
	b.book.About = fmt.Sprintf("Proxies in front of the same two small applications (one Go process), each a process of its own with its defaults and no access log, which all have none by default or were told so: "+
		"`replank gateway`; a bare `httputil.ReverseProxy`, tuned (idle connections, buffers); nginx and Caddy of Debian with connections to the applications that are kept. Requests and answers (1 KiB) are those of a page, over connections that are kept. "+
		"CPU: user and system time of the proxy's processes over %d requests of %d clients, as fast as they are answered. "+
		"Fallback, Replank: a route that only the legacy application has (known), one that nobody knows and that was asked for before (learned), and one that nobody knows and that is new each time (tried); nginx: `error_page 404`; Caddy: `handle_response`. "+
		"Latency: an open load of %.0f requests a second of %d clients for %s, counted from the moment a request was due; `direct` has no proxy. "+
		"Stuck shadow: the legacy application answers, and the modern one is asked besides, by Replank's phase shadow or nginx's `mirror`, and takes %s for each answer; `next` is the time of one request behind another on the same connection, without a pause. "+
		"20,000 routes: both applications' documents have so many; match and compile are the Go benchmarks of internal/route, for both tables; a swap is the time from SIGHUP until a route that has moved is answered by the other application, one after another under the same open load.",
		b.cfg.Requests, inTurns, b.cfg.Visits, visiting, b.cfg.Watch, stuckFor)
	replank, _, err := b.build(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "replank-bench-")
	if err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // nginx's workers give up root
		return err
	}
	r := &rack{b: b, dir: dir, replank: replank}
	defer r.stop()
	if err := r.start(ctx); err != nil {
		return err
	}
	for _, measure := range []func(context.Context) error{r.cpu, r.latency, r.shadow, r.matching, r.swaps} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	return nil
}

// rack is what runs side by side.
type rack struct {
	b                     *bench
	dir, replank          string
	modern, legacy, stuck string // addresses of the applications
	proxies               []*proxy
	at                    map[string]place
	plain                 []string // subjects that do nothing but pass requests on
}

// place is where a subject listens, and whose CPU it takes.
type place struct {
	address string
	*proxy
}

func (r *rack) stop() {
	for _, p := range slices.Backward(r.proxies) {
		p.stop()
	}
}

// run starts a process that lasts until the end.
func (r *rack) run(ctx context.Context, name string, addresses []string, program string, args ...string) (*proxy, error) {
	p, err := startProxy(ctx, name, r.dir, addresses, program, args...)
	if err == nil {
		r.proxies = append(r.proxies, p)
	}
	return p, err
}

func (r *rack) start(ctx context.Context) error {
	own, err := os.Executable()
	if err != nil {
		return err
	}
	free, err := freeAddresses(10)
	if err != nil {
		return err
	}
	r.modern, r.legacy, r.stuck = free[0], free[1], free[2]
	if _, err := r.run(ctx, "applications", free[:3], own, childArgument, "applications", r.modern, r.legacy, r.stuck, stuckFor.String()); err != nil {
		return err
	}
	bare, err := r.run(ctx, "bare", free[3:4], own, childArgument, "bare", free[3], r.modern)
	if err != nil {
		return err
	}
	known := [2]string{"/known/{id}/", "/known/([0-9]+)/"}
	if err := writeRoutes(filepath.Join(r.dir, "modern.json"), false, known); err != nil {
		return err
	}
	if err := writeRoutes(filepath.Join(r.dir, "legacy.json"), false, known, [2]string{"/old/{id}/", "/old/([0-9]+)/"}); err != nil {
		return err
	}
	gate, err := r.gateway(ctx, free[4], "modern.json", "legacy.json")
	if err != nil {
		return err
	}
	r.plain = []string{"Replank", bareProxy}
	r.at = map[string]place{"direct": {address: r.modern}, "Replank": {free[4], gate}, bareProxy: {free[3], bare}}
	if path := r.b.peerProgram("nginx", "nginx"); path != "" {
		text := fmt.Sprintf(nginxText, r.modern, r.legacy, r.stuck, free[5], free[6], free[7])
		if err := os.WriteFile(filepath.Join(r.dir, "nginx.conf"), []byte(text), 0o644); err != nil {
			return err
		}
		p, err := r.run(ctx, "nginx", free[5:8], path, "-p", r.dir, "-c", "nginx.conf")
		if err != nil {
			return err
		}
		r.at["nginx"], r.at["nginx, fallback"], r.at["nginx, mirror"] = place{free[5], p}, place{free[6], p}, place{free[7], p}
		r.plain = append(r.plain, "nginx")
		r.b.book.note("nginx: %s, one worker a core", versionOf(ctx, path, "-v"))
	}
	if path := r.b.peerProgram("caddy", "caddy"); path != "" {
		text := fmt.Sprintf(caddyText, port(free[8]), r.modern, port(free[9]), r.modern, r.legacy)
		if err := os.WriteFile(filepath.Join(r.dir, "Caddyfile"), []byte(text), 0o644); err != nil {
			return err
		}
		p, err := r.run(ctx, "caddy", free[8:10], path, "run", "--config", "Caddyfile", "--adapter", "caddyfile")
		if err != nil {
			return err
		}
		r.at["Caddy"], r.at["Caddy, fallback"] = place{free[8], p}, place{free[9], p}
		r.plain = append(r.plain, "Caddy")
		r.b.book.note("Caddy: %s", versionOf(ctx, path, "version"))
	}
	return nil
}

func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}

// gateway starts Replank.
func (r *rack) gateway(ctx context.Context, listen, modernRoutes, legacyRoutes string) (*proxy, error) {
	return r.run(ctx, "replank", []string{listen}, r.replank, "gateway", "--listen", listen, "--modern", "http://"+r.modern, "--legacy", "http://"+r.legacy,
		"--modern-routes", modernRoutes, "--legacy-routes", legacyRoutes)
}

// visited runs do with visitors of a subject, all of whom must be answered.
func visited(address string, n int, v visit, do func(*visitors) error) error {
	vs, err := newVisitors(address, n, v)
	if err != nil {
		return err
	}
	err = do(vs)
	if e := vs.leave(); err == nil {
		err = e
	}
	return err
}

// cpu is the time in seconds that the subject's processes use while do runs; 0 where there is no process.
func (at place) cpu(do func() error) (float64, error) {
	if at.proxy == nil {
		return 0, do()
	}
	before, err := cpuOf(at.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := cpuOf(at.cmd.Process.Pid)
	return after - before, err
}

// cpu measures what passing one request on takes.
func (r *rack) cpu(ctx context.Context) error {
	once := func(kase, subject string, at place, v visit) error {
		return visited(at.address, inTurns, v, func(vs *visitors) error {
			if err := vs.inTurn(ctx, r.b.cfg.Requests/10); err != nil {
				return err
			}
			var took float64
			cpu, err := at.cpu(func() (err error) {
				took, err = seconds(func() error { return vs.inTurn(ctx, r.b.cfg.Requests) })
				return err
			})
			if err != nil {
				return err
			}
			r.b.book.add(kase, subject, "CPU", "µs", cpu/float64(r.b.cfg.Requests)*1e6)
			r.b.book.add(kase, subject, "requests", "/s", float64(r.b.cfg.Requests)/took)
			return nil
		})
	}
	type fallback struct {
		of   string
		path string
	}
	fallbacks := map[string]fallback{"Replank, known": {"Replank", "/old/7/"}, "Replank, learned": {"Replank", "/unknown/7/"}, "Replank, tried": {"Replank", "/unknown/%d/%%d"},
		"nginx, fallback": {"nginx, fallback", "/old/7/"}, "Caddy, fallback": {"Caddy, fallback", "/old/7/"}}
	subjects := slices.Clone(r.plain)
	for name, f := range fallbacks {
		if _, ok := r.at[f.of]; ok {
			subjects = append(subjects, name)
		}
	}
	slices.Sort(subjects)
	err := r.b.turns(subjects, func(run int, name string) error {
		if f, ok := fallbacks[name]; ok {
			path := f.path
			if name == "Replank, tried" {
				path = fmt.Sprintf(path, run) // not learned in the run before
			}
			return once(caseFallback, name, r.at[f.of], visit{path, "legacy"})
		}
		return once(caseCPU, name, r.at[name], visit{"/known/7/", "modern"})
	})
	if err != nil {
		return err
	}
	book := r.b.book
	book.compare(caseCPU, "CPU", "Replank", bareProxy, 1.5, false)
	book.compare(caseCPU, "CPU", "Replank", "nginx", 0, false)
	book.compare(caseCPU, "CPU", "Replank", "Caddy", 0, false)
	book.compareWith(caseFallback, "CPU", "Replank, known", caseCPU, bareProxy, 1.6, false)
	book.compareWith(caseFallback, "CPU", "Replank, learned", caseCPU, bareProxy, 0, false)
	book.compareWith(caseFallback, "CPU", "Replank, tried", caseCPU, bareProxy, 0, false)
	book.compareWith(caseFallback, "CPU", "nginx, fallback", caseCPU, "nginx", 0, false)
	book.compareWith(caseFallback, "CPU", "Caddy, fallback", caseCPU, "Caddy", 0, false)
	return nil
}

// latency measures what users wait for at a fixed rate.
func (r *rack) latency(ctx context.Context) error {
	subjects := append([]string{"direct"}, r.plain...)
	err := r.b.turns(subjects, func(_ int, name string) error {
		return r.watch(ctx, caseLatency, name, r.at[name], visit{"/known/7/", "modern"})
	})
	for _, name := range r.plain {
		limit := 0.0
		if name == "Replank" {
			limit = 1
		}
		r.b.book.added(caseLatency, "p99", name, "direct", limit)
	}
	r.b.book.compare(caseLatency, "CPU", "Replank", bareProxy, 0, false)
	return err
}

// watch puts an open load on a subject and adds what it has felt.
func (r *rack) watch(ctx context.Context, kase, subject string, at place, v visit) error {
	return visited(at.address, visiting, v, func(vs *visitors) error {
		if err := vs.inTurn(ctx, 10*visiting); err != nil { // every connection is there
			return err
		}
		before, total, err := stolenTicks()
		if err != nil {
			return err
		}
		var ms []float64
		cpu, err := at.cpu(func() (err error) {
			ms, err = vs.onTime(ctx, r.b.cfg.Visits, r.b.cfg.Watch)
			return err
		})
		if err != nil {
			return err
		}
		after, end, err := stolenTicks()
		report(r.b.book, kase, subject, ms)
		if cpu > 0 {
			r.b.book.add(kase, subject, "CPU", "µs", cpu/float64(len(ms))*1e6)
		}
		r.b.book.add(kase, subject, "stolen", "%", 100*(after-before)/max(1, end-total))
		return err
	})
}

// shadow measures what clients feel of an application that is asked besides, and is stuck.
func (r *rack) shadow(ctx context.Context) error {
	if err := r.b.server.seed(ctx, "bench_empty"); err != nil {
		return err
	}
	return r.b.server.copied(ctx, "bench_empty", func(db string) error {
		dsn := r.b.server.DSN(db)
		store, err := decisions.Open(ctx, decisions.Config{DSN: dsn})
		if err != nil {
			return err
		}
		_, _, err = store.Decide(ctx, route.Decision{App: route.Legacy, Template: "/known/{id}/", Phase: route.PhaseShadow}, "", "bench")
		store.Close()
		if err != nil {
			return err
		}
		free, err := freeAddresses(1)
		if err != nil {
			return err
		}
		p, err := startProxy(ctx, "replank-shadow", r.dir, free, r.replank, "gateway", "--db", dsn, "--listen", free[0],
			"--modern", "http://"+r.stuck, "--legacy", "http://"+r.legacy, "--modern-routes", "modern.json", "--legacy-routes", "legacy.json")
		if err != nil {
			return err
		}
		defer p.stop() // before its database goes
		if err := answeredAs(ctx, free[0], visit{"/known/7/", "legacy"}); err != nil {
			return err
		}
		return r.besides(ctx, place{free[0], p})
	})
}

// besides compares two routes of the same gateway, of which one is shadowed.
func (r *rack) besides(ctx context.Context, gate place) error {
	type subject struct {
		at   place
		path string
	}
	all := map[string]subject{"Replank": {gate, "/old/7/"}, "Replank, stuck shadow": {gate, "/known/7/"}}
	names := []string{"Replank", "Replank, stuck shadow"}
	if at, ok := r.at["nginx, mirror"]; ok {
		all["nginx, stuck mirror"] = subject{at, "/known/7/"}
		names = append(names, "nginx, stuck mirror")
	}
	err := r.b.turns(names, func(_ int, name string) error {
		s := all[name]
		err := visited(s.at.address, 1, visit{s.path, "legacy"}, func(vs *visitors) error {
			if err := vs.inTurn(ctx, 1); err != nil {
				return err
			}
			const next = 3
			took, err := seconds(func() error { return vs.inTurn(ctx, next) })
			r.b.book.add(caseShadow, name, "next", "ms", took/next*1000)
			return err
		})
		if err != nil {
			return err
		}
		return visited(s.at.address, visiting, visit{s.path, "legacy"}, func(vs *visitors) error {
			ms, err := vs.onTime(ctx, r.b.cfg.Visits, r.b.cfg.Watch)
			report(r.b.book, caseShadow, name, ms)
			return err
		})
	})
	if err != nil {
		return err
	}
	book := r.b.book
	book.added(caseShadow, "p50", "Replank, stuck shadow", "Replank", 0.1)
	book.added(caseShadow, "p99", "Replank, stuck shadow", "Replank", 0.25)
	book.added(caseShadow, "next", "Replank, stuck shadow", "Replank", 0)
	book.added(caseShadow, "next", "nginx, stuck mirror", "Replank", 0)
	book.note("nginx, stuck mirror: a connection waits for the mirror's answer before it is heard again, so the open load comes later and later; p50 and p99 grow with its length")
	return nil
}

var matchLine = regexp.MustCompile(`(?m)^Benchmark(Match|Compile)(\S*?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op`)

// matching measures the table alone, by its Go benchmark.
func (r *rack) matching(ctx context.Context) error {
	_, root, err := r.b.build(ctx)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^Benchmark(Match|Compile)$", "-benchtime", "200ms", "-count", strconv.Itoa(r.b.runs), "./internal/route")
	cmd.Dir = root
	text, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go test ./internal/route: %w: %s", err, text)
	}
	kinds := map[string][]float64{} // of requests, each on its table
	for _, m := range matchLine.FindAllStringSubmatch(string(text), -1) {
		ns, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return err
		}
		if m[1] == "Compile" {
			r.b.book.add(caseRoutes, "table", "compile", "ms", ns/1e6)
			continue
		}
		kinds[m[2]] = append(kinds[m[2]], ns)
	}
	if len(kinds) == 0 {
		return fmt.Errorf("go test ./internal/route has not measured a match: %s", text)
	}
	slowest := ""
	for kind, each := range kinds {
		if slowest == "" || median(each) > median(kinds[slowest]) {
			slowest = kind
		}
	}
	for _, ns := range kinds[slowest] {
		r.b.book.add(caseRoutes, "table", "match", "ns", ns)
	}
	r.b.book.judge(ratio{Case: caseRoutes, What: "match, the slowest of " + strconv.Itoa(len(kinds)) + " kinds", Value: median(kinds[slowest]), Limit: 1000, Unit: "ns"})
	return nil
}

// swaps changes the routes of a gateway under load.
func (r *rack) swaps(ctx context.Context) error {
	many := make([][2]string, manyPages)
	for i := range many {
		many[i] = [2]string{fmt.Sprintf("/known/app%d/page%d/{id}/", i/100, i), fmt.Sprintf("/known/app%d/page%d/([0-9]+)/", i/100, i)}
	}
	moving := [2]string{"/known/moving/", "/known/moving/"}
	ported, all := filepath.Join(r.dir, "ported.json"), filepath.Join(r.dir, "all.json")
	if err := writeRoutes(all, true, append(slices.Clone(many), moving)...); err != nil {
		return err
	}
	if err := writeRoutes(ported, true, many...); err != nil {
		return err
	}
	free, err := freeAddresses(1)
	if err != nil {
		return err
	}
	p, err := r.gateway(ctx, free[0], ported, all)
	if err != nil {
		return err
	}
	for range r.b.runs {
		vs, err := newVisitors(free[0], visiting, visit{"/known/app77/page7777/7/", "modern"})
		if err != nil {
			return err
		}
		loaded := make(chan error, 1)
		var ms []float64
		end := time.Now().Add(r.b.cfg.Watch)
		go func() {
			var err error
			ms, err = vs.onTime(ctx, r.b.cfg.Visits, r.b.cfg.Watch)
			loaded <- err
		}()
		err = r.swap(ctx, p, free[0], ported, many, moving, end)
		if e := <-loaded; err == nil {
			err = e
		}
		if err != nil {
			_ = vs.leave() // of less interest
			return err
		}
		r.b.book.add(caseRoutes, "Replank", "failed", "requests", float64(vs.failed))
		report(r.b.book, caseRoutes, "Replank", ms)
		if err := vs.leave(); err != nil {
			r.b.book.note("while routes changed: %v", err)
		}
	}
	failed := 0.0
	for _, n := range r.b.book.each(caseRoutes, "Replank", "failed") {
		failed += n
	}
	r.b.book.judge(ratio{Case: caseRoutes, What: "requests that failed while routes changed", Value: failed, Limit: 0.5, Unit: "requests"})
	return nil
}

// swap lets one route move between the applications until a moment, and waits each time until it has.
func (r *rack) swap(ctx context.Context, p *proxy, address, ported string, many [][2]string, moving [2]string, end time.Time) error {
	for i := 0; time.Now().Before(end) || i%2 == 1; i++ { // an even number: the next run begins as this one did
		routes, by := many, "legacy"
		if i%2 == 0 {
			routes, by = append(slices.Clone(many), moving), "modern"
		}
		if err := writeRoutes(ported, true, routes...); err != nil {
			return err
		}
		took, err := seconds(func() error {
			if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				return err
			}
			return answeredAs(ctx, address, visit{moving[0], by})
		})
		if err != nil {
			return err
		}
		r.b.book.add(caseRoutes, "Replank", "swap", "ms", took*1000)
	}
	return nil
}

// answeredAs waits until a request is answered by whom it should be.
func answeredAs(ctx context.Context, address string, v visit) error {
	for until := time.Now().Add(30 * time.Second); ; {
		err := visited(address, 1, v, func(vs *visitors) error { return vs.inTurn(ctx, 1) })
		if err == nil {
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("the routes have not changed: %w", err)
		}
		if err := wait(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}
