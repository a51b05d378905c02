package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/devdb"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/plan"
)

// The exit codes. Scripts depend on them: a code never changes its meaning.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
	exitPerson  = 4
	exitBusy    = 5
	exitNotYet  = 6
	exitStopped = 7
	exitKilled  = 130
)

// exitCodes documents them: `replank help exit-codes` prints this table, docs/errors.md holds the same.
var exitCodes = []struct {
	code     int
	name     string
	doc      string
	changed  string // what it means for the database
	whatNext string
}{
	{exitOK, "ok", "everything asked for is done", "as asked", ""},
	{exitFailed, "failed", "it did not work", "as before: nothing was begun, or all of it was taken back; the message says which", "remove the cause, and try again"},
	{exitUsage, "input", "wrong usage or input: a flag, replank.toml, a syntax error, an unknown table or migration", "nothing changed", "correct the input"},
	{exitRefused, "refused", "the input is understood and replank says no: a consent or privilege is missing, there is no online way, something changed meanwhile", "nothing changed", "do what the hint says"},
	{exitPerson, "person", "the outcome is unknown, or a migration could go neither forwards nor backwards", "look: replank status", "a person decides; never retry blindly"},
	{exitBusy, "busy", "another executor is at work on this database", "nothing changed by this call", "try again later, or give --wait"},
	{exitNotYet, "not-yet", "status --gate: something is still under way; apply: files are left that wait for a complete or a resume", "as status says", "ask again later"},
	{exitStopped, "stopped", "stopped in the middle: a signal, a pause, locks that could not be had, rows that need a person", "all progress is kept", "apply or resume goes on from there (after a pause only resume), revert takes it back"},
	{exitKilled, "killed", "a second SIGINT or SIGTERM", "all progress is kept", "apply or resume goes on from there, revert takes it back"},
}

func exitCodesHelp() string {
	var b strings.Builder
	b.WriteString("The exit codes of every command. Scripts can depend on them.\n\n")
	for _, c := range exitCodes {
		fmt.Fprintf(&b, "%5d  %-8s  %s\n", c.code, c.name, c.doc)
		fmt.Fprintf(&b, "%17sdatabase: %s\n", "", c.changed)
		if c.whatNext != "" {
			fmt.Fprintf(&b, "%17snext: %s\n", "", c.whatNext)
		}
	}
	b.WriteString("\nplan ends with the code that apply would be refused with, so that it can guard a merge.\n" +
		"lint ends with 1 when it found something of --fail-on or worse, with 2 when it could not judge; so do drift and parity run,\nand burndown --ci for limits.\n" +
		"doctor ends with 1 when it found something bad.")
	return b.String()
}

func exitName(code int) string {
	for _, c := range exitCodes {
		if c.code == code {
			return c.name
		}
	}
	return ""
}

// usageError is a command line, environment or replank.toml that cannot be understood.
type usageError struct {
	err  error
	hint string // "" leaves it to err
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// Hint says what to do.
func (e *usageError) Hint() string {
	if e.hint == "" {
		return migrate.HintOf(e.err)
	}
	return e.hint
}

// notYetError is a gate that is shut.
type notYetError struct{ reasons []string }

func (e *notYetError) Error() string { return strings.Join(e.reasons, "; ") }

// personError is something that only a person can decide.
type personError struct{ what string }

func (e *personError) Error() string { return e.what }
func (e *personError) Hint() string {
	return "replank status says why, and what there is to do"
}

// toldError is an error that the command's own output has told already: only its exit code is left to give.
type toldError struct{ err error }

func (e *toldError) Error() string { return e.err.Error() }
func (e *toldError) Unwrap() error { return e.err }

// exitCode judges how a command ended.
func (a *app) exitCode(ctx context.Context, err error) int {
	code := codeOf(err)
	var failed *migrate.Error
	if code == exitFailed && errors.As(err, &failed) && failed.Run != "" && !failed.TakenBack && a.lastEngine != nil {
		return a.lookAfter(ctx, failed.Run)
	}
	return code
}

// codeOf is the code that an error alone tells.
func codeOf(err error) int {
	if err == nil {
		return exitOK
	}
	code := exitOK
	for _, one := range each(err) {
		code = worse(code, codeOfOne(one))
	}
	return code
}

// worse picks between the codes of two errors of one call the one that asks for more.
func worse(a, b int) int {
	order := []int{exitOK, exitNotYet, exitRefused, exitUsage, exitFailed, exitStopped, exitBusy, exitPerson}
	for i := len(order) - 1; i >= 0; i-- {
		if order[i] == a || order[i] == b {
			return order[i]
		}
	}
	return b
}

func codeOfOne(err error) int {
	var (
		usage  *usageError
		notYet *notYetError
		person *personError
		dsn    *pg.DSNError
		alike  *devdb.RefusedError
	)
	switch {
	case errors.As(err, &alike):
		return exitRefused
	case errors.As(err, &usage), errors.As(err, &dsn):
		return exitUsage
	case errors.As(err, &notYet):
		return exitNotYet
	case errors.As(err, &person):
		return exitPerson
	}
	switch migrate.VerdictOf(err) {
	case migrate.VerdictOK:
		return exitOK
	case migrate.VerdictRefused:
		if isWrongInput(err) {
			return exitUsage
		}
		return exitRefused
	case migrate.VerdictBusy:
		return exitBusy
	case migrate.VerdictStopped:
		return exitStopped
	case migrate.VerdictUnknown:
		return exitPerson
	}
	return exitFailed
}

// isWrongInput tells input that makes no sense from input that replank declines.
func isWrongInput(err error) bool {
	var (
		refused *migrate.RefusedError
		refusal *plan.Refusal
		syntax  *ddl.SyntaxError
		client  *ddl.ClientError
		hist    *history.Error
	)
	if errors.As(err, &refusal) {
		return false
	}
	if errors.As(err, &syntax) || errors.As(err, &client) || errors.As(err, &hist) {
		return true
	}
	return errors.As(err, &refused) && (refused.Code == migrate.Input || refused.Code == migrate.NotFound)
}

// lookAfter finds out in the journal what a failed call has left of its run.
func (a *app) lookAfter(ctx context.Context, name string) int {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	st, err := a.lastEngine.Status(ctx)
	if err != nil {
		if pg.ConnectionLost(err) {
			return exitPerson
		}
		return exitFailed
	}
	for _, r := range st.Runs {
		if r.Name != name {
			continue
		}
		switch r.State {
		case migrate.Failed:
			return exitPerson
		case migrate.Ready:
			return exitFailed
		}
		return exitStopped
	}
	return exitFailed
}

// each gives the errors that were joined to one, or the one. A connection that failed is one error, whatever was tried.
func each(err error) []error {
	var list []error
	for e := err; e != nil; {
		switch e.(type) {
		case *usageError, *unnamedDatabaseError, *pg.ConnectError:
			return append(list, err)
		}
		if many, ok := e.(interface{ Unwrap() []error }); ok {
			if !isJoin(e, many.Unwrap()) {
				break
			}
			for _, one := range many.Unwrap() {
				list = append(list, each(one)...)
			}
			return list
		}
		e = errors.Unwrap(e)
	}
	return append(list, err)
}

// isJoin tells errors.Join, whose text is its parts line by line, from fmt.Errorf with two %w.
func isJoin(e error, parts []error) bool {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = p.Error()
	}
	return e.Error() == strings.Join(texts, "\n")
}
