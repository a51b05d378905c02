package annotate

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/replank/replank/lint"
)

// GitHub shows ten annotations of each level for a step, and drops the others silently.
const mostAnnotations = 10

// writeGitHub writes commands of GitHub's workflows: annotations at the lines of a pull request.
func writeGitHub(w io.Writer, d *Document) error {
	var b strings.Builder
	told := map[lint.Severity]int{}
	for _, f := range d.worstFirst() {
		if told[f.Severity]++; told[f.Severity] > mostAnnotations {
			continue
		}
		b.WriteString("::" + f.Severity.String() + " file=" + property(f.Path) + fmt.Sprintf(",line=%d", max(1, f.Pos.Line)))
		if f.End.Line > f.Pos.Line {
			fmt.Fprintf(&b, ",endLine=%d", f.End.Line)
		} else if f.endUTF16 > f.startUTF16 {
			fmt.Fprintf(&b, ",col=%d,endColumn=%d", f.startUTF16, f.endUTF16)
		}
		b.WriteString(",title=" + property("replank "+f.Rule) + "::" + data(annotation(f)) + "\n")
	}
	for s := lint.Error; s >= lint.Notice; s-- {
		if more := told[s] - mostAnnotations; more > 0 {
			fmt.Fprintf(&b, "%s: %d of %d are not annotated, because GitHub shows %d a step; the step summary lists all\n", s, more, told[s], mostAnnotations)
		}
	}
	b.WriteString("replank lint: " + d.Summary() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// annotation is what is read beside the line.
func annotation(f Finding) string {
	text := strings.Join(append([]string{f.Message}, f.Why...), "\n")
	if r := lint.RuleByID(f.Rule); r != nil && r.Safe != "" {
		text += "\nWrite instead:\n" + r.Safe
	}
	return text
}

func data(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func property(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}

// longestMarkdown is what fits a comment of GitHub (65,536 characters); GitLab and step summaries take more.
const longestMarkdown = 60_000

// writeMarkdown writes a comment for a pull request. Its first line is there to be found again, by who updates it.
func writeMarkdown(w io.Writer, d *Document) error {
	var b strings.Builder
	b.WriteString("<!-- replank lint -->\n")
	switch {
	case d.Counts.Error+d.Counts.Warning+d.Counts.Notice == 0:
		b.WriteString("### replank lint: nothing found\n\n")
	case d.Unjudged:
		b.WriteString("### replank lint: not everything could be judged\n\n")
	default:
		b.WriteString("### replank lint: " + count(len(d.Findings), "finding") + "\n\n")
	}
	b.WriteString(d.Summary() + ", for PostgreSQL " + fmt.Sprint(d.Server) + ".")
	if d.Since != "" {
		b.WriteString(" Judged: " + markdown(d.Since) + ".")
	}
	b.WriteString("\n")
	if len(d.Findings) > 0 {
		b.WriteString("\n| | where | rule | what |\n|---|---|---|---|\n")
	}
	left := 0
	for _, f := range d.worstFirst() {
		row := fmt.Sprintf("| %s %s | `%s:%d` | `%s` | %s |\n", marks[f.Severity], f.Severity, cell(f.Path), f.Pos.Line, f.Rule, cell(markdown(f.Message)))
		if left > 0 || b.Len()+len(row) > longestMarkdown/2 {
			left++
			continue
		}
		b.WriteString(row)
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n… and %d more: `replank lint` lists all.\n", left)
	}
	for _, r := range d.Rules {
		story := fmt.Sprintf("\n<details><summary><code>%s</code>: %s</summary>\n\n%s\n\n</details>\n", r.ID, markdown(r.Title), RuleMarkdown(r))
		if b.Len()+len(story) > longestMarkdown {
			b.WriteString("\nOf the other rules `replank rules RULE` says why.\n")
			break
		}
		b.WriteString(story)
	}
	if n := len(d.Stale); n > 0 {
		b.WriteString("\n" + fmt.Sprintf("Entries of the baseline that match nothing any more: %d; write it anew (`--write-baseline`).\n", n))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

var marks = map[lint.Severity]string{lint.Error: "🔴", lint.Warning: "🟡", lint.Notice: "🔵"}

// markdown keeps what stands in a sentence from being markup.
func markdown(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if strings.ContainsRune("\\`*_{}[]<>#@~", r) {
			b.WriteByte('\\')
		}
		b.WriteString(s[:n])
		s = s[n:]
	}
	return b.String()
}

// cell keeps a text in its cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "\r", " ", "\n", " ").Replace(s)
}
