// Package equivalence holds the proof that replank ends where psql ends: it has tests only. Every statement
// form of the planner is run on every kind of table. On one database apply and revert must give back what was
// there before, and apply and complete after them must end with the same shape and the same rows as psql -f on
// another database. The same run compares docs/forms.md with what the forms came to.
package equivalence
