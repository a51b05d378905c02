package migrate

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"

	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/plan"
)

//go:embed room.sql
var roomSQL string

const acceptRoom = "room"

// fillWAL is what a fill writes of WAL, in multiples of the bytes of its table: an upper bound of what make bench
// measures.
const fillWAL = 4

// writes estimates what the pending files add to the disk, and the WAL that this takes. Neither a fill nor an index
// makes more than a table twice as large.
func (p *Preview) writes() (disk, wal int64) {
	for _, f := range p.Pending() {
		if f.Plan == nil {
			continue
		}
		for _, s := range f.Plan.Steps {
			switch {
			case s.Fill != nil:
				disk, wal = disk+s.Bytes, wal+fillWAL*s.Bytes
			case s.Kind == plan.Concurrently || s.Kind == plan.Long:
				disk, wal = disk+s.Bytes, wal+s.Bytes
			}
		}
	}
	return disk, wal
}

// enoughRoom is worth no question below this many bytes.
const enoughRoom = 64 << 20

// room looks whether disk and replication slots can take what the pending files write. What cannot be seen, the free
// disk of a server elsewhere for instance, is not guessed: Config.DiskFree says it.
func (e *Engine) room(ctx context.Context, p *Preview) ([]string, error) {
	disk, wal := p.writes()
	if disk+wal < enoughRoom && e.cfg.DiskFree == 0 {
		return nil, nil
	}
	var maxWAL int64
	var dir *string
	slots := map[string]int64{}
	err := e.db.Ask(ctx, func(q pg.Querier) error {
		return q.QueryRow(ctx, roomSQL).Scan(&maxWAL, &dir, &slots)
	})
	if err != nil {
		return nil, fmt.Errorf("look for room on the disk: %w", err)
	}
	var out []string
	kept := false
	for _, name := range slices.Sorted(maps.Keys(slots)) {
		switch left := slots[name]; {
		case left < 0:
			kept = true // all of our WAL will lie on the disk until somebody reads the slot
		case left < wal:
			out = append(out, fmt.Sprintf("replication slot %s is not read: it is lost after %s more of WAL (max_slot_wal_keep_size), and the fills write up to %s",
				name, megabytes(left), megabytes(wal)))
		}
	}
	if !kept {
		wal = min(wal, maxWAL)
	}
	free, known := e.cfg.DiskFree, e.cfg.DiskFree > 0
	if !known && dir != nil {
		free, known = diskFree(*dir)
	}
	if known && free < disk+wal {
		out = append(out, fmt.Sprintf("the disk has %s free, and up to %s are needed for a while: %s for tables and indexes, %s for WAL",
			megabytes(free), megabytes(disk+wal), megabytes(disk), megabytes(wal)))
	}
	return out, nil
}

func megabytes(n int64) string { return fmt.Sprintf("%d MB", (n+1<<20-1)>>20) }
