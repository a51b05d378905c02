package annotate

import (
	"strings"

	"github.com/replank/replank/lint"
)

// RuleText is a rule as plain text.
func RuleText(r lint.Rule) string {
	s := r.Doc
	if r.Safe != "" {
		s += "\n\nWrite instead:\n" + r.Safe
	}
	return s + "\n\nreplank apply " + r.Apply + "."
}

// RuleMarkdown is a rule as Markdown.
func RuleMarkdown(r lint.Rule) string {
	s := r.Doc + "\n"
	if r.Safe != "" {
		s += "\nWrite instead:\n\n```sql\n" + r.Safe + "\n```\n"
	}
	return s + "\n`replank apply` " + r.Apply + "."
}

// Catalogue is every rule as a page in Markdown: docs/lint-rules.md.
func Catalogue() string {
	var b strings.Builder
	b.WriteString("# The rules of `replank lint`\n\nGenerated from the program: `replank rules` prints the same, `replank rules RULE` one of them.\n" +
		"A severity is that of the rule alone; the size of a table, where it is known, changes that of a finding.\n" +
		"The [guide](guide-lint.md) says how a rule is switched off and how a statement is allowed.\n")
	for _, family := range lint.Families {
		b.WriteString("\n## " + family + "\n\n| rule | severity | |\n|---|---|---|\n")
		for _, r := range lint.Rules {
			if r.Family == family {
				b.WriteString("| [`" + r.ID + "`](#" + r.ID + ") | " + r.Severity.String() + " | " + cell(r.Title) + " |\n")
			}
		}
		for _, r := range lint.Rules {
			if r.Family == family {
				b.WriteString("\n### " + r.ID + "\n\n*" + r.Severity.String() + "*: " + r.Title + ".\n\n" + RuleMarkdown(r) + "\n")
			}
		}
	}
	return b.String()
}
