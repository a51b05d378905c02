package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/route"
)

// wrongWayJSON is what routes wrong-way --json prints.
type wrongWayJSON struct {
	Kind    string        `json:"kind"`
	Calls   []wrongCall   `json:"calls"`
	Allowed []allowedCall `json:"allowed"`
}

type wrongCall struct {
	Why       string     `json:"why"`
	CallerApp string     `json:"caller_app"`
	Caller    string     `json:"caller"` // "": nobody knows the template
	Method    string     `json:"method"`
	Route     string     `json:"route"`
	Refused   int64      `json:"refused"`
	Allowed   int64      `json:"allowed"`
	First     time.Time  `json:"first_seen"`
	Last      time.Time  `json:"last_seen"`
	Because   string     `json:"waived_because,omitempty"` // of the waiver that holds today
	Until     *time.Time `json:"waived_until,omitempty"`
}

type allowedCall struct {
	Caller  string    `json:"caller"`
	Route   string    `json:"route"`
	Because string    `json:"because"`
	Until   time.Time `json:"until"`
	By      string    `json:"by"`
	Over    bool      `json:"over"`
}

func (a *app) routesWrongWay() *cobra.Command {
	return &cobra.Command{
		Use: "wrong-way", Short: "List the calls of the modern application by the legacy one, and loops", Args: arguments(cobra.NoArgs),
		Long: `Lists what gateways have refused, or let through because of a waiver: requests that the
legacy application sends to the modern one while it serves a request, and requests that
came round. CALLER is the template that was being served, ROUTE the one that was called;
- is one that no file of routes has.`,
		Example: "  replank routes wrong-way\n  replank routes wrong-way --json | jq '.calls[] | select(.refused > 0)'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(s *decisions.Store) error {
				snap, err := s.Read(cmd.Context())
				if err != nil {
					return err
				}
				calls, err := s.WrongWays(cmd.Context())
				if err != nil {
					return err
				}
				return a.printWrongWay(calls, snap.Allowances, time.Now().UTC().Truncate(24*time.Hour))
			})
		},
	}
}

func (a *app) printWrongWay(calls []decisions.WrongWay, allowed decisions.Allowances, day time.Time) error {
	out := wrongWayJSON{Kind: "wrong-way", Calls: []wrongCall{}, Allowed: []allowedCall{}}
	rows := [][]string{{"CALLER", "ROUTE", "WHY", "REFUSED", "ALLOWED", "LAST SEEN", "WAIVED"}}
	for _, c := range calls {
		one := wrongCall{Why: c.Why, CallerApp: c.CallerApp, Caller: c.Caller, Method: c.Method, Route: c.Route, Refused: c.Refused, Allowed: c.Allowed, First: c.First, Last: c.Last}
		waived := "-"
		if w, ok := allowed.Of(c.Caller, c.Route, day); ok && c.Why == decisions.Direction {
			one.Because, one.Until = w.Because, w.Until
			waived = w.Because + " (until " + w.Until.Format(time.DateOnly) + ")"
		}
		out.Calls = append(out.Calls, one)
		n := func(v int64) string { return strconv.FormatInt(v, 10) }
		rows = append(rows, []string{c.CallerApp + " " + cmp.Or(c.Caller, decisions.Unknown), c.Method + " " + cmp.Or(c.Route, decisions.Unknown), c.Why,
			n(c.Refused), n(c.Allowed), c.Last.UTC().Format(time.RFC3339), waived})
	}
	for _, w := range allowed {
		out.Allowed = append(out.Allowed, allowedCall{w.Caller, w.Route, w.Because, *w.Until, w.By, !w.Holds(day)})
	}
	if a.set.JSON {
		return a.printJSON(out)
	}
	if len(calls) == 0 {
		a.out.line("no application has sent a request in the wrong direction")
	} else {
		a.out.table(rows)
	}
	for _, w := range out.Allowed {
		state := "allowed until"
		if w.Over {
			state = "no longer allowed since"
		}
		a.out.line("%s → %s: %s %s: %s", cmp.Or(w.Caller, decisions.Unknown), cmp.Or(w.Route, decisions.Unknown), state, w.Until.Format(time.DateOnly), w.Because)
	}
	return nil
}

func (a *app) routesAllow() *cobra.Command {
	var because, until string
	var off bool
	cmd := &cobra.Command{
		Use: "allow CALLER ROUTE", Short: "Let the legacy application call a route of the modern one until a day", Args: arguments(cobra.ExactArgs(2)),
		Long: `The legacy application never calls the modern one: gateways refuse it. A waiver lets the
calls of ROUTE through that it makes while it serves CALLER, until a day; from the next
one they are refused again by themselves. Both are templates as routes wrong-way lists
them, - for one that nobody knows, * for all. Loops are never let through.`,
		Example: `  replank routes allow '/reports/{id}' '/invoices/{id}' --because 'report moves in March' --until 2027-03-31
  replank routes allow '*' '*' --because 'only looking, for a month' --until 2026-12-24
  replank routes allow '/reports/{id}' '/invoices/{id}' --off`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if off == (because != "" || until != "") || !off && (because == "" || until == "") {
				return &usageError{err: errors.New("a waiver needs a reason and a last day"), hint: "--because TEXT --until 2027-03-31, or --off to take it back"}
			}
			docs, err := a.documents(cmd.Context())
			if err != nil {
				return err
			}
			w := decisions.Allowance{By: a.requester()}
			if w.Caller, err = docs.allowed(args[0], route.Legacy); err != nil {
				return err
			}
			if w.Route, err = docs.allowed(args[1], route.Legacy, route.Modern); err != nil {
				return err
			}
			if off {
				return a.disallow(cmd, w)
			}
			day, err := time.Parse(time.DateOnly, until)
			if err != nil {
				return &usageError{err: fmt.Errorf("--until %s is no day", until), hint: "like 2027-03-31"}
			}
			if day.Before(time.Now().UTC().Truncate(24 * time.Hour)) {
				return &usageError{err: fmt.Errorf("--until %s is over", until), hint: "a waiver holds until the end of its last day, in UTC"}
			}
			w.Waiver = decisions.Waiver{Because: because, Until: &day}
			return a.withStore(cmd.Context(), func(s *decisions.Store) error {
				version, err := s.Allow(cmd.Context(), w)
				if err != nil {
					return err
				}
				return a.toldAllowed(args, version, "is allowed until "+until+": "+because)
			})
		},
	}
	cmd.Flags().StringVar(&because, "because", "", "the reason")
	cmd.Flags().StringVar(&until, "until", "", "the last day on which it holds, 2027-03-31")
	cmd.Flags().BoolVar(&off, "off", false, "take the waiver back")
	return cmd
}

func (a *app) disallow(cmd *cobra.Command, w decisions.Allowance) error {
	return a.withStore(cmd.Context(), func(s *decisions.Store) error {
		version, err := s.Disallow(cmd.Context(), w.Caller, w.Route)
		if err != nil {
			return err
		}
		if version == 0 {
			return &usageError{err: errors.New("there is no such waiver"), hint: "replank routes wrong-way lists them"}
		}
		return a.toldAllowed([]string{cmp.Or(w.Caller, decisions.Unknown), cmp.Or(w.Route, decisions.Unknown)}, version, "is refused again")
	})
}

func (a *app) toldAllowed(of []string, version int64, said string) error {
	if a.set.JSON {
		return a.printJSON(map[string]any{"kind": "decision", "caller": of[0], "template": of[1], "version": version})
	}
	a.out.line("%s → %s %s (version %d)", of[0], of[1], said, version)
	return nil
}

// allowed is the template of a waiver: one of these applications', where their routes are known.
func (d documents) allowed(template string, apps ...route.App) (string, error) {
	if template == decisions.Any {
		return template, nil
	}
	if template == decisions.Unknown {
		return "", nil
	}
	for _, app := range apps {
		if doc := d.of(app); doc == nil || slices.ContainsFunc(doc.Routes, func(r *route.Route) bool { return r.Template == template }) {
			return template, nil
		}
	}
	return "", &usageError{err: fmt.Errorf("no route has the template %s", template), hint: "replank routes wrong-way lists what was called; quote the template for the shell"}
}
