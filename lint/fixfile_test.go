package lint_test

import (
	"strings"
	"testing"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/lint"
)

const oldTables = "CREATE TABLE a (id bigint PRIMARY KEY, n integer); CREATE TABLE b (id bigint PRIMARY KEY, n integer);"

// fixOne fixes one file among others that stand beside it.
func fixOne(t *testing.T, s lint.Source, beside ...string) lint.Fixed {
	t.Helper()
	sources := []lint.Source{{Name: "old", Path: "m/000_old.sql", Text: oldTables, Deployed: true}}
	for _, path := range beside {
		sources = append(sources, lint.Source{Name: path, Path: path, Deployed: true})
	}
	s.Name = "x"
	fixed := lint.Fix(lint.Config{Schema: ddl.Empty(15, "postgres"), Today: "2026-11-23"}, append(sources, s))
	if len(fixed) != 1 {
		t.Fatalf("%d sources are fixed", len(fixed))
	}
	return fixed[0]
}

// TestFixNames: where a file is divided, its parts stand between it and the next one, as the tool orders them.
func TestFixNames(t *testing.T) {
	const text = "SET lock_timeout = '2s';\nALTER TABLE a ADD COLUMN m integer;\nCREATE INDEX a_n_idx ON a (n);\nCREATE INDEX b_n_idx ON b (n);\n"
	for _, tt := range []struct {
		style  lint.Style
		tx     lint.Tx
		head   string
		path   string
		beside []string
		want   string // paths, or the reason
	}{
		{lint.Goose, lint.Whole, "-- +goose Up\n", "m/00042_x.sql", []string{"m/00041_w.sql", "m/00044_y.sql"}, "m/00042_x.sql m/00043_x_2.sql"},
		{lint.Goose, lint.Whole, "-- +goose Up\n", "m/20261123120059_x.sql", nil, "m/20261123120059_x.sql m/20261123120060_x_2.sql"},
		{lint.Goose, lint.Whole, "-- +goose Up\n", "m/00042_x.sql", []string{"m/43_y.sql"}, "the number after 00042 is taken by 43_y.sql"},
		{lint.GolangMigrate, lint.Message, "", "m/000042_x.up.sql", []string{"m/000042_x.down.sql"}, "m/000042_x.up.sql m/000043_x_2.up.sql m/000044_x_3.up.sql"},
		{lint.Dbmate, lint.Whole, "-- migrate:up\n", "db/20261123_x.sql", nil, "db/20261123_x.sql db/20261124_x_2.sql db/20261125_x_3.sql"},
		{lint.Flyway, lint.Whole, "", "sql/V42__x.sql", []string{"sql/V43__y.sql"}, "sql/V42__x.sql sql/V42.1__x_2.sql sql/V42.1__x_2.sql.conf"},
		{lint.Flyway, lint.Whole, "", "sql/V1_2__x.sql", []string{"sql/V1.2.1__y.sql"}, "sql/V1_2__x.sql sql/V1_2.0.1__x_2.sql sql/V1_2.0.1__x_2.sql.conf"},
		{lint.Bare, lint.Whole, "", "m/0042_x.sql", []string{"m/0042_xyz.sql", "m/0043_y.sql"}, "m/0042_x.sql m/0042_x_2.sql"},
		{lint.Bare, lint.Whole, "", "m/0042_x.sql", []string{"m/0042_x_1.sql"}, "another one stands between"},
		{lint.Bare, lint.Each, "", "m/0042_x.sql", nil, "m/0042_x.sql"},
		{lint.Sqitch, lint.Each, "", "deploy/x.sql", nil, "deploy/x.sql"},
	} {
		fixed := fixOne(t, lint.Source{Path: tt.path, Text: tt.head + text, Tx: tt.tx, Style: tt.style}, tt.beside...)
		var got []string
		for _, f := range fixed.Files {
			got = append(got, f.Path)
		}
		if len(got) == 0 {
			got = append(got, fixed.Left[0].Reason)
		}
		if s := strings.Join(got, " "); s != tt.want && (len(fixed.Files) > 0 || !strings.Contains(s, tt.want)) {
			t.Errorf("%s: %s, want %s", tt.path, s, tt.want)
		}
	}
}

// TestFixMarks: each part says to its tool whether it runs in a transaction, and stays whole otherwise.
func TestFixMarks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		source lint.Source
		want   []string
	}{
		{"goose", lint.Source{Path: "00042_x.sql", Style: lint.Goose, Tx: lint.Whole,
			File: "-- +goose Up\n-- +goose StatementBegin\nSELECT $$;\n$$;\n-- +goose StatementEnd\nCREATE INDEX a_n_idx ON a (n);\n\n-- +goose Down\nDROP INDEX a_n_idx;\n",
		}, []string{
			"-- +goose Up\n-- +goose StatementBegin\nSELECT $$;\n$$;\n-- +goose StatementEnd\n\n-- +goose Down\nDROP INDEX a_n_idx;\n",
			"-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY a_n_idx ON a (n);\n",
		}},
		{"dbmate", lint.Source{Path: "42_x.sql", Style: lint.Dbmate, Tx: lint.Whole,
			File: "-- migrate:up\nCREATE INDEX a_n_idx ON a (n);\nCREATE INDEX b_n_idx ON b (n)\n-- migrate:down\nDROP INDEX a_n_idx;\n",
		}, []string{
			"-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY a_n_idx ON a (n);\n-- migrate:down\nDROP INDEX a_n_idx;\n",
			"-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY b_n_idx ON b (n);\n\n-- migrate:down\n",
		}},
		{"lines of Windows", lint.Source{Path: "42_x.sql", File: "-- why\r\nALTER TABLE a ADD CHECK (n > 0);\r\nSELECT 1;\r\n"},
			[]string{"SET lock_timeout = '2s';\r\n-- why\r\nALTER TABLE a ADD CONSTRAINT a_n_check CHECK (n > 0) NOT VALID;\r\nALTER TABLE a VALIDATE CONSTRAINT a_n_check;\r\nSELECT 1;\r\n"}},
		{"a message that is a transaction", lint.Source{Path: "42_x.up.sql", Style: lint.GolangMigrate, Tx: lint.Message,
			File: "BEGIN;\n\nALTER TABLE a ADD COLUMN m integer;\nCREATE INDEX a_n_idx ON a (n);\n\nCOMMIT;\n"},
			[]string{"SET LOCAL lock_timeout = '2s';\nALTER TABLE a ADD COLUMN m integer;\n", "CREATE INDEX CONCURRENTLY a_n_idx ON a (n);\n"}},
	} {
		tt.source.Text = forward(tt.source.File)
		fixed := fixOne(t, tt.source)
		var got []string
		for _, f := range fixed.Files {
			got = append(got, f.Text)
		}
		if strings.Join(got, "\x00") != strings.Join(tt.want, "\x00") {
			t.Errorf("%s:\n%q, want\n%q\nleft: %v", tt.name, got, tt.want, fixed.Left)
		}
	}
}

// forward is what the reader of a history leaves of a file: blanks for the way back.
func forward(file string) string {
	at := len(file)
	for _, mark := range []string{"-- +goose Down", "-- migrate:down"} {
		if i := strings.Index(file, mark); i >= 0 {
			at = i
		}
	}
	return file[:at] + strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return ' '
	}, file[at:])
}
