package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/devdb"
)

// devTable is the table of replank.toml that describes the development set-up.
const devTable = "dev"

// The variables that say what --allow-host and --allow do.
const (
	envAllowHost = "REPLANK_DEV_ALLOW_HOST"
	envAllow     = "REPLANK_DEV_ALLOW"
)

// devKeys are the keys of [dev], of its apps and of its steps. docs/guide-dev.md lists them; a test compares.
var (
	devKeys     = []string{"db", "env", "keep", "pool", "test_after", "ready_within", "apps", "steps"}
	devAppKeys  = []string{"dir", "env", "start", "ready"}
	devStepKeys = []string{"app", "run", "needs", "inputs", "env"}
)

// devSettings is the table [dev] of replank.toml.
type devSettings struct {
	file   string // absolute
	there  bool
	config devdb.Config
	places map[string]ddl.Pos
	given  struct { // never in the file: what is allowed is said by who is there
		allowHost, takeOver string
		allow               []string
	}
	gateway bool // the file has a table [gateway]
}

// read takes the table from what readConfig has read. Only its form is looked at: whether the steps make sense is asked
// by the commands that need them.
func (s *devSettings) read(values map[string]configValue, file string, getenv func(string) string) []error {
	s.given.allowHost = cmp.Or(s.given.allowHost, getenv(envAllowHost))
	if allow := getenv(envAllow); allow != "" && len(s.given.allow) == 0 {
		s.given.allow = strings.Split(allow, ",")
	}
	value, there := values[devTable]
	if !there {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return []error{fmt.Errorf("read the configuration: %w", err)}
	}
	if s.file, err = filepath.Abs(file); err != nil {
		return []error{fmt.Errorf("find %s: %w", file, err)}
	}
	s.there, s.places = true, keyPositions(file, string(text))
	_, s.gateway = s.places["gateway"]
	r := tomlReader{places: s.places}
	table := r.table(devTable, value.value, devKeys)
	s.config = devdb.Config{
		Root: filepath.Dir(s.file), DSN: r.text(table, devTable, "db"), Env: r.texts(table, devTable, "env"),
		Keep: r.count(table, devTable, "keep"), Pool: r.count(table, devTable, "pool"),
		TestAfter: r.text(table, devTable, "test_after"), ReadyWithin: r.duration(table, devTable, "ready_within"),
	}
	if db := getenv("REPLANK_DEV_DB"); db != "" {
		s.config.DSN = db
	}
	s.config.DSN = ordinaryURL(s.config.DSN)
	for _, name := range r.names(table, devTable, "apps") {
		in := "dev.apps." + name
		t := r.table(in, table["apps"].(map[string]any)[name], devAppKeys)
		s.config.Apps = append(s.config.Apps, devdb.App{Name: name, Dir: r.text(t, in, "dir"), Env: r.texts(t, in, "env"),
			Start: r.text(t, in, "start"), Ready: r.text(t, in, "ready")})
	}
	for _, name := range r.names(table, devTable, "steps") {
		in := "dev.steps." + name
		t := r.table(in, table["steps"].(map[string]any)[name], devStepKeys)
		s.config.Steps = append(s.config.Steps, devdb.Step{Name: name, App: r.text(t, in, "app"), Run: r.text(t, in, "run"),
			Needs: r.list(t, in, "needs"), Inputs: r.list(t, in, "inputs"), Env: r.texts(t, in, "env")})
	}
	return r.wrong
}

// mistakes are what only the commands mind that need the set-up.
func (s *devSettings) mistakes() []error {
	if !s.there {
		return []error{&settingError{what: "there is no table [dev] in " + configFile + ": docs/guide-dev.md shows one"}}
	}
	var wrong []error
	add := func(key, what string) {
		wrong = append(wrong, &settingError{name: key, pos: posOfKey(s.places, key), what: what})
	}
	if s.config.DSN == "" {
		add("dev.db", `the database to make is not named: db = "postgres:///shop_dev", or REPLANK_DEV_DB`)
	}
	for _, m := range devdb.Check(s.config) {
		add(devTable+"."+m.Key, m.What)
	}
	for _, sign := range s.given.allow {
		if !slices.Contains(devdb.Signs, sign) {
			wrong = append(wrong, &settingError{name: "--allow", what: fmt.Sprintf("want any of %s, not %q", strings.Join(devdb.Signs, ", "), sign)})
		}
	}
	return wrong
}

// tomlReader takes a table apart and collects what is wrong with it.
type tomlReader struct {
	places map[string]ddl.Pos
	wrong  []error
}

func (r *tomlReader) add(key, format string, args ...any) {
	r.wrong = append(r.wrong, &settingError{name: key, pos: posOfKey(r.places, key), what: fmt.Sprintf(format, args...)})
}

// table is a value that must be a table with known keys.
func (r *tomlReader) table(name string, value any, known []string) map[string]any {
	t, ok := value.(map[string]any)
	if !ok {
		r.add(name, "want a table, not %s", asWritten(value))
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(t)) {
		if !slices.Contains(known, key) {
			r.add(name+"."+key, "unknown key; known are %s", strings.Join(known, ", "))
		}
	}
	return t
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// names are the keys of a table of tables, in the order of the file.
func (r *tomlReader) names(in map[string]any, path, key string) []string {
	value, there := in[key]
	if !there {
		return nil
	}
	t, ok := value.(map[string]any)
	if !ok {
		r.add(path+"."+key, "want tables [%s.%s.NAME], not %s", path, key, asWritten(value))
		return nil
	}
	names := slices.SortedFunc(maps.Keys(t), func(a, b string) int {
		return posOfKey(r.places, path+"."+key+"."+a).Offset - posOfKey(r.places, path+"."+key+"."+b).Offset
	})
	for _, name := range names {
		if !plainName.MatchString(name) {
			r.add(path+"."+key, "want names of letters, digits, - and _, not %q", name)
		}
	}
	return names
}

func (r *tomlReader) text(in map[string]any, path, key string) string {
	value, there := in[key]
	text, ok := value.(string)
	if there && !ok {
		r.add(path+"."+key, "want a string, not %s", asWritten(value))
	}
	return text
}

func (r *tomlReader) list(in map[string]any, path, key string) []string {
	value, there := in[key]
	if !there {
		return nil
	}
	many, ok := value.([]any)
	var texts []string
	for _, v := range many {
		text, isText := v.(string)
		ok = ok && isText
		texts = append(texts, text)
	}
	if !ok {
		r.add(path+"."+key, "want a list of strings, not %s", asWritten(value))
	}
	return texts
}

func (r *tomlReader) texts(in map[string]any, path, key string) map[string]string {
	value, there := in[key]
	if !there {
		return nil
	}
	t, ok := value.(map[string]any)
	texts := map[string]string{}
	for name, v := range t {
		text, isText := v.(string)
		ok = ok && isText
		texts[name] = text
	}
	if !ok {
		r.add(path+"."+key, "want a table of strings: { NAME = \"value\" }")
	}
	return texts
}

func (r *tomlReader) count(in map[string]any, path, key string) int {
	value, there := in[key]
	n, ok := value.(int64)
	if there && (!ok || n < 1 || n > 1000) {
		r.add(path+"."+key, "want a whole number from 1 to 1000, not %s", asWritten(value))
	}
	return int(n)
}

func (r *tomlReader) duration(in map[string]any, path, key string) time.Duration {
	text := r.text(in, path, key)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		r.add(path+"."+key, "want a time above 0 (30s, 2m), not %q", text)
	}
	return d
}
