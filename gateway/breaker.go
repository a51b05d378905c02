package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Why an application is not asked. These are values of a metric's label, too.
const (
	refusedOpen   = "open"   // the last requests have failed
	refusedDown   = "down"   // its health check has failed
	refusedFull   = "full"   // too many requests wait for a connection
	refusedWaited = "waited" // no connection became free in time
)

// refusedError: the application that has to answer was not asked: 503.
type refusedError struct {
	side  Side
	why   string
	retry time.Duration
}

func (e *refusedError) Error() string {
	what := map[string]string{
		refusedOpen:   "was not asked: the last requests to it have failed",
		refusedDown:   "was not asked: its health check fails",
		refusedFull:   "was not asked: too many requests wait for a connection to it",
		refusedWaited: "was not asked: no connection to it became free in time",
	}[e.why]
	return "the " + string(e.side) + " application " + what
}

// proxyStatus tells it to clients and to proxies in front, as RFC 9209 says.
func (e *refusedError) proxyStatus() string {
	kind := "destination_unavailable"
	if e.why == refusedFull || e.why == refusedWaited {
		kind = "connection_limit_reached"
	}
	return fmt.Sprintf("replank; error=%s; details=%q", kind, e.Error())
}

// refuses reports whether the gateway itself refuses a request, sets the status for it, and tells when to come again.
func refuses(w http.ResponseWriter, err error, status *int) bool {
	var refused *refusedError
	var parked *parkedError
	var slow *slowBodyError
	again := func(in time.Duration) {
		*status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", strconv.Itoa(int(max(time.Second, in.Round(time.Second)).Seconds())))
	}
	switch {
	case errors.As(err, &refused):
		again(refused.retry)
		w.Header().Set("Proxy-Status", refused.proxyStatus())
	case errors.As(err, &parked):
		again(parked.retry)
		w.Header().Set("Proxy-Status", "replank; error=destination_unavailable; details=\"the tenant is being moved\"")
	case errors.As(err, &slow):
		*status = http.StatusRequestTimeout
		w.Header().Set("Connection", "close") // what is left of the body may still come
	default:
		return false
	}
	return true
}

// newBreaker leaves an application alone whose last requests have all failed. One request at a time then tries whether
// it is back.
func newBreaker(a *app, failures uint32, log *slog.Logger) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        string(a.side),
		MaxRequests: 1,
		Timeout:     a.openFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= failures },
		IsExcluded:  func(err error) bool { return errors.Is(err, errNotItsFault) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			level := slog.LevelWarn
			if to == gobreaker.StateOpen {
				level = slog.LevelError
			}
			log.Log(context.Background(), level, "circuit breaker", "app", a.side, "from", from.String(), "to", to.String())
		},
	})
}

// available says whether the application may be asked at all, before a request waits for a connection.
func (a *app) available() error {
	if !a.health.up() {
		return &refusedError{side: a.side, why: refusedDown, retry: a.health.every}
	}
	if a.breaker.State() == gobreaker.StateOpen {
		return &refusedError{side: a.side, why: refusedOpen, retry: a.openFor}
	}
	return nil
}

// errNotItsFault is for requests that say nothing about the application: the client has gone, or its body has failed.
var errNotItsFault = errors.New("not the application's fault")

// How an application fails. These are values of a metric's label, too.
const (
	failedConnect = "connect" // no connection
	failedTimeout = "timeout" // no answer in time
	failedBroken  = "broken"  // a connection that ends before an answer, or an answer that is no HTTP
)

// failureOf says how the application has failed, "" if it has not.
func failureOf(ctx context.Context, err error) string {
	if err == nil {
		return ""
	}
	var client *clientError
	var op *net.OpError
	var timeout net.Error
	switch {
	case ctx.Err() != nil, errors.As(err, &client):
		return ""
	case errors.As(err, &op) && op.Op == "dial":
		return failedConnect
	case errors.As(err, &timeout) && timeout.Timeout():
		return failedTimeout
	}
	return failedBroken
}
