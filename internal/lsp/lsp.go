// Package lsp is lint in editors: a language server that speaks the Language Server Protocol 3.17 over a pair of pipes.
//
// A file is judged when it is opened, changed or saved, as the text that the editor has, at its place in its history.
// Hovering a finding tells the rule's story. A quick fix rewrites the file into its safe form, which may make files
// beside it where the editor can; another one allows the statement to break the rule.
package lsp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/replank/replank/lint"
)

// Config is what a server needs.
type Config struct {
	// Judge says what is wrong with the file at path when it has this text. An error is shown to the user.
	Judge func(ctx context.Context, path, text string) ([]Finding, error)
	// Rewrite is the file in its safe form; one without Files cannot be mended. It is asked only when the editor asks.
	Rewrite func(ctx context.Context, path, text string) (lint.Fixed, error)
	// Story is a rule as Markdown.
	Story func(lint.Rule) string
	// Version is replank's.
	Version string
}

// Finding is a finding in the text that was judged.
type Finding struct {
	lint.Finding
	From, To int // offsets in the text
}

// errExit ends the server: the editor said exit, and whether it said shutdown before.
var errExit = errors.New("exit")

// ErrNoShutdown is an editor that went away without a word.
var ErrNoShutdown = errors.New("the editor ended without shutdown")

// Serve answers an editor until it says exit, or goes away.
func Serve(ctx context.Context, cfg Config, in io.Reader, out io.Writer) error {
	s := &server{Config: cfg, out: out, documents: map[string]*document{}, dirty: map[string]bool{}}
	messages := make(chan message)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		ended <- read(bufio.NewReader(in), func(m message) bool {
			select {
			case messages <- m:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	for {
		// What was changed is judged when nothing more is waiting: who types fast is answered once.
		var idle chan struct{}
		if len(s.dirty) > 0 {
			idle = make(chan struct{})
			close(idle)
		}
		select {
		case m := <-messages:
			if err := s.handle(ctx, m); err != nil {
				return s.exit(err)
			}
			continue
		default:
		}
		select {
		case m := <-messages:
			if err := s.handle(ctx, m); err != nil {
				return s.exit(err)
			}
		case <-idle:
			s.judgeOne(ctx)
		case err := <-ended:
			if err == nil || errors.Is(err, io.EOF) {
				return s.exit(errExit)
			}
			return err
		case <-ctx.Done():
			return nil
		}
		if s.broken != nil {
			return s.broken
		}
	}
}

func (s *server) exit(err error) error {
	if !errors.Is(err, errExit) {
		return err
	}
	if !s.shutdown {
		return ErrNoShutdown
	}
	return nil
}

// message is a request, a notification or an answer.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
}

// longestMessage bounds what is believed of a header.
const longestMessage = 256 << 20

// read reads messages until the end of the input, or until take has enough.
func read(in *bufio.Reader, take func(message) bool) error {
	for {
		length := -1
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return err
			}
			line = strings.TrimRight(line, "\r\n")
			if line == "" {
				break
			}
			name, value, _ := strings.Cut(line, ":")
			if strings.EqualFold(strings.TrimSpace(name), "Content-Length") {
				if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil || length < 0 || length > longestMessage {
					return fmt.Errorf("a message of length %q", strings.TrimSpace(value))
				}
			}
		}
		if length < 0 {
			return errors.New("a message without Content-Length")
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(in, body); err != nil {
			return err
		}
		var m message
		if err := json.Unmarshal(body, &m); err != nil {
			m = message{Method: "", ID: json.RawMessage("null")} // answered as what cannot be read
		}
		if !take(m) {
			return nil
		}
	}
}

// server is one conversation.
type server struct {
	Config
	out         io.Writer
	broken      error // the editor does not read any more
	initialized bool
	shutdown    bool
	creates     bool                 // the editor takes changes that make files
	documents   map[string]*document // by URI
	dirty       map[string]bool      // those to be judged, by URI
}

// document is a file as the editor has it.
type document struct {
	path, text string
	version    *int
	findings   []Finding
	judged     string      // the text that findings are of
	fixed      *lint.Fixed // of judged, once somebody has asked
}

func (s *server) send(v any) {
	body, err := json.Marshal(v)
	if err == nil {
		_, err = fmt.Fprintf(s.out, "Content-Length: %d\r\n\r\n%s", len(body), body)
	}
	if err != nil && s.broken == nil {
		s.broken = err
	}
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Codes of JSON-RPC and LSP.
const (
	parseError     = -32700
	invalidRequest = -32600
	methodNotFound = -32601
	invalidParams  = -32602
	notInitialized = -32002
)

func (s *server) answer(id json.RawMessage, result any, wrong *rpcError) {
	if wrong != nil {
		s.send(struct {
			Version string          `json:"jsonrpc"`
			ID      json.RawMessage `json:"id"`
			Error   *rpcError       `json:"error"`
		}{"2.0", id, wrong})
		return
	}
	s.send(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Result  any             `json:"result"`
	}{"2.0", id, result})
}

func (s *server) notify(method string, params any) {
	s.send(struct {
		Version string `json:"jsonrpc"`
		Method  string `json:"method"`
		Params  any    `json:"params"`
	}{"2.0", method, params})
}

// handle does what a message says. An error ends the server.
func (s *server) handle(ctx context.Context, m message) error {
	isRequest := len(m.ID) > 0
	switch {
	case m.Method == "exit":
		return errExit
	case m.Method == "" && string(m.ID) == "null":
		s.answer(m.ID, nil, &rpcError{parseError, "not JSON"})
	case m.Method == "": // an answer, of which we ask none
	case isRequest && s.shutdown:
		s.answer(m.ID, nil, &rpcError{invalidRequest, "the server was shut down"})
	case isRequest && !s.initialized && m.Method != "initialize":
		s.answer(m.ID, nil, &rpcError{notInitialized, "initialize comes first"})
	case isRequest:
		result, wrong := s.request(ctx, m)
		s.answer(m.ID, result, wrong)
	case s.initialized:
		s.notification(m)
	}
	return s.broken
}

func (s *server) request(ctx context.Context, m message) (any, *rpcError) {
	switch m.Method {
	case "initialize":
		s.initialized = true
		s.creates = createsFiles(m.Params)
		return map[string]any{
			"serverInfo": map[string]string{"name": "replank", "version": s.Version},
			"capabilities": map[string]any{
				"positionEncoding":   "utf-16",
				"textDocumentSync":   map[string]any{"openClose": true, "change": 2, "save": map[string]bool{"includeText": true}},
				"hoverProvider":      true,
				"codeActionProvider": map[string]any{"codeActionKinds": []string{"quickfix"}},
			},
		}, nil
	case "shutdown":
		s.shutdown = true
		return nil, nil
	case "textDocument/hover":
		return s.hover(m.Params)
	case "textDocument/codeAction":
		return s.codeActions(ctx, m.Params)
	}
	return nil, &rpcError{methodNotFound, "no method " + m.Method}
}

// pathOf is the file of a URI; "" for what is no file yet.
func pathOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" {
		return ""
	}
	path := u.Path
	if runtime.GOOS == "windows" {
		path = strings.TrimPrefix(path, "/")
	}
	return filepath.FromSlash(path)
}
