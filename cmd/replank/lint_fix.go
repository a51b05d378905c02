package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/replank/replank/lint"
)

// fixOptions are the flags of lint that change files.
type fixOptions struct {
	write bool
	diff  bool
}

func (o *fixOptions) flags(fs *pflag.FlagSet) {
	fs.BoolVar(&o.write, "fix", false, "rewrite files into their safe form, and split them where transactions must be")
	fs.BoolVar(&o.diff, "diff", false, "print what --fix would change, and change nothing")
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// lintFix rewrites the sources that are files, or shows how, and says what is left.
func (a *app) lintFix(cfg lint.Config, sources []lint.Source, style lint.Style, opt fixOptions, least lint.Severity) error {
	marks := map[string]bool{} // paths whose file begins with a byte order mark
	for i := range sources {
		s := &sources[i]
		s.Style = style
		if s.Deployed || len(s.Origins) > 0 {
			continue
		}
		b, err := os.ReadFile(s.Path)
		if err != nil {
			return err
		}
		marks[s.Path] = bytes.HasPrefix(b, byteOrderMark)
		s.File = string(bytes.TrimPrefix(b, byteOrderMark))
	}
	fixed := lint.Fix(cfg, sources)
	for i := range fixed {
		if files := fixed[i].Files; len(files) > 0 && marks[files[0].Path] {
			files[0].Text = string(byteOrderMark) + files[0].Text
			sources[fixed[i].Source].File = string(byteOrderMark) + sources[fixed[i].Source].File
		}
	}
	if opt.write && !opt.diff {
		for _, f := range fixed {
			if err := writeFixed(f.Files); err != nil {
				return err
			}
		}
	}
	switch {
	case a.set.JSON:
		if err := a.printJSONDocument(fixed); err != nil {
			return err
		}
	case opt.diff:
		for _, f := range fixed {
			for k, file := range f.Files {
				before, from := "", "/dev/null"
				if k == 0 {
					before, from = sources[f.Source].File, file.Path
				}
				a.out.text(unified(from, file.Path, before, file.Text))
			}
		}
	default:
		a.printFixed(fixed)
	}
	return leftVerdict(fixed, least)
}

// writeFixed writes the files of one source: new ones first, so that a file which is in the way stops the change
// before the old one is another.
func writeFixed(files []lint.File) error {
	for k := len(files) - 1; k > 0; k-- {
		f, err := os.OpenFile(files[k].Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%s is there already", files[k].Path)
		}
		if err != nil {
			return fmt.Errorf("split %s: %w", files[0].Path, err)
		}
		_, err = f.WriteString(files[k].Text)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("split %s: %w", files[0].Path, err)
		}
	}
	if len(files) == 0 {
		return nil
	}
	return os.WriteFile(files[0].Path, []byte(files[0].Text), 0o666) // keeps the mode of the file that is there
}

func (a *app) printFixed(fixed []lint.Fixed) {
	mended, left := 0, 0
	for _, f := range fixed {
		for k, file := range f.Files {
			if k == 0 {
				a.out.line("%s", a.out.paint(bold, file.Path))
			} else {
				a.out.line("  + %s", file.Path)
			}
		}
		for _, m := range f.Mended {
			a.out.line("  mended  %d:%d %s", m.Pos.Line, m.Pos.Column, m.Rule)
		}
		for _, l := range f.Left {
			a.out.line("  left    %s: %s[%s] %s", l.Pos, l.Severity, l.Rule, l.Reason)
		}
		mended, left = mended+len(f.Mended), left+len(f.Left)
	}
	a.out.line("%d findings mended, %d left", mended, left)
}

// leftVerdict is the exit code: that of a lint of what is left.
func leftVerdict(fixed []lint.Fixed, least lint.Severity) error {
	unjudged, fails := false, false
	for _, f := range fixed {
		for _, l := range f.Left {
			fails = fails || l.Severity >= least
			unjudged = unjudged || l.Rule == "syntax" || l.Rule == "client-command"
		}
	}
	return verdict(unjudged, fails)
}

// unified is the difference of two texts as diff -u prints it.
func unified(from, to, before, after string) string {
	if before == after {
		return ""
	}
	a, b := lines(before), lines(after)
	edits := changes(a, b)
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", from, to)
	const context = 3
	for i := 0; i < len(edits); {
		if edits[i].kind == ' ' {
			i++
			continue
		}
		start, end, same := max(0, i-context), i, 0
		for j := i; j < len(edits) && same <= 2*context; j++ {
			if same++; edits[j].kind != ' ' {
				same, end = 0, j
			}
		}
		stop := min(len(edits), end+context+1)
		hunk(&out, edits[:start], edits[start:stop])
		i = stop
	}
	return out.String()
}

// edit is a line of a difference: kept ' ', removed '-' or added '+'.
type edit struct {
	kind byte
	line string
}

func lines(s string) []string {
	l := strings.SplitAfter(s, "\n")
	if l[len(l)-1] == "" {
		l = l[:len(l)-1]
	}
	return l
}

// changes are the shortest way from a to b, by the longest common sequence of lines.
func changes(a, b []string) []edit {
	var head, tail []edit
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head, a, b = append(head, edit{' ', a[0]}), a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail, a, b = append([]edit{{' ', a[len(a)-1]}}, tail...), a[:len(a)-1], b[:len(b)-1]
	}
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			head = append(head, edit{' ', a[i]})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			head = append(head, edit{'-', a[i]})
			i++
		default:
			head = append(head, edit{'+', b[j]})
			j++
		}
	}
	return append(head, tail...)
}

// hunk writes one part of a difference; before are the edits above it.
func hunk(out *strings.Builder, before, edits []edit) {
	count := func(edits []edit, kind byte) int {
		n := 0
		for _, e := range edits {
			if e.kind == ' ' || e.kind == kind {
				n++
			}
		}
		return n
	}
	place := func(kind byte) string {
		n, at := count(edits, kind), count(before, kind)
		if n > 0 {
			at++
		}
		return fmt.Sprintf("%c%d,%d", kind, at, n)
	}
	fmt.Fprintf(out, "@@ %s %s @@\n", place('-'), place('+'))
	for _, e := range edits {
		out.WriteByte(e.kind)
		out.WriteString(e.line)
		if !strings.HasSuffix(e.line, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}
