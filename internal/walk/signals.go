package walk

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
)

var (
	//go:embed replicas.sql
	replicasSQL string
	//go:embed slots.sql
	slotsSQL string
	//go:embed archiver.sql
	archiverSQL string
	//go:embed sessions.sql
	sessionsSQL string
	//go:embed deadtuples.sql
	deadTuplesSQL string
)

const mb = 1 << 20

// Health is every signal there is about the server and the table, with limits that need no tuning. A Health value
// belongs to one walk: some signals judge against what they saw first.
func Health(table string) []Signal {
	return []Signal{
		&replicaSignal{slow: 5 * time.Second, stop: 20 * time.Second, slowBytes: 64 * mb, stopBytes: 512 * mb},
		&slotSignal{slow: 0.5, stop: 0.25, grown: 8192 * mb},
		&archiveSignal{slow: 32, stop: 256},
		&sessionSignal{},
		&snapshotSignal{age: 30 * time.Minute, table: table},
		&deadSignal{table: table},
	}
}

// ReadHealth is what matters to a walk that only reads.
func ReadHealth() []Signal { return []Signal{&sessionSignal{}} }

var errPrivilege = errors.New("the role may not see other sessions; GRANT pg_monitor TO it")

// replicaSignal: standbys and logical consumers fall behind.
type replicaSignal struct {
	slow, stop           time.Duration
	slowBytes, stopBytes float64
}

func (*replicaSignal) Name() string { return "replica lag" }

func (s *replicaSignal) Check(ctx context.Context, q pg.Querier) (v Verdict, err error) {
	var bytes, seconds float64
	var hidden int64
	var name string
	if err := q.QueryRow(ctx, replicasSQL).Scan(&bytes, &seconds, &hidden, &name); err != nil {
		return v, err
	}
	if hidden > 0 {
		return v, errPrivilege
	}
	lag := time.Duration(seconds * float64(time.Second))
	v.Why = fmt.Sprintf("%s is %.0f MB and %s behind", name, bytes/mb, lag.Round(time.Millisecond))
	// The time alone may be of a commit long ago on an idle system; bytes alone say little of a slow link.
	switch {
	case bytes > s.stopBytes || lag > s.stop && bytes > mb:
		v.Level = Stop
	case bytes > s.slowBytes || lag > s.slow && bytes > mb:
		v.Level = Slow
	}
	return v, nil
}

// slotSignal: replication slots keep WAL, up to a limit at which the server gives them up, or without one until the
// disk is full.
type slotSignal struct {
	slow, stop float64 // share of max_slot_wal_keep_size that is left
	grown      float64 // bytes, where there is no limit
	first      map[string]float64
}

func (*slotSignal) Name() string { return "replication slots" }

func (s *slotSignal) Check(ctx context.Context, q pg.Querier) (worst Verdict, err error) {
	if s.first == nil {
		s.first = map[string]float64{}
	}
	rows, err := q.Query(ctx, slotsSQL)
	if err != nil {
		return worst, err
	}
	var name string
	var kept, left float64
	_, err = pgx.ForEachRow(rows, []any{&name, &kept, &left}, func() error {
		if _, seen := s.first[name]; !seen {
			s.first[name] = kept
		}
		v := Verdict{Why: fmt.Sprintf("slot %s keeps %.0f MB of WAL", name, kept/mb)}
		grown := kept - s.first[name]
		switch {
		case left < s.stop || grown > s.grown:
			v.Level = Stop
		case left < s.slow || grown > s.grown/2:
			v.Level = Slow
		}
		if v.Level > worst.Level {
			worst = v
		}
		return nil
	})
	return worst, err
}

// archiveSignal: WAL is made faster than it is archived, or archiving fails.
type archiveSignal struct{ slow, stop int64 }

func (*archiveSignal) Name() string { return "WAL archive" }

func (s *archiveSignal) Check(ctx context.Context, q pg.Querier) (v Verdict, err error) {
	var on, failing, mayList bool
	var file string
	if err := q.QueryRow(ctx, archiverSQL).Scan(&on, &failing, &file, &mayList); err != nil || !on {
		return v, err
	}
	if failing {
		return Verdict{Level: Stop, Why: "archiving of " + file + " fails"}, nil
	}
	if !mayList {
		return v, nil // the queue is for pg_monitor to see; that archiving works we have just seen
	}
	var ready int64
	err = q.QueryRow(ctx, `SELECT count(*) FROM pg_catalog.pg_ls_archive_statusdir() WHERE name LIKE '%.ready'`).Scan(&ready)
	if err != nil {
		return v, err
	}
	v.Why = fmt.Sprintf("%d WAL files wait to be archived", ready)
	switch {
	case ready > s.stop:
		v.Level = Stop
	case ready > s.slow:
		v.Level = Slow
	}
	return v, nil
}

// sessionSignal: others wait for our locks, or the machine has more work than cores. While others are at work at all,
// half of the cores are theirs: a statement of a millisecond that finds every core busy waits for several.
type sessionSignal struct {
	cores          int
	active, recent float64 // smoothed
}

func (*sessionSignal) Name() string { return "sessions" }

func (s *sessionSignal) Check(ctx context.Context, q pg.Querier) (v Verdict, err error) {
	if s.cores == 0 {
		s.cores = coresOf(ctx, q)
	}
	seen, err := lookAtSessions(ctx, q)
	if err != nil {
		return v, err
	}
	s.active += 0.4 * (float64(seen.active) - s.active)
	s.recent += 0.4 * (float64(seen.recent) - s.recent)
	if s.recent > 0.5 {
		v.Hands = max(1, s.cores/2)
	}
	switch {
	case seen.waiting > 0:
		v.Level, v.Why = Slow, fmt.Sprintf("%d sessions wait for locks of ours", seen.waiting)
		return v, nil
	case s.active > 8*float64(s.cores):
		v.Level = Stop
	case s.active > 0.75*float64(s.cores):
		v.Level = Slow
	}
	v.Why = fmt.Sprintf("%.0f sessions of others at work, %.1f at the same time, on %d cores", s.recent, s.active, s.cores)
	return v, nil
}

// coresOf is known where the server runs beside us; elsewhere a middling machine is assumed.
func coresOf(ctx context.Context, q pg.Querier) int {
	var addr *string
	if err := q.QueryRow(ctx, "SELECT host(pg_catalog.inet_server_addr())").Scan(&addr); err != nil {
		return 4
	}
	if addr == nil { // a Unix socket
		return runtime.NumCPU()
	}
	if ip := net.ParseIP(*addr); ip != nil && ip.IsLoopback() {
		return runtime.NumCPU()
	}
	return 4
}

type sessionsSeen struct {
	active, waiting int64
	recent          int64 // did something within the last second
	oldest          time.Duration
	oldestPID       int32
}

func lookAtSessions(ctx context.Context, q pg.Querier) (s sessionsSeen, err error) {
	var hidden int64
	var oldest float64
	if err := q.QueryRow(ctx, sessionsSQL).Scan(&s.active, &s.recent, &s.waiting, &hidden, &oldest, &s.oldestPID); err != nil {
		return s, err
	}
	if hidden > 0 {
		return s, errPrivilege
	}
	s.oldest = time.Duration(oldest * float64(time.Second))
	return s, nil
}

// snapshotSignal: while an old snapshot keeps dead rows from being removed, every row we change stays as bloat. That
// slows us only once the table has gathered some.
type snapshotSignal struct {
	age   time.Duration
	table string
}

func (*snapshotSignal) Name() string { return "oldest snapshot" }

func (s *snapshotSignal) Check(ctx context.Context, q pg.Querier) (v Verdict, err error) {
	seen, err := lookAtSessions(ctx, q)
	if err != nil || seen.oldest < s.age {
		return v, err
	}
	dead, live, err := deadTuples(ctx, q, s.table)
	if err != nil {
		return v, err
	}
	if dead > live/5+100_000 {
		v = Verdict{Level: Slow, Why: fmt.Sprintf("pid %d keeps %d dead rows from being removed, for %s", seen.oldestPID, dead, seen.oldest.Round(time.Second))}
	}
	return v, nil
}

// deadSignal: vacuum does not keep up. One pass over a table makes each row dead once, so only more than that counts.
type deadSignal struct{ table string }

func (*deadSignal) Name() string { return "dead rows" }

func (s *deadSignal) Check(ctx context.Context, q pg.Querier) (v Verdict, err error) {
	dead, live, err := deadTuples(ctx, q, s.table)
	if err != nil {
		return v, err
	}
	if dead > live*3/2+1_000_000 {
		v = Verdict{Level: Slow, Why: fmt.Sprintf("%d dead rows beside %d live ones: vacuum does not keep up", dead, live)}
	}
	return v, nil
}

func deadTuples(ctx context.Context, q pg.Querier, table string) (dead, live int64, err error) {
	err = q.QueryRow(ctx, deadTuplesSQL, table).Scan(&dead, &live)
	return dead, live, err
}
