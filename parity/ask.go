package parity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/replank/replank/internal/compare"
)

// asker gets answers.
type asker struct {
	Config
	transport *http.Transport
	environ   map[string]string
}

// ask sends the request of a case, or calls a program.
func (a *asker) ask(ctx context.Context, c Case, argv []string) (*compare.Answer, error) {
	c.Argv = argv
	c, err := c.expanded(a.environ)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, a.Timeout, fmt.Errorf("no answer within %s", a.Timeout))
	defer cancel()
	var answer *compare.Answer
	if c.Argv != nil {
		answer, err = a.call(ctx, c)
	} else {
		answer, err = a.send(ctx, c)
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return nil, cause
	}
	return answer, err
}

// send sends a request once: no redirect is followed, no cookie kept, and the transport repeats only what is safe.
func (a *asker) send(ctx context.Context, c Case) (*compare.Answer, error) {
	if a.App == nil {
		return nil, errors.New("a case with a path needs an application")
	}
	path, query, _ := strings.Cut(c.Path, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return nil, err
	}
	// RawPath keeps the path as it was written: %2F, and slashes in a row.
	to := &url.URL{Scheme: a.App.Scheme, Host: a.App.Host, Path: decoded, RawPath: path, RawQuery: query, ForceQuery: strings.HasSuffix(c.Path, "?") && query == ""}
	r, err := http.NewRequestWithContext(ctx, c.Method, to.String(), strings.NewReader(c.Body))
	if err != nil {
		return nil, err
	}
	r.URL, r.Host = to, a.Host
	if c.Body == "" {
		r.Body, r.GetBody = http.NoBody, nil
	}
	r.Header.Set("User-Agent", "replank-parity")
	for name, value := range c.Headers {
		if http.CanonicalHeaderKey(name) == "Host" {
			r.Host = value
		} else {
			r.Header.Set(name, value)
		}
	}
	res, err := a.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return a.Compare.Read(res.StatusCode, res.Header, res.Body)
}

// call runs a program to its end. Its answer is what it prints, and its exit code.
func (a *asker) call(ctx context.Context, c Case) (*compare.Answer, error) {
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Env = append([]string{}, a.Environ...) // nil would be ours
	cmd.Stdin = strings.NewReader(c.Stdin)
	// A group of its own: what the program has started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// What has left the group may keep the pipe open when the program is killed.
	closed := context.AfterFunc(ctx, func() { out.Close() })
	defer closed()
	answer, err := a.Compare.Read(0, nil, out)
	if err != nil && ctx.Err() == nil { // it would go on printing to nobody
		_ = cmd.Cancel()
	}
	ended := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case ended != nil && !errors.As(ended, &exit):
		return nil, ended
	case cmd.ProcessState.ExitCode() < 0:
		return nil, fmt.Errorf("%s: %s", c.Argv[0], cmd.ProcessState)
	}
	answer.Status = cmd.ProcessState.ExitCode()
	return answer, nil
}
