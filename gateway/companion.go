package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Ask, in place of a file of routes: the application's companion is asked for them.
const Ask = "http"

const (
	routesPath    = ownPrefix + "/routes"
	routesTimeout = 5 * time.Second // for all of the document
	mostRoutes    = 64 << 20        // bytes of it
)

// companion is the source of an application's routes that the application itself is.
type companion struct {
	url    string
	secret string // the file
	client *http.Client
	tag    string
	last   []byte // what came with the tag
}

func newCompanion(app *url.URL, secret string) *companion {
	return &companion{url: app.Scheme + "://" + app.Host + routesPath, secret: secret, client: &http.Client{
		// A connection of its own each time: one that is kept would lead to the old processes after a deployment.
		Transport:     &http.Transport{DisableKeepAlives: true},
		Timeout:       routesTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// AskRoutes asks the companion of an application for its route document, with the secret that stands in a file.
func AskRoutes(ctx context.Context, app *url.URL, secretFile string) ([]byte, error) {
	return newCompanion(app, secretFile).read(ctx)
}

func (c *companion) String() string { return c.url }

// read asks. The document comes only if it is another one than the last time.
func (c *companion) read(ctx context.Context) ([]byte, error) {
	if c.secret == "" {
		return nil, &secretError{errors.New("there is no secret to ask an application for its routes with")}
	}
	text, err := os.ReadFile(c.secret)
	if err != nil {
		return nil, &secretError{fmt.Errorf("read the secret to ask an application for its routes with: %w", err)}
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return nil, &secretError{fmt.Errorf("%s is empty", c.secret)}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("User-Agent", "replank-routes")
	if c.tag != "" {
		r.Header.Set("If-None-Match", c.tag)
	}
	res, err := c.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotModified && c.tag != "":
		return c.last, nil
	case res.StatusCode != http.StatusOK:
		return nil, &untoldError{c.url, res.Status}
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, mostRoutes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.url, err)
	}
	if len(body) > mostRoutes {
		return nil, fmt.Errorf("%s has more than %d MB", c.url, mostRoutes>>20)
	}
	c.tag, c.last = res.Header.Get("ETag"), body
	return body, nil
}

// secretError: the gateway has nothing to show to a companion.
type secretError struct{ err error }

func (e *secretError) Error() string { return e.err.Error() }
func (e *secretError) Unwrap() error { return e.err }

// Hint says what to do.
func (e *secretError) Hint() string {
	return "write a long random text into a file, name it in routes_secret_file of [gateway], and give it to the application as REPLANK_ROUTES_SECRET"
}

// untoldError: the application does not tell its routes.
type untoldError struct{ url, status string }

func (e *untoldError) Error() string { return e.url + " answers " + e.status }

// Hint says what to do.
func (e *untoldError) Hint() string {
	return "install the companion there (replank.django.middleware.Gateway, or replank.flask.gateway.Gateway), with the same secret as REPLANK_ROUTES_SECRET"
}
