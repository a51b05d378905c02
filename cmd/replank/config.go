package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/spf13/pflag"
)

// settings are the decisions of the process: replank.toml < environment < flags.
type settings struct {
	DB             string
	DirectDB       string
	Owner          string
	Migrations     []string
	Accept         []string
	CancelBlockers bool
	LockBudget     time.Duration
	LockWait       time.Duration
	Workers        int
	FullPace       bool
	BigRows        int64
	DiskFree       byteSize
	VersionSchema  bool
	Wait           bool
	Requester      string
	JSON           bool
	NoColor        bool
	LogFormat      string
	Verbose        int
	Quiet          bool
}

// scope is where an option can be given as a flag.
type scope int

const (
	everywhere scope = iota // on every command
	planning                // where files are compiled
	executing               // where the database is changed
	nowhere                 // only in replank.toml and the environment
)

// option is one setting with its three names: --lock-budget, REPLANK_LOCK_BUDGET, lock_budget.
type option struct {
	name  string
	scope scope
	add   func(fs *pflag.FlagSet, s *settings)
}

func (o option) env() string {
	return "REPLANK_" + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
}
func (o option) toml() string { return strings.ReplaceAll(o.name, "-", "_") }

// options is every setting there is. docs/configuration.md lists them; a test compares.
var options = []option{
	{"db", everywhere, func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.DB, "db", "", "the database: a URL or keywords (default: DATABASE_URL, then libpq's PGHOST, PGDATABASE, …)")
	}},
	{"direct-db", everywhere, func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.DirectDB, "direct-db", "", "the server itself, where --db goes through a connection pooler")
	}},
	{"owner", everywhere, func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Owner, "owner", "", "role that statements run as (default: the role that connects)")
	}},
	{"migrations", nowhere, func(fs *pflag.FlagSet, s *settings) {
		fs.StringSliceVar(&s.Migrations, "migrations", nil, "folders and files to use where a command names none")
	}},
	{"accept", planning, func(fs *pflag.FlagSet, s *settings) {
		fs.StringSliceVar(&s.Accept, "accept", nil, "consents that plan asks for: irreversible,column-order,triggers,…")
	}},
	{"version-schema", planning, func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.VersionSchema, "version-schema", false, "show the new shape in a schema of views named like the migration")
	}},
	{"big-rows", planning, func(fs *pflag.FlagSet, s *settings) {
		fs.Int64Var(&s.BigRows, "big-rows", 10_000, "tables with fewer rows (and less than 16 MB) are changed by the plain statement; -1: none")
	}},
	{"disk-free", planning, func(fs *pflag.FlagSet, s *settings) {
		fs.Var(&s.DiskFree, "disk-free", "free space on the server's disk (200GB), where it cannot be seen from here: managed services")
	}},
	{"cancel-blockers", executing, func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.CancelBlockers, "cancel-blockers", false, "cancel running queries of others that stand in the way")
	}},
	{"lock-budget", executing, func(fs *pflag.FlagSet, s *settings) {
		fs.DurationVar(&s.LockBudget, "lock-budget", 200*time.Millisecond, "longest time from the first lock to COMMIT")
	}},
	{"lock-wait", executing, func(fs *pflag.FlagSet, s *settings) {
		fs.DurationVar(&s.LockWait, "lock-wait", 30*time.Minute, "how long a step goes on trying to get its locks")
	}},
	{"workers", executing, func(fs *pflag.FlagSet, s *settings) {
		fs.IntVar(&s.Workers, "workers", 2, "sessions that change rows at the same time")
	}},
	{"full-pace", executing, func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.FullPace, "full-pace", false, "fills do not leave half of the server's cores to others who are at work")
	}},
	{"wait", executing, func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.Wait, "wait", false, "wait for another executor to finish instead of ending with 5")
	}},
	{"requester", everywhere, func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Requester, "requester", "", "who asks, for the receipt (default: the operating system's user)")
	}},
	{"json", everywhere, func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.JSON, "json", false, "print data: one JSON object, or one a line while something goes on")
	}},
	{"no-color", everywhere, func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.NoColor, "no-color", false, "no colours (also: NO_COLOR)")
	}},
	{"log-format", everywhere, func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.LogFormat, "log-format", "text", "log lines on standard error: text or json")
	}},
	{"verbose", everywhere, func(fs *pflag.FlagSet, s *settings) {
		fs.CountVarP(&s.Verbose, "verbose", "v", "log what is done; -vv: every detail")
	}},
	{"quiet", everywhere, func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVarP(&s.Quiet, "quiet", "q", false, "print results and errors only")
	}},
}

// byteSize is a number of bytes as PostgreSQL writes them: 500MB, 200GB, 1.5TB.
type byteSize int64

var byteUnits = []struct {
	name  string
	bytes float64
}{{"kB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}, {"TB", 1 << 40}, {"B", 1}}

func (b *byteSize) Set(text string) error {
	for _, u := range byteUnits {
		if number, ok := strings.CutSuffix(text, u.name); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
			if err != nil || n < 0 || n*u.bytes >= 1<<63 {
				break
			}
			*b = byteSize(n * u.bytes)
			return nil
		}
	}
	return errors.New("want a number with a unit: B, kB, MB, GB or TB")
}

func (b *byteSize) String() string {
	if b == nil || *b == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*b), 10) + "B"
}

func (*byteSize) Type() string { return "size" }

// addFlags gives a command the flags of the given scopes.
func (s *settings) addFlags(fs *pflag.FlagSet, scopes ...scope) {
	for _, o := range options {
		for _, sc := range scopes {
			if o.scope == sc {
				o.add(fs, s)
			}
		}
	}
}

// configFile is read when nobody names another and it is there.
const configFile = "replank.toml"

// load fills in what no flag of the command said: from the environment, then from the file. given are the
// command's flags, already parsed.
func (s *settings) load(given *pflag.FlagSet, getenv func(string) string, file string) error {
	if file == "" {
		file = getenv("REPLANK_CONFIG")
	}
	lines, err := readConfig(file)
	if err != nil {
		return err
	}
	flags := *s
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	s.addFlags(all, everywhere, planning, executing, nowhere)
	*s = flags // adding a flag writes its default
	rank := map[string]int{}
	for _, o := range options {
		inFile, hasFile := lines[o.toml()]
		env := getenv(o.env())
		if o.name == "db" && env == "" {
			env = getenv("DATABASE_URL")
		}
		if f := given.Lookup(o.name); f != nil && f.Changed {
			rank[o.name] = 3
			continue
		}
		switch {
		case env != "":
			rank[o.name] = 2
			if err := all.Set(o.name, env); err != nil {
				return fmt.Errorf("environment variable %s: %w", o.env(), plainValueError(err))
			}
		case hasFile:
			rank[o.name] = 1
			if err := all.Set(o.name, inFile.value); err != nil {
				return fmt.Errorf("%s: %s: %w", inFile.pos, o.toml(), plainValueError(err))
			}
		}
	}
	// A database named on the command line must not lose to a forgotten direct_db of another one.
	if rank["db"] > rank["direct-db"] {
		s.DirectDB = ""
	}
	return s.check()
}

func (s *settings) check() error {
	switch {
	case s.LogFormat != "text" && s.LogFormat != "json":
		return fmt.Errorf("log-format %q is neither text nor json", s.LogFormat)
	case s.LockBudget <= 0:
		return fmt.Errorf("lock-budget %s is not a time to do something in", s.LockBudget)
	case s.LockWait <= 0:
		return fmt.Errorf("lock-wait %s is not a time to wait", s.LockWait)
	case s.Workers < 1:
		return fmt.Errorf("workers %d: at least one is needed", s.Workers)
	}
	return nil
}

// dsn is the database to connect to; "" leaves it to libpq's variables.
func (s *settings) dsn() string {
	if s.DirectDB != "" {
		return ordinaryURL(s.DirectDB)
	}
	return ordinaryURL(s.DB)
}

var driverScheme = regexp.MustCompile(`^(postgres|postgresql|postgis)(\+[a-z0-9_]+)?://`)

// ordinaryURL takes the driver out of the URLs that applications use: postgresql+psycopg2://, postgis://.
func ordinaryURL(dsn string) string { return driverScheme.ReplaceAllString(dsn, "postgresql://") }

// pflag says `invalid argument "x" for "--lock-budget" flag: …`; here there was no such flag.
func plainValueError(err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return fmt.Errorf("%q: %w", invalid.GetValue(), invalid.Unwrap())
	}
	return err
}

// configValue is one line of the file.
type configValue struct {
	value string
	pos   string // file:line
}

// readConfig reads replank.toml. An empty path means the one in the current folder, if there is one.
func readConfig(path string) (map[string]configValue, error) {
	optional := path == ""
	if optional {
		path = configFile
	}
	text, err := os.ReadFile(path)
	if optional && errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	var raw map[string]any
	if _, err := toml.Decode(string(text), &raw); err != nil {
		var perr toml.ParseError
		if errors.As(err, &perr) {
			return nil, fmt.Errorf("%s:%d: %s", path, perr.Position.Line, perr.Message)
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	known := map[string]bool{}
	for _, o := range options {
		known[o.toml()] = true
	}
	values := map[string]configValue{}
	var wrong []error
	for _, key := range inOrder(raw, string(text)) {
		pos := fmt.Sprintf("%s:%d", path, lineOf(key, string(text)))
		if !known[key] {
			wrong = append(wrong, fmt.Errorf("%s: unknown key %s; known are %s", pos, key, knownKeys()))
			continue
		}
		v, err := asText(raw[key])
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %s: %w", pos, key, err))
			continue
		}
		values[key] = configValue{v, pos}
	}
	return values, errors.Join(wrong...)
}

// inOrder are the keys as they stand in the file.
func inOrder(raw map[string]any, text string) []string {
	var keys []string
	at := map[string]int{}
	for k := range raw {
		at[k] = lineOf(k, text)
		i := len(keys)
		for i > 0 && (at[keys[i-1]] > at[k] || at[keys[i-1]] == at[k] && keys[i-1] > k) {
			i--
		}
		keys = append(keys[:i], append([]string{k}, keys[i:]...)...)
	}
	return keys
}

// lineOf finds the line of a top-level key or table; the TOML package keeps positions to itself.
func lineOf(key, text string) int {
	q := regexp.QuoteMeta(key)
	re := regexp.MustCompile(`^\s*(\[+\s*)?["']?` + q + `["']?\s*[\]=.]`)
	for i, l := range strings.Split(text, "\n") {
		if re.MatchString(l) {
			return i + 1
		}
	}
	return 1
}

func knownKeys() string {
	var keys []string
	for _, o := range options {
		keys = append(keys, o.toml())
	}
	return strings.Join(keys, ", ")
}

// asText is a value as its flag would be written.
func asText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool, int64:
		return fmt.Sprint(v), nil
	case []any:
		var parts []string
		for _, e := range v {
			s, err := asText(e)
			if err != nil {
				return "", err
			}
			parts = append(parts, s)
		}
		return strings.Join(parts, ","), nil
	}
	return "", errors.New("want a string, a number, true or false, or a list of strings")
}
