package devdb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// app is this test binary as a server on a free port.
func app(t *testing.T) (a App) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return App{Name: "web", Start: fmt.Sprintf("%s='serve %s' %s", asCommand, l.Addr(), self), Ready: "http://" + l.Addr().String() + "/"}
}

// up runs Up until an event of the kind and name has come, or it ends by itself; stop ends it.
func (s *shop) up(kind EventKind, name, text string) (end chan error, stop func()) {
	s.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	came := make(chan struct{}, 100)
	record := s.cfg.Events
	s.cfg.Events = func(e Event) {
		record(e)
		if e.Kind == kind && e.Name == name && strings.HasPrefix(e.Text, text) {
			came <- struct{}{}
		}
	}
	d := s.open()
	s.cfg.Events = record
	end = make(chan error, 1)
	go func() { end <- d.Up(ctx) }()
	if kind != "" {
		<-came
	}
	s.t.Cleanup(stop)
	return end, stop
}

// awaitQuiet is shell that waits until the app quiet has written its number.
const awaitQuiet = "until test -s quiet; do sleep 0.01; done; "

// pids are the processes that an app has written into a file.
func (s *shop) pids(file string) []string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.cfg.Root, file))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Fields(string(text))
}

func gone(t *testing.T, pids ...string) {
	t.Helper()
	for _, pid := range pids {
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatal(err)
		}
		// What has no parent any more is a zombie until somebody has asked for it, and before that the kernel takes it
		// apart (PF_EXITING): it runs nothing of its own.
		if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil {
			_, rest, _ := strings.Cut(string(stat), ") ")
			fields := strings.Fields(rest) // from the third of proc(5) on
			flags, err := strconv.Atoi(fields[6])
			if fields[0] != "Z" && (err != nil || flags&0x4 == 0) {
				t.Errorf("process %s lives: %s", pid, stat)
			}
		} else if err != nil && !errors.Is(syscall.Kill(n, 0), syscall.ESRCH) {
			t.Errorf("process %s lives", pid)
		}
	}
}

// TestUpEndsAll: when its context ends, also what ignores SIGTERM and what the apps have started themselves.
func TestUpEndsAll(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	s.cfg.Grace = 300 * time.Millisecond
	s.cfg.Apps = []App{
		{Name: "stubborn", Start: "trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $$ $! > stubborn; " + awaitQuiet + "echo complete; while :; do sleep 1; done"},
		{Name: "quiet", Start: "echo $$ > quiet; exec sleep 1000"},
	}
	end, stop := s.up(EventOutput, "stubborn", "complete")
	stop()
	if err := <-end; err != nil {
		t.Errorf("%v", err)
	}
	if all := append(s.pids("stubborn"), s.pids("quiet")...); len(all) != 3 {
		t.Errorf("processes %q", all)
	} else {
		gone(t, all...)
	}
}

// TestUpCrash: the end of one app ends all, with its name and what it said last.
func TestUpCrash(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	s.cfg.Apps = []App{{Name: "quiet", Start: "echo $$ > quiet; exec sleep 1000"}, {Name: "bad", Start: awaitQuiet + "echo one; echo no such table >&2; exit 3"}}
	end, _ := s.up("", "", "")
	var crash *CrashError
	if err := <-end; !errors.As(err, &crash) || crash.Name != "bad" || !slices.Equal(crash.Last, []string{"one", "no such table"}) || !strings.Contains(crash.Error(), "exit status 3") {
		t.Errorf("%v", err)
	}
	gone(t, s.pids("quiet")...)
	s.cfg.Apps[1].Start = "true"
	end, _ = s.up("", "", "")
	if err := <-end; !errors.As(err, &crash) || crash.Err != nil {
		t.Errorf("an end with exit code 0: %v", err)
	}
}

// TestUpReady: an app is ready when it answers, and one that never does ends all.
func TestUpReady(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	web := app(t)
	web.Ready += "missing" // 404 is no sign of health
	s.cfg.Apps = []App{web}
	s.cfg.ReadyWithin = 2 * time.Second
	end, _ := s.up("", "", "")
	var late *NotReadyError
	if err := <-end; !errors.As(err, &late) || late.Name != "web" || !strings.Contains(late.Error(), "404") || !slices.Contains(late.Last, "listening") {
		t.Errorf("%v", err)
	}
	s.cfg.ReadyWithin = time.Minute
	for _, scheme := range []string{"http://", "tcp://"} {
		web := app(t)
		address, _ := strings.CutPrefix(web.Ready, "http://")
		web.Ready = scheme + strings.TrimSuffix(address, "/")
		s.cfg.Apps = []App{web}
		end, stop := s.up(EventReady, "web", scheme+"127.0.0.1")
		stop()
		if err := <-end; err != nil {
			t.Error(err)
		}
	}
}
