package identity

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// tend reads the keys, makes new ones and forgets what need not be known any longer.
func (a *Authority) tend(ctx context.Context) error {
	ticks := time.NewTicker(keysEvery)
	defer ticks.Stop()
	forgotten := time.Time{}
	for {
		if err := a.refreshKeys(ctx); err != nil && ctx.Err() == nil {
			a.cfg.Logger.Error("the signing keys cannot be read; the last ones are used on", "error", err)
		}
		if time.Since(forgotten) > time.Hour {
			if err := a.forget(ctx); err != nil && ctx.Err() == nil {
				a.cfg.Logger.Warn("old revocations were not removed", "error", err)
			}
			forgotten = time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticks.C:
		}
	}
}

// forget removes what is older than any session, a thousand rows at a time. Several gateways may do it at once.
func (a *Authority) forget(ctx context.Context) error {
	for {
		tag, err := a.control.Exec(ctx, `DELETE FROM replank.revoked WHERE id IN (SELECT id FROM replank.revoked
			WHERE before < clock_timestamp() - $1::float8 * interval '1 second' ORDER BY before LIMIT 1000 FOR UPDATE SKIP LOCKED)`,
			a.cfg.KeepRevoked.Seconds())
		if err != nil {
			return err
		}
		if tag.RowsAffected() < 1000 {
			break
		}
	}
	_, err := a.control.Exec(ctx, "DELETE FROM replank.signing_key WHERE published_until < clock_timestamp() - interval '1 day'")
	return err
}

// listen hears of revocations and keys at once. While it cannot, everything is asked again after [Config.Recheck] anyway.
func (a *Authority) listen(ctx context.Context) error {
	wait := 100 * time.Millisecond
	for {
		heard, err := a.hear(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if heard {
			wait = 100 * time.Millisecond
		}
		a.cfg.Logger.Warn("nobody tells of revocations; sessions are asked about again and again meanwhile", "error", err, "retry_in", wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
			wait = min(2*wait, 10*time.Second)
		}
	}
}

// hear listens on a connection of its own until that fails.
func (a *Authority) hear(ctx context.Context) (heard bool, err error) {
	cfg := a.control.Config().ConnConfig.Copy()
	cfg.RuntimeParams["application_name"] = "replank gateway identity listen"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return false, err
	}
	defer func() {
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(bound)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return false, err
	}
	a.known.distrust() // whatever was said before we listened
	for {
		// A dead network is silent, too: ask now and then.
		turn, cancel := context.WithTimeout(ctx, keysEvery)
		n, err := conn.WaitForNotification(turn)
		quiet := turn.Err() != nil && ctx.Err() == nil
		cancel()
		if err != nil && quiet && !conn.IsClosed() {
			if err = a.ping(ctx, conn); err == nil {
				continue
			}
		}
		if err != nil {
			return true, fmt.Errorf("listen for revocations: %w", err)
		}
		a.hearOf(ctx, n.Payload)
	}
}

func (a *Authority) ping(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	return conn.Ping(ctx)
}

func (a *Authority) hearOf(ctx context.Context, payload string) {
	what, rest, _ := strings.Cut(payload, " ")
	switch what {
	case "revoked":
		a.known.revoke(rest)
	case "signing_key":
		if err := a.refreshKeys(ctx); err != nil && ctx.Err() == nil {
			a.cfg.Logger.Error("a new signing key cannot be read", "error", err)
		}
	}
}

// Revoke ends sessions: one, all of a subject when session is "", or both.
func (a *Authority) Revoke(ctx context.Context, session, subject string) error {
	orNull := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	_, err := a.control.Exec(ctx, "SELECT replank.revoke($1, $2)", orNull(session), orNull(subject))
	if err != nil {
		return keyError("revoke a session", err)
	}
	return nil
}
