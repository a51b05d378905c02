package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/replank/replank/gateway"
	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/route"
)

func (a *app) routesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "routes", Short: "See which application has which route, and decide who answers", GroupID: groupServe,
		Long: `Who has a route is computed from what both applications' routers say (discover). The
database holds only what people decide about a template: its phase, who owns it, and
why it will not be ported. Every gateway on that database follows within a second.`,
	}
	for _, sub := range []*cobra.Command{a.routesDiscover(), a.routesList(), a.routesShow(), a.routesPromote(), a.routesDemote(), a.routesClear(), a.routesOwn(), a.routesWaive(), a.routesDifferences(), a.routesWrongWay(), a.routesAllow()} {
		a.addRouteFlags(sub)
		cmd.AddCommand(sub)
	}
	return cmd
}

func (a *app) addRouteFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.set.Gateway.ModernRoutes, "modern-routes", "", "file with the modern application's routes, or http (default: that of replank.toml)")
	cmd.Flags().StringVar(&a.set.Gateway.LegacyRoutes, "legacy-routes", "", "file with the legacy application's routes, or http (default: that of replank.toml)")
}

// documents are the route documents that the configuration names.
type documents struct{ modern, legacy *route.Document }

func (a *app) documents(ctx context.Context) (d documents, err error) {
	var wrong []error
	set := a.set.Gateway
	for _, one := range []struct {
		key, path, app string
		to             **route.Document
	}{{"modern", set.ModernRoutes, set.Modern, &d.modern}, {"legacy", set.LegacyRoutes, set.Legacy, &d.legacy}} {
		var data []byte
		switch at := appURL(one.app); {
		case one.path == "":
			continue
		case one.path != gateway.Ask:
			data, err = os.ReadFile(one.path)
		case at == nil:
			err = &usageError{err: fmt.Errorf("nobody says where the %s application is that is to be asked for its routes", one.key), hint: "set " + one.key + " in [gateway]"}
		default:
			data, err = gateway.AskRoutes(ctx, at, set.RoutesSecretFile)
		}
		var bad []route.Bad
		if err == nil {
			*one.to, bad, err = route.ReadUsable(data) // as the gateway does
		}
		for _, b := range bad {
			a.log.Warn("a route cannot be used; the paths that may be its own are tried", "from", one.path, "route", b)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("routes of the %s application (%s): %w", one.key, one.path, err))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return d, &usageError{err: err, hint: "replank routes discover writes the files anew; docs/gateway-routes.md tells how applications are asked"}
	}
	return d, nil
}

// of is the document of an application.
func (d documents) of(app route.App) *route.Document {
	if app == route.Modern {
		return d.modern
	}
	return d.legacy
}

// app finds out whose template it is: where both have it, decisions are made about the legacy application's.
func (d documents) app(template string, given string) (route.App, error) {
	if given != "" && given != string(route.Modern) && given != string(route.Legacy) {
		return "", &usageError{err: fmt.Errorf("there is no application %q", given), hint: "--app modern or --app legacy"}
	}
	for _, app := range []route.App{route.Legacy, route.Modern} {
		if given != "" && given != string(app) {
			continue
		}
		if doc := d.of(app); doc == nil || slices.ContainsFunc(doc.Routes, func(r *route.Route) bool { return r.Template == template }) {
			if doc == nil && given == "" && d.of(route.Modern) != nil {
				continue // perhaps the other one says that it has it
			}
			return app, nil
		}
	}
	if given == "" && d.legacy == nil {
		return route.Legacy, nil
	}
	return "", &usageError{err: fmt.Errorf("no route has the template %s", template), hint: "replank routes list tells them all; quote the template for the shell"}
}

func (a *app) withStore(ctx context.Context, fn func(*decisions.Store) error) error {
	store, err := decisions.Open(ctx, decisions.Config{DSN: a.set.dsn(), Owner: a.set.Owner, Logger: a.log})
	if err != nil {
		return a.connectError(err)
	}
	defer store.Close()
	return fn(store)
}

func (a *app) routesDiscover() *cobra.Command {
	return &cobra.Command{
		Use: "discover", Short: "Write the files with both applications' routes", Args: arguments(cobra.NoArgs),
		Long: `Runs the commands modern_discover and legacy_discover of [gateway] in the folder of
replank.toml, holds what they print against the format, and writes it to modern_routes
and legacy_routes. Where one fails, that file stays as it is. A gateway that runs reads
the files within a second.`,
		Example: `  replank routes discover
  # replank.toml:
  #   [gateway]
  #   modern_routes   = "routes-modern.json"
  #   modern_discover = "cd new && .venv/bin/python -m replank.django routes"
  #   legacy_routes   = "routes-legacy.json"
  #   legacy_discover = "cd old && .venv/bin/python -m replank.flask routes shop.wsgi:app"`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.discover(cmd.Context()) },
	}
}

// discovered is what routes discover has found of one application.
type discovered struct {
	App     string   `json:"app"`
	File    string   `json:"file"`
	Routes  int      `json:"routes"`
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
	Opaque  int      `json:"opaque"`
	Because []string `json:"incomplete_because"`
}

func (a *app) discover(ctx context.Context) error {
	set := a.set.Gateway
	var found []discovered
	var wrong []error
	for _, one := range []struct {
		app                  route.App
		key, command, target string
	}{
		{route.Modern, "modern", set.ModernDiscover, set.ModernRoutes},
		{route.Legacy, "legacy", set.LegacyDiscover, set.LegacyRoutes},
	} {
		switch {
		case one.command == "":
			continue
		case one.target == "":
			wrong = append(wrong, &usageError{err: fmt.Errorf("%s_discover has no file to write to", one.key), hint: "name it: " + one.key + "_routes in [gateway]"})
			continue
		case one.target == gateway.Ask:
			wrong = append(wrong, &usageError{err: fmt.Errorf("%s_routes is http: there is no file to write", one.key), hint: "leave " + one.key + "_discover out: the gateway asks the application"})
			continue
		}
		d, err := discover(ctx, one.app, one.command, one.target)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		found = append(found, d)
	}
	if found == nil && wrong == nil {
		return &usageError{err: errors.New("there is nothing that prints routes"), hint: "set modern_discover and legacy_discover in [gateway] of replank.toml"}
	}
	if a.set.JSON {
		if err := a.printJSON(map[string]any{"kind": "routes", "discovered": found}); err != nil {
			return err
		}
		return errors.Join(wrong...)
	}
	for _, d := range found {
		a.out.line("%s: %d routes, written to %s", d.App, d.Routes, d.File)
		for _, t := range d.Added {
			a.out.line("  + %s", t)
		}
		for _, t := range d.Removed {
			a.out.line("  - %s", t)
		}
		for _, b := range d.Because {
			a.out.line("  not complete: %s", b)
		}
	}
	return errors.Join(wrong...)
}

func discover(ctx context.Context, app route.App, command, target string) (discovered, error) {
	d := discovered{App: string(app), File: target, Added: []string{}, Removed: []string{}, Because: []string{}}
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	var said strings.Builder
	cmd.Stderr = &said
	data, err := cmd.Output()
	if err != nil {
		return d, fmt.Errorf("routes of the %s application: %s: %w\n%s", app, command, err, lastPart(said.String(), 2000))
	}
	doc, err := route.ReadAny(data)
	if err != nil {
		return d, fmt.Errorf("routes of the %s application, as %s prints them: %w", app, command, err)
	}
	before := map[string]bool{}
	if old, err := os.ReadFile(target); err == nil {
		if was, err := route.ReadAny(old); err == nil {
			for _, r := range was.Routes {
				before[r.Template] = true
			}
		}
	}
	now := map[string]bool{}
	for _, r := range doc.Routes {
		if !before[r.Template] && !now[r.Template] {
			d.Added = append(d.Added, r.Template)
		}
		now[r.Template] = true
		if r.Opaque != "" {
			d.Opaque++
		}
	}
	for t := range before {
		if !now[t] {
			d.Removed = append(d.Removed, t)
		}
	}
	slices.Sort(d.Removed)
	d.Routes = len(doc.Routes)
	if !doc.Complete {
		d.Because = append(d.Because, doc.IncompleteBecause...)
	}
	return d, replaceFile(target, data)
}

// replaceFile writes a file so that a reader sees the old or the new one, never a part.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone when it has got its name
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func lastPart(text string, n int) string {
	text = strings.TrimSpace(text)
	return text[max(0, len(text)-n):]
}

// listed is one line of routes list.
type listed struct {
	App        string     `json:"app"`
	Template   string     `json:"template"`
	Methods    []string   `json:"methods"` // null: any, or only the view knows
	Source     string     `json:"source,omitempty"`
	Phase      string     `json:"phase,omitempty"`
	Owner      string     `json:"owner,omitempty"`
	WaivedFor  string     `json:"waived_because,omitempty"`
	WaivedTill *time.Time `json:"waived_until,omitempty"`
	Orphan     bool       `json:"orphan,omitempty"` // there is a decision, and no route
}

func (a *app) routesList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the templates of both applications with what is decided about them", Args: arguments(cobra.NoArgs),
		Example: "  replank routes list\n  replank routes list --json | jq '.routes[] | select(.phase == \"canary\")'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			docs, err := a.documents(cmd.Context())
			if err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(s *decisions.Store) error {
				snap, err := s.Read(cmd.Context())
				if err != nil {
					return err
				}
				return a.printRoutes(listRoutes(docs, snap))
			})
		},
	}
}

func listRoutes(docs documents, snap decisions.Snapshot) []listed {
	type key struct {
		app      route.App
		template string
	}
	var list []listed
	at := map[key]int{}
	entry := func(app route.App, template string) *listed {
		k := key{app, template}
		i, ok := at[k]
		if !ok {
			i = len(list)
			at[k] = i
			list = append(list, listed{App: string(app), Template: template})
		}
		return &list[i]
	}
	for _, app := range []route.App{route.Legacy, route.Modern} {
		if docs.of(app) == nil {
			continue
		}
		seen := map[string]bool{}
		for _, r := range docs.of(app).Routes {
			e := entry(app, r.Template)
			switch {
			case !seen[r.Template]:
				e.Methods, e.Source = r.Methods, r.Source
			case e.Methods == nil || r.Methods == nil:
				e.Methods = nil
			default:
				e.Methods = append(slices.Clip(e.Methods), r.Methods...)
			}
			seen[r.Template] = true
		}
	}
	for _, r := range snap.Routes {
		_, known := at[key{r.App, r.Template}]
		e := entry(r.App, r.Template)
		e.Phase, e.Owner, e.Orphan = string(r.Phase), r.Owner, !known && docs.of(r.App) != nil
		if r.Waiver != nil {
			e.WaivedFor, e.WaivedTill = r.Waiver.Because, r.Waiver.Until
		}
	}
	for i := range list {
		if list[i].Methods != nil {
			slices.Sort(list[i].Methods)
			list[i].Methods = slices.Compact(list[i].Methods)
		}
	}
	slices.SortStableFunc(list, func(x, y listed) int {
		return cmp.Or(cmp.Compare(x.Template, y.Template), cmp.Compare(x.App, y.App))
	})
	return list
}

func (a *app) printRoutes(list []listed) error {
	if a.set.JSON {
		return a.printJSON(map[string]any{"kind": "routes", "routes": list})
	}
	if len(list) == 0 {
		a.out.line("no routes are known, and nothing is decided: see replank routes discover")
		return nil
	}
	rows := [][]string{{"TEMPLATE", "APP", "METHODS", "PHASE", "OWNER", "WAIVED"}}
	for _, l := range list {
		methods := "any"
		if l.Methods != nil {
			methods = strings.Join(slices.DeleteFunc(slices.Clone(l.Methods), func(m string) bool { return m == "HEAD" || m == "OPTIONS" }), ",")
		}
		waived := l.WaivedFor
		if l.WaivedTill != nil {
			waived += " (until " + l.WaivedTill.Format(time.DateOnly) + ")"
		}
		if l.Orphan {
			methods = "no such route"
		}
		rows = append(rows, []string{l.Template, l.App, methods, cmp.Or(l.Phase, "-"), cmp.Or(l.Owner, "-"), cmp.Or(waived, "-")})
	}
	a.out.table(rows)
	return nil
}

// shown is what routes show says of a request.
type shown struct {
	Method   string        `json:"method"`
	Path     string        `json:"path"`
	By       string        `json:"answered_by"`
	Why      string        `json:"why,omitempty"`
	Trial    bool          `json:"trial"`
	Fallback bool          `json:"fallback"`
	Shadow   bool          `json:"shadow"`
	Canary   *route.Canary `json:"canary,omitempty"`
	Modern   side          `json:"modern"`
	Legacy   side          `json:"legacy"`
	Phase    string        `json:"phase,omitempty"`
	Of       string        `json:"decided_about,omitempty"`
}

type side struct {
	Outcome  string `json:"outcome"`
	Template string `json:"template,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	Source   string `json:"source,omitempty"`
	Why      string `json:"why,omitempty"`
}

func sideOf(o route.Outcome) side {
	s := side{Outcome: o.Kind.String(), Why: o.Why}
	if o.Route != nil {
		s.Template, s.Endpoint, s.Source = o.Route.Template, o.Route.Endpoint, o.Route.Source
	}
	return s
}

func (a *app) routesShow() *cobra.Command {
	method := ""
	cmd := &cobra.Command{
		Use: "show PATH", Short: "Say who answers a request, and why", Args: arguments(cobra.ExactArgs(1)),
		Example: "  replank routes show /invoices/7\n  replank routes show /invoices --method POST",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !strings.HasPrefix(args[0], "/") {
				return &usageError{err: fmt.Errorf("%q is no path of a request", args[0]), hint: "a path begins with a slash: /invoices/7"}
			}
			docs, err := a.documents(cmd.Context())
			if err != nil {
				return err
			}
			var snap decisions.Snapshot
			if a.set.dsn() != "" {
				if err := a.withStore(cmd.Context(), func(s *decisions.Store) error {
					snap, err = s.Read(cmd.Context())
					return err
				}); err != nil {
					return err
				}
			}
			t, err := route.Compile(route.Config{Modern: docs.modern, Legacy: docs.legacy, Decisions: snap.Decisions()})
			if err != nil {
				return &usageError{err: err}
			}
			return a.printShown(showRoute(t, strings.ToUpper(method), args[0]))
		},
	}
	cmd.Flags().StringVar(&method, "method", "GET", "method of the request")
	return cmd
}

func showRoute(t *route.Table, method, path string) shown {
	m := t.Match(route.Request{Method: method, Path: path})
	d := route.Decide(m, m.Decision)
	s := shown{Method: method, Path: path, By: string(d.By), Why: m.Why, Trial: d.Trial, Fallback: d.Fallback, Shadow: d.Shadow && (method == "GET" || method == "HEAD" || m.Decision.ShadowWrites),
		Modern: sideOf(m.Modern), Legacy: sideOf(m.Legacy)}
	if m.Decision != nil {
		s.Phase, s.Of = string(m.Decision.Phase), string(m.Decision.App)+" "+m.Decision.Template
		if d.Canary {
			s.Canary = &m.Decision.Canary
		}
	}
	return s
}

func (a *app) printShown(s shown) error {
	if a.set.JSON {
		return a.printJSON(map[string]any{"kind": "route", "route": s})
	}
	switch {
	case s.Trial:
		a.out.line("%s %s: the modern application is tried first: nobody knows whether it has the route", s.Method, s.Path)
	case s.Canary != nil:
		a.out.line("%s %s: the legacy application answers, but for the canary", s.Method, s.Path)
	default:
		a.out.line("%s %s: the %s application answers", s.Method, s.Path, s.By)
	}
	if s.Shadow {
		a.out.line("  the modern application is asked too, and compared")
	}
	if s.Why != "" {
		a.out.line("  because %s", s.Why)
	}
	for _, one := range []struct {
		name string
		s    side
	}{{"modern", s.Modern}, {"legacy", s.Legacy}} {
		line := fmt.Sprintf("  %s: %s", one.name, one.s.Outcome)
		for _, more := range []string{one.s.Template, one.s.Endpoint, one.s.Source, one.s.Why} {
			if more != "" {
				line += "  " + more
			}
		}
		a.out.line("%s", line)
	}
	if s.Phase != "" {
		a.out.line("  decided: %s, about %s", s.Phase, s.Of)
	}
	return nil
}

// deciding are the flags of a decision.
type deciding struct {
	app, to, because  string
	share, header     string
	subjects, tenants []string
	writes            bool
}

func (d *deciding) addFlags(cmd *cobra.Command, canary bool) {
	cmd.Flags().StringVar(&d.app, "app", "", "whose template it is: modern or legacy (default: found out; the legacy one's where both have it)")
	cmd.Flags().StringVar(&d.because, "because", "", "the reason, for those who look later")
	if canary {
		cmd.Flags().StringVar(&d.share, "share", "", "canary: share of the callers, 10% or 0.1")
		cmd.Flags().StringSliceVar(&d.subjects, "subjects", nil, "canary: users who go to the modern application in any case")
		cmd.Flags().StringSliceVar(&d.tenants, "tenants", nil, "canary: tenants who go there in any case")
		cmd.Flags().BoolVar(&d.writes, "writes", false, "shadow: send requests that write, too; the companion takes back what they do")
		cmd.Flags().StringVar(&d.header, "header", "", "canary: header with which a request goes there, \"X-Canary: 1\"")
	}
}

// canary is what the flags say of one; false: nothing.
func (d *deciding) canary() (c route.Canary, given bool, err error) {
	c = route.Canary{Subjects: d.subjects, Tenants: d.tenants, Header: d.header}
	if d.share != "" {
		var share share
		if err := share.Set(d.share); err != nil {
			return c, false, &usageError{err: fmt.Errorf("--share %s is no share", d.share), hint: "10% or 0.1"}
		}
		c.Share = float64(share)
	}
	return c, d.share != "" || d.subjects != nil || d.tenants != nil || d.header != "", nil
}

// share is a part of a whole, as a flag or a setting: 10% or 0.1.
type share float64

func (s *share) Set(text string) error {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		v /= 100
	}
	if err != nil || v < 0 || v > 1 {
		return errors.New("it is not between 0% and 100%")
	}
	*s = share(v)
	return nil
}

func (s *share) Type() string   { return "share" }
func (s *share) String() string { return strconv.FormatFloat(100*float64(*s), 'g', -1, 64) + "%" }

func (a *app) routesPromote() *cobra.Command {
	var d deciding
	cmd := &cobra.Command{
		Use: "promote TEMPLATE", Short: "Take a template further on its way to the modern application", Args: arguments(cobra.ExactArgs(1)),
		Long: `Puts a template into the next phase: legacy → shadow → canary → modern → retired, or
into that of --to. Canary needs to know who: --share, --subjects, --tenants or --header.`,
		Example: `  replank routes promote '/invoices/{id}' --to shadow
  replank routes promote '/invoices/' --to shadow --writes
  replank routes promote '/invoices/{id}' --share 10%
  replank routes promote '/invoices/{id}' --to modern --because 'no difference in a week'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.decide(cmd.Context(), &d, args[0], func(before route.Phase) (route.Phase, error) {
				if d.to != "" {
					return route.Phase(d.to), nil
				}
				if _, given, _ := d.canary(); given {
					return route.PhaseCanary, nil
				}
				for i, p := range route.Phases[:len(route.Phases)-1] {
					if p.Name == before {
						return route.Phases[i+1].Name, nil
					}
				}
				if before == "" {
					return "", &usageError{err: fmt.Errorf("nothing is decided about %s yet, so there is no next phase", args[0]), hint: "say which: --to shadow"}
				}
				return "", &usageError{err: fmt.Errorf("%s is the last phase", before), hint: "replank routes demote goes back"}
			})
		},
	}
	cmd.Flags().StringVar(&d.to, "to", "", "the phase: legacy, shadow, canary, modern or retired (default: the next one)")
	d.addFlags(cmd, true)
	return cmd
}

func (a *app) routesDemote() *cobra.Command {
	d := deciding{}
	cmd := &cobra.Command{
		Use: "demote TEMPLATE", Short: "Give a template back to the legacy application, at once", Args: arguments(cobra.ExactArgs(1)),
		Example: "  replank routes demote '/invoices/{id}' --because 'wrong totals'\n  replank routes demote '/invoices/{id}' --to shadow",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.decide(cmd.Context(), &d, args[0], func(route.Phase) (route.Phase, error) { return route.Phase(d.to), nil })
		},
	}
	cmd.Flags().StringVar(&d.to, "to", string(route.PhaseLegacy), "the phase")
	d.addFlags(cmd, false)
	return cmd
}

func (a *app) routesClear() *cobra.Command {
	d := deciding{}
	cmd := &cobra.Command{
		Use: "clear TEMPLATE", Short: "Take a decision back: who has the route answers", Args: arguments(cobra.ExactArgs(1)),
		Example: "  replank routes clear '/invoices/{id}'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.decide(cmd.Context(), &d, args[0], func(route.Phase) (route.Phase, error) { return "", nil })
		},
	}
	d.addFlags(cmd, false)
	return cmd
}

// decide writes a decision. next is the phase after the one that is there.
func (a *app) decide(ctx context.Context, d *deciding, template string, next func(before route.Phase) (route.Phase, error)) error {
	docs, err := a.documents(ctx)
	if err != nil {
		return err
	}
	app, err := docs.app(template, d.app)
	if err != nil {
		return err
	}
	canary, given, err := d.canary()
	if err != nil {
		return err
	}
	return a.withStore(ctx, func(s *decisions.Store) error {
		snap, err := s.Read(ctx)
		if err != nil {
			return err
		}
		var before route.Phase
		for _, r := range snap.Routes {
			if r.App == app && r.Template == template {
				before = r.Phase
			}
		}
		to, err := next(before)
		if err != nil {
			return err
		}
		if to == route.PhaseCanary && !given {
			return &usageError{err: errors.New("a canary needs to know who goes to the modern application"), hint: "--share 10%, --subjects, --tenants or --header"}
		}
		decision := route.Decision{App: app, Template: template, Phase: to, Canary: canary, ShadowWrites: d.writes}
		if err := decision.Check(); err != nil && to != "" {
			return &usageError{err: err}
		}
		version, before, err := s.Decide(ctx, decision, d.because, a.requester())
		if err != nil {
			return err
		}
		if a.set.JSON {
			return a.printJSON(map[string]any{"kind": "decision", "app": app, "template": template, "before": before, "phase": to, "version": version})
		}
		a.out.line("%s of the %s application: %s → %s (version %d)", template, app, cmp.Or(string(before), "no decision"), cmp.Or(string(to), "no decision"), version)
		return nil
	})
}

func (a *app) routesOwn() *cobra.Command {
	var app string
	cmd := &cobra.Command{
		Use: "own TEMPLATE OWNER", Short: "Say who takes care of a template", Args: arguments(cobra.ExactArgs(2)),
		Example: "  replank routes own '/invoices/{id}' 'team billing'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.describe(cmd.Context(), app, args[0], &args[1], nil, "belongs to "+cmp.Or(args[1], "nobody"))
		},
	}
	cmd.Flags().StringVar(&app, "app", "", "whose template it is: modern or legacy (default: found out)")
	return cmd
}

func (a *app) routesWaive() *cobra.Command {
	var app, because, until string
	var off bool
	cmd := &cobra.Command{
		Use: "waive TEMPLATE", Short: "Say that a template will not be ported, and why", Args: arguments(cobra.ExactArgs(1)),
		Example: "  replank routes waive '/export.csv' --because 'goes away with the old reports' --until 2027-06-30\n  replank routes waive '/export.csv' --off",
		RunE: func(cmd *cobra.Command, args []string) error {
			if off == (because != "") {
				return &usageError{err: errors.New("a waiver needs a reason"), hint: "--because TEXT, or --off to take it back"}
			}
			w := &decisions.Waiver{Because: because}
			if until != "" {
				day, err := time.Parse(time.DateOnly, until)
				if err != nil {
					return &usageError{err: fmt.Errorf("--until %s is no day", until), hint: "like 2027-06-30"}
				}
				w.Until = &day
			}
			said := "will not be ported: " + because
			if off {
				said = "is to be ported again"
			}
			return a.describe(cmd.Context(), app, args[0], nil, w, said)
		},
	}
	cmd.Flags().StringVar(&app, "app", "", "whose template it is: modern or legacy (default: found out)")
	cmd.Flags().StringVar(&because, "because", "", "the reason")
	cmd.Flags().StringVar(&until, "until", "", "the last day on which it holds, 2027-06-30 (default: for good)")
	cmd.Flags().BoolVar(&off, "off", false, "take the waiver back")
	return cmd
}

func (a *app) describe(ctx context.Context, given, template string, owner *string, w *decisions.Waiver, said string) error {
	docs, err := a.documents(ctx)
	if err != nil {
		return err
	}
	app, err := docs.app(template, given)
	if err != nil {
		return err
	}
	return a.withStore(ctx, func(s *decisions.Store) error {
		version, err := s.Describe(ctx, app, template, owner, w, a.requester())
		if err != nil {
			return err
		}
		if a.set.JSON {
			return a.printJSON(map[string]any{"kind": "decision", "app": app, "template": template, "version": version})
		}
		a.out.line("%s of the %s application %s (version %d)", template, app, said, version)
		return nil
	})
}
