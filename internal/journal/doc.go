// Package journal records what happened to a database and decides who may act
// on it. It lives in schema replank of the database being changed.
//
// # Why nothing is done twice or left out
//
// Work and the row that says how far it is are written in one transaction: a
// range of a backfill changes its rows and calls [Lease.SaveRange] before the
// same COMMIT, a step that is DDL calls [Lease.SetStep] beside it. Either both
// are there after a crash or none is; whoever resumes reads the journal and
// goes on from there. What cannot share a transaction (CREATE INDEX
// CONCURRENTLY) is marked running before and done after, and is probed when it
// is found running.
//
// # Why two executors cannot both do it
//
// An executor holds a lease for 30 s at a time and renews it on a connection
// of its own. Each acquisition adds one to the epoch. Every function that
// writes progress checks token, epoch and lease_until > clock_timestamp() in
// the transaction of the work, and locks the lease row FOR KEY SHARE until its
// COMMIT; a successor takes it FOR UPDATE. So a takeover waits for commits
// that passed the check and makes every later one fail with [ErrLost]. A zombie
// may run on, but it cannot commit. Its backends are journalled by pid and
// backend_start, and the successor ends them before it starts.
//
// # One writer of state
//
// [Lease.Advance] holds the only UPDATE of run.state: it accepts only an edge
// of the [Machine], checks the state, version and lease, and writes the event
// in the same statement. Zero rows is ErrLost: stop, do not guess.
//
// # What is secret
//
// replank.plan holds real SQL with its literals, because it is needed to go
// on, and is readable by its owner only. Everything else (events, errors,
// rejected rows' messages) is written redacted; see [Redact] and [pg.Condition].
package journal
