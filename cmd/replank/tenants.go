package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/route"
)

func (a *app) tenantsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "tenants", Short: "See where tenants are, and let their requests wait while one is moved", GroupID: groupServe,
		Long: `A tenant that is fenced sends no request to either application: the gateways let its
requests wait, and then they go where the tenant was placed. Nobody else notices.

  replank tenants fence acme --hold 30s    # returns when no request of it is under way
  ...                                      # move what has to be moved
  replank tenants place acme modern        # its requests go on, on the new side`,
	}
	cmd.AddCommand(a.tenantsList(), a.tenantsFence(), a.tenantsPlace(), a.tenantsRelease(), a.tenantsForget())
	return cmd
}

// tenantListed is a placement as it is printed.
type tenantListed struct {
	Tenant    string     `json:"tenant"`
	App       string     `json:"app,omitempty"` // "": the routes decide
	State     string     `json:"state"`
	Epoch     int64      `json:"epoch"`
	Until     *time.Time `json:"until,omitempty"`
	ChangedAt time.Time  `json:"changed_at"`
	ChangedBy string     `json:"changed_by"`
}

// gatewayListed is a gateway as it is printed.
type gatewayListed struct {
	Name     string           `json:"name"`
	Tenants  bool             `json:"tells_tenants"`
	Epoch    int64            `json:"epoch"`
	InFlight map[string]int64 `json:"in_flight"`
	Started  time.Time        `json:"started_at"`
	Seen     float64          `json:"seen_ago_seconds"`
}

func tenantOf(p decisions.Placement) tenantListed {
	l := tenantListed{p.Tenant, string(p.App), p.State, p.Epoch, nil, p.ChangedAt, p.ChangedBy}
	if !p.Until.IsZero() {
		l.Until = &p.Until
	}
	return l
}

func (a *app) tenantsList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Say where tenants are, and which gateways follow", Args: arguments(cobra.NoArgs),
		Example: "  replank tenants list\n  replank tenants list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(s *decisions.Store) error {
				placements, err := s.Placements(cmd.Context())
				if err != nil {
					return err
				}
				gateways, err := s.Gateways(cmd.Context())
				if err != nil {
					return err
				}
				return a.printTenants(placements, gateways)
			})
		},
	}
}

func (a *app) printTenants(placements []decisions.Placement, gateways []decisions.Gateway) error {
	if a.set.JSON {
		tenants, at := []tenantListed{}, []gatewayListed{}
		for _, p := range placements {
			tenants = append(tenants, tenantOf(p))
		}
		for _, g := range gateways {
			at = append(at, gatewayListed{g.Name, g.Tenants, g.Epoch, g.InFlight, g.Started, g.Seen.Seconds()})
		}
		return a.printJSON(map[string]any{"kind": "tenants", "tenants": tenants, "gateways": at})
	}
	if len(placements) == 0 {
		a.out.line("no tenant was placed or fenced: the routes decide who answers")
	} else {
		rows := [][]string{{"TENANT", "ANSWERED BY", "STATE", "UNTIL", "CHANGED", "BY"}}
		for _, p := range placements {
			until := "-"
			switch left := time.Until(p.Until).Round(time.Second); {
			case p.Until.IsZero():
			case left <= 0:
				until = fmt.Sprintf("over since %s", -left)
			default:
				until = fmt.Sprintf("in %s", left)
			}
			rows = append(rows, []string{p.Tenant, cmp.Or(string(p.App), "routes"), p.State, until, p.ChangedAt.Format(time.RFC3339), p.ChangedBy})
		}
		a.out.table(rows)
	}
	for _, g := range gateways {
		line := fmt.Sprintf("gateway %s: follows epoch %d, heard of %s ago", g.Name, g.Epoch, g.Seen.Round(100*time.Millisecond))
		if !g.Tenants {
			line += ", cannot tell tenants apart"
		}
		for _, tenant := range slices.Sorted(maps.Keys(g.InFlight)) {
			line += fmt.Sprintf(", %d of %s under way", g.InFlight[tenant], tenant)
		}
		a.out.line("%s", line)
	}
	if len(gateways) == 0 {
		a.out.line("no gateway follows")
	}
	return nil
}

// fencing are the flags of what fences.
type fencing struct{ drain, hold time.Duration }

func (f *fencing) addFlags(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&f.drain, "drain", 5*time.Second, "how long requests that are under way may take; then the fence is taken back")
	cmd.Flags().DurationVar(&f.hold, "hold", 30*time.Second, "how long requests may wait; after it they get 503 until somebody places or releases the tenant")
}

func (f *fencing) check() error {
	if f.hold < time.Second || f.drain <= 0 || f.drain > f.hold {
		return &usageError{err: fmt.Errorf("--drain %s and --hold %s do not fit together", f.drain, f.hold), hint: "--hold is a second at least, and no shorter than --drain"}
	}
	return nil
}

func (a *app) tenantsFence() *cobra.Command {
	var f fencing
	cmd := &cobra.Command{
		Use: "fence TENANT", Short: "Let a tenant's requests wait, and return when none is under way", Args: arguments(cobra.ExactArgs(1)),
		Long: `Every gateway lets new requests of the tenant wait, and those that are under way end.
When all gateways have said so the tenant is "moving". Where that does not come about
within --drain the fence is taken back, and the error says who stands in the way.`,
		Example: "  replank tenants fence acme\n  replank tenants fence acme --drain 2s --hold 1m",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(s *decisions.Store) error {
				p, err := s.Fence(cmd.Context(), args[0], f.drain, f.hold, a.requester())
				if err != nil {
					return err
				}
				return a.printMoved(p.Tenant, "is fenced: none of its requests is under way, and new ones wait for %s at most (epoch %d)",
					[]any{time.Until(p.Until).Round(time.Second), p.Epoch}, tenantOf(p))
			})
		},
	}
	f.addFlags(cmd)
	return cmd
}

func (a *app) tenantsPlace() *cobra.Command {
	var f fencing
	cmd := &cobra.Command{
		Use: "place TENANT modern|legacy|routes", Short: "Say which application answers a tenant, whatever is decided about routes", Args: arguments(cobra.ExactArgs(2)),
		Long: `legacy: the legacy application answers all requests of the tenant. modern: the modern
one answers what it has a route for, the legacy one the rest. routes: as for everybody.

A tenant that is not fenced is fenced for the moment of the change, so that no request
of before is still under way on the other side.`,
		Example: "  replank tenants place acme modern\n  replank tenants place acme routes",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			app := route.App(args[1])
			switch args[1] {
			case "routes":
				app = ""
			case string(route.Modern), string(route.Legacy):
			default:
				return &usageError{err: fmt.Errorf("there is no application %q", args[1]), hint: "modern, legacy or routes"}
			}
			return a.withStore(cmd.Context(), func(s *decisions.Store) error { return a.place(cmd.Context(), s, args[0], app, f) })
		},
	}
	f.addFlags(cmd)
	return cmd
}

func (a *app) place(ctx context.Context, s *decisions.Store, tenant string, app route.App, f fencing) error {
	list, err := s.Placements(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(list, func(p decisions.Placement) bool { return p.Tenant == tenant && p.State != decisions.Settled })
	var fence decisions.Placement
	if at >= 0 {
		fence = list[at]
	} else if fence, err = s.Fence(ctx, tenant, f.drain, f.hold, a.requester()); err != nil {
		return err
	}
	if err := s.Place(ctx, tenant, fence.Epoch, app, a.requester()); err != nil {
		if at < 0 { // it is this command's own fence
			err = errors.Join(err, s.Release(context.WithoutCancel(ctx), tenant, fence.Epoch, a.requester()))
		}
		return err
	}
	return a.printMoved(tenant, "is answered by %s", []any{map[route.App]string{"": "who has the route", route.Modern: "the modern application", route.Legacy: "the legacy application"}[app]},
		map[string]any{"tenant": tenant, "app": app, "state": decisions.Settled})
}

func (a *app) tenantsRelease() *cobra.Command {
	return &cobra.Command{
		Use: "release TENANT", Short: "Take a fence back: the tenant stays where it was", Args: arguments(cobra.ExactArgs(1)),
		Long: `Takes a fence back, whoever has made it. Whoever moves the tenant finds that out when
it wants to place it. Be sure that nothing of it was moved: its requests go to the
side where it was.`,
		Example: "  replank tenants release acme",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *decisions.Store) error {
				if err := s.Release(cmd.Context(), args[0], 0, a.requester()); err != nil {
					return err
				}
				return a.printMoved(args[0], "is not fenced any more, and stays where it was", nil, map[string]any{"tenant": args[0], "state": decisions.Settled})
			})
		},
	}
}

func (a *app) tenantsForget() *cobra.Command {
	return &cobra.Command{
		Use: "forget GATEWAY...", Short: "Say that a gateway does not run any more, so that fences do not wait for it", Args: arguments(cobra.MinimumNArgs(1)),
		Long: `A gateway that was killed, and not started anew under its name, is still waited for:
it might have lost the database only, and serve on. Whoever forgets it has to know that
it does not run. One that was heard of within 10 s is not forgotten.`,
		Example: "  replank tenants forget 'gateway-3 10.0.0.7:8080'",
		RunE: func(cmd *cobra.Command, args []string) error {
			name := strings.Join(args, " ") // names have a space, and shells take it away
			return a.withStore(cmd.Context(), func(s *decisions.Store) error {
				n, err := s.Forget(cmd.Context(), name)
				if err != nil {
					return err
				}
				if n == 0 {
					return &usageError{err: fmt.Errorf("no gateway %q is missing", name), hint: "replank tenants list tells which there are, and when they were heard of; one that runs forgets itself when it is stopped"}
				}
				if a.set.JSON {
					return a.printJSON(map[string]any{"kind": "tenants", "forgotten": name, "gateways": n})
				}
				a.out.line("gateway %s is forgotten", name)
				return nil
			})
		},
	}
}

// printMoved says what has become of a tenant.
func (a *app) printMoved(tenant, said string, args []any, data any) error {
	if a.set.JSON {
		return a.printJSON(map[string]any{"kind": "tenant", "tenant": data})
	}
	a.out.line("tenant %s "+said, append([]any{tenant}, args...)...)
	return nil
}
