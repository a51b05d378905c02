package ddl

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLex holds lex against the parser's scanner, over every SQL file of the repository, all of its keywords and words
// that look like them.
func TestLex(t *testing.T) {
	words := slices.Sorted(func(yield func(string) bool) {
		for w := range keywords() {
			if !yield(w) || !yield(strings.ToUpper(w)) || !yield(w+"_") || !yield(w+"$1") {
				return
			}
		}
	})
	if len(words) < 4*480 {
		t.Errorf("%d keywords", len(words)/4)
	}
	texts := append(lexTexts(), strings.Join(words, " "))
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".sql") {
			var data []byte
			data, err = os.ReadFile(path)
			texts = append(texts, string(data))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, text := range texts {
		if sameTokens(t, text) {
			read++
		}
	}
	if read < len(texts)*9/10 {
		t.Errorf("%d of %d texts were read", read, len(texts))
	}
}

func lexTexts() []string {
	return []string{
		"", "a", "-- x", "-- x\r\n1", "/* a /* b */ c */ d", "/* a /* b */", "/* a **/", "'a''b'", "'a'\n'b'", "'a' 'b'", "'a' -- b\n'c'", `'\'`,
		`E'\'' B'1' x'f' n'a' U&'\0041' u&"a" e b`, `"a""b" """" ""`, `"a`, "'a", "$1 $2a $ $$ $$a$$ $b$ $$ $b$ $1$ $é$x$é$ a$b$c$",
		"1 12 1.5 1. .5 1..2 1e5 1_000 0x1f 1a 123456789 2147483647 2147483648 9999999999.1", "a.b a .b a. b a..b",
		"a::b :c := d : e", "< > <= >= <> != => = == ~ !~ @> <@ -> ->> #>> || && ? + - * / % ^ & | # @ ! ` +- -+ *- *+ @- @-- a\n<-1 <--\n*/*a*/",
		"\\d {a} é Ünï ñ\u00a0x \u2028", "a\x00b", "SELECT", "sElEcT selec selects current_timestamp",
		"<<<<<<<<<<<", "a\fb\vc", "$12345678901", "--", "/*/ */", "/**/", "'", "\"", "$", "$a", "$a$", "$a$a$a$",
	}
}

// sameTokens reports whether lex reads a text; it fails where it reads another one than the scanner.
func sameTokens(t *testing.T, text string) bool {
	t.Helper()
	got, ok := lex(text)
	if !ok {
		return false
	}
	want, err := scanned(text)
	if err != nil {
		t.Errorf("%q: lex does not see that %v", text, err)
	} else if !slices.Equal(got, want) {
		t.Errorf("%q:\n%v\nis not\n%v", text, got, want)
	}
	return true
}

func FuzzLex(f *testing.F) {
	for _, text := range lexTexts() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ToValidUTF8(text, "") == text { // others are refused before
			sameTokens(t, text)
		}
	})
}
