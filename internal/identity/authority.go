package identity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/replank/replank/internal/pg"
)

// Config says whose sessions are believed and how the applications are told.
type Config struct {
	// Control is the DSN of the database with schema replank: keys and revocations. Default: none, it has to be given.
	Control string
	// Shared is the DSN of the database with the users and Django's sessions; it is only read. Default: Control.
	Shared string
	// Connections bounds the connections to each of them. Default: 8.
	Connections int32
	// Sources are where sessions come from, the most trusted first: the first that proves somebody wins. Default: none,
	// at least one has to be given.
	Sources []Source
	// Users is the table that both applications share. Default: Django's auth_user.
	Users Users
	// Recheck is how long what was found out about a session is believed; at most 1s. Default: 500ms.
	Recheck time.Duration
	// Timeout bounds all questions about one request together. Default: 2s.
	Timeout time.Duration
	// Issuer is what the tokens say in iss. Default: "replank".
	Issuer string
	// TokenLife is how long a token is valid; at most 60s. Default: 60s.
	TokenLife time.Duration
	// RotateEvery is how long a key signs. Default: 24h.
	RotateEvery time.Duration
	// Publish is how long a key is public before it signs. Default: 10m.
	Publish time.Duration
	// SealKeys encrypt the private keys in the database (AES-256, 32 bytes each): the first seals, all open. Default: none,
	// the private keys are readable for whoever may read replank.signing_key.
	SealKeys [][]byte
	// KeepRevoked is how long a revocation is remembered: longer than any session lives. Default: 40 days.
	KeepRevoked time.Duration
	// Client asks for JWKS and introspection. Default: a client of its own that follows no redirect.
	Client *http.Client
	// Logger hears of keys, lost connections and unreadable sessions. Default: slog.DiscardHandler.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Shared == "" {
		c.Shared = c.Control
	}
	if c.Connections == 0 {
		c.Connections = 8
	}
	c.Users = c.Users.withDefaults()
	for d, value := range map[*time.Duration]time.Duration{
		&c.Recheck: 500 * time.Millisecond, &c.Timeout: 2 * time.Second, &c.TokenLife: maxLife,
		&c.RotateEvery: 24 * time.Hour, &c.Publish: 10 * time.Minute, &c.KeepRevoked: 40 * 24 * time.Hour,
	} {
		if *d == 0 {
			*d = value
		}
	}
	if c.Issuer == "" {
		c.Issuer = "replank"
	}
	if c.Client == nil {
		c.Client = &http.Client{
			Transport:     bounded{http.DefaultTransport},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// maxLife bounds what a token that leaked is good for.
const maxLife = time.Minute

// check returns every mistake at once.
func (c Config) check() error {
	var wrong []error
	say := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	say(c.Control == "", "no control database is given")
	say(len(c.Sources) == 0, "no source of sessions is given")
	say(c.Recheck < 0 || c.Recheck > time.Second, "recheck is %v: want at most 1s, or a logout takes longer", c.Recheck)
	say(c.Timeout < 0, "timeout is %v", c.Timeout)
	say(c.TokenLife < 5*time.Second || c.TokenLife > maxLife, "token life is %v: want 5s to %v", c.TokenLife, maxLife)
	say(c.Publish < jwksMaxAge+2*keysEvery, "publish is %v: want at least %v, so that no application meets a key that it cannot know",
		c.Publish, jwksMaxAge+2*keysEvery)
	say(c.RotateEvery < 2*c.Publish, "rotation every %v: want at least twice %v, the time that a key is published before", c.RotateEvery, c.Publish)
	for i, key := range c.SealKeys {
		say(len(key) != 32, "seal key %d has %d bytes: want 32", i+1, len(key))
		say(len(bytes.Trim(key, "\x00")) == 0, "seal key %d is nothing but zeros", i+1)
	}
	for i, s := range c.Sources {
		if err := s.check(); err != nil {
			wrong = append(wrong, fmt.Errorf("source %d (%s): %w", i+1, s.kind(), err))
		}
		say(s.longest() >= c.KeepRevoked, "source %d (%s) believes in sessions for %v: revocations are forgotten after %v",
			i+1, s.kind(), s.longest(), c.KeepRevoked)
	}
	return errors.Join(wrong...)
}

// Authority is what one gateway knows about identities. It is safe for concurrent use.
type Authority struct {
	cfg     Config
	control *pgxpool.Pool
	shared  *pgxpool.Pool // read only
	sources []verifier
	users   users
	known   *known
	flight  singleflight.Group

	keys   atomic.Pointer[keySet]
	loadMu sync.Mutex // of keys: a set that was read later is not replaced by an earlier one
}

// Open connects, holds the configuration against both databases and makes the first key where there is none.
// Close it; [Authority.Run] keeps it up to date.
func Open(ctx context.Context, cfg Config) (*Authority, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, &Error{Op: "configure identity", Err: err, Note: "correct what is named in [gateway.identity]"}
	}
	a := &Authority{cfg: cfg, known: newKnown(cfg.Recheck)}
	if err := a.open(ctx); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func (a *Authority) open(ctx context.Context) (err error) {
	if a.control, err = a.pool(ctx, a.cfg.Control, nil); err != nil {
		return err
	}
	// Whatever the configured query does, it cannot write.
	if a.shared, err = a.pool(ctx, a.cfg.Shared, map[string]string{"default_transaction_read_only": "on"}); err != nil {
		return err
	}
	if a.users, err = openUsers(ctx, a.shared, a.cfg.Users); err != nil {
		return err
	}
	for _, s := range a.cfg.Sources {
		v, err := s.open(ctx, a)
		if err != nil {
			return &Error{Op: "open source " + s.kind(), Err: err, Note: pg.HintOf(err)}
		}
		a.sources = append(a.sources, v)
	}
	if len(a.cfg.SealKeys) == 0 {
		a.cfg.Logger.Warn("the keys that sign identities are not encrypted in the database", "hint", "set a seal key")
	}
	return a.refreshKeys(ctx)
}

// pool opens connections on which no statement outlives a request's time by much.
func (a *Authority) pool(ctx context.Context, dsn string, params map[string]string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, &pg.DSNError{Err: err}
	}
	cfg.MaxConns = a.cfg.Connections
	cfg.ConnConfig.ConnectTimeout = a.cfg.Timeout
	cfg.ConnConfig.RuntimeParams["application_name"] = "replank gateway identity"
	cfg.ConnConfig.RuntimeParams["statement_timeout"] = fmt.Sprint((a.cfg.Timeout + time.Second).Milliseconds())
	for name, value := range params {
		cfg.ConnConfig.RuntimeParams[name] = value
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err == nil {
		if err = pool.Ping(ctx); err == nil {
			return pool, nil
		}
		pool.Close()
	}
	return nil, &pg.ConnectError{Err: err}
}

// Close ends the connections.
func (a *Authority) Close() {
	for _, s := range a.sources {
		s.close()
	}
	for _, p := range []*pgxpool.Pool{a.shared, a.control} {
		if p != nil {
			p.Close()
		}
	}
}

// Run listens for revocations and new keys, rotates the keys and forgets old revocations, until ctx ends. Without it
// revocations still work within [Config.Recheck], but keys grow old.
func (a *Authority) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.listen(ctx) })
	group.Go(func() error { return a.tend(ctx) })
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// now is the database's time, carried on by a clock that nobody can set: a step of this machine's clock changes neither
// tokens nor rotation.
func (a *Authority) now() time.Time {
	return a.keys.Load().now()
}
