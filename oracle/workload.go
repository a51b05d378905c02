package oracle

import (
	"context"
	_ "embed"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
)

// Judgement is what migrations do to the workload.
type Judgement struct {
	// Judged is how many statements of the workload compiled before the first migration, so that something can be said.
	Judged int `json:"judged"`
	// Broken stop compiling; Changed compile, but take or give something else. The most called come first.
	Broken  []Verdict `json:"broken,omitempty"`
	Changed []Verdict `json:"changed,omitempty"`
	// Unjudged are those that did not compile before either, each with the reason.
	Unjudged []Verdict `json:"unjudged,omitempty"`
	// Failed are the statements of migrations that the clone refused. What comes after them is judged without them.
	Failed []Failure `json:"failed,omitempty"`
}

// Verdict is what is said of one statement of the workload.
type Verdict struct {
	Statement ddl.LiveStatement `json:"statement"`
	// CallsPerDay is -1 where nobody knows since when calls are counted.
	CallsPerDay float64  `json:"calls_per_day"`
	Relations   []string `json:"relations,omitempty"`
	// Migration is the first after which it is so; Healed the first after which it is no longer so.
	Migration string `json:"migration,omitempty"`
	Healed    string `json:"healed,omitempty"`
	// Code and Message are what the server says, Message also why nothing can be said.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	// Changes say what it takes or gives now: "column price: integer, was text".
	Changes []string `json:"changes,omitempty"`
	// Concerned says of one that could not be judged that it names what a migration has touched.
	Concerned bool `json:"concerned,omitempty"`
}

// Failure is a statement of a migration that the clone refused.
type Failure struct {
	Migration string  `json:"migration"`
	SQL       string  `json:"sql"`
	Pos       ddl.Pos `json:"position"`
	Code      string  `json:"code,omitempty"`
	Message   string  `json:"message"`
}

//go:embed sql/changed.sql
var changedSQL string

//go:embed sql/objects.sql
var objectsSQL string

// Workload executes the migrations on a copy of the clone, one after the other, and prepares the statements of the
// snapshot's workload before the first and, where they name what it has touched, after each.
func (c *Clone) Workload(ctx context.Context, migrations []history.Migration) (*Judgement, error) {
	var list []change
	for _, m := range migrations {
		list = append(list, change{m.Name, func(ctx context.Context, conn *pgx.Conn, failed *[]Failure) error {
			return c.execute(ctx, conn, m, failed)
		}})
	}
	return c.judge(ctx, list)
}

// Script is what Scripts executes in one transaction.
type Script struct {
	Settings   map[string]string // run-time parameters it runs under
	Statements []string
}

// Scripts is Workload for scripts that are one change of the given name.
func (c *Clone) Scripts(ctx context.Context, name string, scripts []Script) (*Judgement, error) {
	return c.judge(ctx, []change{{name, func(ctx context.Context, conn *pgx.Conn, failed *[]Failure) error {
		for _, s := range scripts {
			if err := c.script(ctx, conn, name, s, failed); err != nil {
				return err
			}
		}
		return nil
	}}})
}

// script executes all of a script or nothing.
func (c *Clone) script(ctx context.Context, conn *pgx.Conn, name string, s Script, failed *[]Failure) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	for setting, value := range s.Settings {
		if _, err := tx.Exec(ctx, "SELECT pg_catalog.set_config($1, $2, true)", setting, value); err != nil {
			return err
		}
	}
	for _, sql := range s.Statements {
		if _, err := tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			code, text, _ := message(err)
			if code == "" {
				return err
			}
			*failed = append(*failed, Failure{Migration: name, SQL: sql, Code: code, Message: text})
			return nil
		}
	}
	return tx.Commit(ctx)
}

// change is something that the workload is judged behind.
type change struct {
	name string
	make func(ctx context.Context, conn *pgx.Conn, failed *[]Failure) error
}

// judge makes the changes on a copy of the clone.
func (c *Clone) judge(ctx context.Context, list []change) (out *Judgement, err error) {
	err = c.apart(ctx, cloneDatabase, func(name string, conn *pgx.Conn) error {
		j := &judge{clone: c, out: &Judgement{}}
		defer j.close()
		if err := j.connect(ctx, name); err != nil {
			return err
		}
		if err := j.before(ctx); err != nil {
			return fmt.Errorf("prepare the workload: %w", err)
		}
		if err := j.through(ctx, conn, list); err != nil {
			return err
		}
		out = j.finish()
		return nil
	})
	return out, err
}

// through makes the changes, and judges the workload after each.
func (j *judge) through(ctx context.Context, conn *pgx.Conn, list []change) error {
	objects, err := objectsOf(ctx, conn)
	if err != nil {
		return err
	}
	for _, m := range list {
		var began int64
		if err := conn.QueryRow(ctx, "SELECT txid_current()").Scan(&began); err != nil {
			return err
		}
		if err := m.make(ctx, conn, &j.out.Failed); err != nil {
			return err
		}
		now, err := objectsOf(ctx, conn)
		if err != nil {
			return err
		}
		touched, err := changes(ctx, conn, began, objects, now)
		if err != nil {
			return err
		}
		objects = now
		if err := j.after(ctx, m.name, touched); err != nil {
			return fmt.Errorf("prepare the workload after %s: %w", m.name, err)
		}
	}
	return nil
}

// execute runs a migration, each statement for itself; the server's refusals are noted and passed over.
func (c *Clone) execute(ctx context.Context, conn *pgx.Conn, m history.Migration, failed *[]Failure) error {
	f, err := ddl.Parse(m.Path, m.Text)
	if err != nil {
		*failed = append(*failed, Failure{Migration: m.Name, Message: err.Error()})
		return nil
	}
	for _, st := range f.Statements {
		if isTransaction(st) {
			continue
		}
		err := c.exec(ctx, conn, forSession(st))
		code, text, _ := message(err)
		if err != nil && code == "" {
			return fmt.Errorf("%s: %w", st.Pos, err)
		}
		if err != nil {
			*failed = append(*failed, Failure{Migration: m.Name, SQL: st.SQL, Pos: st.Pos, Code: code, Message: text})
		}
	}
	// What it has set holds for itself alone, and so do roles and temporary tables.
	_, err = conn.Exec(ctx, "DISCARD ALL", pgx.QueryExecModeSimpleProtocol)
	return err
}

// isTransaction reports whether a statement is BEGIN, COMMIT or the like: on the clone each statement is alone.
func isTransaction(st ddl.Statement) bool {
	return len(st.Ops) == 1 && isOp[ddl.Transaction](st.Ops[0])
}

func isOp[T ddl.Op](op ddl.Op) bool {
	_, ok := op.(T)
	return ok
}

// forSession is the statement's text. SET LOCAL holds to the end of a transaction, which here is that of the migration.
func forSession(st ddl.Statement) string {
	if w := strings.Fields(st.SQL); len(w) > 2 && strings.EqualFold(w[0], "set") && strings.EqualFold(w[1], "local") {
		return "SET " + strings.Join(w[2:], " ")
	}
	return st.SQL
}

func objectsOf(ctx context.Context, conn *pgx.Conn) (map[uint32]string, error) {
	rows, err := conn.Query(ctx, objectsSQL)
	if err != nil {
		return nil, err
	}
	objects := map[uint32]string{}
	var oid uint32
	var name string
	_, err = pgx.ForEachRow(rows, []any{&oid, &name}, func() error {
		objects[oid] = name
		return nil
	})
	return objects, err
}

// changes are the names of what has come, changed or gone since a transaction began. "" stands for anything.
func changes(ctx context.Context, conn *pgx.Conn, began int64, before, now map[uint32]string) (map[string]bool, error) {
	rows, err := conn.Query(ctx, changedSQL, began)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	touched := map[string]bool{}
	for _, n := range names {
		touched[n] = true
	}
	for oid, n := range before {
		if now[oid] != n {
			touched[n] = true
		}
	}
	return touched, err
}

// judge goes through the migrations.
type judge struct {
	clone *Clone
	preps []*preparer          // one for each search_path; the first has the snapshot's
	paths map[string]*preparer // by the search_path of statements
	wide  *preparer            // the last one, with all schemas in its search_path
	live  []*live
	blind []*live // those that could not be judged, as in out.Unjudged
	out   *Judgement
}

// connect opens a connection for each search_path that statements have.
func (j *judge) connect(ctx context.Context, database string) error {
	open := func(path []string) (*preparer, error) {
		p, err := newPreparer(ctx, j.clone, database, path)
		if err == nil {
			j.preps = append(j.preps, p)
		}
		return p, err
	}
	first, err := open(nil)
	if err != nil {
		return err
	}
	own := j.clone.snap.Schema.PathSetting
	j.paths = map[string]*preparer{ddl.QuoteIdents(own): first, "": first}
	for _, st := range j.clone.snap.Workload.Statements {
		path := ddl.QuoteIdents(st.Path)
		if j.paths[path] != nil {
			continue
		}
		if len(j.paths) == mostPaths {
			j.paths[path] = first
			continue
		}
		if j.paths[path], err = open(st.Path); err != nil {
			return err
		}
	}
	all := slices.Clone(own)
	for _, s := range j.clone.snap.Schema.Schemas {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	j.wide, err = open(all)
	return err
}

// mostPaths bounds the connections.
const mostPaths = 16

func (j *judge) close() {
	for _, p := range j.preps {
		p.close()
	}
}

// live is a statement of the workload on its way.
type live struct {
	ddl.LiveStatement
	query   ddl.Query
	prep    *preparer
	types   []uint32 // of its parameters, where the server was told them; 0 = not
	guessed bool
	base    shape
	verdict *Verdict // what was found last; nil = nothing
	broken  bool
	found   []*Verdict
}

// before prepares everything once.
func (j *judge) before(ctx context.Context) error {
	list := j.read()
	results, err := j.prepare(ctx, list)
	if err != nil {
		return err
	}
	for i, l := range list {
		r := results[i]
		if r.err != nil {
			if r, err = l.prep.retype(ctx, l, r); err != nil {
				return err
			}
		}
		if r.err != nil && notFound(r.err.Code) {
			// Whoever sends it may have another search_path than whoever took the snapshot.
			wide, err := j.wide.one(ctx, l.query.SQL, nil)
			if err == nil && wide.err != nil {
				wide, err = j.wide.retype(ctx, l, wide)
			}
			if err != nil {
				return err
			}
			if wide.err == nil {
				l.prep, r = j.wide, wide
			}
		}
		if r.err != nil {
			j.unjudged(l, r.err.Code, j.reason(r.err.Message))
			continue
		}
		l.base = r.shape
		j.live = append(j.live, l)
	}
	j.out.Judged = len(j.live)
	for _, p := range j.preps {
		if err := p.learnTypes(ctx); err != nil {
			return err
		}
	}
	return nil
}

// notFound are the errors of names that another search_path may know.
func notFound(code string) bool { return code == "42P01" || code == "42883" || code == "42704" }

// prepare sends each statement through its preparer.
func (j *judge) prepare(ctx context.Context, list []*live) ([]result, error) {
	out := make([]result, len(list))
	for _, p := range j.preps {
		var part []*live
		var at []int
		for i, l := range list {
			if l.prep == p {
				part, at = append(part, l), append(at, i)
			}
		}
		results, err := p.all(ctx, part)
		if err != nil {
			return nil, err
		}
		for i, r := range results {
			out[at[i]] = r
		}
	}
	return out, nil
}

// read parses the workload, on all cores.
func (j *judge) read() []*live {
	statements := j.clone.snap.Workload.Statements
	all, errs := make([]*live, len(statements)), make([]error, len(statements))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for begin := 0; begin < len(all); begin += inFlight {
		g.Go(func() error {
			for i := begin; i < min(begin+inFlight, len(all)); i++ {
				all[i] = &live{LiveStatement: statements[i], prep: j.paths[ddl.QuoteIdents(statements[i].Path)]}
				all[i].query, errs[i] = ddl.ReadQuery(statements[i].Text, j.clone.server.Major()*10000)
			}
			return nil
		})
	}
	_ = g.Wait() // none fails as a whole
	var list []*live
	for i, l := range all {
		if errs[i] != nil {
			j.unjudged(l, "", "it cannot be read: "+errs[i].Error())
		} else {
			list = append(list, l)
		}
	}
	return list
}

// reason adds to what the server says why that may be.
func (j *judge) reason(text string) string {
	if n := len(j.clone.Missing); n > 0 {
		return fmt.Sprintf("%s (the clone lacks %d objects, the first: %s)", text, n, j.clone.Missing[0])
	}
	return text
}

func (j *judge) unjudged(l *live, code, reason string) {
	v := j.newVerdict(l)
	v.Code, v.Message = code, reason
	j.out.Unjudged = append(j.out.Unjudged, *v)
	j.blind = append(j.blind, l)
}

func (j *judge) newVerdict(l *live) *Verdict {
	v := &Verdict{Statement: l.LiveStatement, CallsPerDay: -1}
	if n, ok := j.clone.snap.CallsPerDay(l.LiveStatement); ok {
		v.CallsPerDay = n
	}
	for _, n := range l.query.Relations() {
		v.Relations = append(v.Relations, n.String())
	}
	return v
}

// after prepares again what names something touched.
func (j *judge) after(ctx context.Context, migration string, touched map[string]bool) error {
	var list []*live
	for _, l := range j.live {
		if touched[""] || l.names(touched) {
			list = append(list, l)
		}
	}
	for i, l := range j.blind {
		if touched[""] || l.mayName(touched) {
			j.out.Unjudged[i].Concerned = true
		}
	}
	results, err := j.prepare(ctx, list)
	if err != nil {
		return err
	}
	for i, l := range list {
		r := results[i]
		if r.err != nil && l.guessed {
			// What the server was told of the types may be what is wrong now.
			if r, err = l.prep.retype(ctx, l, r); err != nil {
				return err
			}
		}
		var changed []string
		if r.err == nil {
			if changed, err = l.prep.difference(ctx, l, r.shape); err != nil {
				return err
			}
		}
		j.note(l, migration, r, changed)
	}
	return nil
}

func (l *live) names(touched map[string]bool) bool {
	for n := range touched {
		if l.query.Names(n) {
			return true
		}
	}
	return false
}

// mayName is names for a statement that perhaps could not even be read.
func (l *live) mayName(names map[string]bool) bool {
	if l.query.SQL != "" {
		return l.names(names)
	}
	text := strings.ToLower(l.Text)
	for n := range names {
		if strings.Contains(text, strings.ToLower(n)) {
			return true
		}
	}
	return false
}

// note writes down what has become of a statement, if that is something else than before.
func (j *judge) note(l *live, migration string, r result, changed []string) {
	broken := r.err != nil
	same := l.verdict == nil && !broken && len(changed) == 0 ||
		l.verdict != nil && l.broken == broken && (broken || slices.Equal(changed, l.verdict.Changes))
	if same {
		return
	}
	if l.verdict != nil {
		l.verdict.Healed = migration
		l.verdict = nil
	}
	if !broken && len(changed) == 0 {
		return
	}
	v := j.newVerdict(l)
	v.Migration, v.Changes = migration, changed
	if broken {
		v.Code, v.Message = r.err.Code, r.err.Message
	}
	l.verdict, l.broken = v, broken
	l.found = append(l.found, v)
}

// finish sorts what was found.
func (j *judge) finish() *Judgement {
	for _, l := range j.live {
		for _, v := range l.found {
			if v.Message != "" {
				j.out.Broken = append(j.out.Broken, *v)
			} else {
				j.out.Changed = append(j.out.Changed, *v)
			}
		}
	}
	for _, list := range [][]Verdict{j.out.Broken, j.out.Changed, j.out.Unjudged} {
		slices.SortStableFunc(list, func(a, b Verdict) int { return int(min(1, max(-1, b.Statement.Calls-a.Statement.Calls))) })
	}
	return j.out
}
