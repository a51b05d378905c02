package history

import (
	"cmp"
	"os"
	"os/user"
	"path/filepath"
	"strings"
)

// sqitchConf is sqitch.conf, in the syntax of git's configuration, with that of the user below it. Keys are
// section.name and section.subsection.name; section and name in lower case.
type sqitchConf map[string]string

// sqitchRoot climbs from a path to the folder with a plan of sqitch, from below its deploy folder at most. It gives the
// folder and what shows it.
func sqitchRoot(path string) (root, shown string) {
	dir := folderOf(path)
	for range 4 {
		for _, name := range []string{"sqitch.plan", "sqitch.conf"} {
			if shown = filepath.Join(dir, name); exists(shown) && below(path, dir) {
				return dir, shown
			}
		}
		dir = filepath.Join(dir, "..")
	}
	return "", ""
}

// below reports whether a path is the root of a project, a file of it, or lies in a folder of scripts.
func below(path, root string) bool {
	p, errP := filepath.Abs(path)
	r, errR := filepath.Abs(root)
	rel, err := filepath.Rel(r, p)
	if errP != nil || errR != nil || err != nil {
		return false
	}
	first, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
	return rel == "." || first == "sqitch.plan" || first == "sqitch.conf" || first == "deploy" || first == "revert" || first == "verify"
}

func (r *reader) sqitchConf(root string) (sqitchConf, error) {
	c := make(sqitchConf)
	var places []string
	if home, ok := r.Getenv("HOME"); ok {
		places = append(places, filepath.Join(home, ".sqitch", "sqitch.conf"))
	}
	if path, ok := r.Getenv("SQITCH_USER_CONFIG"); ok {
		places = []string{path}
	}
	for _, path := range append(places, filepath.Join(root, "sqitch.conf")) {
		text, err := readIfThere(path)
		if err != nil {
			return nil, &Error{Path: path, Err: cause(err)}
		}
		c.parse(string(text))
	}
	return c, nil
}

func (c sqitchConf) parse(text string) {
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			name, _, _ := strings.Cut(line[1:], "]")
			name, sub, _ := strings.Cut(name, " ")
			section = strings.ToLower(name) + "."
			if sub = strings.Trim(strings.TrimSpace(sub), `"`); sub != "" {
				section += sub + "."
			}
		default:
			key, value, _ := strings.Cut(line, "=")
			c[section+strings.ToLower(strings.TrimSpace(key))] = gitValue(strings.TrimSpace(value))
		}
	}
}

// gitValue takes quotes, escapes and a comment out of a value.
func gitValue(s string) string {
	var b strings.Builder
	inQuotes := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteString(cmp.Or(map[byte]string{'n': "\n", 't': "\t"}[s[i]], string(s[i])))
		case c == '"':
			inQuotes = !inQuotes
		case (c == '#' || c == ';') && !inQuotes:
			return strings.TrimSpace(b.String())
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// get gives a setting of the target, else of PostgreSQL's engine, else of all engines.
func (c sqitchConf) get(name, otherwise string) string {
	target := c["engine.pg.target"]
	return cmp.Or(c["target."+target+"."+name], c["engine.pg."+name], c["core."+name], otherwise)
}

// who gives the name and the address that sqitch writes down.
func (r *reader) who(c sqitchConf) (name, email string) {
	name, _ = r.Getenv("SQITCH_FULLNAME")
	email, _ = r.Getenv("SQITCH_EMAIL")
	name, email = cmp.Or(name, c["user.name"]), cmp.Or(email, c["user.email"])
	if name != "" && email != "" {
		return name, email
	}
	login := "replank"
	if u, err := user.Current(); err == nil {
		login = u.Username
		full, _, _ := strings.Cut(u.Name, ",")
		name = cmp.Or(name, full)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return cmp.Or(name, login), cmp.Or(email, login+"@"+host)
}
