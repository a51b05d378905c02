// Package pg is the one door to PostgreSQL.
//
// A [DB] knows the server it talks to and keeps one watch connection beside
// the working ones. A [Session] is one dedicated connection with every timeout
// set explicitly, row security off (an error instead of a silent filter) and a
// known backend (pid and start), so that it can be journalled and ended.
//
// Nobody waits behind a Session for longer than the lock budget:
// [Session.UnderLocks] joins a lock queue only when no long transaction holds
// the relation, for a few milliseconds at first, and the time from the first
// lock request to COMMIT is enforced from the watch connection, because
// lock_timeout counts for each lock anew.
//
// Errors are asked for behaviour by SQLSTATE ([LockNotAvailable],
// [ConnectionLost], ...) and a transaction for its [Outcome]: committed,
// rolled back, or unknown. Unknown is never retried here.
package pg
