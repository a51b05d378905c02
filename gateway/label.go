package gateway

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// label is what the modern application's companion says was not found.
type label string

const (
	noRoute  label = "route"  // the router knows no such path
	noMethod label = "method" // the route has no such method
	noSlash  label = "slash"  // only the path with a slash at its end is known
	noObject label = "object" // the route has answered: there is no such thing
)

func labelOf(h http.Header) label { return label(h.Get(headerNotFound)) }

// fallsBack reports whether the modern application has done nothing, and has said so. An object that is not there is
// the answer.
func (l label) fallsBack() bool { return l == noRoute || l == noMethod || l == noSlash }

// companionError: an application that is said to have the companion answers without it.
type companionError struct {
	url    *url.URL
	status string
}

func (e *companionError) Error() string {
	return fmt.Sprintf("%s answers %s/ask with %s: the companion's middleware is not installed there", e.url.Host, ownPrefix, e.status)
}

// Hint says what to do.
func (e *companionError) Hint() string {
	return "put replank.django.middleware.Gateway first in MIDDLEWARE, or set companion = false"
}

// mostDiscarded bounds what is read of an answer that nobody wants, so that its connection can be used again.
const mostDiscarded = 64 << 10

func discard(res *http.Response) {
	io.CopyN(io.Discard, res.Body, mostDiscarded)
	res.Body.Close()
}
