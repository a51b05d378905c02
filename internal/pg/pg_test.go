package pg_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func open(t *testing.T, cfg pg.Config) *pg.DB {
	t.Helper()
	db, err := pg.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func session(t *testing.T, db *pg.DB) *pg.Session {
	t.Helper()
	s, err := db.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// deadline fails the test loudly when an event does not come.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestOpenKnowsTheServer(t *testing.T) {
	dsn := pgtest.DB(t)
	sv := open(t, pg.Config{DSN: dsn}).Server()
	if sv.Database != pgtest.Database(dsn) || sv.Major() != pgtest.Major(t) || sv.InRecovery || sv.ReadOnly {
		t.Errorf("unexpected server: %+v", sv)
	}
	if want := pgtest.Value[uint32](t, dsn, `SELECT oid FROM pg_database WHERE datname = current_database()`); sv.DatabaseOID != want {
		t.Errorf("database oid %d, want %d", sv.DatabaseOID, want)
	}
	if want := pgtest.Value[string](t, dsn, `SELECT system_identifier::text FROM pg_control_system()`); sv.SystemID != want {
		t.Errorf("system identifier %q, want %q", sv.SystemID, want)
	}
	if sv.DeadlockTimeout != time.Second {
		t.Errorf("deadlock_timeout %s", sv.DeadlockTimeout)
	}
}

func TestOpenWithoutTheRightToReadPgControl(t *testing.T) {
	role := pgtest.Role(t, "plain", "LOGIN")
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC`)
	if id := open(t, pg.Config{DSN: pgtest.As(dsn, role)}).Server().SystemID; id != "" {
		t.Errorf("system identifier %q, want none", id)
	}
}

func TestOpenRefusesAReadOnlyDatabase(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `ALTER DATABASE `+pg.Ident(pgtest.Database(dsn))+` SET default_transaction_read_only = on`)
	_, err := pg.Open(t.Context(), pg.Config{DSN: dsn})
	var ro *pg.ReadOnlyError
	if !errors.As(err, &ro) || ro.InRecovery || pg.HintOf(err) == "" {
		t.Fatalf("got %v", err)
	}
	db := open(t, pg.Config{DSN: dsn, ReadOnly: true})
	err = session(t, db).Tx(t.Context(), pg.TxOptions{ReadOnly: true}, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `CREATE TABLE t (a int)`)
		return err
	})
	if !pg.ReadOnly(err) {
		t.Errorf("a write in a read-only transaction: %v", err)
	}
}

func TestOpenRefusesAPooler(t *testing.T) {
	dsn := pgtest.DB(t)
	r := newRelay(t, dsn)
	r.fromServer = func(kind byte, body []byte) verdict {
		if kind == 'K' { // BackendKeyData, as a pooler makes it up
			binary.BigEndian.PutUint32(body, binary.BigEndian.Uint32(body)+1)
		}
		return pass
	}
	_, err := pg.Open(t.Context(), pg.Config{DSN: r.dsn})
	var pooler *pg.PoolerError
	if !errors.As(err, &pooler) || !strings.Contains(pg.HintOf(err), "--direct-db") {
		t.Fatalf("got %v, hint %q", err, pg.HintOf(err))
	}
}

func TestSessionOverridesWhatTheDatabaseSets(t *testing.T) {
	dsn := pgtest.DB(t)
	name := pg.Ident(pgtest.Database(dsn))
	for _, set := range []string{"statement_timeout = '7s'", "lock_timeout = '7s'", "row_security = on",
		"idle_in_transaction_session_timeout = '7s'", "default_transaction_isolation = 'serializable'"} {
		pgtest.Exec(t, dsn, "ALTER DATABASE "+name+" SET "+set)
	}
	s := session(t, open(t, pg.Config{DSN: dsn}))
	for setting, want := range map[string]string{"statement_timeout": "0", "lock_timeout": "0", "row_security": "off",
		"idle_in_transaction_session_timeout": "0", "application_name": "replank", "client_encoding": "UTF8"} {
		var got string
		if err := s.QueryRow(t.Context(), `SELECT current_setting($1)`, setting).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", setting, got, err, want)
		}
	}
	err := s.Tx(t.Context(), pg.TxOptions{Settings: []pg.Setting{{Name: "search_path", Value: `pg_catalog, "o'x\"`}}}, func(tx pgx.Tx) error {
		var iso, path string
		err := tx.QueryRow(t.Context(), `SELECT current_setting('transaction_isolation'), current_setting('search_path')`).Scan(&iso, &path)
		if iso != "read committed" || path != `pg_catalog, "o'x\"` {
			t.Errorf("isolation %q, search_path %q", iso, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRowSecurityIsAnErrorNotAFilter(t *testing.T) {
	role := pgtest.Role(t, "tenant", "LOGIN")
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE t (a int); INSERT INTO t VALUES (1); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
		GRANT SELECT ON t TO `+pg.Ident(role))
	s := session(t, open(t, pg.Config{DSN: pgtest.As(dsn, role)}))
	var n int
	if err := s.QueryRow(t.Context(), `SELECT count(*) FROM t`).Scan(&n); !pg.InsufficientPrivilege(err) {
		t.Errorf("count %d, %v; want insufficient privilege", n, err)
	}
}

func TestReplicaRoleKeepsTriggersQuiet(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE t (a int);
		CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'fired'; END $$;
		CREATE TRIGGER boom BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION boom()`)
	s := session(t, open(t, pg.Config{DSN: dsn}))
	insert := func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO t VALUES (1)`)
		return err
	}
	if err := s.Tx(t.Context(), pg.TxOptions{}, insert); pg.SQLState(err) != "P0001" {
		t.Errorf("without the replica role: %v", err)
	}
	if err := s.Tx(t.Context(), pg.TxOptions{ReplicaRole: true}, insert); err != nil {
		t.Errorf("with the replica role: %v", err)
	}
}

func TestOutcomes(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE t (a int PRIMARY KEY, b int REFERENCES t DEFERRABLE INITIALLY DEFERRED)`)
	db := open(t, pg.Config{DSN: dsn})
	insert := func(sql string) func(pgx.Tx) error {
		return func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), sql)
			return err
		}
	}
	rows := func(a int) int {
		return pgtest.Value[int](t, dsn, `SELECT count(*)::int FROM t WHERE a = $1`, a)
	}

	t.Run("committed", func(t *testing.T) {
		err := session(t, db).Tx(t.Context(), pg.TxOptions{}, insert(`INSERT INTO t VALUES (1, 1)`))
		if pg.OutcomeOf(err) != pg.Committed || rows(1) != 1 {
			t.Errorf("%v, %d rows", err, rows(1))
		}
	})
	t.Run("refused at COMMIT", func(t *testing.T) {
		s := session(t, db)
		err := s.Tx(t.Context(), pg.TxOptions{}, insert(`INSERT INTO t VALUES (2, 99)`))
		if pg.OutcomeOf(err) != pg.RolledBack || !pg.ConstraintViolation(err) || rows(2) != 0 {
			t.Errorf("%v, %d rows", err, rows(2))
		}
		if err := s.Tx(t.Context(), pg.TxOptions{}, insert(`INSERT INTO t VALUES (3, 3)`)); err != nil {
			t.Errorf("the session is not usable any more: %v", err)
		}
	})
	t.Run("error swallowed by fn", func(t *testing.T) {
		err := session(t, db).Tx(t.Context(), pg.TxOptions{}, func(tx pgx.Tx) error {
			if err := insert(`INSERT INTO t VALUES (1, 1)`)(tx); !pg.UniqueViolation(err) {
				t.Errorf("got %v", err)
			}
			return nil
		})
		if pg.OutcomeOf(err) != pg.RolledBack {
			t.Errorf("got %v", err)
		}
	})
	t.Run("terminated before COMMIT", func(t *testing.T) {
		s := session(t, db)
		err := s.Tx(t.Context(), pg.TxOptions{}, func(tx pgx.Tx) error {
			if err := insert(`INSERT INTO t VALUES (4, 4)`)(tx); err != nil {
				return err
			}
			if done, err := db.Terminate(t.Context(), s.Backend()); err != nil || !done {
				t.Fatalf("terminate: %v %v", done, err)
			}
			return insert(`SELECT pg_sleep(60)`)(tx)
		})
		if !pg.ConnectionLost(err) || pg.OutcomeOf(err) != pg.RolledBack || !s.Lost() || rows(4) != 0 {
			t.Errorf("%v, outcome %s, lost %v", err, pg.OutcomeOf(err), s.Lost())
		}
	})
	for _, lost := range []struct {
		name string
		at   verdict
		rows int
	}{{"COMMIT never arrived", cutBefore, 0}, {"answer to COMMIT lost", cutAnswer, 1}} {
		t.Run(lost.name, func(t *testing.T) {
			r := newRelay(t, dsn)
			s := session(t, open(t, pg.Config{DSN: r.dsn}))
			r.set(func(kind byte, body []byte) verdict {
				if kind == 'Q' && strings.HasPrefix(strings.ToLower(string(body)), "commit") {
					return lost.at
				}
				return pass
			})
			a := 10 + lost.rows
			err := s.Tx(t.Context(), pg.TxOptions{}, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), `INSERT INTO t VALUES ($1, $1)`, a)
				return err
			})
			if pg.OutcomeOf(err) != pg.Unknown || !pg.ConnectionLost(err) {
				t.Errorf("%v, outcome %s", err, pg.OutcomeOf(err))
			}
			if lost.rows != rows(a) {
				t.Errorf("%d rows, want %d", rows(a), lost.rows)
			}
		})
	}
}

func TestSignalsHitOnlyTheSameBackend(t *testing.T) {
	db := open(t, pg.Config{DSN: pgtest.DB(t)})
	s := session(t, db)
	other := pg.Backend{PID: s.Backend().PID, Start: "1.0"}
	if done, err := db.Terminate(t.Context(), other); done || err != nil {
		t.Errorf("terminated a backend with another start: %v %v", done, err)
	}
	alive, err := db.Alive(t.Context(), []pg.Backend{other, s.Backend()})
	if err != nil || len(alive) != 1 || alive[0] != s.Backend() {
		t.Errorf("alive: %v %v", alive, err)
	}
}

func TestCancelledContextLeavesAUsableSession(t *testing.T) {
	dsn := pgtest.DB(t)
	s := session(t, open(t, pg.Config{DSN: dsn}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		waitFor(t, dsn, `SELECT count(*) = 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'`)
		cancel()
	}()
	_, err := s.Exec(ctx, `SELECT pg_sleep(60)`)
	if !errors.Is(err, context.Canceled) && !pg.Canceled(err) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Exec(t.Context(), `SELECT 1`); err != nil {
		t.Errorf("the session is not usable any more: %v", err)
	}
}

// waitFor asks until the server says yes.
func waitFor(t *testing.T, dsn, sql string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Errorf("wait for %s: %v", sql, err)
		return
	}
	defer c.Close(ctx)
	for ok := false; !ok; {
		if err := c.QueryRow(ctx, sql, args...).Scan(&ok); err != nil {
			t.Errorf("wait for %s: %v", sql, err)
			return
		}
	}
}

// relay passes the protocol's messages on and lets a test see, change or lose them.
type relay struct {
	dsn string

	mu         sync.Mutex
	fromClient func(kind byte, body []byte) verdict
	fromServer func(kind byte, body []byte) verdict
}

type verdict int

const (
	pass      verdict = iota
	cutBefore         // drop the message and the connection
	cutAnswer         // pass the message on, wait for the answer, drop it and the connection
)

func newRelay(t *testing.T, dsn string) *relay {
	t.Helper()
	cc, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	u := url.URL{Scheme: "postgres", User: url.UserPassword(cc.User, cc.Password), Host: ln.Addr().String(),
		Path: "/" + cc.Database, RawQuery: "sslmode=disable"}
	r := &relay{dsn: u.String()}
	network, address := "tcp", net.JoinHostPort(cc.Host, itoa(cc.Port))
	if strings.HasPrefix(cc.Host, "/") {
		network, address = "unix", cc.Host+"/.s.PGSQL."+itoa(cc.Port)
	}
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				client.Close()
				return
			}
			go r.run(client, server)
		}
	}()
	return r
}

func itoa(n uint16) string {
	var b []byte
	for ; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

func (r *relay) set(fromClient func(byte, []byte) verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fromClient = fromClient
}

func (r *relay) ask(f *func(byte, []byte) verdict, kind byte, body []byte) verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	if *f == nil {
		return pass
	}
	return (*f)(kind, body)
}

func (r *relay) run(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	var loseAnswer sync.Mutex
	lose := false
	go func() {
		defer client.Close()
		for {
			head, body, err := message(server, true)
			if err != nil {
				return
			}
			loseAnswer.Lock()
			drop := lose
			loseAnswer.Unlock()
			if drop {
				return
			}
			r.ask(&r.fromServer, head[0], body)
			if _, err := client.Write(append(head, body...)); err != nil {
				return
			}
		}
	}()
	for first := true; ; first = false {
		head, body, err := message(client, !first)
		if err != nil {
			return
		}
		if !first {
			switch r.ask(&r.fromClient, head[0], body) {
			case cutBefore:
				return
			case cutAnswer:
				loseAnswer.Lock()
				lose = true
				loseAnswer.Unlock()
			}
		}
		if _, err := server.Write(append(head, body...)); err != nil {
			return
		}
	}
}

// message reads one message; the startup message has no kind.
func message(c net.Conn, kind bool) (head, body []byte, err error) {
	n := 4
	if kind {
		n = 5
	}
	head = make([]byte, n)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, nil, err
	}
	body = make([]byte, binary.BigEndian.Uint32(head[n-4:])-4)
	_, err = io.ReadFull(c, body)
	return head, body, err
}
