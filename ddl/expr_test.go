package ddl_test

import (
	"testing"

	"github.com/replank/replank/ddl"
)

func TestUsesColumnOrder(t *testing.T) {
	for body, want := range map[string]bool{
		"INSERT INTO t VALUES (1)":                  true,
		"INSERT INTO t (a) VALUES (1)":              false,
		"SELECT * FROM t":                           true,
		"RETURN QUERY SELECT t.* FROM t;":           true,
		"SELECT a, t.*, b FROM s JOIN t USING (id)": true,
		"SELECT x.* INTO r FROM public.t x":         true,
		"SELECT count(*) FROM t":                    false,
		"SELECT a * b FROM t":                       false,
		"SELECT * FROM s; SELECT a FROM t":          false,
		"DECLARE r t%ROWTYPE;":                      true,
		"SELECT * FROM tt":                          false,
	} {
		if got := ddl.UsesColumnOrder(body, ddl.Name{Name: "t"}); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
	for body, want := range map[string]bool{"INSERT INTO audit SELECT now(), new.*;": true, "NEW . *": true, "renew.*": false, "NEW.a * 2": false} {
		if got := ddl.ExpandsRow(body); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
	for body, want := range map[string]bool{`NEW.a := 1`: true, `NEW."a" := 1`: true, `NEW.ab := 1`: false, "OLD.a = b": true, "x.a": false} {
		if got := ddl.NamesColumn(body, "a"); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
}
