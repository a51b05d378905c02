// Package equivalence holds the proof that replank ends where psql ends: it has tests only. Every statement
// form of the planner is run on every kind of table, once by psql -f on one database and once by apply and
// complete on another, and the two must have the same shape and the same rows; apply and revert on a third
// must give back what was there before. The same run writes docs/forms.md.
package equivalence
