// Package plan says what will be done: it compiles one migration, read as plain SQL, into ordered steps that
// bring a live database to the same end state without stopping anyone.
//
// A Plan is data. It is printed by --dry-run, stored in the journal before the first step, and carried out by
// package migrate, which knows nothing about migrations: everything particular to a statement form stands in
// the steps. The package is pure: it reads a ddl.Schema and never a server.
package plan

import (
	"github.com/replank/replank/ddl"
)

// Format is the version of the JSON form of Plan. It changes when an older binary could misread a plan.
const Format = 1

// Plan is one migration made online.
type Plan struct {
	Format   int    `json:"format"`
	Name     string `json:"name"`               // name of the migration: its file name without .sql
	File     string `json:"file,omitempty"`     // as given on the command line
	Checksum string `json:"checksum,omitempty"` // SHA-256 of the file's bytes, hex
	Server   int    `json:"server"`             // server_version_num it was made for
	// SchemaHash covers what the plan touches and its dependents (and nothing else) before the first step.
	SchemaHash string   `json:"schema_hash"`
	Touches    []Object `json:"touches"`
	// Reads are the relations that it names without changing them: while an earlier migration holds one of them in two
	// shapes, what it makes of it would show or stand on the wrong one.
	Reads []Object `json:"reads,omitempty"`
	// Partitions are the OIDs of those that Step.Parts and Step.ReverseParts name: another table that takes the place of
	// one under its name has only what its parent gave it, and what a statement says of the one before is not true of it.
	Partitions map[string]uint32 `json:"partitions,omitempty"`
	// Settings are in force, by SET LOCAL, in every transaction of the plan: search_path and TimeZone always,
	// then what the file itself sets.
	Settings []Setting `json:"settings"`
	Steps    []Step    `json:"steps"`
	// Needs are the migrations that must come first, as far as the history says it itself.
	Needs []string `json:"needs,omitempty"`
	// Place is where the code of the steps is run.
	Place *Place `json:"place,omitempty"`
	// Consents name what a person must accept (--accept) before the first step.
	Consents []Consent `json:"consents,omitempty"`
	Notices  []Notice  `json:"notices,omitempty"`
}

// Setting is a run-time parameter of PostgreSQL.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Object is something a plan changes. Column is empty when the whole object is meant.
type Object struct {
	Kind   string `json:"kind"` // table, view, index, sequence, type, function, schema, other
	Schema string `json:"schema,omitempty"`
	Name   string `json:"name"`
	Column string `json:"column,omitempty"`
}

// Phase is where in the life of a run a step belongs. Steps run in the order of the list; all steps of
// Contract stand behind all others, and only complete runs them.
type Phase string

// The phases.
const (
	Expand   Phase = "expand"   // short changes under lock discipline
	Fill     Phase = "fill"     // rows
	Verify   Phase = "verify"   // index builds, validation, proofs
	Contract Phase = "contract" // the old shape goes; after it there may be no way back
)

// Kind is how a step is carried out.
type Kind string

// The kinds of step.
const (
	// Transaction runs SQL in one transaction, under lock discipline, together with the journal entry: it is
	// done exactly once by construction.
	Transaction Kind = "transaction"
	// Concurrently runs the one statement of SQL outside a transaction (CREATE INDEX CONCURRENTLY and its
	// like). Probe decides whether it is done; Cleanup removes what a failed attempt left.
	Concurrently Kind = "concurrently"
	// Validate runs SQL in one transaction, under locks that let reads and writes pass, for as long as it
	// takes: VALIDATE CONSTRAINT.
	Validate Kind = "validate"
	// Rows changes rows as Step.Fill says.
	Rows Kind = "rows"
	// Quiesce waits until every transaction that began before the step has ended, so that all writers that are
	// left know the new shape and its triggers.
	Quiesce Kind = "quiesce"
	// Proof runs SQL, one query that returns one bigint, the number of rows not as they must be. Anything but
	// 0 stops the run.
	Proof Kind = "proof"
	// Long runs SQL in one transaction without a bound on time, and only where its locks let reads and writes
	// of others pass or the statement was accepted by the user.
	Long Kind = "long"
	// Script has Step.Code run by the framework of the history.
	Script Kind = "code"
)

// Lock is a lock of a step, on a relation that existed before it.
type Lock struct {
	Relation string `json:"relation"` // qualified, quoted
	Mode     string `json:"mode"`     // "ACCESS EXCLUSIVE" …
}

// Step is one thing to do.
type Step struct {
	ID    string `json:"id"` // unique in the plan, e.g. "03-validate-orders_fk"
	Phase Phase  `json:"phase"`
	Kind  Kind   `json:"kind"`
	Title string `json:"title"` // for people, e.g. "add column public.t.full_name"

	SQL []string `json:"sql,omitempty"`
	// Parts says of each statement of SQL which partition it is about; "" = none, nil = "" for all. A partition may be
	// dropped, detached or made again while the run lasts, and then there is nothing left to do for it. ReverseParts says
	// the same of Reverse.
	Parts        []string `json:"parts,omitempty"`
	ReverseParts []string `json:"reverse_parts,omitempty"`
	// Settings are in force for this step in addition to the plan's.
	Settings []Setting `json:"settings,omitempty"`
	// Locks are what the server will take, strongest per relation, computed from SQL. Those that stand on
	// tables and views are taken first, in this order, with LOCK TABLE.
	Locks    []Lock   `json:"locks,omitempty"`
	Rewrites []string `json:"rewrites,omitempty"`
	Scans    []string `json:"scans,omitempty"`
	Reindex  []string `json:"reindexes,omitempty"`
	Rows     int64    `json:"rows,omitempty"`  // estimate of rows touched or read
	Bytes    int64    `json:"bytes,omitempty"` // estimate of bytes written or read

	// Probe is a query that returns one boolean: is the step's effect already there?
	Probe string `json:"probe,omitempty"`
	// Outcome is asked when the executor of a statement outside of a transaction, one that does all or nothing and has no
	// Probe, did not live to say how it ended: a query that returns one boolean, whether the effect is there.
	Outcome string `json:"outcome,omitempty"`
	// Cleanup removes what a failed attempt left; each statement runs outside a transaction and is idempotent.
	// It is run only when CleanupIf, a query that returns one boolean, says so.
	Cleanup   []string `json:"cleanup,omitempty"`
	CleanupIf string   `json:"cleanup_if,omitempty"`
	// CleanupQuery stands for both where only the catalog knows the statements: it returns them, one a row.
	CleanupQuery string `json:"cleanup_query,omitempty"`
	// Reverse takes the step back, in one transaction under the same discipline. ReverseConcurrently says that
	// each of its statements is idempotent and runs on its own, outside a transaction block, for as long as it
	// takes once it has its lock (DROP INDEX CONCURRENTLY, VALIDATE CONSTRAINT). Empty = nothing to take back, unless
	// Irreversible says otherwise.
	Reverse             []string `json:"reverse,omitempty"`
	ReverseConcurrently bool     `json:"reverse_concurrently,omitempty"`
	ReverseLocks        []Lock   `json:"reverse_locks,omitempty"`
	// Irreversible is why there is no way back once the step is done; empty = there is one.
	Irreversible string `json:"irreversible,omitempty"`
	// Temporary says that complete takes the step's work away again, so that a revert after it leaves it alone.
	Temporary bool `json:"temporary,omitempty"`
	// Elsewhere is what a killed attempt may have left on another server, for people.
	Elsewhere string `json:"elsewhere,omitempty"`
	// Destroys says what is lost, for people: "column public.t.old_name with its values".
	Destroys string `json:"destroys,omitempty"`
	// Other says that it takes away what is no relation, a function or a subscription: nobody knows who uses it.
	Other bool `json:"other,omitempty"`
	// Ends says which names old code cannot use any more, though nothing is lost: "the name a of column b of public.t".
	Ends string `json:"ends,omitempty"`

	// Leaves says of a step of complete that nothing but the old shape goes: new code does not notice.
	Leaves bool `json:"leaves,omitempty"`

	// Books says that the step writes the migration down where its own tool looks for it.
	Books bool `json:"books,omitempty"`

	Fill   *FillSpec `json:"fill,omitempty"`
	Code   *CodeSpec `json:"code,omitempty"`
	Source ddl.Pos   `json:"source"`

	// adopts says that every partition has by now what the statement asks for, so that PostgreSQL attaches it
	// instead of building or checking it: nothing is read, whatever the bare statement would do.
	adopts bool
}

// Books are rows of another tool that say that a migration is applied.
type Books struct {
	Table         string // for people; "" = there are none
	Record, Erase []string
}

// FillKind is what a fill does to rows.
type FillKind string

// The kinds of fill.
const (
	Twin   FillKind = "twin"   // fills our own columns of rows that a sync trigger keeps right from now on
	Update FillKind = "update" // the user's UPDATE
	Delete FillKind = "delete" // the user's DELETE
	Insert FillKind = "insert" // the user's INSERT … SELECT
)

// FillSpec is a change of many rows in ranges. Expressions refer to the columns of Table, through Alias when
// it is set.
type FillSpec struct {
	Kind FillKind `json:"kind"`
	// Table is walked: the changed table, or the source of an Insert.
	Table string           `json:"table"` // qualified, quoted
	Alias string           `json:"alias,omitempty"`
	Set   []ddl.Assignment `json:"set,omitempty"` // Twin, Update
	From  string           `json:"from,omitempty"`
	Where string           `json:"where,omitempty"`
	// Guard is true for rows that still need the change; empty = every row that Where selects (RULES 2).
	Guard string `json:"guard,omitempty"`
	// Kept says that triggers keep Guard false from the fill until complete, which therefore proves it once more.
	Kept bool `json:"kept,omitempty"`
	// Key is the immutable unique NOT NULL key that is walked; empty = by ctid, only for Twin (RULES 1).
	Key []string `json:"key,omitempty"`
	// Into, for Insert: "INSERT INTO t (a, b) SELECT x, y" without FROM; the ranges add FROM Table Alias WHERE.
	Into       string `json:"into,omitempty"`
	OnConflict string `json:"on_conflict,omitempty"`
	// Target is, for Insert, the table that receives the rows, TargetKey its primary key (for the way back).
	Target    string   `json:"target,omitempty"`
	TargetKey []string `json:"target_key,omitempty"`
	// Undo keeps before-images so that revert can restore them. Needs Key.
	Undo bool `json:"undo,omitempty"`
	// Quiet runs the statements with session_replication_role = replica: no user trigger fires (RULES 4).
	Quiet bool `json:"quiet,omitempty"`
	// Flag is a run-time parameter set to "on" in the fill's transactions; the sync trigger stands aside then.
	Flag string `json:"flag,omitempty"`
}

// Consent is something that needs --accept Class.
type Consent struct {
	Class  string  `json:"class"` // irreversible, column-order, triggers, …
	Reason string  `json:"reason"`
	Source ddl.Pos `json:"source"`
}

// Notice is something that code written for the old shape will see.
type Notice struct {
	Code   string  `json:"code"` // cached-plan, column-order, old-writers, atomicity, …
	Text   string  `json:"text"`
	Source ddl.Pos `json:"source"`
}

// Class of a migration's statement in the documentation table and in Form.
type Class string

// How a statement form is carried out.
const (
	Online  Class = "online"  // in steps, beside a running application
	Instant Class = "instant" // one short lock, no rewrite, no scan
	AsIs    Class = "as-is"   // executed as written, under lock discipline
	Refused Class = "refused" // not done, with the reason
)

// Refusal is why a statement cannot be carried out online. It is an answer, not a failure: nothing was done.
type Refusal struct {
	Code   string // stable identifier, documented in docs/refusals.md
	Pos    ddl.Pos
	Reason string // the reason in PostgreSQL
	Hint   string // what to do instead
}

func (r *Refusal) Error() string {
	s := r.Pos.String() + ": refused (" + r.Code + "): " + r.Reason
	if r.Hint != "" {
		s += "; " + r.Hint
	}
	return s
}

// Class says in one word how a plan does its work.
func (p *Plan) Class() Class {
	class := Instant
	for _, st := range p.Steps {
		switch {
		case st.Kind != Transaction && st.Kind != Long || st.Phase == Contract || st.Phase == Verify && len(p.Steps) > 1:
			return Online
		case st.Kind == Long || len(st.Rewrites)+len(st.Scans)+len(st.Reindex) > 0:
			class = AsIs
		}
	}
	return class
}
