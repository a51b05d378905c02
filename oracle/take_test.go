package oracle

import (
	"strings"
	"testing"
)

// TestWithoutPassword: what stands on the command line of pg_dump, everybody on the machine can read.
func TestWithoutPassword(t *testing.T) {
	for dsn, want := range map[string]string{
		"":                                    "",
		"postgres://me@h/db":                  "postgres://me@h/db",
		"postgres://me:xyzzy@h:5432/db":       "postgres://me@h:5432/db",
		"postgresql://me:xy%40zzy@h/db?a=b@c": "postgresql://me@h/db?a=b@c",
		"postgres://me:xyz@zy@h/db":           "postgres://me@h/db",
		"postgres://:xyzzy@h1:1,h2:2/db":      "postgres://@h1:1,h2:2/db",
		"postgres://h/db?password=xyzzy":      "postgres://h/db",
		"postgres://h/db?sslmode=require&pass%77ord=xyzzy&sslpassword=xyzzy&user=me": "postgres://h/db?sslmode=require&user=me",
		"host=h password=xyzzy dbname=d":                                             "host=h  dbname=d",
		"host=h password = 'xy \\' zzy' dbname=d":                                    "host=h  dbname=d",
		"password=xy\\ zzy host=h":                                                   "host=h",
		"sslpassword=xyzzy":                                                          "",
		"host=h user=password dbname=d":                                              "host=h user=password dbname=d",
	} {
		if got := withoutPassword(dsn); got != want || strings.Contains(got, "zzy") {
			t.Errorf("%s: %q, want %q", dsn, got, want)
		}
	}
}
