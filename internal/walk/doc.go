// Package walk visits every row of a table, range by range, without hurting anyone who works on it.
//
// A table is cut into slices before the first visit, and where it ends is fixed then. Workers take slices from a
// queue and visit them in ranges whose size follows a time target: by ctid (any table, no index needed, only right
// where a trigger keeps rows right that move meanwhile) or by an immutable unique NOT NULL key.
//
// The cursor of a slice moves in the transaction that changed its rows. So a range is visited exactly once whatever
// dies: what was committed is recorded, what was not left no trace, and after a lost connection the cursor itself
// says which of both it was, read after the old backend has ended.
//
// Rows locked by others are left for later (a late slice), data errors are bisected to the row, and between ranges a
// [Signal] that is bad, or cannot be read, makes everybody wait. Every second of that has a name.
package walk
