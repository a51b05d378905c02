package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/catalog"
	"github.com/replank/replank/internal/pgtest"
)

func name(n string) ddl.Name {
	schema, rel, found := strings.Cut(n, ".")
	if !found {
		return ddl.Name{Schema: "public", Name: n}
	}
	return ddl.Name{Schema: schema, Name: rel}
}

// fixture makes a database with testdata/fixture.sql and loads it.
func fixture(t *testing.T) (*pgx.Conn, *ddl.Schema) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "fixture.sql"))
	if err != nil {
		t.Fatal(err)
	}
	dsn := pgtest.DB(t)
	role := pgtest.Role(t, "catalog", "")
	sql := strings.ReplaceAll(string(text), "READER", role)
	pgtest.Exec(t, dsn, sql)
	t.Cleanup(func() { pgtest.Exec(t, dsn, "DROP OWNED BY "+role) })
	conn := pgtest.Connect(t, dsn)
	return conn, load(t, conn, catalog.Options{})
}

func relation(t *testing.T, s *ddl.Schema, n string) *ddl.Relation {
	t.Helper()
	r := s.Relations[name(n)]
	if r == nil {
		t.Fatalf("relation %s was not loaded; there are %v", n, keys(s.Relations))
	}
	return r
}

func keys[V any](m map[ddl.Name]V) []string {
	var out []string
	for n := range m {
		out = append(out, n.String())
	}
	slices.Sort(out)
	return out
}

func TestLoadLeavesOutWhatIsNotTheUsers(t *testing.T) {
	conn, s := fixture(t)
	if got := keys(s.Relations); slices.ContainsFunc(got, func(n string) bool {
		return strings.HasPrefix(n, "replank.") || strings.HasPrefix(n, "pg_") || strings.HasPrefix(n, "information_schema.")
	}) {
		t.Errorf("relations loaded: %v", got)
	}
	if slices.Contains(s.Schemas, "replank") {
		t.Errorf("schemas loaded: %v", s.Schemas)
	}
	if _, err := conn.Exec(context.Background(), "CREATE TEMPORARY TABLE tmp (id serial)"); err != nil {
		t.Fatal(err)
	}
	s = load(t, conn, catalog.Options{})
	if got := append(keys(s.Relations), keys(s.Sequences)...); slices.ContainsFunc(got, func(n string) bool { return strings.Contains(n, "tmp") }) {
		t.Errorf("loaded with a temporary table around: %v", got)
	}
	if s.SearchPath[0] != "public" || len(s.SearchPath) != 1 {
		t.Errorf("search path %v", s.SearchPath)
	}
	var path string
	if err := conn.QueryRow(context.Background(), "SHOW search_path").Scan(&path); err != nil || path != `"$user", public` {
		t.Errorf("search_path of the session after Load: %q, %v", path, err)
	}
}

func TestLoadObjectsOfExtensions(t *testing.T) {
	conn, _ := fixture(t)
	ctx := context.Background()
	var there bool
	err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'citext')").Scan(&there)
	if err != nil {
		t.Fatal(err)
	}
	if !there {
		t.Skip("this server comes without citext")
	}
	if _, err := conn.Exec(ctx, "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE TABLE ci (c ext.citext)"); err != nil {
		t.Fatal(err)
	}
	s := load(t, conn, catalog.Options{})
	for sig := range s.Functions {
		if strings.Contains(sig, "citext") {
			t.Fatalf("function %s of an extension was loaded", sig)
		}
	}
	if s.Types[name("ext.citext")] != nil {
		t.Error("an extension's type counts as the user's")
	}
	if b := s.Facts.Types[name("ext.citext")]; b == nil || b.Text != "ext.citext" {
		t.Errorf("facts about citext: %+v", b)
	}
	if c, ok := s.Cast("ext.citext", "text"); !ok || c.Method != 'b' {
		t.Errorf("cast citext to text: %+v %t", c, ok)
	}
}

func TestLoadColumns(t *testing.T) {
	_, s := fixture(t)
	r := relation(t, s, "item")
	volatile := map[string]bool{}
	for _, c := range r.Columns {
		if c.Default != "" {
			volatile[c.Name] = c.Volatile
		}
	}
	want := map[string]bool{"id": true, "made": false, "rnd": true, "const": false, "own": true, "uid": true, "stab": false, "op": true, "twice": false, "loud": false}
	if d := cmp.Diff(want, volatile); d != "" {
		t.Errorf("volatility of defaults (- want):\n%s", d)
	}
	c := r.Column("label")
	if c.Collation != `pg_catalog."C"` || c.StatsTarget != 250 || c.Comment != "what it is" || !slices.Equal(c.Options, []string{"n_distinct=7"}) {
		t.Errorf("column label: %+v", c)
	}
	if len(c.ACL) != 1 || c.ACL[0].Privilege != "UPDATE" || !strings.HasPrefix(c.ACL[0].Grantee, "catalog") {
		t.Errorf("privileges on column label: %+v", c.ACL)
	}
	if c := r.Column("id"); c.Sequence != name("item_id_seq") || !c.NotNull {
		t.Errorf("column id: %+v", c)
	}
	if m := r.Column("moods"); !m.Array || m.TypeName != name("mood") || m.Type != "public.mood[]" {
		t.Errorf("column moods: %+v", m)
	}
	if r.ACL == nil || relation(t, s, "bare").ACL != nil {
		t.Errorf("privileges: item %v, bare %v", r.ACL, relation(t, s, "bare").ACL)
	}
	if revoked := relation(t, s, "revoked"); revoked.ACL == nil || len(revoked.ACL) != 0 {
		t.Errorf("privileges of a table from which all were revoked: %#v", revoked.ACL)
	}
	if r.UsedAttributes != len(r.Columns)+1 {
		t.Errorf("%d attributes used, %d columns, one was dropped", r.UsedAttributes, len(r.Columns))
	}
}

func TestLoadIndexesAndConstraints(t *testing.T) {
	_, s := fixture(t)
	x := s.Indexes[name("item_expr")]
	if x == nil || !slices.Equal(x.Keys, []string{"", "own"}) || !slices.Equal(x.Include, []string{"made"}) ||
		!slices.Equal(slices.Sorted(slices.Values(x.Columns)), []string{"const", "label", "made", "own"}) || x.Predicate == "" || !x.HasExpr {
		t.Errorf("index item_expr: %+v", x)
	}
	if x.StatsTarget[1] != 321 {
		t.Errorf("statistics target of an index expression: %v", x.StatsTarget)
	}
	r := relation(t, s, "item")
	fk := r.Constraint("item_parent_fkey")
	if fk == nil || fk.RefTable != name("item") || !slices.Equal(fk.RefColumns, []string{"id"}) || fk.Valid || strings.Contains(fk.Definition, "NOT VALID") {
		t.Errorf("foreign key: %+v", fk)
	}
	var from []string
	for _, f := range r.ReferencedBy {
		from = append(from, f.Table.String()+"."+f.Name)
	}
	if want := []string{"app.detail.detail_item_fkey", "public.item.item_parent_fkey"}; !slices.Equal(from, want) {
		t.Errorf("referenced by %v, want %v", from, want)
	}
	part := relation(t, s, "part")
	if !slices.Equal(part.PartitionBy, []string{"day", "region"}) || part.Kind != 'p' {
		t.Errorf("partition key: %+v", part.PartitionBy)
	}
	child := relation(t, s, "part_1")
	if len(child.Indexes) != 1 || child.Indexes[0].Parent != name("part_region_idx") || child.Bound == "" {
		t.Errorf("partition: %+v", child)
	}
	refs := relation(t, s, "refpart")
	for _, c := range refs.Constraints {
		if c.Kind == ddl.ForeignKey && c.Parent != 0 {
			t.Errorf("the twin %s of a foreign key to a partitioned table was loaded", c.Name)
		}
	}
}

// TestLoadDependents drops nothing and renames nothing: it asks whether the list says in which order that works.
func TestLoadDependents(t *testing.T) {
	_, s := fixture(t)
	r := relation(t, s, "item")
	got := map[string]int{}
	at := map[string]int{}
	for i, d := range r.Dependents {
		if d.Column == "label" {
			got[d.Kind+" "+d.Name.String()] = d.Depth
			at[d.Name.Name] = i
		}
	}
	want := map[string]int{
		"view public.v1": 1, "view public.v2": 2, "materialized view public.mv": 3, "view public.top": 4,
		"policy public.only_labelled": 1, "trigger public.touch": 1, "statistics public.item_stat": 1, "generated column public.loud": 1, "rule public.keep": 1,
		"rule app.log_it": 4,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("what stands on column label (- want):\n%s", d)
	}
	if !(at["v1"] < at["v2"] && at["v2"] < at["mv"] && at["mv"] < at["top"]) {
		t.Errorf("order of re-creation: %v", at)
	}
	kinds := map[string]bool{}
	for _, d := range s.Types[name("mood")].Dependents {
		kinds[d.Kind] = true
	}
	for _, k := range []string{"column", "function", "view", "default"} {
		if !kinds[k] {
			t.Errorf("nothing of kind %s stands on type mood: %v", k, kinds)
		}
	}
	whole := false
	for _, d := range r.Dependents {
		whole = whole || d.Kind == "function" && d.Column == "" && s.Functions[d.Function] != nil
	}
	if !whole {
		t.Error("the function over the row type of item is missing")
	}
}

func TestLoadViews(t *testing.T) {
	conn, s := fixture(t)
	v := relation(t, s, "v1")
	if !strings.Contains(v.Definition, "public.item") || !slices.Contains(v.Options, "check_option=local") || v.Comment != "the first view" {
		t.Errorf("view v1: %+v", v)
	}
	if v.Column("label").Default == "" || len(v.Column("label").ACL) != 1 || len(v.Triggers) != 1 || !v.Triggers[0].InsteadOf {
		t.Errorf("view v1: %+v, trigger %+v", v.Column("label"), v.Triggers)
	}
	top := relation(t, s, "top")
	if len(top.Rules) != 1 || !strings.Contains(top.Rules[0].Definition, "CREATE RULE log_it") && top.Rules[0].Name != "log_it" {
		t.Errorf("rules of view top: %+v", top.Rules)
	}
	mv := relation(t, s, "mv")
	if mv.Kind != 'm' || !mv.Populated || len(mv.Indexes) != 1 {
		t.Errorf("materialized view: %+v", mv)
	}
	// The definitions must re-create the views.
	ctx := context.Background()
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	for _, q := range []string{"DROP VIEW top", "SET LOCAL search_path = ''", "CREATE VIEW public.top AS " + top.Definition, top.Rules[0].Definition} {
		if _, err := tx.Exec(ctx, q); err != nil {
			t.Errorf("%s: %v", q, err)
		}
	}
	for _, p := range relation(t, s, "item").Policies {
		if _, err := tx.Exec(ctx, "DROP POLICY only_labelled ON public.item"); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(ctx, p.Definition); err != nil {
			t.Errorf("%s: %v", p.Definition, err)
		}
	}
}

func TestLoadSizes(t *testing.T) {
	conn, s := fixture(t)
	r := relation(t, s, "filled")
	if r.Rows < 4000 || r.Rows > 12000 || r.Bytes == 0 || r.IndexBytes == 0 {
		t.Errorf("5000 rows that nobody has analysed: %d rows, %d bytes, %d bytes of indexes", r.Rows, r.Bytes, r.IndexBytes)
	}
	if r := relation(t, s, "bare"); r.Rows != 0 || r.Bytes != 0 {
		t.Errorf("an empty table: %d rows, %d bytes", r.Rows, r.Bytes)
	}
	ctx := context.Background()
	if _, err := conn.Exec(ctx, "ANALYZE filled; ANALYZE part; INSERT INTO filled SELECT g, repeat('x', 100) FROM generate_series(5001, 10000) g"); err != nil {
		t.Fatal(err)
	}
	s = load(t, conn, catalog.Options{})
	r = relation(t, s, "filled")
	if r.Rows < 9900 || r.Rows > 10100 {
		t.Errorf("10000 rows, 5000 of them analysed: %d", r.Rows)
	}
	if c := r.Column("v"); c.AvgWidth < 100 || c.AvgWidth > 110 {
		t.Errorf("average width of a text of 100: %d", c.AvgWidth)
	}
	part := relation(t, s, "part")
	if part.Rows != 300 || part.Bytes != relation(t, s, "part_1").Bytes+relation(t, s, "part_2").Bytes {
		t.Errorf("a partitioned table: %d rows, %d bytes", part.Rows, part.Bytes)
	}
}

// TestLoadBesideAnExclusiveLock: PostgreSQL prints definitions only with a lock on their table. Load says so after
// LockTimeout instead of hanging, and leaves the connection clean.
func TestLoadBesideAnExclusiveLock(t *testing.T) {
	conn, _ := fixture(t)
	ctx := context.Background()
	other := pgtest.Connect(t, conn.Config().ConnString())
	tx, err := other.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	if _, err := tx.Exec(ctx, "LOCK TABLE filled IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	_, err = catalog.Load(ctx, conn, catalog.Options{LockTimeout: 50 * time.Millisecond})
	var locked *catalog.LockedError
	if !errors.As(err, &locked) || !slices.Contains(locked.Relations, name("filled")) {
		t.Errorf("Load beside a lock: %v", err)
	}
	if err := conn.Ping(ctx); err != nil || conn.PgConn().TxStatus() != 'I' {
		t.Errorf("the connection after a failed Load: %v, status %c", err, conn.PgConn().TxStatus())
	}
}

// TestLoadInsideATransaction sees uncommitted changes and leaves the transaction's settings alone.
func TestLoadInsideATransaction(t *testing.T) {
	conn, _ := fixture(t)
	ctx := context.Background()
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	if _, err := tx.Exec(ctx, "SET LOCAL search_path = app, public; CREATE TABLE fresh (id int)"); err != nil {
		t.Fatal(err)
	}
	s, err := catalog.Load(ctx, tx, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Relation(ddl.Name{Name: "fresh"}) == nil || !slices.Equal(s.SearchPath, []string{"app", "public"}) {
		t.Errorf("in a transaction: search path %v, relations %v", s.SearchPath, keys(s.Relations))
	}
	var path string
	if err := tx.QueryRow(ctx, "SHOW search_path").Scan(&path); err != nil || path != "app, public" {
		t.Errorf("search_path after Load: %q, %v", path, err)
	}
	if _, err := tx.Exec(ctx, "CREATE TABLE another (id int)"); err != nil {
		t.Errorf("the transaction after Load: %v", err)
	}
}

func TestLoadRelations(t *testing.T) {
	conn, _ := fixture(t)
	s := load(t, conn, catalog.Options{Relations: []ddl.Name{name("target_1")}})
	if got, want := keys(s.Relations), []string{"public.refpart", "public.target", "public.target_1"}; !slices.Equal(got, want) {
		t.Errorf("around target_1: %v, want %v", got, want)
	}
	s = load(t, conn, catalog.Options{Schemas: []string{"app"}})
	if got, want := keys(s.Relations), []string{"app.detail"}; !slices.Equal(got, want) {
		t.Errorf("in schema app: %v, want %v", got, want)
	}
}

// TestHashOfFew: what the executor loads of a large catalog to see whether somebody changed a relation gives the
// same hash as all of it.
func TestHashOfFew(t *testing.T) {
	conn, whole := fixture(t)
	tried := 0
	for n := range whole.Relations {
		few := load(t, conn, catalog.Options{Relations: []ddl.Name{n}, NoSizes: true, NoFacts: true})
		if few.Hash([]ddl.Name{n}) != whole.Hash([]ddl.Name{n}) {
			t.Errorf("%s has another hash when only it is loaded", n)
		}
		tried++
	}
	if tried < 10 {
		t.Errorf("only %d relations", tried)
	}
}

func TestLoadPublications(t *testing.T) {
	_, s := fixture(t)
	pubs := func(n string) (out []string) {
		for _, p := range relation(t, s, n).Publications {
			out = append(out, fmt.Sprint(p.Name, p.Columns, p.AllTables))
		}
		return out
	}
	if got := pubs("bare"); !slices.Equal(got, []string{"all_of_it[] true"}) {
		t.Errorf("publications of bare: %v", got)
	}
	if got := pubs("part_1"); !slices.Equal(got, []string{"all_of_it[] true", "parts[] false"}) {
		t.Errorf("publications of a partition: %v", got)
	}
	if got := relation(t, s, "v1").Publications; got != nil {
		t.Errorf("publications of a view: %v", got)
	}
}

func TestFacts(t *testing.T) {
	_, s := fixture(t)
	for f, want := range map[string]byte{"random": 'v', "now": 's', "lower": 'i', "nextval": 'v', "gen_random_uuid": 'v', "no_such_function": 'v', "mine": 'v', "calm": 's'} {
		if got := s.FunctionVolatility(f); got != want {
			t.Errorf("%s is %c, want %c", f, got, want)
		}
	}
	for _, c := range []struct {
		from, to string
		method   byte
	}{{"character varying(20)", "text", 'b'}, {"integer", "bigint", 'f'}, {"timestamp(3) without time zone", "timestamp with time zone", 'f'}, {"character varying", "character varying", 'f'}} {
		if got, ok := s.Cast(c.from, c.to); !ok || got.Method != c.method {
			t.Errorf("cast of %s to %s: %+v %t", c.from, c.to, got, ok)
		}
	}
	if _, ok := s.Cast("text", "integer"); ok {
		t.Error("there is a cast of text to integer")
	}
	if b := s.BuiltinType(ddl.Name{Name: "int8"}); b == nil || b.Len != 8 || b.Text != "bigint" || b.Category != 'N' {
		t.Errorf("int8: %+v", b)
	}
}

func TestLoadReadOnly(t *testing.T) {
	conn, s := fixture(t)
	ctx := context.Background()
	if _, err := conn.Exec(ctx, "SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	again := load(t, conn, catalog.Options{})
	if d := cmp.Diff(s, again, cmpopts.IgnoreUnexported(ddl.Schema{}), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("two loads of the same database differ:\n%s", d)
	}
}

func TestHash(t *testing.T) {
	conn, s := fixture(t)
	ctx := context.Background()
	touched := []ddl.Name{name("item"), name("part")}
	hash := func() string { return load(t, conn, catalog.Options{}).Hash(touched) }
	first := s.Hash(touched)
	if again := s.Hash([]ddl.Name{{Name: "part"}, name("item"), name("item")}); again != first {
		t.Errorf("the hash depends on the order or spelling of the names")
	}
	run := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for _, same := range []string{
		"INSERT INTO item (label) VALUES ('x')", "ANALYZE", "CREATE TABLE unrelated (id int)", "ALTER TABLE filled ADD COLUMN z int",
		"CREATE TABLE part_3 PARTITION OF part FOR VALUES FROM ('2026-03-01', MINVALUE) TO ('2026-04-01', MINVALUE)", "DROP TABLE part_2",
		"ALTER TABLE item ADD COLUMN brief int; ALTER TABLE item DROP COLUMN brief",
	} {
		run(same)
		if got := hash(); got != first {
			t.Errorf("%s: counts as drift", same)
			first = got
		}
	}
	last := first
	for _, drift := range []string{
		"ALTER TABLE item ADD COLUMN more int", "CREATE INDEX ON item (made)", "ALTER TABLE item ALTER const SET DEFAULT 8", "ALTER TABLE item RENAME CONSTRAINT item_parent_fkey TO p",
		"CREATE OR REPLACE VIEW v2 AS SELECT label, id FROM v1 WHERE id > 5", "ALTER TYPE mood ADD VALUE 'new'", "GRANT SELECT ON item TO PUBLIC",
		"ALTER TABLE app.detail DROP CONSTRAINT detail_item_fkey", "ALTER TABLE item DISABLE TRIGGER touch", "ALTER SEQUENCE item_id_seq INCREMENT BY 3",
		"ALTER TABLE part ADD COLUMN p int", "ALTER TABLE item VALIDATE CONSTRAINT p", "DROP POLICY only_labelled ON item", "ALTER TABLE part RENAME TO parts",
	} {
		run(drift)
		got := hash()
		if got == last {
			t.Errorf("%s: not seen as drift", drift)
		}
		last = got
	}
}

// TestCloneSharesUntilWritten: a clone costs the same whatever the size, and neither side sees the other's changes.
func TestCloneSharesUntilWritten(t *testing.T) {
	_, s := fixture(t)
	apply := func(s *ddl.Schema, sql string) {
		t.Helper()
		f, err := ddl.Parse("", sql)
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range f.Statements {
			if err := s.Apply(st); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
	}
	want, err := json.Marshal(s.Relations[name("item")])
	if err != nil {
		t.Fatal(err)
	}
	c := s.Clone()
	if n := testing.AllocsPerRun(10, func() { s.Clone() }); n > 20 {
		t.Errorf("a clone makes %v allocations: it copies", n)
	}
	apply(c, "ALTER TABLE item ADD COLUMN c int; ALTER TABLE item RENAME TO renamed; DROP VIEW v1 CASCADE; ALTER TYPE mood ADD VALUE 'c'")
	apply(s, "ALTER TABLE item ADD COLUMN s int; ALTER TABLE item DROP COLUMN s")
	got, err := json.Marshal(s.Relations[name("item")])
	if err != nil {
		t.Fatal(err)
	}
	now := strings.Replace(string(want), fmt.Sprintf(`"UsedAttributes":%d`, s.Relations[name("item")].UsedAttributes-1), fmt.Sprintf(`"UsedAttributes":%d`, s.Relations[name("item")].UsedAttributes), 1)
	if d := cmp.Diff(now, string(got)); d != "" {
		t.Errorf("the original after changes to its clone:\n%s", d)
	}
	if s.Relations[name("renamed")] != nil || s.Relations[name("v1")] == nil || slices.Contains(s.Types[name("mood")].Labels, "c") {
		t.Error("the clone's changes show in the original")
	}
	if c.Relations[name("renamed")].Column("c") == nil || c.Relations[name("renamed")].Column("s") != nil || c.Relations[name("v1")] != nil {
		t.Error("the clone lost its changes or has the original's")
	}
	if c.Relations[name("filled")] != s.Relations[name("filled")] {
		t.Error("a table that nobody touched was copied")
	}
}

func TestApplyHints(t *testing.T) {
	_, s := fixture(t)
	for sql, want := range map[string]string{
		"ALTER TABLE itme ADD COLUMN x int":         `did you mean "item"?`,
		"ALTER TABLE item DROP COLUMN lable":        `did you mean "label"?`,
		"ALTER TABLE detail ADD COLUMN x int":       "app.detail",
		"ALTER TABLE ap.detail ADD COLUMN x int":    `did you mean "app"?`,
		"ALTER TABLE item DROP CONSTRAINT item_pky": `did you mean "item_pkey"?`,
		"DROP INDEX item_exp":                       `did you mean "item_expr"?`,
		"DROP TABLE item":                           "CASCADE",
		"ALTER TABLE item ADD COLUMN y moood":       `did you mean "mood"?`,
	} {
		f, err := ddl.Parse("", sql)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Clone().Apply(f.Statements[0])
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a hint with %s", sql, err, want)
		}
	}
}
