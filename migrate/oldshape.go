package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/catalog"
	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/usage"
	"github.com/replank/replank/oracle"
	"github.com/replank/replank/plan"
)

// OldShape says who still needs the old shape of a run: which statements of pg_stat_statements do not compile any more
// when complete is made on a clone of the database, and when they were called last.
type OldShape struct {
	// At is when it was looked at last, Judged when the clone was asked.
	At     time.Time `json:"at"`
	Judged time.Time `json:"judged_at"`
	// Counted is since when calls are counted, Known since when none can have been missed; Lost says why that is later.
	Counted time.Time `json:"counted_since"`
	Known   time.Time `json:"known_since"`
	Lost    string    `json:"lost,omitempty"`
	// Asked is for how long nobody may have used it, and Allowed when that is over if nobody does until then.
	Asked   float64   `json:"asked_seconds"`
	Allowed time.Time `json:"allowed_at"`
	// Used are the statements that break, Unjudged those that name what complete changes and could not be tried.
	Used     []OldUse `json:"used,omitempty"`
	Unjudged []OldUse `json:"unjudged,omitempty"`
	// Unseen says what else could not be looked at, and Notes what is not counted here at all.
	Unseen []string `json:"unseen,omitempty"`
	Notes  []string `json:"notes,omitempty"`
	// New is how many statements about what the run touches have come since the clone was asked.
	New int `json:"new,omitempty"`
	// Statements is how many were tried.
	Statements int `json:"statements"`
	// AcceptUnjudged: what could not be judged or was not counted is no reason to wait.
	AcceptUnjudged bool `json:"accepted_unjudged,omitempty"`
}

// OldUse is a statement that needs the old shape, or may.
type OldUse struct {
	Statement string      `json:"statement"` // without literals
	Reason    string      `json:"reason"`    // what the server says about it after complete
	Calls     int64       `json:"calls"`     // since OldShape.Counted
	Last      time.Time   `json:"last_call"` // at the latest
	Roles     []string    `json:"roles"`
	Entries   []usage.Key `json:"entries"` // of pg_stat_statements
}

func (u OldUse) String() string {
	return fmt.Sprintf("%s: %s, by %s, the last before %s (%s)", oneLine(u.Statement), count(int(u.Calls), "call", "calls"),
		strings.Join(u.Roles, ", "), moment(u.Last), u.Reason)
}

func oneLine(sql string) string {
	const most = 120
	text := []rune(strings.Join(strings.Fields(sql), " "))
	if len(text) > most {
		return string(text[:most-1]) + "…"
	}
	return string(text)
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

const acceptUnjudged = "unjudged"

// unused asks that nobody has used the old shape for a time, and returns the evidence.
func (x *executor) unused(ctx context.Context, period time.Duration) (*OldShape, error) {
	calls, err := x.e.calls(ctx)
	if err != nil {
		return nil, err
	}
	watch, err := usage.Load(ctx, x.j)
	if err != nil {
		return nil, err
	}
	watch.Add(calls)
	if err := x.mark(ctx, func(tx pgx.Tx) error { return watch.Save(ctx, tx, x.lease) }); err != nil {
		return nil, err
	}
	old, err := x.judgeOldShape(ctx, calls)
	if err != nil {
		return nil, err
	}
	old.Asked = period.Seconds()
	old.AcceptUnjudged = slices.Contains(x.e.cfg.Accept, acceptUnjudged)
	old.weigh(watch)
	err = x.mark(ctx, func(tx pgx.Tx) error {
		if err := x.lease.Guard(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO replank.old_shape (run_id, found) VALUES ($1, $2::jsonb)
			ON CONFLICT (run_id) DO UPDATE SET at = clock_timestamp(), found = excluded.found`, x.run.ID, string(mustJSON(old)))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("write down who uses the old shape: %w", err)
	}
	return old, old.refusal(x.run.Name)
}

// calls reads pg_stat_statements.
func (e *Engine) calls(ctx context.Context) (*catalog.Calls, error) {
	sess, err := e.db.Session(ctx)
	if err != nil {
		return nil, err
	}
	defer sess.Close()
	calls, err := catalog.ReadCalls(ctx, sess.Conn())
	var none *catalog.NoCallsError
	if errors.As(err, &none) {
		return nil, &RefusedError{Code: OldReaders, Reason: "nobody can tell who uses the old shape", Err: none}
	}
	return calls, err
}

// judgeOldShape makes what complete does on a clone, and asks which statements do not compile any more.
func (x *executor) judgeOldShape(ctx context.Context, calls *catalog.Calls) (old *OldShape, err error) {
	old = &OldShape{Judged: calls.At}
	if calls.Hidden > 0 {
		old.Unseen = append(old.Unseen, fmt.Sprintf("%d statements of other roles are hidden: GRANT pg_read_all_stats TO %s", calls.Hidden, pg.Ident(x.e.db.Server().User)))
	}
	if calls.Lost > 0 {
		old.Unseen = append(old.Unseen, fmt.Sprintf("the server has lost the text of %s", count(int(calls.Lost), "statement", "statements")))
	}
	if !calls.Told {
		old.Unseen = append(old.Unseen, "this version of pg_stat_statements does not tell what it has forgotten: ALTER EXTENSION pg_stat_statements UPDATE")
	}
	if !calls.Nested {
		old.Notes = append(old.Notes, "pg_stat_statements.track is top: statements inside of functions and DO blocks are not counted")
	}
	if calls.Standbys > 0 {
		old.Notes = append(old.Notes, fmt.Sprintf("what is read on the %s is counted there, not here", count(calls.Standbys, "standby", "standbys")))
	}
	snap, err := oracle.Take(ctx, oracle.TakeConfig{DSN: x.e.cfg.DSN, Logger: x.e.cfg.Logger})
	if err != nil {
		return nil, err
	}
	work := newWork(calls, snap.Schema)
	old.Statements = len(work.statements)
	snap.Workload = ddl.Workload{Statements: work.statements}
	clone, err := oracle.NewClone(ctx, snap, oracle.CloneConfig{Logger: x.e.cfg.Logger})
	var noScript *oracle.NoScriptError
	if errors.As(err, &noScript) {
		return nil, &RefusedError{Code: OldReaders, Reason: "no clone can be made to try the statements on", Err: noScript}
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, clone.Close(ctx)) }()
	said, err := clone.Scripts(ctx, x.run.Name, x.contractScripts())
	if err != nil {
		return nil, err
	}
	for _, f := range said.Failed {
		old.Unseen = append(old.Unseen, fmt.Sprintf("complete could not be tried on the clone: %s: %s (%s)", oneLine(pg.Redact(f.SQL)), f.Message, f.Code))
	}
	for _, v := range said.Broken {
		old.Used = append(old.Used, work.use(v))
	}
	for _, v := range said.Unjudged {
		if v.Concerned {
			old.Unjudged = append(old.Unjudged, work.use(v))
		}
	}
	return old, nil
}

// contractScripts are the steps of complete, each as the transaction that it is.
func (x *executor) contractScripts() []oracle.Script {
	var scripts []oracle.Script
	for _, s := range x.run.Plan.Steps {
		if s.Phase != plan.Contract || s.Kind == plan.Proof || x.run.finished(s.ID) {
			continue
		}
		script := oracle.Script{Settings: map[string]string{}, Statements: s.SQL}
		for _, set := range sessionSettings("", x.run.Plan.Settings, s.Settings) {
			script.Settings[set.Name] = set.Value
		}
		if s.Kind == plan.Concurrently { // each of its statements is alone
			for _, sql := range s.SQL {
				scripts = append(scripts, oracle.Script{Settings: script.Settings, Statements: []string{sql}})
			}
			continue
		}
		scripts = append(scripts, script)
	}
	return scripts
}

// work is the workload of a reading: every text once for each search_path that it is sent with.
type work struct {
	statements []ddl.LiveStatement
	entries    map[string][]catalog.Call // of each statement, by workKey
}

func workKey(st ddl.LiveStatement) string { return ddl.QuoteIdents(st.Path) + "\x00" + st.Text }

// newWork takes a reading for the workload of a schema.
func newWork(calls *catalog.Calls, schema *ddl.Schema) *work {
	w := &work{entries: map[string][]catalog.Call{}}
	dumps := dumpTexts(schema)
	at := map[string]int{}
	for _, c := range calls.List {
		text, err := ddl.NormalizeQuery(c.Text)
		if ddl.IsUtility(err) || dumps[strings.TrimRight(c.Text, "; \n")] {
			continue
		}
		if err != nil {
			text = pg.Redact(c.Text)
		}
		st := ddl.LiveStatement{Text: text, Path: c.Path}
		key := workKey(st)
		if _, known := at[key]; !known {
			at[key] = len(w.statements)
			w.statements = append(w.statements, st)
		}
		w.statements[at[key]].Calls += c.Calls
		w.entries[key] = append(w.entries[key], c)
	}
	return w
}

// dumpTexts are what pg_dump sends to read tables: it names every column that there is, and after complete it names
// others.
func dumpTexts(schema *ddl.Schema) map[string]bool {
	texts := map[string]bool{}
	for n, r := range schema.Relations {
		var columns []string
		for _, c := range r.Columns {
			if c.Generated == 0 {
				columns = append(columns, ddl.QuoteIdent(c.Name))
			}
		}
		texts[fmt.Sprintf("COPY %s (%s) TO stdout", n, strings.Join(columns, ", "))] = true
	}
	return texts
}

// use is a verdict with the entries of its statement.
func (w *work) use(v oracle.Verdict) OldUse {
	u := OldUse{Statement: v.Statement.Text, Reason: v.Message}
	for _, c := range w.entries[workKey(v.Statement)] {
		u.Entries = append(u.Entries, usage.KeyOf(c))
		if !slices.Contains(u.Roles, c.RoleName) {
			u.Roles = append(u.Roles, c.RoleName)
		}
	}
	return u
}

// weigh brings calls and times up to a watch.
func (o *OldShape) weigh(w *usage.Watch) {
	o.At, o.Counted, o.Known, o.Lost = w.At, w.First, w.Began, w.Lost
	quiet := w.Began
	if o.AcceptUnjudged {
		quiet = w.First
	}
	for _, list := range [][]OldUse{o.Used, o.Unjudged} {
		for i := range list {
			u := &list[i]
			u.Calls, u.Last = 0, time.Time{}
			for _, k := range u.Entries {
				e, _ := w.Entry(k)
				u.Calls += e.Counted
				u.Last = latest(u.Last, e.Last)
			}
		}
		slices.SortStableFunc(list, func(a, b OldUse) int { return b.Last.Compare(a.Last) })
	}
	for _, u := range o.waitsFor() {
		quiet = latest(quiet, u.Last)
	}
	o.Allowed = quiet.Add(o.period())
}

// waitsFor are the statements that must be quiet.
func (o *OldShape) waitsFor() []OldUse {
	if o.AcceptUnjudged {
		return o.Used
	}
	return slices.Concat(o.Used, o.Unjudged)
}

// inDays writes a time as --unused-for has it.
func inDays(d time.Duration) string {
	const day = 24 * time.Hour
	if d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String() // 2h0m0s
	if d%time.Minute == 0 {
		text = strings.TrimSuffix(text, "0s")
	}
	if d%time.Hour == 0 {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func (o *OldShape) period() time.Duration { return time.Duration(o.Asked * float64(time.Second)) }

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// refusal is why the old shape may not go yet; nil when it may.
func (o *OldShape) refusal(run string) error {
	if len(o.Unseen) > 0 && !o.AcceptUnjudged {
		r := refuse(OldReaders, "mend that, or --accept unjudged when a person has looked", "not all statements could be judged that may use the old shape of %s", run)
		r.Items = o.Unseen
		return r
	}
	if !o.Allowed.After(o.At) {
		return nil
	}
	var items []string
	unjudged := false
	for i, u := range o.waitsFor() {
		if u.Last.Add(o.period()).After(o.At) {
			unjudged = unjudged || i >= len(o.Used)
			items = append(items, u.String())
		}
	}
	if o.Known.Add(o.period()).After(o.At) && !o.AcceptUnjudged {
		why := "calls are known since " + moment(o.Known)
		if o.Lost != "" {
			why += ": " + o.Lost
		}
		items = append(items, why)
	}
	advice := fmt.Sprintf("complete is allowed from %s on, if nothing uses it until then", moment(o.Allowed))
	if unjudged {
		advice += "; --accept unjudged does not wait for statements that could not be judged"
	}
	r := refuse(OldReaders, advice, "the old shape of %s has not been unused for %s yet", run, inDays(o.period()))
	r.Items = items
	return &InUseError{r, o}
}

// InUseError is the refusal to complete a run whose old shape was used a short time ago. Asked later, it may be gone.
type InUseError struct {
	Refused *RefusedError
	Old     *OldShape
}

func (e *InUseError) Error() string { return e.Refused.Error() }
func (e *InUseError) Unwrap() error { return e.Refused }

// noteCalls takes a reading of pg_stat_statements where there is one to take: from here on it can be told what was
// called. Nothing depends on it yet.
func (x *executor) noteCalls(ctx context.Context) {
	calls, err := x.e.calls(ctx)
	if err == nil {
		var watch *usage.Watch
		if watch, err = usage.Load(ctx, x.j); err == nil {
			watch.Add(calls)
			err = x.mark(ctx, func(tx pgx.Tx) error { return watch.Save(ctx, tx, x.lease) })
		}
	}
	if err != nil {
		x.e.cfg.Logger.Info("calls of statements are not counted", "err", err)
	}
}

// oldShapes are what was found out about unfinished runs, by their id, brought up to now. It writes nothing.
func (e *Engine) oldShapes(ctx context.Context, j *journal.Journal, runs []*run) (map[int64]*OldShape, error) {
	if j.Version() < 2 {
		return nil, nil
	}
	shapes := map[int64]*OldShape{}
	err := j.DB().Ask(ctx, func(q pg.Querier) error {
		rows, err := q.Query(ctx, "SELECT run_id, found FROM replank.old_shape")
		if err != nil {
			return err
		}
		var run int64
		var found []byte
		_, err = pgx.ForEachRow(rows, []any{&run, &found}, func() error {
			shapes[run] = new(OldShape)
			return json.Unmarshal(found, shapes[run])
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read who uses the old shape: %w", err)
	}
	if len(shapes) == 0 {
		return nil, nil
	}
	watch, err := usage.Load(ctx, j)
	if err != nil {
		return nil, err
	}
	calls, err := e.calls(ctx)
	var refused *RefusedError
	if errors.As(err, &refused) { // nobody counts any more
		return shapes, nil
	}
	if err != nil {
		return nil, err
	}
	fresh := map[int64]int{}
	for _, c := range calls.List {
		if _, known := watch.Entry(usage.KeyOf(c)); known {
			continue
		}
		q, err := ddl.ReadQuery(c.Text, e.db.Server().VersionNum)
		for _, r := range runs {
			if err == nil && slices.ContainsFunc(relations(r.Plan.Touches), func(n ddl.Name) bool { return q.Names(n.Name) }) {
				fresh[r.ID]++
			}
		}
	}
	watch.Add(calls)
	for run, o := range shapes {
		o.weigh(watch)
		o.New = fresh[run]
	}
	return shapes, nil
}
