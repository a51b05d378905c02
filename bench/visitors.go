package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// visit is what clients ask a proxy for.
type visit struct {
	path   string // with %d, where each request has a path of its own
	answer string // which application must have answered
}

// visitText is what a browser behind a load balancer sends.
const visitText = "GET %s HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n" +
	"Cookie: sessionid=q2k3vn8zq2k3vn8zq2k3vn8zq2k3vn8z; csrftoken=6t6yTTzAbcdefghijklmnopqrstuvwxy\r\n" +
	"Referer: https://shop.example/\r\nSec-Fetch-Mode: navigate\r\nX-Request-Id: 3f0e1c9a-1f2b-4c3d-8e4f-5a6b7c8d9e0f\r\n\r\n"

// visitors are connections to a proxy, each with one request at a time. They do as little as they can, because they
// share the machine with what they measure.
type visitors struct {
	address string
	visit   visit
	list    []*visitor

	mu     sync.Mutex
	number int // of the requests so far
	failed int
	first  error
}

type visitor struct {
	net.Conn
	in *bufio.Reader
}

func newVisitors(address string, n int, v visit) (*visitors, error) {
	vs := &visitors{address: address, visit: v}
	for range n {
		c := &visitor{}
		if err := c.connect(address); err != nil {
			vs.leave()
			return nil, err
		}
		vs.list = append(vs.list, c)
	}
	return vs, nil
}

func (c *visitor) connect(address string) error {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return fmt.Errorf("connect a client: %w", err)
	}
	c.Conn, c.in = conn, bufio.NewReader(conn)
	return nil
}

// leave ends the connections, and says whether every request was answered as it must be.
func (vs *visitors) leave() error {
	for _, c := range vs.list {
		_ = c.Close()
	}
	if vs.failed > 0 {
		return fmt.Errorf("%d of %d requests failed, the first with: %w", vs.failed, vs.number, vs.first)
	}
	return nil
}

// ask sends one request, and reads the whole answer. Who is given a wrong one comes again on another connection.
func (vs *visitors) ask(c *visitor) {
	vs.mu.Lock()
	vs.number++
	path := vs.visit.path
	if n := vs.number; path[len(path)-1] == 'd' {
		path = fmt.Sprintf(path, n)
	}
	vs.mu.Unlock()
	err := c.ask(path, vs.visit.answer)
	if err == nil {
		return
	}
	vs.mu.Lock()
	if vs.failed++; vs.first == nil {
		vs.first = err
	}
	vs.mu.Unlock()
	_ = c.Close()
	_ = c.connect(vs.address) // the next request fails where it has failed
}

func (c *visitor) ask(path, want string) error {
	c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprintf(c, visitText, path); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	switch by := res.Header.Get(answeredBy); {
	case err != nil:
		return err
	case res.StatusCode != http.StatusOK || by != want || n != answerSize:
		return fmt.Errorf("%s: %s with %d bytes by %q, not 200 with %d by %q", path, res.Status, n, by, answerSize, want)
	case res.Close:
		return errors.New("the proxy closes the connection")
	}
	return nil
}

// inTurn lets every visitor ask as fast as it is answered, until all together have asked total times.
func (vs *visitors) inTurn(ctx context.Context, total int) error {
	var all errgroup.Group
	for i, c := range vs.list {
		all.Go(func() error {
			for n := i; n < total && ctx.Err() == nil; n += len(vs.list) {
				vs.ask(c)
			}
			return ctx.Err()
		})
	}
	return all.Wait()
}

// onTime is an open load: each visitor has a fixed time for each of its requests, however slow the answers are, and
// a request's latency in milliseconds counts from that moment. A request that could not be sent in the whole window,
// because its connection still waited for another answer, counts with the time until the window's end.
func (vs *visitors) onTime(ctx context.Context, rate float64, window time.Duration) ([]float64, error) {
	every := time.Duration(float64(time.Second) * float64(len(vs.list)) / rate)
	began := time.Now().Add(50 * time.Millisecond)
	end := began.Add(window)
	took := make([][]float64, len(vs.list))
	var all errgroup.Group
	for i, c := range vs.list {
		all.Go(func() error {
			alarm, err := newAlarm()
			if err != nil {
				return err
			}
			defer alarm.close()
			for due := began.Add(every * time.Duration(i) / time.Duration(len(vs.list))); due.Before(end); due = due.Add(every) {
				if err := alarm.wait(due); err != nil {
					return err
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if time.Now().Before(end) {
					vs.ask(c)
				}
				took[i] = append(took[i], time.Since(due).Seconds()*1000)
			}
			return nil
		})
	}
	err := all.Wait()
	var ms []float64
	for _, t := range took {
		ms = append(ms, t...)
	}
	return ms, err
}
