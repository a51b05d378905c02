package route

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// ReadOpenAPI makes a document of an OpenAPI 3 description, JSON or YAML: for applications whose framework has no
// companion. A path without parameters comes before one with them; HEAD goes with GET, and OPTIONS with everything.
// Such a description need not list all paths, so the document is complete only where "x-replank-complete: true" stands
// at its top.
func ReadOpenAPI(data []byte) (*Document, error) {
	d, bad, err := readOpenAPI(data)
	if err != nil {
		return nil, err
	}
	var wrong []error
	for _, b := range bad {
		wrong = append(wrong, b)
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, fmt.Errorf("reading the OpenAPI description: %w", err)
	}
	return d, d.check()
}

// readOpenAPI puts stand-ins for the paths that it cannot use.
func readOpenAPI(data []byte) (*Document, []Bad, error) {
	loader := openapi3.NewLoader() // follows no reference out of the file
	loader.IncludeOrigin = true
	api, err := loader.LoadFromData(data)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the OpenAPI description: %w", err)
	}
	if !strings.HasPrefix(api.OpenAPI, "3.") {
		return nil, nil, fmt.Errorf("reading the OpenAPI description: version %q is not 3", api.OpenAPI)
	}
	bases, err := basePaths(api)
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(data)
	d := &Document{Format: format, Version: version, Framework: "openapi " + api.OpenAPI, Build: "sha256:" + hex.EncodeToString(sum[:]), Matching: Ordered}
	if d.Complete, _ = api.Extensions["x-replank-complete"].(bool); !d.Complete {
		d.IncompleteBecause = []string{`an OpenAPI description need not list all paths; write "x-replank-complete: true" at its top if it does`}
	}
	var bad []Bad
	for path, item := range api.Paths.Map() {
		d.given++
		re, err := openAPIPattern(path)
		if err != nil {
			b := Bad{Template: path, Err: err}
			if item.Origin != nil && item.Origin.Key != nil && bytes.Contains(data, []byte("\n")) {
				b.Line = item.Origin.Key.Line
			}
			bad = append(bad, b)
			for _, base := range bases {
				text, _, _ := strings.Cut(path, "{")
				if !strings.HasPrefix(text, "/") {
					text = ""
				}
				r := Route{Template: base + path, Stages: []Stage{{RE: regexp.QuoteMeta(base + text)}}}
				d.Routes = append(d.Routes, r.standIns(Ordered, err)...)
			}
			continue
		}
		for _, base := range bases {
			r := &Route{Template: base + path, Methods: []string{"OPTIONS"}, Stages: []Stage{{RE: regexp.QuoteMeta(base) + re, End: true}}}
			for method, operation := range item.Operations() {
				r.Methods = append(r.Methods, method)
				if method == "GET" {
					r.Methods = append(r.Methods, "HEAD")
				}
				if operation.OperationID != "" && (r.Name == "" || operation.OperationID < r.Name) {
					r.Name = operation.OperationID
				}
			}
			slices.Sort(r.Methods)
			r.Methods = slices.Compact(r.Methods)
			d.Routes = append(d.Routes, r)
		}
	}
	slices.SortFunc(d.Routes, func(a, b *Route) int { return compareTemplates(a.Template, b.Template) })
	slices.SortFunc(bad, func(a, b Bad) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), strings.Compare(a.Template, b.Template))
	})
	return d, bad, nil
}

// basePaths are the paths of the servers, without a slash at the end.
func basePaths(api *openapi3.T) ([]string, error) {
	bases := map[string]bool{}
	for _, s := range api.Servers {
		base, err := s.BasePath()
		if err != nil {
			return nil, fmt.Errorf("reading the OpenAPI description: server %s: %w", s.URL, err)
		}
		bases[strings.TrimRight(base, "/")] = true
	}
	if len(bases) == 0 {
		return []string{""}, nil
	}
	return slices.Sorted(maps.Keys(bases)), nil
}

var parameter = regexp.MustCompile(`\{[^{}/]*\}`)

func openAPIPattern(path string) (string, error) {
	texts := parameter.Split(path, -1)
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(strings.Join(texts, ""), "{}") {
		return "", fmt.Errorf("path %q does not begin with a slash, or a brace in it has no partner", path)
	}
	for i := range texts {
		texts[i] = regexp.QuoteMeta(texts[i])
	}
	return strings.Join(texts, "([^/]+)"), nil
}

// compareTemplates puts what is more definite first: segment by segment, a text before one with a text and a
// parameter, that before a parameter.
func compareTemplates(a, b string) int {
	x, y := strings.Split(parameter.ReplaceAllString(a, "{}"), "/"), strings.Split(parameter.ReplaceAllString(b, "{}"), "/")
	for i := range min(len(x), len(y)) {
		if c := cmp.Or(cmp.Compare(vagueness(x[i]), vagueness(y[i])), strings.Compare(x[i], y[i])); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(x), len(y))
}

func vagueness(segment string) int {
	switch found := parameter.FindString(segment); {
	case found == "":
		return 0
	case found != segment:
		return 1
	}
	return 2
}
