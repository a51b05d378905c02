package main

import (
	"cmp"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/replank/replank/internal/decisions"
)

// comparedJSON is what routes differences --json prints.
type comparedJSON struct {
	Kind     string           `json:"kind"`
	Template string           `json:"template,omitempty"`
	Compared []comparedOne    `json:"compared"`
	Samples  []differenceJSON `json:"samples,omitempty"`
}

type comparedOne struct {
	Day       string `json:"day"`
	Template  string `json:"template"`
	Same      int64  `json:"same"`
	Different int64  `json:"different"`
	Failed    int64  `json:"failed"`
	Dropped   int64  `json:"dropped"`
}

type differenceJSON struct {
	At     time.Time `json:"at"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Failed string    `json:"failed,omitempty"`
	Total  int       `json:"differences"`
	Shown  any       `json:"shown"`
}

func (a *app) routesDifferences() *cobra.Command {
	var days int
	cmd := &cobra.Command{
		Use: "differences [TEMPLATE]", Short: "Show what comparing the answers has found in phase shadow", Args: arguments(cobra.MaximumNArgs(1)),
		Long: `Counts by day and template how many answers of both applications were the same, and how
many were not. With a template the last differences are shown, without secrets. What the
legacy application answers differently to the same request does not count.`,
		Example: "  replank routes differences\n  replank routes differences '/invoices/{id}'",
		RunE: func(cmd *cobra.Command, args []string) error {
			template := ""
			if len(args) > 0 {
				template = args[0]
			}
			return a.withStore(cmd.Context(), func(s *decisions.Store) error {
				found, samples, err := s.Shadows(cmd.Context(), time.Now().UTC().AddDate(0, 0, 1-days).Truncate(24*time.Hour), template)
				if err != nil {
					return err
				}
				return a.printDifferences(template, found, samples)
			})
		},
	}
	cmd.Flags().IntVar(&days, "days", 7, "how many days are counted, today among them")
	return cmd
}

func (a *app) printDifferences(template string, found []decisions.Shadow, samples []decisions.Sample) error {
	out := comparedJSON{Kind: "differences", Template: template, Compared: []comparedOne{}}
	rows := [][]string{{"DAY", "TEMPLATE", "SAME", "DIFFERENT", "FAILED", "DROPPED"}}
	for _, f := range found {
		if template != "" && f.Template != template {
			continue
		}
		day := f.Day.Format(time.DateOnly)
		out.Compared = append(out.Compared, comparedOne{day, f.Template, f.Same, f.Different, f.Failed, f.Dropped})
		n := func(v int64) string { return strconv.FormatInt(v, 10) }
		rows = append(rows, []string{day, f.Template, n(f.Same), n(f.Different), n(f.Failed), n(f.Dropped)})
	}
	if a.set.JSON {
		for _, p := range samples {
			out.Samples = append(out.Samples, differenceJSON{p.At, p.Method, p.Path, p.Failed, p.Total, p.Differences})
		}
		return a.printJSON(out)
	}
	if len(rows) == 1 {
		a.out.line("nothing was compared: a template is while it is in phase shadow")
		return nil
	}
	a.out.table(rows)
	for _, p := range samples {
		a.out.line("")
		a.out.line("%s  %s %s", p.At.UTC().Format(time.RFC3339), p.Method, p.Path)
		if p.Failed != "" {
			a.out.line("  not compared: %s", p.Failed)
		}
		for _, d := range p.Differences {
			a.out.line("  %s %s (%s): legacy %s, modern %s", d.In, d.Path, d.Kind, cmp.Or(d.Old, "nothing"), cmp.Or(d.New, "nothing"))
		}
	}
	return nil
}
