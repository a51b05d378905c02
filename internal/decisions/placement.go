package decisions

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/route"
)

// Placement is where a tenant is.
type Placement struct {
	Tenant string
	// App answers the tenant; "": the routes decide.
	App   route.App
	State string
	// Epoch is a number of the last change. Whoever has fenced the tenant shows it to go on: when somebody else has changed
	// the placement since, it is another one.
	Epoch int64
	// Until is how long requests may wait, by this process's clock; zero where the tenant is settled.
	Until     time.Time
	ChangedAt time.Time
	ChangedBy string
}

//go:embed placements.sql
var placementsSQL string

//go:embed place.sql
var placeSQL string

//go:embed unconfirmed.sql
var unconfirmedSQL string

// Placements returns all that are known. A tenant that is not among them is settled, and the routes decide.
func (s *Store) Placements(ctx context.Context) (list []Placement, err error) {
	err = s.db.Ask(ctx, func(q pg.Querier) error {
		_, list, err = placementsSince(ctx, q, -1)
		return err
	})
	return list, err
}

// placementsSince returns what has changed since an epoch, and the epoch as of now.
func placementsSince(ctx context.Context, q pg.Querier, since int64) (now int64, list []Placement, err error) {
	rows, err := q.Query(ctx, placementsSQL, since)
	if err != nil {
		return 0, nil, fmt.Errorf("read where tenants are: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p Placement
		var app, tenant, state, by *string
		var epoch *int64
		var left *float64
		var changed *time.Time
		if err := rows.Scan(&now, &tenant, &app, &state, &epoch, &left, &changed, &by); err != nil {
			return 0, nil, fmt.Errorf("read where tenants are: %w", err)
		}
		if tenant == nil {
			continue // none has changed
		}
		p = Placement{Tenant: *tenant, App: route.App(*app), State: *state, Epoch: *epoch, ChangedAt: *changed, ChangedBy: *by}
		if left != nil {
			p.Until = time.Now().Add(time.Duration(*left * float64(time.Second)))
		}
		list = append(list, p)
	}
	return now, list, rows.Err()
}

// looksEvery is how often Fence asks whether all gateways have confirmed: clients wait.
const looksEvery = 10 * time.Millisecond

// Fence lets requests of a tenant wait, for at most hold, and returns when every gateway has said that it follows and has
// none under way: the tenant is Moving then, until Place or Release is called with its epoch. When that does not come
// about within drain, the fence is taken back, and the error says who stands in the way.
//
// Nobody is believed to be gone: a gateway that cannot reach the database may still serve. It has to be stopped, or
// forgotten (Forget) by somebody who knows that it is.
func (s *Store) Fence(ctx context.Context, tenant string, drain, hold time.Duration, by string) (Placement, error) {
	if err := checkTenant(tenant); err != nil {
		return Placement{}, err
	}
	if hold < time.Second || drain <= 0 || drain > hold {
		return Placement{}, fmt.Errorf("a fence of %s that has %s to come into force: hold must be a second at least, and as long as that", hold, drain)
	}
	fence, err := s.step(ctx, Placement{Tenant: tenant, State: Fenced, ChangedBy: by}, 0, hold, false)
	if err != nil {
		return Placement{}, err
	}
	until := fence.Until
	if err = s.inForce(ctx, fence, drain); err == nil {
		// What is under way may have sent requests until now; from here on they wait, too. So that none is between, all
		// gateways are asked once more.
		var moving Placement
		if moving, err = s.step(ctx, Placement{Tenant: tenant, State: Moving, ChangedBy: by}, fence.Epoch, 0, false); err == nil {
			fence = moving
			fence.Until = until
			if err = s.inForce(ctx, fence, drain); err == nil {
				return fence, nil
			}
		}
	}
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if back := s.Release(bound, tenant, fence.Epoch, by); back != nil {
		err = errors.Join(err, fmt.Errorf("take the fence of tenant %s back: %w", tenant, back))
	}
	return Placement{}, err
}

// inForce returns when all gateways have confirmed a fence.
func (s *Store) inForce(ctx context.Context, fence Placement, drain time.Duration) error {
	over := time.NewTimer(drain)
	defer over.Stop()
	for {
		var open []string
		err := s.db.Ask(ctx, func(q pg.Querier) error {
			rows, err := q.Query(ctx, unconfirmedSQL, fence.Tenant, fence.Epoch)
			if err != nil {
				return err
			}
			open, err = pgx.CollectRows(rows, unconfirmed)
			return err
		})
		if err != nil {
			return fmt.Errorf("ask whether the fence of tenant %s is in force: %w", fence.Tenant, err)
		}
		if len(open) == 0 {
			return nil
		}
		select {
		case <-over.C:
			return &FenceError{fence.Tenant, drain, open}
		case <-ctx.Done():
			return fmt.Errorf("wait for the fence of tenant %s: %w", fence.Tenant, context.Cause(ctx))
		case <-time.After(looksEvery):
		}
	}
}

// unconfirmed says why a gateway stands in the way.
func unconfirmed(row pgx.CollectableRow) (string, error) {
	var name string
	var tenants, follows bool
	var flying int64
	var seen float64
	if err := row.Scan(&name, &tenants, &follows, &flying, &seen); err != nil {
		return "", err
	}
	age := time.Duration(seen * float64(time.Second)).Round(time.Second)
	switch {
	case !tenants:
		return name + " cannot tell tenants apart (tenant_header, tenant_host, tenant_path, [identity])", nil
	case age > goneAfter:
		return fmt.Sprintf("%s was last heard of %s ago", name, age), nil
	case !follows:
		return name + " has not heard of it yet", nil
	}
	return fmt.Sprintf("%s has %d of its requests under way", name, flying), nil
}

// FenceError: a fence did not come into force, and was taken back.
type FenceError struct {
	Tenant string
	After  time.Duration
	// Open says of each gateway why.
	Open []string
}

func (e *FenceError) Error() string {
	return fmt.Sprintf("the fence of tenant %s was not in force after %s, and was taken back: %s", e.Tenant, e.After, strings.Join(e.Open, "; "))
}

// Hint says what to do.
func (e *FenceError) Hint() string {
	return "wait for what is under way, or end it; of a gateway that does not run any more, say so with replank tenants forget"
}

// Place settles a tenant whose fence is in force, and says who answers it from now on; "": the routes decide. epoch is
// the fence's.
func (s *Store) Place(ctx context.Context, tenant string, epoch int64, app route.App, by string) error {
	if app != "" && app != route.Modern && app != route.Legacy {
		return fmt.Errorf("place tenant %s: there is no application %q: modern or legacy", tenant, app)
	}
	if epoch == 0 {
		return fmt.Errorf("place tenant %s: the epoch of its fence is missing", tenant)
	}
	_, err := s.step(ctx, Placement{Tenant: tenant, App: app, State: Settled, ChangedBy: by}, epoch, 0, true)
	return err
}

// Release takes a fence back: the tenant stays where it was. epoch is the fence's; 0, whosever it is.
func (s *Store) Release(ctx context.Context, tenant string, epoch int64, by string) error {
	_, err := s.step(ctx, Placement{Tenant: tenant, State: Settled, ChangedBy: by}, epoch, 0, false)
	return err
}

// step takes a tenant to another state, if its placement is still the one with the epoch (0: whatever it is), and returns
// what was written. The application stays the same unless place is set, for which the fence must be in force.
func (s *Store) step(ctx context.Context, to Placement, epoch int64, hold time.Duration, place bool) (Placement, error) {
	err := s.notify(ctx, "placement", func(tx pgx.Tx) error {
		// The lock of this row: changes come one after another, in the order of their numbers.
		if err := tx.QueryRow(ctx, "UPDATE replank.placement_epoch SET epoch = epoch + 1 RETURNING epoch").Scan(&to.Epoch); err != nil {
			return err
		}
		from := Placement{Tenant: to.Tenant, State: Settled}
		err := tx.QueryRow(ctx, "SELECT coalesce(app, ''), state, epoch, changed_at, changed_by FROM replank.placement WHERE tenant = $1", to.Tenant).
			Scan(&from.App, &from.State, &from.Epoch, &from.ChangedAt, &from.ChangedBy)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if !Placements.Can(from.State, to.State) || epoch != 0 && from.Epoch != epoch || place && from.State != Moving {
			return &StateError{from, to.State}
		}
		if !place {
			to.App = from.App
		}
		var left *float64
		if to.State != Settled {
			seconds := hold.Seconds()
			left, to.Until = &seconds, time.Now().Add(hold)
		}
		_, err = tx.Exec(ctx, placeSQL, to.Tenant, string(to.App), to.State, to.Epoch, left, to.ChangedBy)
		return err
	})
	if err != nil {
		return Placement{}, fmt.Errorf("write where tenant %s is: %w", to.Tenant, err)
	}
	return to, nil
}

// StateError: a placement is not what somebody took it for.
type StateError struct {
	Is   Placement
	Want string // the state it was to be taken to
}

func (e *StateError) Error() string {
	by := ""
	if e.Is.ChangedBy != "" {
		by = fmt.Sprintf(" since %s, by %s", e.Is.ChangedAt.Format(time.RFC3339), e.Is.ChangedBy)
	}
	return fmt.Sprintf("the tenant is %s%s (epoch %d), and cannot become %s from there", e.Is.State, by, e.Is.Epoch, e.Want)
}

// Hint says what to do.
func (e *StateError) Hint() string {
	switch {
	case e.Is.State == Settled && e.Want == Settled:
		return "it has no fence: replank tenants list tells who has one"
	case e.Is.State == Settled:
		return "fence it first"
	}
	return "somebody else moves it: wait, or take that fence back with replank tenants release"
}

func checkTenant(tenant string) error {
	if tenant == "" || len(tenant) > maxTenant {
		return fmt.Errorf("the name of a tenant has 1 to %d bytes, not %d", maxTenant, len(tenant))
	}
	return nil
}

// maxTenant bounds the names of tenants.
const maxTenant = 256
