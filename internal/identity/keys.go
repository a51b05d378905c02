package identity

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
)

const (
	// keysEvery is how often the keys are read without being notified.
	keysEvery = 30 * time.Second
	// overlap is how long a key is published after the last token that it has signed has expired.
	overlap = time.Minute
	// keysLock is the advisory lock under which keys are made: "idkeys" in ASCII.
	keysLock = 0x69646b657973
	channel  = "replank_gateway"
)

// signingKey is a row of replank.signing_key.
type signingKey struct {
	kid            string
	public         ed25519.PublicKey
	private        ed25519.PrivateKey
	signsFrom      time.Time
	signsUntil     time.Time
	publishedUntil time.Time
}

// keySet is what was read at one moment.
type keySet struct {
	keys   []signingKey // by signsFrom
	read   time.Time    // by the database's clock
	local  time.Time    // the same moment, by ours that nobody can set
	public []byte       // the JWKS
}

func (s *keySet) now() time.Time { return s.read.Add(time.Since(s.local)) }

// signer is the key that has signed for the shortest time; all gateways choose the same one. One that could not be known
// to the applications yet is chosen only where there is no other.
func (s *keySet) signer(now time.Time, life time.Duration) (signingKey, bool) {
	var found signingKey
	ok := false
	for _, k := range s.keys {
		alive := k.publishedUntil.After(now.Add(life))
		if alive && (!ok || !k.signsFrom.After(now)) {
			found, ok = k, true
		}
	}
	return found, ok
}

//go:embed keys.sql
var keysSQL string

//go:embed newkey.sql
var newKeySQL string

// refreshKeys reads the keys, and makes the next one when it is time.
func (a *Authority) refreshKeys(ctx context.Context) error {
	a.loadMu.Lock()
	defer a.loadMu.Unlock()
	var set *keySet
	err := pgx.BeginFunc(ctx, a.control, func(tx pgx.Tx) error {
		var err error
		if set, err = a.readKeys(ctx, tx); err != nil || !a.due(set) {
			return err
		}
		// Several gateways see at the same time that it is due: one makes the key, the others find it made.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(keysLock)); err != nil {
			return err
		}
		if set, err = a.readKeys(ctx, tx); err != nil || !a.due(set) {
			return err
		}
		if err := a.makeKey(ctx, tx, false); err != nil {
			return err
		}
		set, err = a.readKeys(ctx, tx)
		return err
	})
	if err != nil {
		return keyError("read the signing keys", err)
	}
	a.keys.Store(set)
	return nil
}

// due: the last key ends before its successor would have been published for long enough.
func (a *Authority) due(s *keySet) bool {
	for _, k := range s.keys {
		if k.signsUntil.After(s.read.Add(a.cfg.Publish + 2*keysEvery)) {
			return false
		}
	}
	return true
}

func (a *Authority) readKeys(ctx context.Context, tx pgx.Tx) (*keySet, error) {
	rows, err := tx.Query(ctx, keysSQL)
	if err != nil {
		return nil, err
	}
	set := &keySet{local: time.Now()}
	var (
		k               signingKey
		kid             *string
		public, private []byte
		sealed          *bool
		times           [3]*time.Time
	)
	_, err = pgx.ForEachRow(rows, []any{&set.read, &kid, &public, &private, &sealed, &times[0], &times[1], &times[2]}, func() error {
		if kid == nil {
			return nil // there is no key yet, only the time
		}
		k = signingKey{kid: *kid, public: append(ed25519.PublicKey(nil), public...),
			signsFrom: *times[0], signsUntil: *times[1], publishedUntil: *times[2]}
		seed := private
		if *sealed {
			var err error
			if seed, err = a.unseal(k.kid, private); err != nil {
				return err
			}
		}
		if len(seed) != ed25519.SeedSize {
			return fmt.Errorf("signing key %s is damaged", k.kid)
		}
		k.private = ed25519.NewKeyFromSeed(seed)
		if !k.public.Equal(k.private.Public()) {
			return fmt.Errorf("signing key %s is damaged: its halves do not belong together", k.kid)
		}
		set.keys = append(set.keys, k)
		return nil
	})
	if err != nil {
		return nil, err
	}
	set.public, err = jwks(set.keys)
	return set, err
}

// makeKey adds a key: the first one signs at once, every other one after it has been published for a while.
func (a *Authority) makeKey(ctx context.Context, tx pgx.Tx, atOnce bool) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	kid := base64.RawURLEncoding.EncodeToString(public[:12])
	stored, err := a.seal(kid, private.Seed())
	if err != nil {
		return err
	}
	publish := a.cfg.Publish
	if atOnce {
		publish = 0
	}
	var from time.Time
	err = tx.QueryRow(ctx, newKeySQL, kid, []byte(public), stored, len(a.cfg.SealKeys) > 0,
		publish.Seconds(), a.cfg.RotateEvery.Seconds(), (a.cfg.Publish + a.cfg.TokenLife + overlap).Seconds(),
		a.cfg.TokenLife.Seconds()).Scan(&from)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "SELECT pg_notify($1, 'signing_key')", channel); err != nil {
		return err
	}
	a.cfg.Logger.Info("made a signing key", "kid", kid, "signs_from", from)
	return nil
}

// Rotate makes the next key now instead of when it is due. The old one signs until the new one has been published for
// [Config.Publish]. It returns after the new key is public here; other gateways follow when they are notified.
func (a *Authority) Rotate(ctx context.Context) error {
	return a.change(ctx, "rotate the signing keys", func(tx pgx.Tx) error { return a.makeKey(ctx, tx, false) })
}

// Withdraw takes a key away at once because somebody else may know it: another one signs from now on, and applications
// refuse its tokens as soon as they have read the keys anew (a minute at most).
func (a *Authority) Withdraw(ctx context.Context, kid string) error {
	return a.change(ctx, "withdraw signing key "+kid, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "DELETE FROM replank.signing_key WHERE kid = $1", kid)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errors.New("there is no such key")
		}
		return a.makeKey(ctx, tx, true)
	})
}

func (a *Authority) change(ctx context.Context, op string, f func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, a.control, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(keysLock)); err != nil {
			return err
		}
		return f(tx)
	})
	if err != nil {
		return keyError(op, err)
	}
	a.known.distrust() // tokens of the old key are not handed out any longer
	return a.refreshKeys(ctx)
}

func keyError(op string, err error) error {
	note := pg.HintOf(err)
	if pg.UndefinedTable(err) {
		note = "the control database has no tables for identities: run replank upgrade there"
	}
	return &Error{Op: op, Err: err, Note: note}
}

// seal encrypts a seed for the database. The name of the key is bound to it, so that rows cannot be exchanged.
func (a *Authority) seal(kid string, seed []byte) ([]byte, error) {
	if len(a.cfg.SealKeys) == 0 {
		return seed, nil
	}
	box, err := aead(a.cfg.SealKeys[0])
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, box.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return box.Seal(nonce, nonce, seed, []byte(kid)), nil
}

func (a *Authority) unseal(kid string, stored []byte) ([]byte, error) {
	for _, key := range a.cfg.SealKeys {
		box, err := aead(key)
		if err != nil {
			return nil, err
		}
		if len(stored) < box.NonceSize() {
			break
		}
		if seed, err := box.Open(nil, stored[:box.NonceSize()], stored[box.NonceSize():], []byte(kid)); err == nil {
			return seed, nil
		}
	}
	return nil, &Error{Op: "open signing key " + kid, Err: errors.New("it was encrypted with a key that this gateway does not have"),
		Note: "give every gateway the same seal keys; when one is replaced, put the new one first and keep the old one until the keys have rotated"}
}

func aead(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
