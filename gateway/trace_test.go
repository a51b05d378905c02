package gateway

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// TestTraces: a span for the request, below the client's, and one below it for each application that was asked, which
// gets it as its parent. Without a tracer the client's own passes.
func TestTraces(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var given atomic.Value
	app := func(head string) *raw {
		return newRaw(t, func(c net.Conn, r *http.Request, _ int) bool {
			given.Store(r.Header.Get("Traceparent"))
			io.WriteString(c, "HTTP/1.1 "+head+"\r\nContent-Length: 0\r\n\r\n")
			return true
		})
	}
	modern, legacy := app("404 Not Found\r\nReplank-Not-Found: route"), app("200 OK")
	spans := tracetest.NewInMemoryExporter()
	for _, tracer := range []trace.TracerProvider{nil, sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))} {
		g, err := New(Config{Modern: App{URL: modern.url, Companion: true}, Legacy: App{URL: legacy.url}, Tracer: tracer})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/old", nil)
		r.Header.Set("Traceparent", parent)
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Fatal(w.Code)
		}
		if tracer == nil {
			if given.Load() != parent || len(spans.GetSpans()) != 0 {
				t.Errorf("without a tracer: %v, %d spans", given.Load(), len(spans.GetSpans()))
			}
			continue
		}
		got := map[string]tracetest.SpanStub{}
		for _, s := range spans.GetSpans() {
			got[s.Name] = s
			if s.SpanContext.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" {
				t.Errorf("%s is in another trace", s.Name)
			}
		}
		request := got["GET"]
		if len(got) != 3 || request.Parent.SpanID().String() != "b7ad6b7169203331" || request.SpanKind != trace.SpanKindServer {
			t.Errorf("spans %v, the request's below %s", got, request.Parent.SpanID())
		}
		for _, name := range []string{"GET modern", "GET legacy"} {
			if s := got[name]; s.Parent.SpanID() != request.SpanContext.SpanID() || s.SpanKind != trace.SpanKindClient {
				t.Errorf("%s is below %s", name, s.Parent.SpanID())
			}
		}
		if text, _ := given.Load().(string); !strings.Contains(text, got["GET legacy"].SpanContext.SpanID().String()) {
			t.Errorf("the legacy application got %s", text)
		}
	}
}
