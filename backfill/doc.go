// Package backfill changes many rows of a live table as a plan.FillSpec says: in ranges, politely, each row exactly
// once, resumable after any crash.
//
// A twin fill writes columns of our own beside a sync trigger. It goes by ctid, changes only rows whose guard says
// that they still need it, leaves rows locked by others for a second pass, and ends with a proof: a full scan that
// began after the last range and found nothing.
//
// The user's own UPDATE, DELETE and INSERT … SELECT go by an immutable unique key, up to the greatest key there was
// at the start. The cursor moves in the transaction that changes the rows, so even SET n = n + 1 happens once.
//
// Where the plan wants a way back, each range keeps before-images of what it changed ([Undo]).
//
// Rows that fail are found by halving and recorded; the fill goes on, and [Receipt.Open] says why the gate is shut
// until they are fixed ([Retry]) or waived.
package backfill
