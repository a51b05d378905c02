package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/replank/replank/burndown"
	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/git"
	"github.com/replank/replank/internal/route"
)

// burndownFlags are the flags of burndown.
type burndownFlags struct {
	html, repository string
	limits           []string
	days, weeks      int
	all              bool
}

func (a *app) burndownCommand() *cobra.Command {
	var f burndownFlags
	cmd := &cobra.Command{
		Use: "burndown", Short: "Say how much of the legacy application is ported", GroupID: groupServe,
		Long: `Computes how much is ported from the route documents of both applications, the
decisions in the database, the requests that the gateway has counted there, and git:
routes, traffic, writes, owners, what nobody calls, what is worked on and not ported,
and the trend over weeks.

Limits for pipelines, --ci:
` + burndown.Limits() + `
Exit codes: 0 all limits hold, 1 one does not, 2 nobody can say whether one holds.`,
		Example: `  replank burndown
  replank burndown --ci max-legacy=120 --ci min-traffic=80%
  replank burndown --html burndown.html --repository ../old`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := a.burndown(cmd.Context(), &f)
			if codeOf(err) == exitFailed && !errors.As(err, new(*toldError)) { // 1 says that a limit does not hold
				return &usageError{err: err}
			}
			return err
		},
	}
	a.addRouteFlags(cmd)
	cmd.Flags().StringSliceVar(&f.limits, "ci", nil, "limit that must hold: max-legacy=120")
	cmd.Flags().StringVar(&f.html, "html", "", "write the report as a page to this file, too")
	cmd.Flags().StringVar(&f.repository, "repository", "", "folder that the sources of the legacy application's routes are relative to, in its git repository (default: what was touched there is not known)")
	cmd.Flags().IntVar(&f.days, "days", 30, "how far back calls and commits count")
	cmd.Flags().IntVar(&f.weeks, "weeks", 26, "weeks of the trend at most")
	cmd.Flags().BoolVar(&f.all, "all", false, "show long lists in full on a terminal")
	return cmd
}

func (a *app) burndown(ctx context.Context, f *burndownFlags) error {
	gate, err := burndown.ParseGate(f.limits...)
	if err != nil {
		return &usageError{err: err}
	}
	docs, err := a.documents(ctx)
	if err != nil {
		return err
	}
	if docs.legacy == nil {
		return &usageError{err: errors.New("the routes of the legacy application are not known"), hint: "name their file: legacy_routes in [gateway], or --legacy-routes; replank routes discover writes it"}
	}
	cfg := burndown.Config{Legacy: docs.legacy, Modern: docs.modern, Now: time.Now().UTC(), Days: f.days, Weeks: f.weeks}
	if a.set.dsn() != "" {
		if err := a.withStore(ctx, func(s *decisions.Store) error { return decided(ctx, s, &cfg) }); err != nil {
			return err
		}
	}
	if f.repository != "" {
		if cfg.Touched, err = git.Touched(ctx, filepath.Clean(f.repository), cfg.Now.AddDate(0, 0, -f.days)); err != nil {
			return err
		}
	}
	r, err := burndown.New(cfg)
	if err != nil {
		return err
	}
	if f.html != "" {
		var page bytes.Buffer
		if err := r.WriteHTML(&page); err != nil {
			return err
		}
		if err := replaceFile(f.html, page.Bytes()); err != nil {
			return fmt.Errorf("write the page: %w", err)
		}
	}
	if a.set.JSON {
		err = r.WriteJSON(a.out.w)
	} else {
		err = r.WriteText(a.out.w, burndown.Text{Width: a.out.width, Color: a.out.color, All: f.all})
	}
	if err != nil {
		return err
	}
	violated, unknown := false, false
	for _, v := range gate.Check(r) {
		a.messages.line("%s", v.Message)
		violated, unknown = violated || !v.Unknown, unknown || v.Unknown
	}
	return verdict(unknown && !violated, violated)
}

// decided reads what people have decided and what was counted.
func decided(ctx context.Context, s *decisions.Store, cfg *burndown.Config) error {
	snap, err := s.Read(ctx)
	if err != nil {
		return err
	}
	for _, r := range snap.Routes {
		d := burndown.Decision{App: r.App, Template: r.Template, Phase: r.Phase, Owner: r.Owner}
		if w := r.Waiver; w != nil {
			d.WaivedBecause = w.Because
			if w.Until != nil {
				d.WaivedUntil = *w.Until
			}
		}
		cfg.Decisions = append(cfg.Decisions, d)
	}
	counts, err := s.Counts(ctx, time.Time{})
	if err != nil {
		return err
	}
	for _, c := range counts {
		if cfg.CountedSince.IsZero() {
			cfg.CountedSince = c.Day // the first one
		}
		by := route.App(c.AnsweredBy)
		cfg.Counts = append(cfg.Counts, burndown.Count{Day: c.Day, Method: c.Method, Template: c.Template, By: by, Requests: c.Requests, Errors: c.Errors})
	}
	return nil
}
