package localpg

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
)

// Replica starts a streaming replica of the cluster, as a cluster of its own: stop it before its primary. It copies
// the primary's files itself, because pg_basebackup may not be installed. Settings are added to the primary's.
func (c *Cluster) Replica(ctx context.Context, settings map[string]string) (*Cluster, error) {
	all := maps.Clone(c.settings)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, settings)
	all["primary_conninfo"] = fmt.Sprintf("host=127.0.0.1 port=%d user=%s application_name=replank_replica", c.port, superuser)
	r, err := start(ctx, Config{Major: c.bin.Major, Settings: all, Logger: c.log}, func(r *Cluster, data string) error {
		if err := c.baseBackup(ctx, data); err != nil {
			return err
		}
		return r.owner.own(data)
	})
	if err != nil {
		return nil, fmt.Errorf("start replica: %w", err)
	}
	return r, nil
}

// baseBackup copies the running cluster's data directory so that a server started on the copy follows it.
func (c *Cluster) baseBackup(ctx context.Context, data string) error {
	begin, end := "SELECT pg_backup_start('replank', true)", "SELECT labelfile FROM pg_backup_stop(false)"
	if c.bin.Major < 15 {
		begin, end = "SELECT pg_start_backup('replank', true, false)", "SELECT labelfile FROM pg_stop_backup(false, false)"
	}
	conn, err := pgx.Connect(ctx, c.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("base backup: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, begin); err != nil {
		return fmt.Errorf("base backup: %w", err)
	}
	if err := copyTree(c.data(), data); err != nil {
		return fmt.Errorf("base backup: %w", err)
	}
	var label string
	if err := conn.QueryRow(ctx, end).Scan(&label); err != nil {
		return fmt.Errorf("base backup: %w", err)
	}
	// The primary's, not the copy's.
	for _, pattern := range []string{"postmaster.*", "pg_replslot/*"} {
		paths, err := filepath.Glob(filepath.Join(data, pattern))
		if err != nil {
			return err
		}
		for _, path := range paths {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("base backup: %w", err)
			}
		}
	}
	for name, content := range map[string]string{"backup_label": label, "standby.signal": ""} {
		if err := os.WriteFile(filepath.Join(data, name), []byte(content), 0o600); err != nil {
			return fmt.Errorf("base backup: %w", err)
		}
	}
	return nil
}
