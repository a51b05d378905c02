package identity

import "errors"

// Error says what could not be done, and what to do about it.
type Error struct {
	Op   string
	Note string // the hint
	Err  error
}

func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap: see the errors package.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *Error) Hint() string { return e.Note }

// refusal is why a credential proves nothing. It is no failure: the request is that of nobody.
type refusal string

func (r refusal) Error() string { return string(r) }

// ended refuses a session that was good and has been revoked: its application is told to drop it.
const ended = refusal("revoked")

func refused(err error) bool {
	var r refusal
	return errors.As(err, &r)
}
