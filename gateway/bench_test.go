package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// asBrowsersDo is a request with what browsers and a load balancer put into it.
const asBrowsersDo = "GET %s HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n" +
	"Cookie: sessionid=q2k3vn8zq2k3vn8zq2k3vn8zq2k3vn8z; csrftoken=6t6yTTzAbcdefghijklmnopqrstuvwxy\r\n" +
	"Referer: https://shop.example/\r\nSec-Fetch-Mode: navigate\r\nX-Request-Id: 3f0e1c9a-1f2b-4c3d-8e4f-5a6b7c8d9e0f\r\n\r\n"

// constant is an upstream that costs next to nothing: every request gets the same answer.
func constant(b *testing.B) *url.URL {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	answer := []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nX-Frame-Options: DENY\r\nContent-Length: 1024\r\n\r\n%01024d", 0))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for in := bufio.NewReader(c); ; {
					for {
						line, err := in.ReadSlice('\n')
						if err != nil {
							return
						}
						if len(line) == 2 {
							break
						}
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return &url.URL{Scheme: "http", Host: l.Addr().String()}
}

// BenchmarkServe: what a request costs beside a ReverseProxy that does nothing else. Client and upstream are as cheap as
// they can be, and a part of it.
func BenchmarkServe(b *testing.B) {
	to := constant(b)
	routes := filepath.Join(b.TempDir(), "routes.json")
	err := os.WriteFile(routes, []byte(`{"format":"replank-routes","version":1,"framework":"test","build":"1","matching":"ordered","complete":true,"incomplete_because":[],
		"routes":[{"template":"/known/{id}/","methods":null,"stages":[{"re":"/known/([0-9]+)/","end":true}]}]}`), 0o644)
	if err != nil {
		b.Fatal(err)
	}
	bare := func(_ context.Context, l net.Listener) error {
		proxy := &httputil.ReverseProxy{
			Rewrite:    func(p *httputil.ProxyRequest) { p.SetURL(to); p.SetXForwarded(); p.Out.Host = p.In.Host },
			Transport:  &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true, WriteBufferSize: 16 << 10, ReadBufferSize: 16 << 10},
			BufferPool: &bufferPool{},
		}
		return (&http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second}).Serve(l)
	}
	gateway := func(ctx context.Context, l net.Listener) error {
		g, err := New(Config{Modern: App{URL: to, Companion: true}, Legacy: App{URL: to}, ModernRoutes: routes})
		if err != nil {
			return err
		}
		return g.Serve(ctx, l, time.Second)
	}
	for _, c := range []struct {
		name, path string
		serve      func(ctx context.Context, l net.Listener) error
	}{{"bare", "/known/7/", bare}, {"modern", "/known/7/", gateway}, {"legacy", "/other/7/", gateway}} {
		b.Run(c.name, func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			go c.serve(b.Context(), l) // it ends with the listener, or with the context
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			request, in := fmt.Appendf(nil, asBrowsersDo, c.path), bufio.NewReader(conn)
			b.ReportAllocs()
			before := cpu(b)
			for b.Loop() {
				if _, err := conn.Write(request); err != nil {
					b.Fatal(err)
				}
				res, err := http.ReadResponse(in, nil)
				if err != nil || res.StatusCode != http.StatusOK {
					b.Fatal(res, err)
				}
				if n, err := io.Copy(io.Discard, res.Body); n != 1024 || err != nil {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpu is the CPU time of this process: others on the machine do not count.
func cpu(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
