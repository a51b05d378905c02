package demo

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// operation is one request. It may be run again from its beginning.
type operation func(ctx context.Context) error

// pick chooses the next request: six of ten read. Every name in a statement stands there as an application
// would write it; what differs between old and new code stands side by side.
func (c *client) pick() operation {
	s := c.using
	if s == bothShapes {
		s = []shape{oldShape, newShape}[c.rng.IntN(2)]
	}
	switch n := c.rng.IntN(100); {
	case n < 20:
		return c.readInvoice()
	case n < 36:
		return c.readOne(customers, s)
	case n < 52:
		return c.readOne(accounts, s)
	case n < 60:
		return c.readOne(payments, s)
	case n < 70:
		return c.rename(customers, s)
	case n < 80:
		return c.rename(accounts, s)
	case n < 87:
		return c.pay()
	case n < 90:
		return c.newCustomer(s)
	case n < 94:
		return c.touch()
	}
	return c.book()
}

// entity is a table whose rows the clients read and change one by one.
type entity struct {
	table string
	read  [2]string // explicit columns: the id and what the ledger knows, in old and new words
	all   string
	write [2]string // $1 id, $2… the words of the value
	words [2]func(value string) []any
}

func whole(v string) []any { return []any{v} }

func twoWords(v string) []any {
	for i := range v {
		if v[i] == ' ' {
			return []any{v[:i], v[i+1:]}
		}
	}
	return []any{v, ""}
}

var customers = entity{
	table: "customers",
	read: [2]string{
		"SELECT id, name FROM customers WHERE id = $1",
		"SELECT id, first_name || ' ' || last_name FROM customers WHERE id = $1",
	},
	all: "SELECT * FROM customers WHERE id = $1",
	write: [2]string{
		"UPDATE customers SET name = $2 WHERE id = $1",
		"UPDATE customers SET first_name = $2, last_name = $3 WHERE id = $1",
	},
	words: [2]func(string) []any{whole, twoWords},
}

var accounts = entity{
	table: "accounts",
	read: [2]string{
		"SELECT id, label FROM accounts WHERE id = $1",
		"SELECT id, title FROM accounts WHERE id = $1",
	},
	all: "SELECT * FROM accounts WHERE id = $1",
	write: [2]string{
		"UPDATE accounts SET label = $2 WHERE id = $1",
		"UPDATE accounts SET title = $2 WHERE id = $1",
	},
	words: [2]func(string) []any{whole, whole},
}

var payments = entity{
	table: "payments",
	read: [2]string{
		"SELECT id, status::text FROM payments WHERE id = $1",
		"SELECT id, status::text FROM payments WHERE id = $1",
	},
	all: "SELECT * FROM payments WHERE id = $1",
}

func (s shape) index() int {
	if s == newShape {
		return 1
	}
	return 0
}

// anyRow is a row of the sample data.
func (c *client) anyRow(table string) int64 { return 1 + c.rng.Int64N(c.f.rows[table]) }

// shared is every how many rows one belongs to a client, who alone changes it; nobody changes the others, so
// that they can be compared with what they were.
const shared = 8

// ownRow is a row that only this client changes.
func (c *client) ownRow(table string) int64 {
	slots := c.f.rows[table] / shared / int64(len(c.f.clients))
	return shared * (int64(c.n) + 1 + c.rng.Int64N(slots-1)*int64(len(c.f.clients)))
}

// readOne reads a row, and when it is one that this client has written, compares.
func (c *client) readOne(e entity, s shape) operation {
	id, want := c.anyRow(e.table), ""
	if c.rng.IntN(2) == 0 {
		if known, value, ok := c.ledger.any(e.table, c.rng); ok {
			id, want = known, value
		}
	}
	if want == "" && c.rng.IntN(2) == 0 {
		return func(ctx context.Context) error { return c.readAll(ctx, e.all, id) }
	}
	return func(ctx context.Context) error { return c.check(ctx, e, s, id, want) }
}

// check reads a row through one shape.
func (c *client) check(ctx context.Context, e entity, s shape, id int64, want string) error {
	var got string
	c.statements++
	if err := c.conn.QueryRow(ctx, e.read[s.index()], id).Scan(new(int64), &got); err != nil {
		return err
	}
	if want == "" {
		return nil
	}
	c.f.compared(1)
	if got != want {
		c.f.differs("%s %d: wrote %q, and another read found %q", e.table, id, want, got)
	}
	return nil
}

// readAll is SELECT *: prepared on the server, it is the one statement that a new column disturbs.
func (c *client) readAll(ctx context.Context, sql string, args ...any) error {
	c.statements++
	rows, err := c.conn.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		if _, err := rows.Values(); err != nil {
			return err
		}
		n++
	}
	if rows.Err() == nil && n != 1 {
		return fmt.Errorf("%d rows instead of one: %s", n, sql)
	}
	return rows.Err()
}

func (c *client) readInvoice() operation {
	id := c.anyRow("invoices")
	return func(ctx context.Context) error {
		var number, currency, total string
		c.statements++
		err := c.conn.QueryRow(ctx, "SELECT number, currency, total::text FROM invoices WHERE id = $1", id).Scan(&number, &currency, &total)
		if err != nil {
			return err
		}
		c.statements++
		rows, err := c.conn.Query(ctx, "SELECT id, invoice_id, amount::text, posted_on FROM entries WHERE invoice_id = $1", id)
		if err != nil {
			return err
		}
		_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (n int64, err error) {
			err = row.Scan(&n, nil, nil, nil)
			return n, err
		})
		return err
	}
}

// rename writes a row of one's own through one shape; while both live, it looks at once through the other.
func (c *client) rename(e entity, s shape) operation {
	id := c.ownRow(e.table)
	c.made++
	value := fmt.Sprintf("Client%d Value%d", c.n, c.made)
	return func(ctx context.Context) error {
		err := c.change(ctx, e.table, id, value, e.write[s.index()], append([]any{id}, e.words[s.index()](value)...)...)
		if err != nil || c.using != bothShapes {
			return err
		}
		return c.check(ctx, e, oldShape+newShape-s, id, value)
	}
}

func (c *client) pay() operation {
	id := c.ownRow("payments")
	value := []string{"open", "paid", "failed"}[c.rng.IntN(3)]
	return func(ctx context.Context) error {
		return c.change(ctx, "payments", id, value, "UPDATE payments SET status = $2::text::payment_status WHERE id = $1", id, value)
	}
}

// touch updates a row of anyone's, like so many applications do, without changing what is in it.
func (c *client) touch() operation {
	t := []struct{ table, sql string }{
		{"customers", "UPDATE customers SET email = email WHERE id = $1"},
		{"accounts", "UPDATE accounts SET number = number WHERE id = $1"},
		{"invoices", "UPDATE invoices SET total = total WHERE id = $1"},
		{"entries", "UPDATE entries SET memo = memo WHERE id = $1"},
		{"deliveries", "UPDATE deliveries SET address = address WHERE id = $1"},
		{"payments", "UPDATE payments SET paid_at = paid_at WHERE id = $1"},
	}[c.rng.IntN(6)]
	id := c.anyRow(t.table)
	return func(ctx context.Context) error {
		c.statements++
		tag, err := c.conn.Exec(ctx, t.sql, id)
		if err == nil && tag.RowsAffected() != 1 {
			c.f.differs("%s %d: an update found %d rows", t.table, id, tag.RowsAffected())
		}
		return err
	}
}

// change updates one row and puts it down in the ledger when the server has said that it is committed.
func (c *client) change(ctx context.Context, table string, id int64, value, sql string, args ...any) error {
	c.statements++
	tag, err := c.conn.Exec(ctx, sql, args...)
	if err != nil {
		c.ledger.unsure(id, err, table)
		return err
	}
	if tag.RowsAffected() != 1 {
		c.f.differs("%s %d: an update found %d rows", table, id, tag.RowsAffected())
	}
	c.ledger.put(table, id, value)
	return nil
}

func (c *client) newCustomer(s shape) operation {
	c.made++
	name := fmt.Sprintf("Client%d New%d", c.n, c.made)
	sql := [2]string{
		"INSERT INTO customers (name, email, since) VALUES ($1, $2, current_date) RETURNING id",
		"INSERT INTO customers (first_name, last_name, email, since) VALUES ($1, $2, $3, current_date) RETURNING id",
	}[s.index()]
	return func(ctx context.Context) error {
		args := append(customers.words[s.index()](name), strconv.Itoa(c.made)+"@new.example.com")
		var id int64
		c.statements++
		if err := c.conn.QueryRow(ctx, sql, args...).Scan(&id); err != nil {
			c.ledger.unsure(0, err, "customers")
			return err
		}
		c.ledger.put("customers", id, name)
		if c.using != bothShapes {
			return nil
		}
		return c.check(ctx, customers, oldShape+newShape-s, id, name)
	}
}

// book writes an invoice with its entries, and sometimes a delivery, in one transaction.
func (c *client) book() operation {
	c.made++
	number, memo := fmt.Sprintf("NEW-%d-%d", c.n, c.made), fmt.Sprintf("by client %d, number %d", c.n, c.made)
	account, other := c.anyRow("accounts"), c.anyRow("accounts")
	amount := fmt.Sprintf("%d.%02d", c.rng.IntN(9000)+1, c.rng.IntN(100))
	deliver := c.rng.IntN(3) == 0
	day := time.Date(2024, 1, 1+c.rng.IntN(300), 0, 0, 0, 0, time.UTC)
	return func(ctx context.Context) error {
		made := pages{}
		err := pgx.BeginFunc(ctx, c.conn, func(tx pgx.Tx) error {
			var invoice int64
			insert := func(table, value, sql string, args ...any) (id int64, err error) {
				c.statements++
				if err := tx.QueryRow(ctx, sql, args...).Scan(&id); err != nil {
					return 0, err
				}
				made.put(table, id, value)
				return id, nil
			}
			invoice, err := insert("invoices", number+"|EUR|"+amount,
				"INSERT INTO invoices (account_id, number, currency, total, issued_on) VALUES ($1, $2, 'EUR', $3::text::numeric, $4) RETURNING id",
				account, number, amount, day)
			if err != nil {
				return err
			}
			for sign, account := range map[string]int64{"": account, "-": other} {
				_, err = insert("entries", fmt.Sprintf("%d|%d|%s%s|%s", invoice, account, sign, amount, memo),
					"INSERT INTO entries (invoice_id, account_id, amount, posted_on, memo) VALUES ($1, $2, $3::text::numeric, $4, $5) RETURNING id",
					invoice, account, sign+amount, day, memo)
				if err != nil {
					return err
				}
			}
			if !deliver {
				return nil
			}
			_, err = insert("deliveries", fmt.Sprintf("%d|%s", invoice, memo),
				"INSERT INTO deliveries (invoice_id, address) VALUES ($1, $2) RETURNING id", invoice, memo)
			return err
		})
		if err != nil {
			c.ledger.unsure(0, err, "invoices", "entries", "entries", "deliveries")
			return err
		}
		c.ledger.add(made)
		return nil
	}
}
