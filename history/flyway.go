package history

import (
	"cmp"
	"fmt"
	"hash/crc32"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// flywayFile is what Flyway reads from a file's name (ResourceNameParser.java).
type flywayFile struct {
	*file
	kind        byte   // V versioned, R repeatable, U undo, B baseline
	version     string // with dots, as the books have it
	parts       []*big.Int
	description string
	script      string // its path below the location
	code        bool   // Java or Kotlin
	conf        map[string]string
	migration   Migration
	checksum    *int32
}

// repeatable begins the version of a repeatable migration, which has none in the books: its description and checksum
// stand there, so that a changed one is to be applied again.
const repeatable = "R "

func repeats(m Migration) bool { return strings.HasPrefix(m.Version, repeatable) }

func (r *reader) flyway(paths []string) error {
	conf, err := r.flywayConf(folderOf(paths[0]))
	if err != nil {
		return err
	}
	if len(paths) == 1 && conf.dir != "" && same(conf.dir, paths[0]) {
		if paths, err = conf.locations(); err != nil {
			return err
		}
	}
	if e := strings.ToUpper(conf.get("encoding", "UTF-8")); e != "UTF-8" && e != "UTF8" {
		return &Error{Path: conf.path, Err: fmt.Errorf("encoding %s: only UTF-8 is read", e), hint: "save the files as UTF-8, and set encoding to it"}
	}
	files, err := r.flywayFiles(paths, conf)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return &Error{Path: paths[0], Err: fmt.Errorf("no migration of Flyway in it"), hint: "they are named as V1__title.sql and R__title.sql"}
	}
	if err := r.flywayOrder(files, conf); err != nil {
		return err
	}
	late, err := conf.is("outOfOrder", false)
	r.h.ordered, r.h.outOfOrder = true, r.h.outOfOrder || late
	return err
}

// folderOf is the folder that a path names, or that of the file that it names.
func folderOf(path string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return filepath.Dir(path)
	}
	return path
}

// flywayFiles reads the files of the locations, with those below them.
func (r *reader) flywayFiles(paths []string, conf *flywayConf) ([]*flywayFile, error) {
	suffixes := conf.list("sqlMigrationSuffixes", ext)
	isCode := func(name string) bool { return strings.HasSuffix(name, ".java") || strings.HasSuffix(name, ".kt") }
	isSQL := func(name string) bool {
		return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) })
	}
	resources := filepath.Join("src", "main", "resources")
	for _, p := range slices.Clone(paths) {
		for _, language := range []string{"java", "kotlin"} {
			if code := strings.Replace(p, resources, filepath.Join("src", "main", language), 1); code != p && exists(code) {
				paths = append(paths, code)
			}
		}
	}
	l, err := r.listAndLoad(paths, func(name string) bool { return isSQL(name) || isCode(name) })
	if err != nil {
		return nil, err
	}
	if len(l.loops) > 0 {
		return nil, l.loops[0]
	}
	var files []*flywayFile
	for _, f := range l.files {
		rel, err := filepath.Rel(paths[f.from], f.path)
		if err != nil || rel == "." {
			rel = f.name()
		}
		ff, why := parseFlywayName(f, conf, suffixes)
		switch {
		case ff == nil && isCode(f.path):
			// Any class may stand there.
		case ff == nil:
			r.notice(f.path, "Flyway does not take it for a migration: %s", why)
		default:
			ff.script, ff.code = filepath.ToSlash(rel), isCode(f.path)
			if ff.code {
				ff.script = className(f.path)
			}
			files = append(files, ff)
		}
	}
	return files, nil
}

// className is the class in a file of Java or Kotlin.
func className(path string) string {
	path = filepath.ToSlash(strings.TrimSuffix(path, filepath.Ext(path)))
	for _, root := range []string{"src/main/java/", "src/main/kotlin/"} {
		if i := strings.LastIndex(path, root); i >= 0 {
			return strings.ReplaceAll(path[i+len(root):], "/", ".")
		}
	}
	return filepath.Base(path)
}

// parseFlywayName takes a name apart; nil and the reason where it is no migration's.
func parseFlywayName(f *file, conf *flywayConf, suffixes []string) (*flywayFile, string) {
	base := f.name()
	for _, s := range append(slices.Clone(suffixes), ".java", ".kt") {
		if rest, ok := strings.CutSuffix(base, s); ok {
			base = rest
			break
		}
	}
	if strings.HasPrefix(base, "before") || strings.HasPrefix(base, "after") {
		return nil, "it is a callback, which only Flyway runs"
	}
	ff := &flywayFile{file: f}
	prefixes := []struct {
		kind   byte
		prefix string
	}{
		{'V', conf.get("sqlMigrationPrefix", "V")}, {'R', conf.get("repeatableSqlMigrationPrefix", "R")},
		{'U', conf.get("undoSqlMigrationPrefix", "U")}, {'B', conf.get("baselineMigrationPrefix", "B")},
	}
	slices.SortStableFunc(prefixes, func(a, b struct {
		kind   byte
		prefix string
	}) int {
		return cmp.Compare(len(b.prefix), len(a.prefix))
	})
	separator := conf.get("sqlMigrationSeparator", "__")
	for _, p := range prefixes {
		rest, ok := strings.CutPrefix(base, p.prefix)
		if !ok {
			continue
		}
		version, description, _ := strings.Cut(rest, separator)
		ff.kind, ff.version = p.kind, strings.ReplaceAll(version, "_", ".")
		ff.description = strings.ReplaceAll(description, "_", " ")
		if p.kind == 'R' {
			if version != "" {
				return nil, "a repeatable migration has no version: its name begins with " + p.prefix + separator
			}
			return ff, ""
		}
		if ff.parts = versionParts(ff.version); ff.parts == nil {
			return nil, fmt.Sprintf("%q is not a version (numbers with dots or underscores)", version)
		}
		return ff, ""
	}
	return nil, "its name begins with none of Flyway's prefixes"
}

// versionParts gives the numbers of a version without zeros at the end, nil where it is none.
func versionParts(version string) []*big.Int {
	parts := []*big.Int{}
	for p := range strings.SplitSeq(version, ".") {
		n, ok := new(big.Int).SetString(p, 10)
		if !ok || n.Sign() < 0 || p[0] == '+' {
			return nil
		}
		parts = append(parts, n)
	}
	for len(parts) > 0 && parts[len(parts)-1].Sign() == 0 {
		parts = parts[:len(parts)-1]
	}
	return parts
}

func compareVersions(a, b []*big.Int) int { return slices.CompareFunc(a, b, (*big.Int).Cmp) }

// flywayOrder chooses what is to be read: a baseline, versioned migrations by version, repeatable ones by description.
func (r *reader) flywayOrder(files []*flywayFile, conf *flywayConf) error {
	kinds := make(map[byte][]*flywayFile)
	for _, f := range files {
		kinds[f.kind] = append(kinds[f.kind], f)
	}
	for kind, fs := range kinds {
		slices.SortStableFunc(fs, func(a, b *flywayFile) int {
			return cmp.Or(compareVersions(a.parts, b.parts), strings.Compare(a.description, b.description))
		})
		for i, f := range fs[min(1, len(fs)):] {
			switch other := fs[i]; {
			case kind == 'R' && other.description == f.description:
				return f.fail("Flyway knows a repeatable migration by its description: rename one", "the description %q is taken by %s", f.description, other.path)
			case kind != 'R' && compareVersions(other.parts, f.parts) == 0:
				return f.fail("give one of them another version", "version %s is taken by %s", f.version, other.path)
			}
		}
	}
	books := &flywayBooks{files: make(map[string]*flywayFile), by: conf.get("installedBy", "")}
	books.schema, books.table = splitQuoted(cmp.Or(r.Table, conf.get("table", "flyway_schema_history")))
	if books.schema == "" {
		schemas := append(conf.list("schemas", ""), "")
		books.schema = conf.get("defaultSchema", schemas[0])
	}
	r.h.Books = books
	undo := make(map[string]*flywayFile)
	for _, u := range kinds['U'] {
		undo[versionKey(u.parts)] = u
	}
	for _, f := range slices.Concat(r.flywayBaseline(kinds['B'], kinds['V']), kinds['V'], kinds['R']) {
		if err := r.flywayText(f, conf, books); err != nil {
			return err
		}
		f.migration.Version = f.version
		if u := undo[versionKey(f.parts)]; u != nil && f.kind == 'V' {
			f.migration.Down = string(u.text)
			delete(undo, versionKey(f.parts))
		}
		if f.kind == 'R' {
			f.migration.Version = repeatable + f.description + " " + strconv.Itoa(int(*f.checksum))
		}
		books.files[f.migration.Version] = f
		r.h.Migrations = append(r.h.Migrations, f.migration)
	}
	for _, u := range kinds['U'] {
		if undo[versionKey(u.parts)] == u {
			r.notice(u.path, "takes back version %s, which is not there", u.version)
		}
	}
	return nil
}

// flywayBaseline gives the baseline that the history begins with, if it has no versions up to it: with them, they say
// the same in smaller steps.
func (r *reader) flywayBaseline(baselines, versioned []*flywayFile) []*flywayFile {
	if len(baselines) == 0 {
		return nil
	}
	n := len(baselines) - 1
	for _, f := range baselines[:n] {
		r.notice(f.path, "a baseline for which a later one stands: passed over")
	}
	if last := baselines[n]; len(versioned) > 0 && compareVersions(versioned[0].parts, last.parts) <= 0 {
		r.notice(last.path, "a baseline: a database without a history begins with it; the versions up to %s are read instead of it", last.version)
		return nil
	}
	return baselines[n:]
}

func versionKey(parts []*big.Int) string { return fmt.Sprint(parts) }

// flywayText reads the text of one file: its placeholders, its checksum, its transaction.
func (r *reader) flywayText(f *flywayFile, conf *flywayConf, books *flywayBooks) error {
	m, err := f.file.migration()
	if err != nil {
		return err
	}
	if m.Name == f.name() || f.code {
		m.Name = strings.TrimSuffix(f.name(), filepath.Ext(f.name()))
	}
	m.Tx = Whole
	if f.code {
		m.Text, m.Code = "", []Code{{Name: f.name(), Path: f.path, Line: 1}}
		zero := int32(0)
		f.checksum, f.migration = &zero, m
		return nil
	}
	if err := f.readConf(); err != nil {
		return err
	}
	raw := flywayChecksum(m.Text)
	f.checksum = &raw
	replace, err := conf.is("placeholderReplacement", true)
	if err != nil {
		return err
	}
	if v, ok := f.conf["placeholderReplacement"]; ok {
		replace = strings.EqualFold(v, "true")
	}
	prefix, suffix := conf.get("placeholderPrefix", "${"), conf.get("placeholderSuffix", "}")
	if replace && strings.Contains(m.Text, prefix) {
		if m.Text, m.Origins, err = r.flywayReplace(f, m.Text, prefix, suffix, conf, books); err != nil {
			return err
		}
		if f.kind == 'R' {
			replaced := flywayChecksum(m.Text)
			f.checksum = &replaced
		}
	}
	inTx := conf.get("executeInTransaction", "")
	if v, ok := f.conf["executeInTransaction"]; ok {
		inTx = v
	}
	if strings.EqualFold(inTx, "false") || !strings.EqualFold(inTx, "true") && flywayAlone(m.Text) {
		m.Tx = Each
	}
	f.migration = m
	return nil
}

// readConf reads the script's own configuration, V1__title.sql.conf.
func (f *flywayFile) readConf() error {
	text, err := readIfThere(f.path + ".conf")
	if err != nil {
		return &Error{Path: f.path + ".conf", Err: cause(err)}
	}
	c := &flywayConf{values: make(map[string]string)}
	c.readProperties(string(text))
	f.conf = c.values
	if e := strings.ToUpper(f.conf["encoding"]); e != "" && e != "UTF-8" && e != "UTF8" {
		return f.fail("save the file as UTF-8", "its .conf says encoding %s: only UTF-8 is read", e)
	}
	return nil
}

// flywayReplace puts the values of placeholders in, wherever they stand, also in comments and strings, as Flyway does.
func (r *reader) flywayReplace(f *flywayFile, text, prefix, suffix string, conf *flywayConf, books *flywayBooks) (string, []Origin, error) {
	w := rewrite{path: f.path, moves: true}
	n := 0
	for line := range strings.Lines(text) {
		n++
		var b strings.Builder
		for rest := line; rest != ""; {
			before, behind, found := strings.Cut(rest, prefix)
			name, after, closed := strings.Cut(behind, suffix)
			if !found || !closed {
				b.WriteString(rest)
				break
			}
			value, ok := r.flywayValue(name, f, conf, books)
			if !ok {
				return "", nil, f.at(n, "set it in Flyway's configuration (placeholders."+name+") or in replank.toml (placeholders)",
					"no value for the placeholder %s%s%s", prefix, name, suffix)
			}
			b.WriteString(before)
			b.WriteString(value)
			rest = after
		}
		w.line(n, line, b.String())
	}
	out, origins := w.done()
	return out, origins, nil
}

func (r *reader) flywayValue(name string, f *flywayFile, conf *flywayConf, books *flywayBooks) (string, bool) {
	if v, ok := r.Placeholders[name]; ok {
		return v, true
	}
	if v, ok := conf.placeholder(name); ok {
		return v, true
	}
	switch name {
	case "flyway:defaultSchema":
		return cmp.Or(books.schema, "public"), true
	case "flyway:table":
		return books.table, true
	case "flyway:filename":
		return f.name(), true
	}
	return "", false
}

// flywayChecksum is CRC-32 over the lines without their ends, signed. (Lines follow each other without anything
// between them, so that the ends can be dropped at once.)
func flywayChecksum(text string) int32 {
	h := crc32.NewIEEE()
	for line := range strings.Lines(text) {
		for part := range strings.SplitSeq(strings.TrimRight(line, "\r\n"), "\r") {
			h.Write([]byte(part))
		}
	}
	return int32(h.Sum32())
}

var (
	flywayMaybeAlone = regexp.MustCompile(`(?i)\b(DATABASE|TABLESPACE|SUBSCRIPTION|SYSTEM|CONCURRENTLY|REINDEX|VACUUM|DISCARD)\b`)
	flywayIsAlone    = regexp.MustCompile(`^((CREATE|DROP) (DATABASE|TABLESPACE|SUBSCRIPTION)|ALTER SYSTEM|(CREATE|DROP)( UNIQUE)? INDEX CONCURRENTLY` +
		`|REINDEX( VERBOSE)? (SCHEMA|DATABASE|SYSTEM)|VACUUM|DISCARD ALL)\b`)
)

// flywayAlone reports whether Flyway finds a statement that cannot be in a transaction (PostgreSQLParser.java). It
// looks at words, not at grammar, and does not know REINDEX ... CONCURRENTLY and DETACH PARTITION CONCURRENTLY.
func flywayAlone(text string) bool {
	if !flywayMaybeAlone.MatchString(text) {
		return false
	}
	for begin := range statementBegins(text) {
		if flywayIsAlone.MatchString(strings.ToUpper(begin)) {
			return true
		}
	}
	return false
}
