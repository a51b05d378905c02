package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/replank/replank/lint"
)

func (a *app) rulesCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rules [RULE]", Short: "The rules of lint, or one of them with its reasons", GroupID: groupWatch,
		Args:    arguments(cobra.MaximumNArgs(1)),
		Example: "  replank rules\n  replank rules set-not-null",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return a.showRule(args[0])
			}
			if a.set.JSON {
				return a.printJSONDocument(lint.Rules)
			}
			for _, family := range lint.Families {
				a.out.line("%s", a.out.paint(bold, family))
				for _, r := range lint.Rules {
					if r.Family == family {
						a.out.wrapped("  "+pad(r.ID, 28)+" ", "", r.Title)
					}
				}
				a.out.line("")
			}
			return nil
		},
	}
}

func (a *app) showRule(id string) error {
	r := lint.RuleByID(id)
	if r == nil {
		return &usageError{err: fmt.Errorf("there is no rule %s", id), hint: "replank rules lists them"}
	}
	if a.set.JSON {
		return a.printJSONDocument(r)
	}
	a.out.line("%s  (%s, %s)\n", a.out.paint(bold, r.ID), r.Severity, r.Family)
	a.out.wrapped("", "", r.Title+".")
	a.out.line("")
	a.out.wrapped("", "", r.Doc)
	if r.Safe != "" {
		a.out.line("\n%s", a.out.paint(bold, "Write instead"))
		for line := range strings.SplitSeq(r.Safe, "\n") {
			a.out.line("  %s", line)
		}
	}
	a.out.line("\n%s", a.out.paint(bold, "replank apply"))
	a.out.wrapped("  ", "", r.Apply+".")
	return nil
}
