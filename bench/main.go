// Command bench measures Replank beside plain SQL and its peers, on one private server, in one run.
//
// Every benchmark takes turns: run 1 of everybody, then run 2 of everybody, each time in another order, so that what
// else the machine does hits all alike. What is printed are medians with their range, and the medians of the ratios
// within a turn.
//
//	go run ./bench -only stall,fill -rows 5000000 -runs 30 -out docs
//
// The results of a benchmark replace its earlier ones in benchmarks.json of the folder -out; benchmarks.md beside it is
// written from that file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Config says what to measure, and how much of it.
type Config struct {
	// Only are the benchmarks to run. Default: all, in the order of benchmarks.
	Only []string
	// Out is the folder of benchmarks.json and benchmarks.md. Default: none, Markdown goes to standard output.
	Out string
	// Major version of PostgreSQL. Default: 15 where it is found.
	Major int
	// Pgroll measures pgroll too, built from its Go module. Default: true.
	Pgroll bool
	// Keep is a folder for the server that is kept, so that later runs find the sample data. Default: none.
	Keep string

	// Runs per benchmark. Default: 30 stall, 3 fill, 3 load, 5 trigger, 5 folder, 5 lint, 3 django, 7 gateway.
	Runs int
	// Rows of the large table of fill and load. Default: 5,000,000.
	Rows int
	// Small is the number of rows of the table of stall. Default: 100,000.
	Small int
	// Blocker is how long the transaction of stall stays open. Default: 10s.
	Blocker time.Duration
	// Cases of stall. Default: add-column, swap, foreign-key.
	Cases []string
	// Clients and Rate (requests a second, of all together) of the application. Default: 50 and 250.
	Clients int
	Rate    float64
	// Window is how long load watches the idle application. Default: 30s.
	Window time.Duration
	// Statements of trigger: single rows, and rows of a bulk statement. Default: 5,000 and 200,000.
	Statements, Bulk int
	// Files of folder. Default: 10,000.
	Files int
	// LintFiles are the files of lint. Default: 9,000.
	LintFiles int
	// Apps and Migrations of django. Default: 350 and 9,000.
	Apps, Migrations int
	// Requests of gateway, of which the CPU is measured, of each proxy in each case and run. Default: 20,000.
	Requests int
	// Visits are the requests a second of gateway's open load, and Watch is how long it lasts. Default: 1,000 and 10s.
	Visits float64
	Watch  time.Duration
}

// benchmark is one thing to measure.
type benchmark struct {
	name string
	runs int // default
	run  func(ctx context.Context, b *bench) error
}

var benchmarks = []benchmark{
	{"stall", 30, stall},
	{"fill", 3, fill},
	{"load", 3, load},
	{"trigger", 5, trigger},
	{"folder", 5, folder},
	{"lint", 5, lints},
	{"django", 3, djangos},
	{"gateway", 7, gateways},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if len(os.Args) > 1 && os.Args[1] == childArgument {
		err = child(ctx, os.Args[2:])
	} else {
		err = measureAll(ctx, flags(os.Args[1:]))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func flags(args []string) Config {
	var cfg Config
	var only, cases string
	f := flag.NewFlagSet("bench", flag.ExitOnError)
	f.StringVar(&only, "only", "", "benchmarks to run, separated by commas (default: all)")
	f.StringVar(&cfg.Out, "out", "", "folder of benchmarks.json and benchmarks.md (default: Markdown to standard output)")
	f.IntVar(&cfg.Major, "pg", 0, "major version of PostgreSQL (default: 15 where it is found)")
	f.BoolVar(&cfg.Pgroll, "pgroll", true, "measure pgroll too")
	f.StringVar(&cfg.Keep, "keep", "", "folder for a server that is kept with its sample data (default: none)")
	f.IntVar(&cfg.Runs, "runs", 0, "runs of each benchmark (default: 30 of stall, 3 or 5 of the others)")
	f.IntVar(&cfg.Rows, "rows", 5_000_000, "rows of the table of fill and load")
	f.IntVar(&cfg.Small, "small", 100_000, "rows of the table of stall")
	f.DurationVar(&cfg.Blocker, "blocker", 10*time.Second, "how long the transaction of stall stays open")
	f.StringVar(&cases, "cases", strings.Join(stallCases, ","), "cases of stall")
	f.IntVar(&cfg.Clients, "clients", 50, "connections of the application")
	f.Float64Var(&cfg.Rate, "rate", 250, "requests a second of the application")
	f.DurationVar(&cfg.Window, "window", 30*time.Second, "how long load watches the idle application")
	f.IntVar(&cfg.Statements, "statements", 5000, "one-row statements of trigger")
	f.IntVar(&cfg.Bulk, "bulk", 200_000, "rows of the bulk statements of trigger")
	f.IntVar(&cfg.Files, "files", 10_000, "files of folder")
	f.IntVar(&cfg.LintFiles, "lint-files", 9000, "files of lint")
	f.IntVar(&cfg.Apps, "apps", 350, "apps of django")
	f.IntVar(&cfg.Migrations, "migrations", 9000, "migrations of django")
	f.IntVar(&cfg.Requests, "requests", 20_000, "requests of gateway whose CPU is measured")
	f.Float64Var(&cfg.Visits, "visits", 1000, "requests a second of gateway's open load")
	f.DurationVar(&cfg.Watch, "watch", 10*time.Second, "how long gateway's open load lasts")
	_ = f.Parse(args) // exits
	cfg.Cases = strings.Split(cases, ",")
	if only != "" {
		cfg.Only = strings.Split(only, ",")
	}
	return cfg
}

// bench is what all benchmarks share.
type bench struct {
	cfg    Config
	runs   int // of the benchmark that is running
	book   *book
	server *server
	cache  string // folder for what is built
	peer   *pgroll
	peerNo error // why there is no peer
}

func measureAll(ctx context.Context, cfg Config) (err error) {
	for _, name := range cfg.Only {
		if !slices.ContainsFunc(benchmarks, func(b benchmark) bool { return b.name == name }) {
			return fmt.Errorf("there is no benchmark %q", name)
		}
	}
	b := &bench{cfg: cfg}
	if b.cache, err = cacheDir(); err != nil {
		return err
	}
	if cfg.Pgroll {
		if b.peer, b.peerNo = buildPgroll(ctx, b.cache); b.peerNo != nil {
			say("no pgroll: %v", b.peerNo)
		}
	} else {
		b.peerNo = errors.New("not asked for")
	}
	if b.server, err = startServer(ctx, cfg); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.server.stop()) }()
	results, err := readResults(cfg.Out)
	if err != nil {
		return err
	}
	for _, bm := range benchmarks {
		if len(cfg.Only) > 0 && !slices.Contains(cfg.Only, bm.name) {
			continue
		}
		b.runs = cfg.Runs
		if b.runs == 0 {
			b.runs = bm.runs
		}
		say("%s: %d runs", bm.name, b.runs)
		b.book = newBook(bm.name, b.runs)
		if b.book.Machine, err = machine(ctx, b.server); err != nil {
			return err
		}
		if err := bm.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", bm.name, err)
		}
		b.book.close()
		results.put(b.book)
		// After each, so that a long night's first results are not lost with its last.
		if err := results.write(cfg.Out); err != nil {
			return err
		}
	}
	return nil
}

func cacheDir() (string, error) {
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	dir := filepath.Join(user, "replank", "bench")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	return dir, nil
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}
