package parity

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/replank/replank/internal/compare"
)

// Recording is what the legacy side has answered. In a file it is lines of JSON: itself without its answers, then each of
// them.
type Recording struct {
	Format     string    `json:"format"`
	Version    int       `json:"version"`
	RecordedAt time.Time `json:"recorded_at"`
	// App is whom was asked; "": programs only.
	App string `json:"app,omitempty"`
	// Host is the Host header that requests had.
	Host string `json:"host,omitempty"`

	Answers []Recorded `json:"-"`
	// Skipped is how many cases were not asked because they may change something.
	Skipped int `json:"-"`
	// Failures are the cases that have no answer.
	Failures []Failure `json:"-"`
}

// Recorded is the answer to one case.
type Recorded struct {
	// Key is the case's hash: neither headers nor bodies of requests are kept.
	Key string `json:"key"`
	// Case is for people who look into the file.
	Case   string          `json:"case"`
	Answer *compare.Answer `json:"answer"`
	Noise  compare.Noise   `json:"noise,omitempty"`
}

const (
	format        = "replank-parity"
	formatVersion = 1
)

// Write writes the recording as lines.
func (r *Recording) Write(w io.Writer) error {
	b := bufio.NewWriter(w)
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	r.Format, r.Version = format, formatVersion
	if err := encoder.Encode(r); err != nil {
		return err
	}
	for i := range r.Answers {
		if err := encoder.Encode(&r.Answers[i]); err != nil {
			return err
		}
	}
	return b.Flush()
}

// ReadRecording reads what Write has written.
func ReadRecording(from io.Reader) (*Recording, error) {
	decoder := json.NewDecoder(bufio.NewReader(from))
	r := &Recording{}
	if err := decoder.Decode(r); err != nil || r.Format != format {
		return nil, errors.New("this is no recording of replank parity")
	}
	if r.Version != formatVersion {
		return nil, fmt.Errorf("the recording has version %d, this program reads version %d", r.Version, formatVersion)
	}
	for {
		var one Recorded
		switch err := decoder.Decode(&one); {
		case err == io.EOF:
			return r, nil
		case err != nil:
			return nil, fmt.Errorf("read answer %d of the recording: %w", len(r.Answers)+1, err)
		case one.Key == "" || one.Answer == nil:
			return nil, fmt.Errorf("answer %d of the recording has no key, or is empty", len(r.Answers)+1)
		}
		r.Answers = append(r.Answers, one)
	}
}
