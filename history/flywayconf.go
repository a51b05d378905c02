package history

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/BurntSushi/toml"
)

// flywayConf is the configuration of Flyway that concerns the files: flyway.toml or flyway.conf beside the migrations
// or above them, under the names of flyway.conf without "flyway.", and the environment above both.
type flywayConf struct {
	dir    string // of the file, to which its locations are relative; "" = there is none
	path   string // for messages
	values map[string]string
	getenv func(string) (string, bool)
}

// flywayConfigIn gives the path of Flyway's configuration in a folder, or "".
func flywayConfigIn(dir string) string {
	for _, name := range []string{"flyway.toml", "flyway.conf"} {
		if path := filepath.Join(dir, name); exists(path) {
			return path
		}
	}
	return ""
}

func (r *reader) flywayConf(dir string) (*flywayConf, error) {
	c := &flywayConf{path: "environment", values: make(map[string]string), getenv: r.Getenv}
	for dir := range upwards(dir) {
		path := flywayConfigIn(dir)
		if path == "" {
			continue
		}
		c.dir, c.path = dir, path
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, &Error{Path: path, Err: cause(err)}
		}
		if filepath.Ext(path) == ".toml" {
			err = c.readTOML(string(text))
		} else {
			c.readProperties(string(text))
		}
		if err != nil {
			return nil, &Error{Path: path, Err: err}
		}
		break
	}
	return c, nil
}

// readTOML flattens the table [flyway]: lists become text with commas, tables become names with dots.
func (c *flywayConf) readTOML(text string) error {
	var doc struct {
		Flyway map[string]any `toml:"flyway"`
	}
	if _, err := toml.Decode(text, &doc); err != nil {
		return err
	}
	var flatten func(prefix string, table map[string]any)
	flatten = func(prefix string, table map[string]any) {
		for key, value := range table {
			switch v := value.(type) {
			case map[string]any:
				flatten(prefix+key+".", v)
			case []any:
				var items []string
				for _, item := range v {
					items = append(items, fmt.Sprint(item))
				}
				c.values[prefix+key] = strings.Join(items, ",")
			default:
				c.values[prefix+key] = fmt.Sprint(v)
			}
		}
	}
	flatten("", doc.Flyway)
	return nil
}

// readProperties reads Java properties: comments with # and !, a backslash continues a line.
func (c *flywayConf) readProperties(text string) {
	text = strings.NewReplacer("\\\r\n", "", "\\\n", "").Replace(text)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		i := strings.IndexAny(line, "=:")
		if i < 0 {
			continue
		}
		c.values[strings.TrimPrefix(strings.TrimSpace(line[:i]), "flyway.")] = strings.TrimSpace(line[i+1:])
	}
}

// get gives a setting: sqlMigrationPrefix is FLYWAY_SQL_MIGRATION_PREFIX in the environment.
func (c *flywayConf) get(name, otherwise string) string {
	var env strings.Builder
	env.WriteString("FLYWAY_")
	for _, r := range name {
		if unicode.IsUpper(r) {
			env.WriteByte('_')
		}
		env.WriteRune(unicode.ToUpper(r))
	}
	if v, ok := c.getenv(env.String()); ok {
		return v
	}
	if v, ok := c.values[name]; ok {
		return v
	}
	return otherwise
}

func (c *flywayConf) list(name, otherwise string) []string {
	var items []string
	for item := range strings.SplitSeq(c.get(name, otherwise), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func (c *flywayConf) is(name string, otherwise bool) (bool, error) {
	v := c.get(name, strconv.FormatBool(otherwise))
	b, err := strconv.ParseBool(strings.ToLower(v))
	if err != nil {
		return false, &Error{Path: c.path, Err: fmt.Errorf("%s is %q, neither true nor false", name, v)}
	}
	return b, nil
}

// placeholder gives the value of a placeholder. Names are compared as they are, those of the environment without case.
func (c *flywayConf) placeholder(name string) (string, bool) {
	if v, ok := c.getenv("FLYWAY_PLACEHOLDERS_" + strings.ToUpper(name)); ok {
		return v, true
	}
	v, ok := c.values["placeholders."+name]
	return v, ok
}

// locations gives the folders that the configuration names. Those in a class path are where Maven and Gradle take
// their resources from.
func (c *flywayConf) locations() ([]string, error) {
	var dirs []string
	for _, l := range c.list("locations", "filesystem:sql,classpath:db/migration") {
		kind, place, ok := strings.Cut(l, ":")
		if !ok {
			kind, place = "classpath", l
		}
		switch {
		case strings.ContainsAny(place, "*?"):
			return nil, &Error{Path: c.path, Err: fmt.Errorf("location %s: patterns are not read", l), hint: "name the folders on the command line"}
		case kind == "classpath":
			place = filepath.Join("src", "main", "resources", place)
		case kind != "filesystem":
			return nil, &Error{Path: c.path, Err: fmt.Errorf("location %s: only filesystem: and classpath: are read", l)}
		}
		if !filepath.IsAbs(place) {
			place = filepath.Join(c.dir, place)
		}
		// The defaults are folders that may be missing.
		if _, named := c.values["locations"]; named || exists(place) {
			dirs = append(dirs, place)
		}
	}
	if len(dirs) == 0 {
		return []string{c.dir}, nil
	}
	return dirs, nil
}

// readIfThere reads a file that need not be there.
func readIfThere(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}
