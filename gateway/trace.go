package gateway

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traces makes a span of each request, and one below it of each time that an application is asked. Without it (nil)
// the client's traceparent passes as it is.
type traces struct {
	tracer trace.Tracer
	w3c    propagation.TraceContext
}

func newTraces(p trace.TracerProvider) *traces {
	if p == nil {
		return nil
	}
	return &traces{tracer: p.Tracer("github.com/replank/replank/gateway")}
}

// method bounds the names of spans: a client may send any method.
func (t *traces) method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return r.Method
	}
	return "HTTP"
}

// began starts the span of a request.
func (t *traces) began(r *http.Request) *http.Request {
	if t == nil {
		return r
	}
	ctx := t.w3c.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, _ = t.tracer.Start(ctx, t.method(r), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("url.path", r.URL.Path), attribute.String("server.address", r.Host)))
	return r.WithContext(ctx)
}

// told ends it.
func (t *traces) told(r *http.Request, x *exchange) {
	if t == nil {
		return
	}
	span := trace.SpanFromContext(r.Context())
	span.SetAttributes(attribute.Int("http.response.status_code", x.status), attribute.String("replank.answered_by", string(x.answeredBy)))
	if x.status >= 500 {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// asked is the span of one request to an application, which gets it as its parent.
func (t *traces) asked(a *app, r *http.Request) (*http.Request, func(*http.Response, error)) {
	if t == nil {
		return r, func(*http.Response, error) {}
	}
	ctx, span := t.tracer.Start(r.Context(), t.method(r)+" "+string(a.side), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("server.address", a.url.Host),
		attribute.String("replank.app", string(a.side)), attribute.Bool("replank.trial", r.Header[headerTrial] != nil || r.Header[headerAsk] != nil)))
	r = r.WithContext(ctx)
	t.w3c.Inject(ctx, propagation.HeaderCarrier(r.Header))
	return r, func(res *http.Response, err error) {
		if err != nil {
			span.RecordError(err)
			span.SetStatus(codes.Error, err.Error())
		} else {
			span.SetAttributes(attribute.Int("http.response.status_code", res.StatusCode))
			if what := labelOf(res.Header); what != "" {
				span.SetAttributes(attribute.String("replank.not_found", what.known()))
			}
		}
		span.End()
	}
}
