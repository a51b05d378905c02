package journal

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/replank/replank/internal/pg"
)

// A program with a connection of its own (a framework that runs its code) works under the lease by two statements:
// it enlists its backend, so that a successor can end it, and sets its step in the transaction of its work. Either
// returns a row, or nothing may be done any more.

//go:embed enlist.sql
var enlistSQL string

// EnlistSQL journals the backend that executes it as one of the holder's, for a run.
func (l *Lease) EnlistSQL(run int64) string {
	return inlined(enlistSQL, l.name, l.token, l.epoch, run)
}

// StepSQL is SetStep as one statement.
func (l *Lease) StepSQL(c StepChange) (string, error) {
	if !slices.Contains(stepEdges[c.From], c.To) {
		return "", &EdgeError{Kind: "step", From: c.From, To: c.To}
	}
	detail, err := asJSON(c.Detail)
	if err != nil {
		return "", wrap("encode the detail", err)
	}
	return inlined(setStepSQL, l.name, l.token, l.epoch, c.Run, c.Seq, c.From, c.To, c.Error, detail), nil
}

// GuardSQL is Guard as one statement.
func (l *Lease) GuardSQL() string { return inlined(guardSQL, l.name, l.token, l.epoch) }

var parameter = regexp.MustCompile(`\$([0-9]+)`)

// inlined is a statement with its parameters as constants.
func inlined(sql string, args ...any) string {
	return parameter.ReplaceAllStringFunc(sql, func(p string) string {
		i, _ := strconv.Atoi(p[1:])
		switch v := args[i-1].(type) {
		case string:
			return pg.Literal(v)
		case *string:
			if v == nil {
				return "NULL"
			}
			return pg.Literal(*v)
		default:
			return fmt.Sprint(v)
		}
	})
}
