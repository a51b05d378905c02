package history

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGooseAgrees: goose itself accepts and refuses the same files. (One whose way back lacks a semicolon is valid
// here: its way forward runs.)
func TestGooseAgrees(t *testing.T) {
	const up, down = "-- +goose Up\n", "-- +goose Down\n"
	program := gooseProgram(t)
	for _, text := range []string{
		"", "-- nothing\n", up, up + down, up + up, down + up, up + down + down, "SELECT 1;\n" + up, "\n\n-- x\n" + up + "SELECT 1;\n",
		up + "SELECT 1", up + "SELECT 1\n" + down, up + "SELECT 1 -- a; b\n;\n", up + "SELECT 1; -- b\n", up + "SELECT 1; SELECT 2\n",
		up + "/* a\n", up + "/* a; */\nSELECT 1;\n",
		"--+goose up\nSELECT 1;\n--  +goose   dOwN\n", "-- -- +goose Up -- \nSELECT 1;\n", " -- +goose Up\n", "\t-- +goose Up\n", up + "  -- +goose Down\n",
		up + "-- +goose\n", up + "-- +goose Sideways\n", up + "-- +goose Down +goose\n", up + "-- what +goose does\n", up + "SELECT '+goose';\n",
		up + "-- +goose StatementBegin\nSELECT 1\n-- +goose StatementEnd\n", up + "-- +goose StatementBegin\nSELECT 1;\n", up + "-- +goose StatementEnd\n",
		up + "-- +goose StatementBegin\nSELECT 1;\n" + down, up + "-- +goose StatementBegin\n-- +goose StatementBegin\nSELECT 1;\n-- +goose StatementEnd\n",
		"-- +goose StatementBegin\n" + up + "-- +goose StatementEnd\n", up + "SELECT\n-- +goose StatementBegin\n1\n-- +goose StatementEnd\n",
		up + "-- +goose StatementBegin\n-- +goose StatementEnd\n", up + "-- +goose StatementBegin\nSELECT 1\n-- +goose StatementEnd\nSELECT 2\n",
		up + "SELECT 1;\n-- +goose NO TRANSACTION\n", "-- +goose NO TRANSACTIONS\n" + up, "-- +goose ENVSUB ON\n" + up + "SELECT '$';\n",
		"-- +goose ENVSUB ON\n" + up + "SELECT '$1';\n", "-- +goose ENVSUB ON\n" + up + "SELECT '${HOME';\n", "-- +goose ENVSUB ON\n" + up + "-- $1\nSELECT 1;\n",
		"-- +goose ENVSUB ON\n" + up + "SELECT '${HOME:-$$1}';\n", "-- +goose ENVSUB ON\n" + up + "SELECT '${HOME!}';\n", "-- +goose ENVSUB ON\n" + up + down + "SELECT '$1';\n",
		"\r\n" + strings.ReplaceAll(up+"SELECT 1;\n"+down+"SELECT 2;\n", "\n", "\r\n"), up + "SELECT 1;\n   \n", up + "   \nSELECT 1;\n", up + "SELECT 1;\n" + "   \n" + down,
	} {
		dir := folder(t, map[string]string{"1_a.sql": text})
		_, err := Config{Format: Goose, Getenv: os.LookupEnv}.Open(filepath.Join(dir, "1_a.sql"))
		out, theirs := run("", []string{"GOOSE_DRIVER=", "GOOSE_DBSTRING="}, program, "-dir", dir, "validate")
		if (err == nil) != (theirs == nil) {
			t.Errorf("%q\nwe: %v\ngoose: %v %s", text, err, theirs, out)
		}
	}
}

// FuzzFormats: no file makes a reader fall over, and what is left of it stands where it stood.
func FuzzFormats(f *testing.F) {
	for _, text := range []string{gooseSQL, dbmateSQL, plan + "a [b !c:d@e]" + who + "@t" + who, "-- +goose ENVSUB ON\n-- +goose Up\nSELECT ${A:-b};\n",
		"VACUUM /* a */ $$b$$ 'c", "${a}\r\n${", "\xef\xbb\xbf-- migrate:up\n-- migrate:down"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for range statementBegins(text) {
		}
		if p, err := parseSqitchPlan("sqitch.plan", text); err == nil && p.project == "" {
			t.Error("a plan without a project")
		}
		if _, err := interpolate(text, func(string) (string, bool) { return "", false }); err != nil && err.Error() == "" {
			t.Error("an empty error")
		}
		for _, format := range []Format{Goose, Dbmate} {
			in := &file{path: "1_a.sql", all: []byte(text), text: []byte(text)}
			r := &reader{Config: Config{Getenv: func(string) (string, bool) { return "", false }}, h: &History{Format: format, Root: t.TempDir()}, dotenv: map[string]string{}}
			if err := map[Format]func([]*file) error{Goose: r.goose, Dbmate: r.dbmate}[format]([]*file{in}); err != nil || strings.Contains(text, "ENVSUB") {
				continue
			}
			got := r.h.Migrations[0].Text
			if len(got) != len(text) {
				t.Fatalf("%s: %d bytes of %d", format, len(got), len(text))
			}
			for i := range len(got) {
				if got[i] != text[i] && got[i] != ' ' {
					t.Fatalf("%s: byte %d of %q is %q", format, i, text, got[i])
				}
			}
		}
	})
}
