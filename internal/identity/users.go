package identity

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/replank/replank/internal/pg"
)

// Users says where the users are that both applications share.
type Users struct {
	// Table as SQL names it. Default: "auth_user".
	Table string
	// ID is the column of the subject: what both applications call a user. Default: "id".
	ID string
	// Password is the column that Django's session hash is checked against. Default: "password".
	Password string
	// Active is a boolean column, "-" if there is none. Default: "is_active".
	Active string
	// Claims is a query with the columns roles (text[]) and tenant (text), one of them or both; $1 is the subject as text.
	// It returns one row at most, and cannot write. Default: none, tokens have neither.
	Claims string
}

func (u Users) withDefaults() Users {
	for field, value := range map[*string]string{
		&u.Table: "auth_user", &u.ID: "id", &u.Password: "password", &u.Active: "is_active",
	} {
		if *field == "" {
			*field = value
		}
	}
	return u
}

// Bounds of what the claims query may put into a token that goes into a header.
const (
	maxRoles     = 100
	maxClaimText = 4 << 10
)

type users struct {
	Users
	pool      *pgxpool.Pool
	queries   map[string]string // by the column that sessions name a user by
	passwords bool              // there is a column of passwords
}

func openUsers(ctx context.Context, pool *pgxpool.Pool, cfg Users) (users, error) {
	u := users{Users: cfg, pool: pool, queries: map[string]string{}}
	if err := u.needs(ctx, ""); err != nil {
		return u, err
	}
	if u.Claims == "" {
		return u, nil
	}
	err := pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		// The server reads the query; nobody's claims are looked up.
		described, err := c.Conn().Prepare(ctx, "", u.Claims)
		if err != nil {
			return err
		}
		for _, f := range described.Fields {
			if f.Name != "roles" && f.Name != "tenant" {
				return fmt.Errorf("it returns a column %q", f.Name)
			}
		}
		if len(described.Fields) == 0 || len(described.ParamOIDs) != 1 {
			return errors.New("it returns nothing, or does not take one parameter")
		}
		return nil
	})
	if err != nil {
		return u, &Error{Op: "try the query for claims", Err: err,
			Note: "it has to return the columns roles (text[]) and tenant (text), one or both, and take the subject as text: WHERE u.id::text = $1"}
	}
	return u, nil
}

// needs prepares the question for the user whom column names; "" is the column of the subject.
func (u *users) needs(ctx context.Context, column string) error {
	name := column
	if name == "" {
		name = u.ID
	}
	table, err := relation(ctx, u.pool, u.Table)
	if err != nil {
		return err
	}
	types := map[string]string{}
	for _, c := range []string{name, u.ID, u.Active} {
		if c == "-" {
			continue
		}
		var typ string
		err := u.pool.QueryRow(ctx, `SELECT format_type(atttypid, NULL) FROM pg_attribute
			WHERE attrelid = $1::text::regclass AND attname = $2 AND attnum > 0 AND NOT attisdropped`, table, c).Scan(&typ)
		if errors.Is(err, pgx.ErrNoRows) {
			return &Error{Op: "look at " + u.Table, Err: fmt.Errorf("it has no column %q", c), Note: "name the columns of the users' table"}
		}
		if err != nil {
			return fmt.Errorf("look at %s: %w", u.Table, err)
		}
		types[c] = typ
	}
	active := "true"
	if u.Active != "-" {
		active = "coalesce(" + pg.Ident(u.Active) + "::boolean, false)"
	}
	password := "''"
	err = u.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_attribute
		WHERE attrelid = $1::text::regclass AND attname = $2 AND attnum > 0 AND NOT attisdropped)`, table, u.Password).Scan(&u.passwords)
	if err != nil {
		return fmt.Errorf("look at %s: %w", u.Table, err)
	}
	if u.passwords {
		password = "coalesce(" + pg.Ident(u.Password) + "::text, '')"
	}
	// The constant is cast and not the column, so that an index serves.
	u.queries[column] = fmt.Sprintf("SELECT %s::text, %s, %s FROM %s WHERE %s = $1::text::%s LIMIT 2",
		pg.Ident(u.ID), active, password, table, pg.Ident(name), types[name])
	return nil
}

// relation returns a table's name as the server writes it.
func relation(ctx context.Context, pool *pgxpool.Pool, table string) (string, error) {
	var name *string
	err := pool.QueryRow(ctx, "SELECT to_regclass($1)::text", table).Scan(&name)
	if err != nil {
		return "", fmt.Errorf("look for table %s: %w", table, err)
	}
	if name == nil {
		return "", &Error{Op: "look for table " + table, Err: errors.New("it does not exist, or we may not see it"),
			Note: "name the table as SQL does, with its schema, or GRANT USAGE on the schema"}
	}
	return *name, nil
}

// find returns the subject that a proof is about.
func (u users) find(ctx context.Context, p proof) (string, error) {
	rows, err := u.pool.Query(ctx, u.queries[p.column], p.user)
	if err != nil {
		return "", userError(err)
	}
	defer rows.Close()
	var subject, password string
	var active bool
	n := 0
	for rows.Next() {
		n++
		if err := rows.Scan(&subject, &active, &password); err != nil {
			return "", err
		}
	}
	switch {
	case rows.Err() != nil:
		return "", userError(rows.Err())
	case n == 0:
		return "", refusal("there is no such user")
	case n > 1:
		return "", refusal("several users have that name")
	case !active:
		return "", refusal("the user is not active")
	case p.matches != nil && !p.matches(password):
		return "", refusal("the password was changed since")
	}
	return subject, nil
}

// userError: what cannot be an id of the column's type is nobody's.
func userError(err error) error {
	if strings.HasPrefix(pg.SQLState(err), "22") {
		return refusal("that cannot be a user's id")
	}
	return fmt.Errorf("look the user up: %w", err)
}

// claims asks for roles and tenant.
func (u users) claims(ctx context.Context, subject string) (roles []string, tenant string, err error) {
	if u.Claims == "" {
		return nil, "", nil
	}
	rows, err := u.pool.Query(ctx, u.Claims, subject)
	if err != nil {
		return nil, "", fmt.Errorf("ask for roles and tenant: %w", err)
	}
	type claims struct {
		Roles  []string
		Tenant *string
	}
	c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByNameLax[claims])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, "", nil
	case err != nil:
		return nil, "", fmt.Errorf("ask for roles and tenant: %w", err)
	}
	if c.Tenant != nil {
		tenant = *c.Tenant
	}
	length := len(tenant)
	for _, r := range c.Roles {
		length += len(r)
	}
	if len(c.Roles) > maxRoles || length > maxClaimText {
		return nil, "", fmt.Errorf("user %s has %d roles, in all %d bytes: at most %d and %d fit into a token",
			subject, len(c.Roles), length, maxRoles, maxClaimText)
	}
	return c.Roles, tenant, nil
}

//go:embed revoked.sql
var revokedSQL string

// revoked says whether a session was ended.
func (a *Authority) revoked(ctx context.Context, p proof, subject string) (bool, error) {
	var is bool
	var started any
	if !p.started.IsZero() {
		started = p.started
	}
	if err := a.control.QueryRow(ctx, revokedSQL, p.sid, subject, p.unique, started).Scan(&is); err != nil {
		return false, fmt.Errorf("ask whether a session was revoked: %w", err)
	}
	return is, nil
}
