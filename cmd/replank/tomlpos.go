package main

import (
	"regexp"
	"strings"

	"github.com/replank/replank/ddl"
)

// keyPositions tells where the tables and keys of a TOML text stand, by their dotted names: the TOML package keeps
// positions to itself. The text is known to be TOML. Keys inside of an inline table are not listed.
func keyPositions(file, text string) map[string]ddl.Pos {
	found := map[string]ddl.Pos{}
	table := ""
	at := 0
	for at < len(text) {
		line, _, _ := strings.Cut(text[at:], "\n")
		start := at + len(line) - len(strings.TrimLeft(line, " \t"))
		at += len(line) + 1
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "" || trimmed[0] == '#':
		case trimmed[0] == '[':
			start += len(trimmed) - len(strings.TrimLeft(trimmed, "[ \t"))
			name, _ := dottedKey(text[start:])
			table = name
			keep(found, name, start, file, text)
		default:
			name, end := dottedKey(text[start:])
			if table != "" {
				name = table + "." + name
			}
			keep(found, name, start, file, text)
			at = valueEnd(text, start+end)
		}
	}
	return found
}

// keep notes the first place of a name.
func keep(found map[string]ddl.Pos, name string, at int, file, text string) {
	if _, there := found[name]; !there {
		found[name] = posAt(at, file, text)
	}
}

var keyPart = regexp.MustCompile(`^[ \t]*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))[ \t]*(\.?)`)

// dottedKey reads a key, and how long it is.
func dottedKey(text string) (name string, length int) {
	var parts []string
	for {
		m := keyPart.FindStringSubmatch(text[length:])
		if m == nil {
			return strings.Join(parts, "."), length
		}
		length += len(m[0])
		parts = append(parts, m[1]+m[2]+m[3])
		if m[4] == "" {
			return strings.Join(parts, "."), length
		}
	}
}

var stringStart = regexp.MustCompile(`^("""|'''|"|')`)

// valueEnd is where the line after a value begins: lists and long strings go over lines.
func valueEnd(text string, at int) int {
	depth := 0
	for at < len(text) {
		if quote := stringStart.FindString(text[at:]); quote != "" {
			at = stringEnd(text, at+len(quote), quote)
			continue
		}
		switch text[at] {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '#':
			for at+1 < len(text) && text[at+1] != '\n' {
				at++
			}
		case '\n':
			if depth == 0 {
				return at + 1
			}
		}
		at++
	}
	return at
}

func stringEnd(text string, at int, quote string) int {
	for at < len(text) {
		if strings.HasPrefix(text[at:], quote) {
			return at + len(quote)
		}
		if text[at] == '\\' && quote[0] == '"' {
			at++
		}
		at++
	}
	return at
}

// posOfKey is the place of a dotted key, or of the nearest table above it that is there.
func posOfKey(found map[string]ddl.Pos, name string) ddl.Pos {
	for {
		if pos, ok := found[name]; ok {
			return pos
		}
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 {
			return ddl.Pos{}
		}
		name = name[:dot]
	}
}
