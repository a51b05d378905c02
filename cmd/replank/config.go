package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
)

// settings are the decisions of the process: replank.toml < environment < flags.
type settings struct {
	DB             string
	DirectDB       string
	Owner          string
	Migrations     []string
	History        string
	Placeholders   []string
	Accept         []string
	CancelBlockers bool
	LockBudget     time.Duration
	LockWait       time.Duration
	Workers        int
	FullPace       bool
	BigRows        int64
	DiskFree       byteSize
	VersionSchema  bool
	UnusedFor      time.Duration
	Wait           bool
	Requester      string
	JSON           bool
	NoColor        bool
	LogFormat      string
	Verbose        int
	Quiet          bool
	Lint           lintSettings
	Dev            devSettings
	Gateway        gatewaySettings
	Identity       identitySettings

	from map[string]settingError // where a value comes from, by the option's name; nothing is wrong there yet
}

// scope is where an option can be given as a flag.
type scope int

const (
	everywhere scope = iota // on every command
	planning                // where files are compiled
	executing               // where the database is changed
	completing              // where the old shape goes
	nowhere                 // only in replank.toml and the environment
	linting                 // where migrations are judged
	sizing                  // where it counts what is small
	serving                 // where HTTP requests are answered
)

// option is one setting with its three names: --lock-budget, REPLANK_LOCK_BUDGET, lock_budget.
type option struct {
	name   string
	table  string // of replank.toml that the key stands in; "": none
	scope  scope
	add    func(fs *pflag.FlagSet, s *settings)
	want   string                 // what is allowed, where the type does not tell
	secret bool                   // the value may hold a password
	ok     func(s *settings) bool // whether a value that could be read is allowed; nil: it is
}

func (o option) env() string {
	return "REPLANK_" + strings.ToUpper(strings.ReplaceAll(o.toml(), ".", "_"))
}

func (o option) toml() string {
	key := strings.ReplaceAll(o.name, "-", "_")
	if o.table != "" {
		return o.table + "." + key
	}
	return key
}

// consents are the classes of --accept. docs/errors.md explains them; a test compares.
var consents = []string{"irreversible", "lost-writes", "column-order", "as-is", "triggers", "room", "subscribers", "drift", "unjudged", "foreign-owner"}

// options is every setting there is. docs/configuration.md lists them; a test compares.
var options = slices.Concat(generalOptions, lintOptionList, gatewayOptions, identityOptions)

var generalOptions = []option{
	{name: "db", scope: everywhere, secret: true, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.DB, "db", "", "the database: a URL or keywords (default: DATABASE_URL, then libpq's PGHOST, PGDATABASE, …)")
	}},
	{name: "direct-db", scope: everywhere, secret: true, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.DirectDB, "direct-db", "", "the server itself, where --db goes through a connection pooler")
	}},
	{name: "owner", scope: everywhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Owner, "owner", "", "role that statements run as (default: the role that connects)")
	}},
	{name: "migrations", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringSliceVar(&s.Migrations, "migrations", nil, "folders and files to use where a command names none")
	}},
	{name: "history", scope: everywhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.History, "history", "", "the tool whose migrations these are: "+historyFormats()+" (default: found out)")
	}, want: historyFormats(), ok: func(s *settings) bool {
		return s.History == "" || slices.Contains(history.Formats, history.Format(s.History))
	}},
	{name: "placeholders", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringSliceVar(&s.Placeholders, "placeholders", nil, "values of Flyway's placeholders: name=value")
	}, want: "name=value", ok: func(s *settings) bool {
		return !slices.ContainsFunc(s.Placeholders, func(p string) bool { return !strings.Contains(p, "=") })
	}},
	{name: "accept", scope: planning, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringSliceVar(&s.Accept, "accept", nil, "consents that plan asks for: "+strings.Join(consents, ","))
	}, want: "any of " + strings.Join(consents, ", "), ok: func(s *settings) bool {
		return !slices.ContainsFunc(s.Accept, func(class string) bool { return !slices.Contains(consents, strings.TrimSpace(class)) })
	}},
	{name: "version-schema", scope: planning, add: func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.VersionSchema, "version-schema", false, "show the new shape in a schema of views named like the migration")
	}},
	{name: "big-rows", scope: sizing, add: func(fs *pflag.FlagSet, s *settings) {
		fs.Int64Var(&s.BigRows, "big-rows", 10_000, "tables with fewer rows (and less than 16 MB) are changed by the plain statement; -1: none")
	}, want: "a number of rows from 1 on, or -1", ok: func(s *settings) bool { return s.BigRows > 0 || s.BigRows == -1 }},
	{name: "disk-free", scope: planning, add: func(fs *pflag.FlagSet, s *settings) {
		fs.Var(&s.DiskFree, "disk-free", "free space on the server's disk (200GB), where it cannot be seen from here: managed services")
	}, ok: func(s *settings) bool { return s.DiskFree > 0 }},
	{name: "cancel-blockers", scope: executing, add: func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.CancelBlockers, "cancel-blockers", false, "cancel running queries of others that stand in the way")
	}},
	{name: "lock-budget", scope: executing, add: func(fs *pflag.FlagSet, s *settings) {
		fs.DurationVar(&s.LockBudget, "lock-budget", 200*time.Millisecond, "longest time from the first lock to COMMIT")
	}, ok: func(s *settings) bool { return s.LockBudget > 0 }},
	{name: "lock-wait", scope: executing, add: func(fs *pflag.FlagSet, s *settings) {
		fs.DurationVar(&s.LockWait, "lock-wait", 30*time.Minute, "how long a step goes on trying to get its locks")
	}, ok: func(s *settings) bool { return s.LockWait > 0 }},
	{name: "workers", scope: executing, add: func(fs *pflag.FlagSet, s *settings) {
		fs.IntVar(&s.Workers, "workers", 2, "sessions that change rows at the same time")
	}, want: "a whole number from 1 on", ok: func(s *settings) bool { return s.Workers > 0 }},
	{name: "full-pace", scope: executing, add: func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.FullPace, "full-pace", false, "fills do not leave half of the server's cores to others who are at work")
	}},
	{name: "unused-for", scope: completing, add: func(fs *pflag.FlagSet, s *settings) {
		s.UnusedFor = 0
		fs.Var((*days)(&s.UnusedFor), "unused-for", "refuse until no statement of pg_stat_statements has used the old shape for that long (7d)")
	}, ok: func(s *settings) bool { return s.UnusedFor > 0 }},
	{name: "wait", scope: executing, add: func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.Wait, "wait", false, "wait for another executor to finish instead of ending with 5")
	}},
	{name: "requester", scope: everywhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Requester, "requester", "", "who asks, for the receipt (default: the operating system's user)")
	}},
	{name: "json", scope: everywhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.JSON, "json", false, "print data: one JSON object, or one a line while something goes on")
	}},
	{name: "no-color", scope: everywhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.NoColor, "no-color", false, "no colours (also: NO_COLOR)")
	}},
	{name: "log-format", scope: everywhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.LogFormat, "log-format", "text", "log lines on standard error: text or json")
	}, want: "text or json", ok: func(s *settings) bool { return s.LogFormat == "text" || s.LogFormat == "json" }},
	{name: "verbose", scope: everywhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.CountVarP(&s.Verbose, "verbose", "v", "log what is done; -vv: also progress")
	}, want: "0, 1 or 2", ok: func(s *settings) bool { return s.Verbose >= 0 }},
	{name: "quiet", scope: everywhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVarP(&s.Quiet, "quiet", "q", false, "print results and errors only")
	}},
}

// wanted is what is allowed for a flag.
func wanted(f *pflag.Flag) string {
	for _, o := range options {
		if o.name == f.Name && o.want != "" {
			return o.want
		}
	}
	switch f.Value.Type() {
	case "bool":
		return "true or false"
	case "duration":
		return "a time above 0 (200ms, 1.5s, 30m)"
	case "days":
		return "a time above 0 (30m, 12h, 7d)"
	case "size":
		return "a size above 0 with a unit (500MB, 200GB, 1.5TB)"
	case "stringSlice":
		return "a list of strings"
	}
	return "a " + f.Value.Type()
}

// settingError is a flag, a variable of the environment or a key of replank.toml with a value that is not allowed.
type settingError struct {
	name string  // as the user knows it: --lock-budget, REPLANK_LOCK_BUDGET, lock_budget
	pos  ddl.Pos // in replank.toml; zero for the others
	what string  // is wrong
}

func (e *settingError) Error() string {
	if e.pos.Line > 0 {
		return e.pos.String() + ": " + e.message()
	}
	return e.message()
}

func (e *settingError) message() string {
	if e.name == "" {
		return e.what
	}
	return e.name + ": " + e.what
}

// flagError says what is wrong with the flags of a command line.
func flagError(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		f := invalid.GetFlag()
		err = &settingError{name: "--" + f.Name, what: fmt.Sprintf("want %s, not %q", wanted(f), invalid.GetValue())}
	}
	return &usageError{err: err, hint: cmd.CommandPath() + " --help shows the flags"}
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
			if err != nil || !(n >= 0 && n*u.bytes < 1<<63) { // NaN is neither
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

// days is a time that people count in days: 12h, 7d, 1d12h.
type days time.Duration

func (d *days) Set(text string) error {
	var whole float64
	number, rest, found := strings.Cut(text, "d")
	if found {
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || !(n >= 0 && n < 36500) { // NaN is neither
			return errors.New("want a time, like 12h or 7d")
		}
		whole, text = n, rest
	}
	var part time.Duration
	if text != "" || !found {
		var err error
		if part, err = time.ParseDuration(text); err != nil || found && part < 0 {
			return errors.New("want a time, like 12h or 7d")
		}
	}
	*d = days(time.Duration(whole*24*float64(time.Hour)) + part)
	return nil
}

func (d *days) String() string {
	if d == nil || *d == 0 {
		return ""
	}
	return time.Duration(*d).String()
}

func (*days) Type() string { return "days" }

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

// addFlagsNamed gives a command the flags of some options, whatever their scope.
func (s *settings) addFlagsNamed(fs *pflag.FlagSet, names ...string) {
	for _, o := range options {
		if slices.Contains(names, o.name) {
			o.add(fs, s)
		}
	}
}

// configFile is read when nobody names another and it is there.
const configFile = "replank.toml"

// load fills in what no flag of the command said: from the environment, then from the file. given are the
// command's flags, already parsed. What is wrong comes as a settingError each, and does not keep the rest from
// being read.
func (s *settings) load(given *pflag.FlagSet, getenv func(string) string, file string) []error {
	if file == "" {
		file = getenv("REPLANK_CONFIG")
	}
	values, wrong := readConfig(file)
	wrong = append(wrong, s.Dev.read(values, cmp.Or(file, configFile), getenv)...)
	flags := *s
	all := s.bind()
	*s = flags // binding writes the defaults
	rank := map[string]int{}
	s.from = map[string]settingError{}
	for _, o := range options {
		var (
			from  settingError
			err   error
			shown any
		)
		f, variable := all.Lookup(o.name), o.env()
		if o.name == "db" && getenv(variable) == "" {
			variable = "DATABASE_URL"
		}
		value, inFile := values[o.toml()]
		if g := given.Lookup(o.name); g != nil && g.Changed {
			rank[o.name], from.name, shown = 3, "--"+o.name, g.Value.String()
			if list, ok := g.Value.(pflag.SliceValue); ok {
				shown = strings.Join(list.GetSlice(), ",")
			}
		} else if env := getenv(variable); env != "" {
			rank[o.name], from.name, shown = 2, variable, env
			err = all.Set(o.name, env)
		} else if inFile {
			rank[o.name], from, shown = 1, settingError{name: o.toml(), pos: value.pos}, value.value
			err = setValue(f.Value, value.value)
		} else {
			continue
		}
		s.from[o.name] = from
		if err != nil || o.ok != nil && !o.ok(s) {
			from.what = "want " + wanted(f)
			if !o.secret {
				from.what += ", not " + asWritten(shown)
			}
			wrong = append(wrong, &from)
		}
	}
	for _, list := range [][]string{s.Accept, s.Lint.Off} {
		for i, word := range list {
			list[i] = strings.TrimSpace(word)
		}
	}
	// A database named on the command line must not lose to a forgotten direct_db of another one.
	if rank["db"] > rank["direct-db"] {
		s.DirectDB = ""
	}
	return wrong
}

// asWritten is a value as replank.toml or a shell would have it.
func asWritten(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = asWritten(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any, []map[string]any:
		return "a table"
	}
	return fmt.Sprint(v)
}

// setValue gives a flag a value of replank.toml.
func setValue(to pflag.Value, v any) error {
	wrong := errors.New("another type is wanted")
	list, isList := to.(pflag.SliceValue)
	switch v := v.(type) {
	case string:
		if isList {
			return list.Replace(strings.Split(v, ","))
		}
		return to.Set(v)
	case []any:
		texts := make([]string, len(v))
		for i, e := range v {
			text, ok := e.(string)
			if !ok || !isList {
				return wrong
			}
			texts[i] = text
		}
		if !isList {
			return wrong
		}
		return list.Replace(texts)
	case bool, int64:
		if isList || to.Type() == "string" {
			return wrong
		}
		return to.Set(fmt.Sprint(v))
	}
	return wrong
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

// configValue is one key of the file.
type configValue struct {
	value any
	pos   ddl.Pos // of the key
}

// readConfig reads replank.toml. An empty path means the one in the current folder, if there is one.
func readConfig(path string) (values map[string]configValue, wrong []error) {
	optional := path == ""
	if optional {
		path = configFile
	}
	text, err := os.ReadFile(path)
	if optional && errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, []error{fmt.Errorf("read the configuration: %w", err)}
	}
	var raw map[string]any
	if _, err := toml.Decode(string(text), &raw); err != nil {
		var perr toml.ParseError
		if errors.As(err, &perr) {
			at := perr.Position
			return nil, []error{&settingError{pos: ddl.Pos{File: path, Offset: at.Start, Line: at.Line, Column: max(1, at.Col)}, what: perr.Message}}
		}
		return nil, []error{fmt.Errorf("%s: %w", path, err)}
	}
	known := map[string]bool{}
	tables := map[string]bool{}
	for _, o := range options {
		known[o.toml()] = true
		tables[o.table] = o.table != ""
	}
	values = map[string]configValue{}
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		if key == devTable {
			values[key] = configValue{raw[key], posOf(key, path, string(text))}
			continue
		}
		keys, in := []string{key}, ""
		table, isTable := raw[key].(map[string]any)
		if tables[key] && isTable {
			keys, in = slices.Sorted(maps.Keys(table)), key
		}
		for _, key := range keys {
			name, value, pos := key, raw[key], ddl.Pos{}
			if in == "" {
				pos = posOf(key, path, string(text))
			} else {
				name, value = in+"."+key, table[key]
				pos = posIn(in, key, path, string(text))
			}
			if known[name] {
				values[name] = configValue{value, pos}
			} else {
				wrong = append(wrong, &settingError{pos: pos, what: "unknown key " + name + "; known are " + knownKeys()})
			}
		}
	}
	return values, wrong
}

// posIn finds a key of a table.
func posIn(table, key, file, text string) ddl.Pos {
	at := posOf(table, file, text).Offset
	re := regexp.MustCompile(`(?:^|[\n{,.])[ \t]*["']?(` + regexp.QuoteMeta(key) + `)["']?[ \t]*[\]=.]`)
	if m := re.FindStringSubmatchIndex(text[at:]); m != nil {
		return posAt(at+m[2], file, text)
	}
	return posAt(at, file, text)
}

// posOf finds a top-level key or table; the TOML package keeps positions to itself.
func posOf(key, file, text string) ddl.Pos {
	re := regexp.MustCompile(`(?m)^[ \t]*(?:\[+[ \t]*)?["']?(` + regexp.QuoteMeta(key) + `)["']?[ \t]*[\]=.]`)
	if at := re.FindStringSubmatchIndex(text); at != nil {
		return posAt(at[2], file, text)
	}
	return posAt(0, file, text)
}

func posAt(offset int, file, text string) ddl.Pos {
	before := text[:offset]
	return ddl.Pos{File: file, Offset: offset, Line: 1 + strings.Count(before, "\n"), Column: 1 + runes(before[strings.LastIndexByte(before, '\n')+1:])}
}

func knownKeys() string {
	var keys []string
	for _, o := range options {
		keys = append(keys, o.toml())
	}
	return strings.Join(append(keys, devTable), ", ")
}

func historyFormats() string {
	names := make([]string, len(history.Formats))
	for i, f := range history.Formats {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}

// placeholders are the values of Flyway's placeholders by name.
func (s *settings) placeholders() map[string]string {
	values := map[string]string{}
	for _, p := range s.Placeholders {
		name, value, _ := strings.Cut(p, "=")
		values[strings.TrimSpace(name)] = value
	}
	return values
}
