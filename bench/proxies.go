package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// proxy is one process under test, or one that it needs, with what listens in it.
type proxy struct {
	name string
	cmd  *exec.Cmd
	end  context.CancelFunc
}

// startProxy starts a program in a folder of its own, and waits until it answers at all addresses.
func startProxy(ctx context.Context, name, dir string, addresses []string, program string, args ...string) (*proxy, error) {
	said, err := os.CreateTemp(dir, name+"-*.log")
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer said.Close() // the process has its own
	ctx, cancel := context.WithCancel(ctx)
	p := &proxy{name: name, cmd: exec.CommandContext(ctx, program, args...), end: cancel}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, said, said
	// Nothing of whoever runs the benchmark: DATABASE_URL, GOMAXPROCS, GODEBUG.
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	for _, address := range addresses {
		if err := p.answers(ctx, address); err != nil {
			p.stop()
			text, _ := os.ReadFile(said.Name()) // what it has said, if anything
			return nil, fmt.Errorf("%w: %s", err, text)
		}
	}
	return p, nil
}

func (p *proxy) answers(ctx context.Context, address string) error {
	for until := time.Now().Add(15 * time.Second); ; {
		c, err := net.Dial("tcp", address)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(until) {
			return fmt.Errorf("%s does not listen on %s: %w", p.name, address, err)
		}
		if err := wait(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// stop ends the process, and nothing else.
func (p *proxy) stop() {
	p.end()
	_ = p.cmd.Wait() // it was told to end
}

// freeAddresses of this machine, on which nobody listens.
func freeAddresses(n int) ([]string, error) {
	var list []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // when all are found: no address twice
		list = append(list, l.Addr().String())
	}
	return list, nil
}

// childArgument is the hidden one by which this program starts itself as a process of the benchmark.
const childArgument = "child-of-bench"

// child is such a process.
func child(ctx context.Context, args []string) error {
	ended := make(chan error, 3)
	switch {
	case len(args) == 5 && args[0] == "applications":
		slowly, err := time.ParseDuration(args[4])
		if err != nil {
			return err
		}
		for i, name := range []string{"modern", "legacy", "stuck"} {
			go func() { ended <- http.ListenAndServe(args[1+i], webApplication(name, slowly)) }()
		}
	case len(args) == 3 && args[0] == "bare":
		go func() { ended <- barely(args[1], args[2]) }()
	default:
		return fmt.Errorf("there is no child %q", args)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

const (
	answeredBy = "Answered-By"
	answerSize = 1024
)

// webApplication is one of the two, or the one that takes its time for each answer.
func webApplication(name string, slowly time.Duration) http.HandlerFunc {
	page := []byte(strings.Repeat("0123456789abcde\n", answerSize/16))
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Replank-Build", "bench")
		switch {
		case name == "modern" && !strings.HasPrefix(r.URL.Path, "/known/"):
			h.Set("Replank-Not-Found", "route")
			http.NotFound(w, r)
			return
		case name == "stuck":
			select {
			case <-time.After(slowly):
			case <-r.Context().Done():
			}
		}
		h.Set(answeredBy, name)
		_, _ = w.Write(page) // a client that has gone
	}
}

// barely is httputil.ReverseProxy, and nothing else, tuned as a proxy of one application must be: enough idle
// connections, no compression of its own, and buffers that are used again.
func barely(listen, to string) error {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: to})
			p.SetXForwarded()
			p.Out.Host = p.In.Host
		},
		Transport:  &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true, WriteBufferSize: 16 << 10, ReadBufferSize: 16 << 10},
		BufferPool: &buffers{sync.Pool{New: func() any { return new([32 << 10]byte) }}},
	}
	s := &http.Server{Addr: listen, Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	return s.ListenAndServe()
}

type buffers struct{ sync.Pool }

func (b *buffers) Get() []byte  { return b.Pool.Get().(*[32 << 10]byte)[:] }
func (b *buffers) Put(p []byte) { b.Pool.Put((*[32 << 10]byte)(p)) }

// nginxText has three servers: a proxy, one with a fallback, one with a mirror. Its arguments are, in this order, the
// modern, the legacy and the stuck application, and the addresses of the three.
const nginxText = `daemon off; worker_processes auto; pid nginx.pid; error_log stderr;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path tmp1; proxy_temp_path tmp2; fastcgi_temp_path tmp3; uwsgi_temp_path tmp4; scgi_temp_path tmp5;
  keepalive_requests 100000000;
  upstream modern { server %s; keepalive 512; keepalive_requests 100000000; }
  upstream legacy { server %s; keepalive 512; keepalive_requests 100000000; }
  upstream stuck { server %s; keepalive 512; keepalive_requests 100000000; }
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Host $host;
  proxy_set_header X-Forwarded-Proto $scheme;
  server { listen %s; location / { proxy_pass http://modern; } }
  server {
    listen %s;
    proxy_intercept_errors on;
    location / { proxy_pass http://modern; error_page 404 = @legacy; }
    location @legacy { proxy_pass http://legacy; }
  }
  server {
    listen %s;
    location / { proxy_pass http://legacy; mirror /mirror; }
    location = /mirror { internal; proxy_pass http://stuck$request_uri; }
  }
}
`

// caddyText has two servers: a proxy, and one with a fallback. Its arguments are the port of the first, the modern
// application, the port of the second, the modern and the legacy application.
const caddyText = `{
	admin off
	auto_https off
}
http://:%s {
	bind 127.0.0.1
	reverse_proxy %s {
		transport http {
			keepalive_idle_conns_per_host 512
			compression off
		}
	}
}
http://:%s {
	bind 127.0.0.1
	reverse_proxy %s {
		transport http {
			keepalive_idle_conns_per_host 512
			compression off
		}
		@missing status 404
		handle_response @missing {
			reverse_proxy %s {
				transport http {
					keepalive_idle_conns_per_host 512
					compression off
				}
			}
		}
	}
}
`

// versionOf is what a peer says of itself, on one line.
func versionOf(ctx context.Context, program string, args ...string) string {
	text, err := output(exec.CommandContext(ctx, program, args...))
	if err != nil {
		return program
	}
	return strings.TrimPrefix(text, "nginx version: ")
}

// peerProgram finds a peer that is installed from the system's packages, or says how to get it.
func (b *bench) peerProgram(name, pkg string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath(filepath.Join("/usr/sbin", name)) // not in the PATH of users
	}
	if err != nil {
		b.book.note("%s was not measured: it is not installed (Debian: apt-get install %s)", name, pkg)
		say("no %s: apt-get install %s", name, pkg)
		return ""
	}
	return path
}

// writeRoutes writes a route document.
func writeRoutes(path string, complete bool, templates ...[2]string) error {
	var s strings.Builder
	because := "[]"
	if !complete {
		because = `["a middleware answers, too"]`
	}
	fmt.Fprintf(&s, `{"format": "replank-routes", "version": 1, "framework": "bench", "build": "bench", "matching": "ordered", "complete": %t, "incomplete_because": %s, "routes": [`,
		complete, because)
	for i, t := range templates {
		if i > 0 {
			s.WriteString(",\n")
		}
		fmt.Fprintf(&s, `{"template": %q, "methods": null, "stages": [{"re": %q, "end": true}]}`, t[0], t[1])
	}
	s.WriteString("]}\n")
	// By its name: who reads it never sees a half.
	half := path + ".half"
	if err := os.WriteFile(half, []byte(s.String()), 0o644); err != nil {
		return fmt.Errorf("write the routes: %w", err)
	}
	return os.Rename(half, path)
}
