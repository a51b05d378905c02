package pgtest

import (
	"context"
	"testing"
	"time"
)

// A commit that is cut before the server sees it has not happened; one cut after its answer has.
func TestCutOnCommit(t *testing.T) {
	for _, c := range []struct {
		name string
		when When
		rows int
	}{{"before", BeforeServer, 0}, {"after", AfterServer, 1}} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			dsn := DB(t)
			Exec(t, dsn, "CREATE TABLE a (id int)")
			p := Proxy(t, dsn)
			conn := Connect(t, p.DSN())
			tx, err := conn.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(ctx, "INSERT INTO a VALUES (1)"); err != nil {
				t.Fatal(err)
			}
			cut := p.CutOn("commit", c.when)
			if err := tx.Commit(ctx); err == nil {
				t.Fatal("commit succeeded over a cut connection")
			}
			<-cut
			if n := Value[int](t, dsn, "SELECT count(*) FROM a"); n != c.rows {
				t.Errorf("%d rows, want %d", n, c.rows)
			}
			if n := Value[int](t, p.DSN(), "SELECT 7"); n != 7 {
				t.Error("the proxy no longer works")
			}
		})
	}
}

func TestProxyFaults(t *testing.T) {
	ctx := context.Background()
	p := Proxy(t, DB(t))
	conn := Connect(t, p.DSN())
	select1 := func(ctx context.Context) error { return conn.QueryRow(ctx, "SELECT 1").Scan(new(int)) }
	if err := select1(ctx); err != nil {
		t.Fatalf("without fault: %v", err)
	}

	p.Delay(20 * time.Millisecond)
	start := time.Now()
	if err := select1(ctx); err != nil {
		t.Fatalf("delayed: %v", err)
	}
	if d := time.Since(start); d < 40*time.Millisecond {
		t.Errorf("a round trip took %v although each way is held for 20 ms", d)
	}
	p.Delay(0)

	p.Hole(true)
	answered := make(chan error, 1)
	go func() { answered <- select1(ctx) }()
	select {
	case err := <-answered:
		t.Fatalf("an answer came through a black hole (%v)", err)
	case <-time.After(50 * time.Millisecond): // the absence of an event has no event
	}
	p.Hole(false)
	if err := <-answered; err != nil {
		t.Errorf("after the hole: %v", err)
	}

	p.Cut()
	if err := select1(ctx); err == nil {
		t.Error("a cut connection answered")
	}
	p.Refuse(true)
	if err := TryExec(p.DSN(), "SELECT 1"); err == nil {
		t.Error("a refusing proxy let us in")
	}
	p.Refuse(false)
	if err := TryExec(p.DSN(), "SELECT 1"); err != nil {
		t.Errorf("after refusing: %v", err)
	}
}
