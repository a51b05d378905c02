package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/catalog"
	"github.com/replank/replank/plan"
)

// Preview is what apply would do. To make it, nothing is written, and a standby will do.
type Preview struct {
	Files []File `json:"files"` // in the order of the folder
	// Gone are migrations of the journal that the folder no longer has.
	Gone []string `json:"gone,omitempty"`
	// Consents are those of pending files that were not given.
	Consents []Consent `json:"consents,omitempty"`
	// Privileges are those that the role lacks.
	Privileges []string `json:"privileges,omitempty"`
	// Room says why disk or replication slots may not take what is going to be written.
	Room []string `json:"room,omitempty"`
	// Foreign says which tables that belong to another history are changed.
	Foreign []string `json:"foreign,omitempty"`
	// Subscribers are the publications that make subscribers see what is going to be changed (RULES 19).
	Subscribers []string `json:"subscribers,omitempty"`
}

// File is one migration of the folder and what the journal knows about it.
type File struct {
	Name   string     `json:"name"`
	Path   string     `json:"path"`
	Status FileStatus `json:"status"`
	// State is that of its run; empty when it has none.
	State State `json:"state,omitempty"`
	// Edited means that the file is not what was applied under its name.
	Edited bool `json:"edited,omitempty"`
	// BlockedBy are earlier migrations that still hold, or would hold, what this one touches.
	BlockedBy []string `json:"blocked_by,omitempty"`
	// OutOfOrder means that a migration after it was applied before it.
	OutOfOrder bool `json:"out_of_order,omitempty"`
	// After is the migration whose code has to run before this one, and those behind it, can be planned: as the schema is
	// known until then it does not fit.
	After string `json:"planned_after,omitempty"`
	// AtOnce means that apply also completes it: the tables are new, and nobody can know their old shape.
	AtOnce bool `json:"completes_at_once,omitempty"`
	// Plan is set when the file is pending and can be carried out.
	Plan *plan.Plan `json:"plan,omitempty"`
	// Err is why it cannot be carried out.
	Err error `json:"-"`

	migration history.Migration
}

// FileStatus is where a file stands, in one word.
type FileStatus string

// The statuses of a file.
const (
	Applied  FileStatus = "applied"   // done, or held by its own run until complete
	Underway FileStatus = "under way" // its run is not at rest
	Pending  FileStatus = "pending"   // never applied, or reverted
)

// Consent is a consent that a file needs.
type Consent struct {
	File string `json:"file"`
	plan.Consent
}

// Pending are the files that apply would carry out or find blocked.
func (p *Preview) Pending() []*File {
	var out []*File
	for i := range p.Files {
		if p.Files[i].Status == Pending {
			out = append(out, &p.Files[i])
		}
	}
	return out
}

// Migrations are those of Pending, as apply takes them: the members of a squash that is applied in part, not the squash.
func (p *Preview) Migrations() []history.Migration {
	var ms []history.Migration
	for _, f := range p.Pending() {
		ms = append(ms, f.migration)
	}
	return ms
}

// Err is why apply would refuse to begin; nil when it would not.
func (p *Preview) Err() error {
	var errs []error
	var edited []string
	for _, f := range p.Files {
		if f.Edited {
			edited = append(edited, f.Path)
		}
		if f.Err != nil {
			errs = append(errs, &Error{Op: "plan", Run: f.Name,
				Err: &RefusedError{Code: Input, Reason: "it cannot be carried out", Err: f.Err}})
		}
	}
	if len(edited) > 0 {
		errs = append(errs, &RefusedError{Code: Edited, Items: edited,
			Reason: fmt.Sprintf("%s changed after being applied", count(len(edited), "file was", "files were")),
			Advice: "put the text back as it was applied; a further change belongs in a new file"})
	}
	if len(p.Foreign) > 0 {
		errs = append(errs, &RefusedError{Code: ForeignOwner, Items: p.Foreign, Reason: "tables belong to another history",
			Advice: "write the migration in the history that owns the table, or move the table here: replank adopt TABLE --to HISTORY; " +
				"where it has to be: `-- replank: allow " + acceptForeign + " because …` above the statement, or --accept " + acceptForeign})
	}
	if len(p.Consents) > 0 {
		var items, classes []string
		for _, c := range p.Consents {
			items = append(items, fmt.Sprintf("%s: %s (%s)", c.Source, c.Reason, c.Class))
			if !slices.Contains(classes, c.Class) {
				classes = append(classes, c.Class)
			}
		}
		errs = append(errs, &RefusedError{Code: NeedsConsent, Items: items, Reason: "a person must accept this first",
			Advice: "--accept " + strings.Join(classes, ",")})
	}
	if len(p.Privileges) > 0 {
		errs = append(errs, &RefusedError{Code: Privileges, Items: p.Privileges,
			Reason: "privileges are missing", Advice: "replank grants prints the SQL that gives them"})
	}
	if len(p.Room) > 0 {
		errs = append(errs, &RefusedError{Code: Room, Items: p.Room, Reason: "there may not be room for what is written",
			Advice: "make room (drop or read the slot, enlarge the disk), or --accept " + acceptRoom})
	}
	if len(p.Subscribers) > 0 {
		errs = append(errs, &RefusedError{Code: Replication, Items: p.Subscribers,
			Reason: "logical replication would stop at objects that subscribers do not have",
			Advice: "create them there first (plan --subscriber-sql prints the SQL), then --accept " + acceptSubscribers})
	}
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return errors.Join(errs...)
}

const acceptSubscribers = "subscribers"

// Plan says what apply would do with these migrations. It fails only when it cannot find out; what apply would
// refuse is in the preview.
func (e *Engine) Plan(ctx context.Context, ms []history.Migration) (*Preview, error) {
	p, err := e.preview(ctx, ms)
	if err != nil {
		return nil, &Error{Op: "plan", Err: settle(ctx, err)}
	}
	return p, nil
}

func (e *Engine) preview(ctx context.Context, ms []history.Migration) (*Preview, error) {
	e.before = nil
	j, err := e.openJournal(ctx)
	if err != nil {
		return nil, settle(ctx, err)
	}
	k, err := e.knownTo(ctx, j, ms)
	if err != nil {
		return nil, err
	}
	p := compare(k.ms, k.known)
	if len(p.Pending()) == 0 {
		return p, nil
	}
	runs, err := e.unfinished(ctx, j)
	if err != nil {
		return nil, err
	}
	schema, err := e.load(ctx, catalog.Options{})
	if err != nil {
		return nil, err
	}
	e.chain(p, schema, holdings(runs))
	if err := e.judgeOwners(ctx, j, p, schema); err != nil {
		return nil, err
	}
	return p, e.preconditions(ctx, p)
}

// compare puts folder and journal side by side.
func compare(ms []history.Migration, known map[string]knownRun) *Preview {
	p := &Preview{Files: make([]File, 0, len(ms))}
	here := make(map[string]bool, len(ms))
	for _, m := range ms {
		here[m.Name] = true
		f := File{Name: m.Name, Path: m.Path, Status: Pending, migration: m}
		if k, ok := known[m.Name]; ok {
			f.State = k.State
			switch k.State {
			case Reverted:
			case Done, Ready:
				f.Status = Applied
			default:
				f.Status = Underway
			}
			f.Edited = f.Status != Pending && k.Checksum != m.Checksum
		}
		p.Files = append(p.Files, f)
	}
	later := false
	for i := range slices.Backward(p.Files) {
		f := &p.Files[i]
		later = later || f.Status == Applied
		f.OutOfOrder = f.Status == Pending && later
	}
	for name, k := range known {
		if !here[name] && k.State != Reverted {
			p.Gone = append(p.Gone, name)
		}
	}
	slices.Sort(p.Gone)
	return p
}

// chain plans the pending files one after another, each on the schema that those before it will leave.
func (e *Engine) chain(p *Preview, schema *ddl.Schema, held []holding) {
	e.before = schema
	blocked := func(name string) bool {
		return slices.ContainsFunc(p.Files, func(f File) bool { return f.Name == name && len(f.BlockedBy) > 0 })
	}
	pending := p.Pending()
	for _, f := range pending {
		if f.Err = runnable(f.migration); f.Err != nil {
			return
		}
	}
	code := "" // the last one whose code may do anything
	for i, f := range pending {
		pl, file, err := e.compile(schema, f.migration)
		if err != nil {
			var refusal *plan.Refusal
			if f.Err = err; code != "" && file != nil && !errors.As(err, &refusal) {
				f.Err = nil
				for _, f := range pending[i:] {
					f.After = code
				}
				return
			}
			if !errors.As(err, &refusal) || file == nil {
				return // what comes after it would only say that something is missing
			}
		}
		if pl != nil {
			f.Plan = pl
			if f.BlockedBy = blockedBy(pl, held); len(f.BlockedBy) == 0 {
				f.BlockedBy = needsBlocked(f.migration, blocked)
			}
			f.AtOnce = len(f.BlockedBy) == 0 && holds(pl) && e.atOnce(pl)
			switch {
			case f.AtOnce:
			case len(f.BlockedBy) > 0:
				held = append(held, holding{f.Name, concerns(pl), true})
			case holds(pl):
				held = append(held, holding{f.Name, pl.Touches, pl.Hides()})
			}
			p.Consents = append(p.Consents, missingConsents(pl, e.cfg.Accept)...)
			if pl.HasCode() {
				code = f.Name
			}
		}
		schema = schema.Clone()
		for _, st := range file.Statements {
			if err := schema.Apply(st); err != nil {
				if f.Err == nil && code == "" {
					f.Err = fmt.Errorf("%s: %w", st.Pos, err)
				}
				return
			}
		}
	}
}

// atOnce reports whether apply completes a plan itself. Who wants to see each shape in a schema of its own keeps them.
func (e *Engine) atOnce(p *plan.Plan) bool {
	return !e.cfg.VersionSchema && e.before != nil && unseen(p, e.before)
}

// fresh are the relations that the present apply has made and that are small: whoever changes them is in nobody's way.
func (e *Engine) fresh(schema *ddl.Schema) []ddl.Name {
	if e.before == nil || e.cfg.VersionSchema || e.cfg.BigRows < 0 || e.cfg.BigBytes < 0 {
		return nil
	}
	limit := cmp.Or(e.cfg.BigBytes, plan.BigBytes)
	var names []ddl.Name
	for n, r := range schema.Relations {
		if e.before.Relations[n] == nil && r.Bytes < limit {
			names = append(names, n)
		}
	}
	return names
}

// compileFile is the compiler as the engine calls it.
func (e *Engine) compileFile(schema *ddl.Schema, m history.Migration) (*plan.Plan, *ddl.File, error) {
	if err := runnable(m); err != nil {
		return nil, nil, err
	}
	file, err := ddl.Parse(m.Path, m.Text)
	if err != nil {
		return nil, nil, err
	}
	code, place := codeOf(m)
	opt := plan.Options{Name: m.Name, Checksum: m.Checksum, Owner: e.cfg.Owner, FireTriggers: slices.Contains(e.cfg.Accept, "triggers"), BigRows: e.cfg.BigRows, BigBytes: e.cfg.BigBytes}
	if e.cfg.VersionSchema {
		opt.VersionSchema = m.Name
	}
	opt.Books, opt.Code, opt.Place, opt.Fresh = e.booksOf(m), code, place, e.fresh(schema)
	known := file
	if whole(m) {
		// What is known of its statements is for those that come after it to stand on.
		file = &ddl.File{Name: m.Path}
	}
	pl, err := plan.Compile(schema, file, opt)
	if pl != nil {
		pl.Needs = m.Needs
	}
	return pl, known, err
}

// load reads the live schema, on a connection of its own: it takes long on large catalogs.
func (e *Engine) load(ctx context.Context, opt catalog.Options) (*ddl.Schema, error) {
	sess, err := e.db.Session(ctx)
	if err != nil {
		return nil, err
	}
	defer sess.Close()
	return catalog.Load(ctx, sess.Conn(), opt)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
