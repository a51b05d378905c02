package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/plan"
)

// Baseline says that the database already has the migrations up to and including the one named: they are
// written down as applied, and nothing is done. It returns how many were new to the journal.
func (e *Engine) Baseline(ctx context.Context, ms []history.Migration, upTo string) (int, error) {
	j, err := e.openJournal(ctx)
	if err != nil {
		return 0, asRun("baseline", upTo, settle(ctx, err))
	}
	k, err := e.knownTo(ctx, j, ms)
	if err == nil {
		_, err = k.upTo(upTo) // before a journal is made for nothing
	}
	if err != nil {
		return 0, asRun("baseline", upTo, settle(ctx, err))
	}
	n := 0
	err = e.lead(ctx, func(ctx context.Context, x *executor) error {
		k, err := x.takeOver(ctx, ms)
		if err != nil {
			return err
		}
		first, err := k.upTo(upTo)
		if err != nil {
			return err
		}
		var add []journal.Migration
		var record []string
		for i, m := range first {
			if _, there := k.known[m.Name]; !there {
				add = append(add, journal.Migration{Name: m.Name, Checksum: m.Checksum, Position: int64(i), Baseline: true})
				record = append(record, e.booksOf(m).Record...)
				e.booksPresent = true
			}
		}
		if n = len(add); n == 0 {
			return nil
		}
		return x.mark(ctx, func(tx pgx.Tx) error {
			if err := executeAll(ctx, tx, record); err != nil {
				return err
			}
			return x.lease.RecordMigrations(ctx, tx, add...)
		})
	})
	return n, asRun("baseline", upTo, err)
}

// ApplyDirect executes the pending files as they are written, as psql would, and writes them down: for empty,
// CI and development databases. Nobody is spared, and there is nothing to complete or to revert.
func (e *Engine) ApplyDirect(ctx context.Context, ms []history.Migration) (*Summary, error) {
	if err := e.writable(); err != nil {
		return nil, asOp("apply --direct", err)
	}
	j, err := e.openJournal(ctx)
	if err != nil {
		return nil, asOp("apply --direct", settle(ctx, err))
	}
	k, err := e.knownTo(ctx, j, ms)
	if err != nil {
		return nil, asOp("apply --direct", err)
	}
	p := compare(k.ms, k.known)
	if err := e.judgeOwners(ctx, j, p, nil); err != nil {
		return nil, asOp("apply --direct", err)
	}
	if err := p.Err(); err != nil {
		return nil, asOp("apply --direct", err)
	}
	sum := new(Summary)
	if len(p.Pending()) == 0 && !underway(p) {
		return sum, nil
	}
	if _, err := parseAll(p.Pending()); err != nil {
		return nil, err
	}
	err = e.lead(ctx, func(ctx context.Context, x *executor) error { return x.applyDirect(ctx, ms, sum) })
	return sum, asOp("apply --direct", err)
}

// parseAll reads files before the first of them is executed.
func parseAll(pending []*File) (map[string]*ddl.File, error) {
	files := make(map[string]*ddl.File, len(pending))
	for _, f := range pending {
		if err := runnable(f.migration); err != nil {
			return nil, &Error{Op: "apply --direct", Run: f.Name, Err: err}
		}
		file, err := ddl.Parse(f.Path, f.migration.Text)
		if err != nil {
			return nil, &Error{Op: "apply --direct", Run: f.Name,
				Err: &RefusedError{Code: Input, Reason: "it cannot be carried out", Err: err}}
		}
		files[f.Name] = file
	}
	return files, nil
}

func (x *executor) applyDirect(ctx context.Context, ms []history.Migration, sum *Summary) error {
	if clear, err := x.clearForDirect(ctx, sum); err != nil || !clear {
		return err
	}
	k, err := x.takeOver(ctx, ms)
	if err != nil {
		return err
	}
	now := compare(k.ms, k.known) // the other executor that had the lease may have applied some of them, or taken some back
	if err := now.Err(); err != nil {
		return err
	}
	files, err := parseAll(now.Pending())
	if err != nil {
		return err
	}
	for i, m := range k.ms {
		file, pending := files[m.Name]
		if !pending {
			continue
		}
		if err := x.direct(ctx, m, int64(i), file); err != nil {
			return asRun("apply --direct", m.Name, err)
		}
		x.e.booksPresent = true
		sum.Done = append(sum.Done, m.Name)
		x.e.event(Event{Kind: EventState, Run: m.Name, State: Done, Text: "as written"})
	}
	return nil
}

// clearForDirect looks whether earlier runs leave the way free. What a file does as written, nobody has planned: it may
// touch whatever another migration holds, so it is executed while none holds anything.
func (x *executor) clearForDirect(ctx context.Context, sum *Summary) (clear bool, err error) {
	runs, err := x.e.unfinished(ctx, x.j)
	if err != nil {
		return false, err
	}
	var held []string
	for _, r := range runs {
		switch {
		case r.State == Failed:
			sum.Failed = append(sum.Failed, r.Name)
		case r.State == Ready:
			held = append(held, r.Name)
		case isDirect(r) && r.State != Reverting:
			x.run = r
			if err := x.resume(ctx); err != nil {
				return false, asRun("apply --direct", r.Name, err)
			}
			sum.count(r)
		default:
			return false, refuse(WrongState, "resume or revert it first", "%s is %s", r.Name, r.State)
		}
	}
	if len(sum.Failed) > 0 {
		return false, nil
	}
	if len(held) > 0 {
		refused := refuse(Blocked, "complete or revert them first; or apply without --direct: then only files that touch the same wait",
			"migrations still hold what they have changed")
		refused.Items = held
		return false, refused
	}
	return true, nil
}

// directStep is the only step of a run that executes its file as written.
const directStep = "01-direct"

// forgetDirect is what a person can do about a file that stopped half way.
const forgetDirect = "look what it did and undo that by hand; then revert with --accept irreversible forgets it, and nothing else"

// halfDirect reports whether a file was executed as written and nobody knows how far that got.
func (r *run) halfDirect() bool {
	return isDirect(r) && r.begun(directStep) && !r.finished(directStep)
}

// afterFailure is what a person can do about a failed run.
func (r *run) afterFailure() string {
	if r.halfDirect() {
		return forgetDirect
	}
	return "resume tries the way forward again, revert the way back"
}

func isDirect(r *run) bool { return len(r.Plan.Steps) == 1 && r.Plan.Steps[0].ID == directStep }

// direct executes one file: in one transaction with its journal entry where the file allows it. Otherwise
// statement by statement, and a run in state expanding says meanwhile that its outcome is open.
func (x *executor) direct(ctx context.Context, m history.Migration, position int64, file *ddl.File) error {
	stepwise := len(m.Code) > 0 || slices.ContainsFunc(file.Statements, func(s ddl.Statement) bool {
		return s.NoTx || len(s.Ops) > 0 && isTransaction(s.Ops[0])
	})
	if !stepwise {
		// What the file sets goes with its session.
		sess, err := x.lease.Session(ctx, 0)
		if err != nil {
			return err
		}
		defer sess.Close()
		return sess.Tx(ctx, pg.TxOptions{Settings: sessionSettings(x.e.cfg.Owner)}, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, m.Text, pgx.QueryExecModeSimpleProtocol); err != nil {
				return err
			}
			if err := executeAll(ctx, tx, x.e.booksOf(m).Record); err != nil {
				return err
			}
			if err := x.asOurselves(ctx, tx); err != nil {
				return err
			}
			if err := x.lease.RecordMigrations(ctx, tx, journal.Migration{Name: m.Name, Checksum: m.Checksum, Position: position}); err != nil {
				return err
			}
			return noteDirect(ctx, tx, m.Name, file)
		})
	}
	irreversible := plan.Step{ID: directStep, Phase: plan.Expand, Kind: plan.Long, Title: "execute the file as written",
		Irreversible: "it was executed as written, outside of a transaction"}
	p := &plan.Plan{Format: plan.Format, Name: m.Name, File: m.Path, Checksum: m.Checksum, Steps: []plan.Step{irreversible}}
	code, place := codeOf(m)
	p.Place = place
	if err := x.create(ctx, p, position); err != nil {
		return err
	}
	note := func(tx pgx.Tx) error { return noteDirect(ctx, tx, m.Name, file) }
	if err := x.advance(ctx, change{to: Expanding, also: note}); err != nil {
		return err
	}
	if err := x.start(ctx, irreversible); err != nil {
		return err
	}
	if err := x.executeApart(ctx, file, code, x.e.booksOf(m).Record); err != nil {
		if aerr := x.advance(ctx, change{to: Failed, cause: err}); aerr != nil {
			return aerr
		}
		return &Error{Op: "apply --direct", Run: m.Name, Err: err, Hint: forgetDirect}
	}
	if err := x.mark(ctx, func(tx pgx.Tx) error { return x.setStep(ctx, tx, irreversible, journal.StepDone, "", nil) }); err != nil {
		return err
	}
	x.remember(irreversible, journal.StepDone)
	return x.finish(ctx)
}

// directEvent is the kind of event that says what a file names that was executed as written.
const directEvent = "direct"

// directFile is the detail of that event.
type directFile struct {
	Migration string   `json:"migration"`
	Names     []string `json:"names"` // every word that could be a name
	// Anything says that it calls code, which may change what the file does not name.
	Anything bool `json:"anything,omitempty"`
}

// noteDirect writes down what a file names. It has no plan that would say what it touches.
func noteDirect(ctx context.Context, tx pgx.Tx, name string, file *ddl.File) error {
	d := directFile{Migration: name, Names: []string{}}
	for _, st := range file.Statements {
		m, err := ddl.Mentions(st.SQL)
		if err != nil {
			d.Anything = true
			continue
		}
		d.Names = append(d.Names, m.Idents()...)
		for _, n := range m.Relations { // regclass constants are none of the words
			d.Names = append(d.Names, n.Name)
		}
		for _, op := range st.Ops {
			switch op := op.(type) {
			case ddl.Do:
				d.Anything = true
			case ddl.Other:
				d.Anything = d.Anything || op.Tag == "CALL" || op.Tag == "SELECT" && len(m.Functions) > 0
			}
		}
	}
	slices.Sort(d.Names)
	d.Names = slices.Compact(d.Names)
	return journal.AddEvent(ctx, tx, 0, directEvent, d)
}

// directAfter are the files executed as written after a run, newest first, that name what it touches, or may have
// changed it without a name. One that was executed before there were such notes may as well.
func (e *Engine) directAfter(ctx context.Context, j *journal.Journal, r *run) ([]string, error) {
	known, err := e.latestRuns(ctx, j)
	if err != nil {
		return nil, err
	}
	var later []string
	for name, k := range known {
		if !k.Baseline && k.AppliedAt.After(known[r.Name].AppliedAt) {
			later = append(later, name)
		}
	}
	slices.SortFunc(later, func(a, b string) int { return known[b].AppliedAt.Compare(known[a].AppliedAt) })
	if len(later) == 0 {
		return nil, nil
	}
	events, err := j.OwnEvents(ctx, directEvent)
	if err != nil {
		return nil, err
	}
	notes := map[string]directFile{}
	for _, ev := range events { // of a file that was executed twice, the last
		var d directFile
		if err := json.Unmarshal(ev.Detail, &d); err != nil {
			return nil, fmt.Errorf("read event %d: %w", ev.ID, err)
		}
		notes[d.Migration] = d
	}
	return slices.DeleteFunc(later, func(name string) bool {
		d, noted := notes[name]
		if k := known[name]; k.Run != 0 && !noted {
			return true // it has a plan
		}
		return noted && !d.Anything && !slices.ContainsFunc(r.Plan.Touches, func(o plan.Object) bool { return slices.Contains(d.Names, o.Name) })
	}), nil
}

func isTransaction(op ddl.Op) bool { _, is := op.(ddl.Transaction); return is }

// executeApart runs the statements one by one on a session of their own, whose settings go with it.
func (x *executor) executeApart(ctx context.Context, file *ddl.File, code []plan.Code, record []string) error {
	sess, err := x.lease.Session(ctx, x.run.ID)
	if err != nil {
		return err
	}
	defer sess.Close()
	if x.e.cfg.Owner != "" {
		if _, err := sess.Exec(ctx, "SET ROLE "+pg.Ident(x.e.cfg.Owner)); err != nil {
			return err
		}
	}
	end := 0 // before it, code has executed the statements
	until := func(offset int) error {
		for len(code) > 0 && code[0].Offset <= offset {
			if err := x.askFramework(ctx, code[0].CodeSpec, x.lease.GuardSQL(), false); err != nil {
				return err
			}
			end = max(end, code[0].End)
			code = code[1:]
		}
		return nil
	}
	for _, st := range file.Statements {
		if err := until(st.Pos.Offset); err != nil {
			return err
		}
		if st.Pos.Offset < end {
			continue
		}
		if _, err := sess.Exec(ctx, st.SQL, pgx.QueryExecModeSimpleProtocol); err != nil {
			return &statementError{sql: st.SQL, err: err}
		}
	}
	if err := until(len(file.Text)); err != nil {
		return err
	}
	return sess.Tx(ctx, pg.TxOptions{}, func(tx pgx.Tx) error { return executeAll(ctx, tx, record) })
}

func executeAll(ctx context.Context, tx pgx.Tx, statements []string) error {
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return &statementError{sql: sql, err: err}
		}
	}
	return nil
}
