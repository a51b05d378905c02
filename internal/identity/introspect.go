package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Introspect asks an application whose session a request shows: for sessions that nobody else can read. The companion
// answers at any address, when the question has the header [IntrospectHeader].
type Introspect struct {
	// URL of the application's answer. Default: none, it has to be given.
	URL string
	// Cookies without which nobody is asked; they alone are sent. Default: none, at least one has to be given.
	Cookies []string
	// Secret is sent as a bearer token. Default: none.
	Secret string
	// Timeout of one question. Default: 1s.
	Timeout time.Duration
	// Concurrent bounds how many questions are open; one more waits. Default: 32.
	Concurrent int
	// Column of the users' table that holds what the application calls a user. Default: the one of the subject.
	Column string
}

func (i Introspect) kind() string { return "introspect" }

func (i Introspect) longest() time.Duration { return 0 }

func (i Introspect) check() error {
	var wrong []error
	if u, err := url.Parse(i.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		wrong = append(wrong, fmt.Errorf("%q is no http URL", i.URL))
	}
	if len(i.Cookies) == 0 {
		wrong = append(wrong, errors.New("no cookie is named: the application would be asked about every request"))
	}
	return errors.Join(wrong...)
}

func (i Introspect) open(ctx context.Context, a *Authority) (verifier, error) {
	if i.Timeout == 0 {
		i.Timeout = time.Second
	}
	if i.Concurrent <= 0 {
		i.Concurrent = 32
	}
	return &introspection{Introspect: i, client: a.cfg.Client, slots: make(chan struct{}, i.Concurrent)}, a.users.needs(ctx, i.Column)
}

type introspection struct {
	Introspect
	client *http.Client
	slots  chan struct{}
}

func (v *introspection) close() {}

// credential is the Cookie header of the question.
func (v *introspection) credential(r *http.Request) string {
	var pairs []string
	length := 0
	for _, name := range v.Cookies {
		for _, c := range r.CookiesNamed(name) {
			pairs = append(pairs, name+"="+c.Value)
			length += len(name) + len(c.Value)
		}
	}
	if length > maxCookie {
		return ""
	}
	return strings.Join(pairs, "; ")
}

func (v *introspection) verify(ctx context.Context, credential string) (proof, error) {
	ctx, cancel := context.WithTimeout(ctx, v.Timeout)
	defer cancel()
	select {
	case v.slots <- struct{}{}:
		defer func() { <-v.slots }()
	case <-ctx.Done():
		return proof{}, fmt.Errorf("ask %s: %d questions are open already: %w", v.URL, v.Concurrent, ctx.Err())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.URL, nil)
	if err != nil {
		return proof{}, err
	}
	req.Header.Set("Cookie", credential)
	req.Header.Set(IntrospectHeader, "1")
	req.Header.Set("Accept", "application/json")
	if v.Secret != "" {
		req.Header.Set("Authorization", "Bearer "+v.Secret)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return proof{}, fmt.Errorf("ask the application: %w", err)
	}
	defer resp.Body.Close()
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); resp.StatusCode != http.StatusOK || kind != "application/json" {
		return proof{}, fmt.Errorf("ask %s: it answers %s %q, want 200 application/json", v.URL, resp.Status, kind)
	}
	var answer struct {
		Active bool   `json:"active"`
		Sub    string `json:"sub"`
		mark
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 64<<10)).Decode(&answer); err != nil {
		return proof{}, fmt.Errorf("ask %s: read the answer: %w", v.URL, err)
	}
	if !answer.Active {
		return proof{}, refusal("the application says that it is nobody")
	}
	if answer.Sub == "" || len(answer.Sub) > maxUser || answer.SID == "" || len(answer.SID) > maxSID {
		return proof{}, fmt.Errorf("ask %s: the answer has no sub or no sid, or one that is too long", v.URL)
	}
	p := proof{user: answer.Sub, column: v.Column, sid: answer.SID, unique: true}
	if answer.At > 0 && answer.At < 1e11 {
		p.started = time.UnixMicro(int64(answer.At * 1e6))
	}
	return p, nil
}
