package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// flushTimeout bounds the last export.
const flushTimeout = 5 * time.Second

// tracer exports spans by OTLP over HTTP where OpenTelemetry's own variables say where to. Without them it is nil, and
// nothing is made. flush sends what is left.
func (a *app) tracer(ctx context.Context) (_ trace.TracerProvider, flush func(), err error) {
	none := func() {}
	if a.getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && a.getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" ||
		strings.EqualFold(a.getenv("OTEL_SDK_DISABLED"), "true") || a.getenv("OTEL_TRACES_EXPORTER") == "none" {
		return nil, none, nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := a.getenv(name); protocol != "" && protocol != "http/protobuf" {
			return nil, none, &usageError{err: fmt.Errorf("%s=%s: spans are exported by http/protobuf only", name, protocol),
				hint: "unset it, and give the collector's HTTP endpoint (port 4318 by default)"}
		}
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { a.log.Warn("export of spans", "error", err) }))
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, none, fmt.Errorf("export spans: %w", err)
	}
	// What the environment says (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) wins over the name here.
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "replank-gateway")), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, none, fmt.Errorf("export spans: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return provider, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			a.log.Warn("export of the last spans", "error", err)
		}
	}, nil
}
