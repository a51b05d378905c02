package compare

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"slices"
	"strings"
	"unicode/utf8"
)

// Answer is an HTTP answer (or what a program has printed) without its secrets; [Config.Read] makes it. As JSON it can be
// kept.
type Answer struct {
	// Status is the HTTP status, of a program its exit code.
	Status int                 `json:"status"`
	Header map[string][]string `json:"headers,omitempty"`
	// Body is decoded; "" where only its hash is kept.
	Body string `json:"body,omitempty"`
	// Size is that of the body in bytes, decoded, secrets and all.
	Size int64 `json:"size"`
	// Digest is the body's hash ("sha256:…"), where ByHash says why the body itself is not kept.
	Digest string `json:"digest,omitempty"`
	ByHash string `json:"by_hash,omitempty"`
	// Secrets is how many values were taken out of the body: they are not compared.
	Secrets int `json:"secrets,omitempty"`
}

// TooLargeError is a body over [Config.MaxRead].
type TooLargeError struct{ Limit int64 }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the body is larger than %d bytes: it is not compared", e.Limit)
}

// Read makes an answer of a status, headers (their names as net/http spells them) and a body, which it reads to its end
// and does not close.
func (c Config) Read(status int, header map[string][]string, body io.Reader) (*Answer, error) {
	a := &Answer{Status: status, Header: redactHeader(header)}
	encoding := strings.ToLower(strings.Join(header["Content-Encoding"], ","))
	switch encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		start := make([]byte, 1)
		n, err := io.ReadFull(body, start) // an answer to HEAD is coded, and has no body
		if err == io.EOF {
			break
		}
		if err == nil {
			body, err = gzip.NewReader(io.MultiReader(bytes.NewReader(start[:n]), body))
		}
		if err != nil {
			return nil, fmt.Errorf("decode the body: %w", err)
		}
	default:
		a.ByHash = "its Content-Encoding is " + encoding
	}
	whole := sha256.New()
	kept, err := io.ReadAll(io.TeeReader(io.LimitReader(body, c.maxBody()+1), whole))
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	a.Size = int64(len(kept))
	if a.Size > c.maxBody() {
		a.ByHash = fmt.Sprintf("it is larger than %d bytes", c.maxBody())
		n, err := io.Copy(whole, io.LimitReader(body, c.maxRead()-a.Size+1))
		if err != nil {
			return nil, fmt.Errorf("read the body: %w", err)
		}
		if a.Size += n; a.Size > c.maxRead() {
			return nil, &TooLargeError{Limit: c.maxRead()}
		}
	}
	// What is no text cannot be searched for secrets.
	if a.ByHash == "" && !utf8.Valid(kept) {
		a.ByHash = "it is no UTF-8"
	}
	if a.ByHash != "" {
		if a.Size == 0 {
			a.ByHash = ""
			return a, nil
		}
		a.Digest = "sha256:" + hex.EncodeToString(whole.Sum(nil))
		return a, nil
	}
	a.Body = string(kept)
	a.Body = a.redactedBody()
	a.Secrets = strings.Count(a.Body, Redacted)
	return a, nil
}

// redirects reports whether a client goes elsewhere.
func (a *Answer) redirects() bool {
	return slices.Contains([]int{301, 302, 303, 307, 308}, a.Status) && len(a.Header["Location"]) > 0
}

func (a *Answer) summary() string {
	if a.ByHash == "" {
		return fmt.Sprintf("%d bytes", a.Size)
	}
	return fmt.Sprintf("%d bytes, %s", a.Size, a.Digest)
}

type media int

const (
	mediaText media = iota
	mediaJSON
	mediaHTML
)

// media is what a body is, by its Content-Type. Where there is none (a program's output), a document that is an object or
// an array is JSON.
func (a *Answer) media() media {
	values := a.Header["Content-Type"]
	if len(values) == 0 {
		if text := strings.TrimLeft(a.Body, " \t\r\n"); strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
			return mediaJSON
		}
		return mediaText
	}
	typ, _, err := mime.ParseMediaType(values[0])
	switch {
	case err != nil:
		return mediaText
	case typ == "application/json" || strings.HasSuffix(typ, "+json"):
		return mediaJSON
	case typ == "text/html" || typ == "application/xhtml+xml":
		return mediaHTML
	}
	return mediaText
}
