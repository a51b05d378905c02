package route

import (
	"strings"
	"unicode/utf8"
)

// A path comes as bytes after one decoding of its percents. What is not UTF-8 in it the frameworks replace, each in its
// own way, before they match.

// asDjango escapes the bytes that are not UTF-8 again: /a\xff is matched as /a%FF.
func asDjango(path string) string {
	if utf8.ValidString(path) {
		return path
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(path); {
		r, size := utf8.DecodeRuneInString(path[i:])
		if r == utf8.RuneError && size == 1 {
			b.Write([]byte{'%', hex[path[i]>>4], hex[path[i]&15]})
		} else {
			b.WriteString(path[i : i+size])
		}
		i += size
	}
	return b.String()
}

// asWerkzeug puts U+FFFD for what is not UTF-8, as Python's decode does: one for each longest beginning of a character.
func asWerkzeug(path string) string {
	if utf8.ValidString(path) {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); {
		r, size := utf8.DecodeRuneInString(path[i:])
		b.WriteRune(r)
		if r == utf8.RuneError && size == 1 {
			size = begun(path[i:])
		}
		i += size
	}
	return b.String()
}

// begun is the length of the beginning of a character that s starts with, and that does not go on as one.
func begun(s string) int {
	// A beginning is what some bytes would make whole.
	for n := min(len(s), 3); n > 1; n-- {
		for _, rest := range []string{"\x80", "\x80\x80", "\xbf", "\xbf\xbf", "\x90\x80", "\xa0\x80"} {
			if r, size := utf8.DecodeRuneInString(s[:n] + rest); r != utf8.RuneError && size > n {
				return n
			}
		}
	}
	return 1
}
