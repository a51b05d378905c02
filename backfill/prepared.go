package backfill

import (
	"context"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// prepared keeps one prepared statement on each connection: ranges come by the thousand, and to parse and plan an
// UPDATE takes as long as to change twenty rows. One, because a table may have thousands of partitions.
type prepared struct {
	mu sync.Mutex
	on map[*pgx.Conn]string // its SQL
}

const preparedName = "replank_fill"

func (p *prepared) exec(ctx context.Context, tx pgx.Tx, sql string, args []any) (tag pgconn.CommandTag, err error) {
	if err := p.prepare(ctx, tx, sql); err != nil {
		return tag, err
	}
	return tx.Exec(ctx, preparedName, args...)
}

func (p *prepared) prepare(ctx context.Context, tx pgx.Tx, sql string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	conn := tx.Conn()
	was, is := p.on[conn]
	if is && was == sql {
		return nil
	}
	if is {
		delete(p.on, conn)
		if err := conn.Deallocate(ctx, preparedName); err != nil {
			return fmt.Errorf("forget a prepared statement: %w", err)
		}
	}
	if _, err := tx.Prepare(ctx, preparedName, sql); err != nil {
		return err
	}
	p.on[conn] = sql
	return nil
}
