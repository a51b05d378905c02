package ddl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// SnapshotFormat is the format of snapshots that this version writes, and the only one that it reads.
const SnapshotFormat = 1

// Snapshot is what one needs to know about a database to judge migrations far away from it: shapes, sizes and the
// workload, and the SQL that makes the shapes again. It holds no row, no literal of a query, no comment, no statistics
// and no password. Constants in definitions (defaults, CHECK, bounds of partitions, bodies of views and functions) are
// part of the shape, and it has them.
type Snapshot struct {
	Format   int       `json:"format"`
	Taken    time.Time `json:"taken"`    // by the clock of the server
	Server   string    `json:"server"`   // server_version
	Database string    `json:"database"` // its name
	Encoding string    `json:"encoding"`
	Collate  string    `json:"collate"`
	CType    string    `json:"ctype"`
	// Settings are those of a session of whoever took the snapshot that decide what statements mean or do.
	Settings map[string]string `json:"settings"`
	// Unseen says what could not be seen, one sentence each: for the privileges of whoever took it, or for settings.
	Unseen []string `json:"unseen,omitempty"`
	// Applied are the rows of the bookkeeping tables of other migration tools.
	Applied []Applied `json:"applied,omitempty"`
	// Schema has no Comments and no statistics of columns. Its Facts hold only what is not built into the server:
	// what extensions and the user have made. See Facts.Add.
	Schema   *Schema  `json:"schema"`
	Workload Workload `json:"workload"`
	// Script makes the shapes in an empty database, statement by statement: what pg_dump says, without owners,
	// privileges and comments. Empty where pg_dump could not say it; Unseen has the reason then.
	Script string `json:"script"`
}

// Applied is what the bookkeeping table of a migration tool says is applied.
type Applied struct {
	Tool  string `json:"tool"` // goose, golang-migrate, dbmate, flyway, sqitch, django, alembic; replank: its own journal
	Table Name   `json:"table"`
	// Versions are the rows, as text: a version, app.name for django, project:change_id for sqitch, the name of a
	// migration for replank. Behind golang-migrate's stands " dirty" where it says so, behind flyway's " failed" or
	// " baseline"; its repeatable ones are "R ", description and checksum.
	Versions []string `json:"versions"`
}

// Workload is what pg_stat_statements knows of one database.
type Workload struct {
	Statements []LiveStatement `json:"statements"`
	// Since is when counting began; zero where the extension does not tell (before 1.9).
	Since time.Time `json:"since,omitzero"`
	// Utility, Hidden, Lost and Unreadable count what is not in Statements: utility statements, those of other roles
	// whose text one may not see, those whose text the server has lost, and those that cannot be told free of literals.
	Utility    int64 `json:"utility"`
	Hidden     int64 `json:"hidden"`
	Lost       int64 `json:"lost"`
	Unreadable int64 `json:"unreadable"`
	// Evicted is how often the extension made room by forgetting statements.
	Evicted int64 `json:"evicted"`
}

// LiveStatement is one statement that applications send, with $n for every constant.
type LiveStatement struct {
	QueryID int64  `json:"queryid,string"`
	Text    string `json:"text"`
	Calls   int64  `json:"calls"`
	Rows    int64  `json:"rows"`
	// Since is when this statement was counted first (17), else zero.
	Since time.Time `json:"since,omitzero"`
	// Nested says that only functions call it.
	Nested bool `json:"nested,omitempty"`
	// Path is the search_path of whoever sends it, where that is known not to be the snapshot's.
	Path []string `json:"search_path,omitempty"`
}

// CallsPerDay is how often a statement of the workload is called in a day; false where nobody knows since when it is
// counted. Less than an hour of counting counts as an hour.
func (s *Snapshot) CallsPerDay(st LiveStatement) (float64, bool) {
	since := s.Workload.Since
	if st.Since.After(since) {
		since = st.Since
	}
	if since.IsZero() {
		return 0, false
	}
	return float64(st.Calls) / max(s.Taken.Sub(since), time.Hour).Hours() * 24, true
}

// SnapshotError is a file that is no snapshot, or one of another format.
type SnapshotError struct {
	Format int // 0 = no snapshot at all
	Major  int // of PostgreSQL, where it is one that is not known; else 0
	Err    error
}

func (e *SnapshotError) Error() string {
	if e.Major != 0 {
		return fmt.Sprintf("the snapshot is of PostgreSQL %d, this replank knows %d to %d", e.Major, OldestMajor, NewestMajor)
	}
	if e.Format == 0 {
		return "not a snapshot: " + e.Err.Error()
	}
	return fmt.Sprintf("the snapshot has format %d, this replank reads format %d", e.Format, SnapshotFormat)
}

func (e *SnapshotError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *SnapshotError) Hint() string {
	switch {
	case e.Major > NewestMajor:
		return "use a newer replank"
	case e.Major != 0:
		return "upgrade that server: nobody mends it any more"
	case e.Format > SnapshotFormat:
		return "a newer replank wrote it: use that one here too"
	case e.Format != 0:
		return "take it anew: replank snapshot"
	}
	return "replank snapshot --db … > replank.snapshot.json makes one"
}

// ReadSnapshot reads what Snapshot.Encode wrote.
func ReadSnapshot(data []byte) (*Snapshot, error) {
	var head struct {
		Format *int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, &SnapshotError{Err: err}
	}
	if head.Format == nil || *head.Format <= 0 {
		return nil, &SnapshotError{Err: errors.New("it has no format")}
	}
	if *head.Format != SnapshotFormat {
		return nil, &SnapshotError{Format: *head.Format}
	}
	var file snapshotFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, &SnapshotError{Err: err}
	}
	s := file.Snapshot
	if file.Shape == nil {
		return nil, &SnapshotError{Err: errors.New("it has no shape")}
	}
	if major := file.Shape.Version / 10000; major < OldestMajor || major > NewestMajor {
		return nil, &SnapshotError{Major: major}
	}
	s.Schema = file.Shape.schema()
	return &s, nil
}

// Encode gives the snapshot as JSON: equal snapshots give equal bytes. What is zero is left out of the shape.
func (s *Snapshot) Encode() ([]byte, error) {
	file := snapshotFile{Snapshot: *s}
	file.Snapshot.Schema = nil
	var b bytes.Buffer
	encodeCompact(&b, snapshotShape(s.Schema))
	shape := json.RawMessage(b.Bytes())
	out, err := json.Marshal(struct {
		snapshotFile
		Shape json.RawMessage `json:"schema"`
	}{file, shape})
	if err != nil {
		return nil, fmt.Errorf("encode the snapshot: %w", err)
	}
	return append(out, '\n'), nil
}

// snapshotFile is a Snapshot as it stands in the file: the shape takes the place of the Schema.
type snapshotFile struct {
	Snapshot
	Shape *shapeFile `json:"schema"`
}

// shapeFile is a Schema with lists, in the order of their names, for its maps. What the parts of a Schema know of each
// other (ReferencedBy, the indexes by their names) is left out, and found again. Memberships in roles and the privileges
// of schemas, languages and servers are left out for good: no judgement needs to know who works there.
type shapeFile struct {
	Schema
	Relations   []*Relation
	Sequences   []*Sequence
	Types       []*Type
	Functions   []*Function
	DefaultACLs []DefaultACL
	Facts       *factsFile
}

type factsFile struct {
	Types                       []typeFact
	Casts                       []castFact
	Volatile, Stable, Immutable []string
	Extensions                  []Extension
}

type typeFact struct {
	Name Name
	BuiltinType
}

type castFact struct {
	CastKey
	Cast
}

func snapshotShape(s *Schema) *shapeFile {
	f := &shapeFile{Schema: *s, DefaultACLs: s.DefaultACLs}
	f.Schema.cow, f.Schema.dropping, f.Schema.constraints = nil, nil, constraintNames{}
	for _, n := range s.sortedRelations() {
		r := *s.Relations[n]
		r.ReferencedBy, r.Comment = nil, ""
		r.withoutStatistics()
		f.Relations = append(f.Relations, &r)
	}
	for _, n := range sortedNames(s.Sequences) {
		q := *s.Sequences[n]
		q.Comment = ""
		f.Sequences = append(f.Sequences, &q)
	}
	for _, n := range sortedNames(s.Types) {
		t := *s.Types[n]
		t.Comment = ""
		t.Constraints = withoutComments(t.Constraints, func(c *TableConstraint) { c.Comment = "" })
		f.Types = append(f.Types, &t)
	}
	for _, sig := range slices.Sorted(maps.Keys(s.Functions)) {
		fn := *s.Functions[sig]
		fn.Comment = ""
		f.Functions = append(f.Functions, &fn)
	}
	if s.Facts != nil {
		f.Facts = factsOf(s.Facts)
	}
	return f
}

// withoutStatistics takes out of a relation what people have said or ANALYZE has found out about it.
func (r *Relation) withoutStatistics() {
	r.Columns = withoutComments(r.Columns, func(c *RelColumn) { c.Comment, c.AvgWidth, c.NullFrac = "", 0, 0 })
	r.Constraints = withoutComments(r.Constraints, func(c *TableConstraint) { c.Comment = "" })
	r.Indexes = withoutComments(r.Indexes, func(x *Index) { x.Comment = "" })
	r.Triggers = withoutComments(r.Triggers, func(t *Trigger) { t.Comment = "" })
	r.Policies = withoutComments(r.Policies, func(p *Policy) { p.Comment = "" })
	r.Rules = withoutComments(r.Rules, func(u *Rule) { u.Comment = "" })
	r.Statistics = slices.Clone(r.Statistics)
	for i := range r.Statistics {
		r.Statistics[i].Comment = ""
	}
}

// withoutComments copies a list of objects, each changed by clear.
func withoutComments[T any](list []*T, clear func(*T)) []*T {
	return clonePointers(list, func(p *T) *T {
		c := *p
		clear(&c)
		return &c
	})
}

func factsOf(f *Facts) *factsFile {
	out := &factsFile{
		Volatile: slices.Sorted(maps.Keys(f.Volatile)), Stable: slices.Sorted(maps.Keys(f.Stable)),
		Immutable: slices.Sorted(maps.Keys(f.Immutable)), Extensions: f.Extensions,
	}
	for _, n := range sortedNames(f.Types) {
		out.Types = append(out.Types, typeFact{n, *f.Types[n]})
	}
	keys := slices.SortedFunc(maps.Keys(f.Casts), func(a, b CastKey) int {
		return strings.Compare(a.From+"\x00"+a.To, b.From+"\x00"+b.To)
	})
	for _, k := range keys {
		out.Casts = append(out.Casts, castFact{k, f.Casts[k]})
	}
	return out
}

// schema puts the parts together again.
func (f *shapeFile) schema() *Schema {
	s := f.Schema
	s.Relations, s.Indexes = map[Name]*Relation{}, map[Name]*Index{}
	s.Sequences, s.Types, s.Functions = map[Name]*Sequence{}, map[Name]*Type{}, map[string]*Function{}
	s.DefaultACLs = f.DefaultACLs
	for _, r := range f.Relations {
		s.Relations[r.Name] = r
		for _, x := range r.Indexes {
			s.Indexes[x.Name] = x
		}
	}
	for _, q := range f.Sequences {
		s.Sequences[q.Name] = q
	}
	for _, t := range f.Types {
		s.Types[t.Name] = t
	}
	for _, fn := range f.Functions {
		s.Functions[fn.Signature] = fn
	}
	s.LinkReferences()
	if f.Facts != nil {
		s.Facts = f.Facts.facts()
	}
	return &s
}

func (f *factsFile) facts() *Facts {
	out := &Facts{
		Types: map[Name]*BuiltinType{}, Casts: map[CastKey]Cast{}, Extensions: f.Extensions,
		Volatile: setOf(f.Volatile), Stable: setOf(f.Stable), Immutable: setOf(f.Immutable),
	}
	for _, t := range f.Types {
		out.Types[t.Name] = &t.BuiltinType
	}
	for _, c := range f.Casts {
		out.Casts[c.CastKey] = c.Cast
	}
	return out
}

func setOf(names []string) map[string]bool {
	set := map[string]bool{}
	for _, n := range names {
		set[n] = true
	}
	return set
}

// Add puts what another set of facts knows beside what f knows: those of a snapshot beside what is built in. A
// function name that both know counts by the more volatile.
func (f *Facts) Add(more *Facts) {
	maps.Copy(f.Types, more.Types)
	maps.Copy(f.Casts, more.Casts)
	f.Extensions = more.Extensions
	rank := func(x *Facts, name string) int {
		switch {
		case x.Volatile[name]:
			return 3
		case x.Stable[name]:
			return 2
		case x.Immutable[name]:
			return 1
		}
		return 0
	}
	for _, set := range []map[string]bool{more.Volatile, more.Stable, more.Immutable} {
		for name := range set {
			if rank(f, name) >= rank(more, name) {
				continue
			}
			delete(f.Stable, name)
			delete(f.Immutable, name)
			[]map[string]bool{f.Immutable, f.Stable, f.Volatile}[rank(more, name)-1][name] = true
		}
	}
}
