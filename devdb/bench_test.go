package devdb

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
)

// BenchmarkClone is CREATE DATABASE from templates of several sizes, in each way that the server has. The server writes
// as one for development does: with fsync.
func BenchmarkClone(b *testing.B) {
	server := pgtest.Own(b, map[string]string{"fsync": "on", "full_page_writes": "on"})
	admin := pgtest.Connect(b, server.DSN("postgres"))
	ways := []string{""}
	if pgtest.Major(b) >= 15 {
		ways = []string{"wal_log", "file_copy"}
	}
	if pgtest.Major(b) >= 18 {
		ways = append(ways, "clone")
	}
	for _, megabytes := range []int{0, 100, 400} {
		from := pgtest.DB(b, pgtest.On(server))
		pgtest.Exec(b, from, "CREATE TABLE t AS SELECT g AS id, repeat('x', 990) AS x FROM generate_series(1, "+fmt.Sprint(megabytes*1000)+") g", "CHECKPOINT")
		for _, way := range ways {
			b.Run(fmt.Sprintf("%dMB/%s", megabytes, way), func(b *testing.B) {
				for i := range b.N {
					name := fmt.Sprintf("copy_%d", i)
					sql := "CREATE DATABASE " + name + " TEMPLATE " + pg.Ident(pgtest.Database(from))
					switch way {
					case "clone":
						if _, err := admin.Exec(b.Context(), "SET file_copy_method = clone"); err != nil {
							b.Fatal(err)
						}
						sql += " STRATEGY file_copy"
					case "":
					default:
						sql += " STRATEGY " + way
					}
					_, err := admin.Exec(b.Context(), sql, pgx.QueryExecModeExec)
					b.StopTimer()
					if way == "clone" {
						if _, err := admin.Exec(b.Context(), "RESET file_copy_method"); err != nil {
							b.Fatal(err)
						}
						if err != nil {
							b.Skipf("the file system cannot: %v", err)
						}
					}
					if err != nil {
						b.Fatal(err)
					}
					if _, err := admin.Exec(b.Context(), "DROP DATABASE "+name); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			})
		}
	}
}

// BenchmarkTake is a database for a test: a ready one, and one that has to be made.
func BenchmarkTake(b *testing.B) {
	s := newShop(b, nil)
	ctx := context.Background()
	for _, ready := range []bool{true, false} {
		b.Run(fmt.Sprintf("ready=%t", ready), func(b *testing.B) {
			s.cfg.Pool = 1
			s.refresh()
			for b.Loop() {
				b.StopTimer()
				if ready {
					d := s.open()
					if err := d.Fill(ctx); err != nil {
						b.Fatal(err)
					}
					d.Close()
				}
				b.StartTimer()
				d, err := Open(ctx, s.cfg)
				if err != nil {
					b.Fatal(err)
				}
				db, err := d.Take(ctx, os.Getpid())
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := d.Release(ctx, db.Name); err != nil {
					b.Fatal(err)
				}
				if !ready {
					if err := d.drop(ctx, db.Name); err != nil {
						b.Fatal(err)
					}
				}
				d.Close()
				b.StartTimer()
			}
		})
	}
}
