package history

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/replank/replank/ddl"
)

// flywayBooks is the schema history table: a row for each migration that ran, also a failed one, and one more each
// time that a repeatable one ran again.
type flywayBooks struct {
	schema, table string
	by            string // installed_by; "" = who is connected
	files         map[string]*flywayFile
}

func (b *flywayBooks) name() string       { return quoted(b.schema, b.table) }
func (b *flywayBooks) Table() string      { return b.name() }
func (b *flywayBooks) Present() Statement { return present(b.schema, b.table) }

func (b *flywayBooks) Create() []Statement {
	index := ddl.QuoteIdent(b.table + "_s_idx")
	return []Statement{
		{SQL: "CREATE TABLE " + b.name() + ` (
	"installed_rank" INT NOT NULL,
	"version" VARCHAR(50),
	"description" VARCHAR(200) NOT NULL,
	"type" VARCHAR(20) NOT NULL,
	"script" VARCHAR(1000) NOT NULL,
	"checksum" INTEGER,
	"installed_by" VARCHAR(100) NOT NULL,
	"installed_on" TIMESTAMP NOT NULL DEFAULT now(),
	"execution_time" INTEGER NOT NULL,
	"success" BOOLEAN NOT NULL
)`},
		{SQL: "ALTER TABLE " + b.name() + " ADD CONSTRAINT " + ddl.QuoteIdent(b.table+"_pk") + ` PRIMARY KEY ("installed_rank")`},
		{SQL: "CREATE INDEX " + index + " ON " + b.name() + ` ("success")`},
	}
}

// What Applied puts behind a version that is not simply applied.
const (
	failed   = " failed"
	baseline = " baseline" // versions up to it are taken for applied
)

// Applied gives the versions, and for repeatable migrations what [repeatable] says, of the newest row of each.
func (b *flywayBooks) Applied() Statement {
	return Statement{SQL: `SELECT coalesce(version, '` + repeatable + `' || description || ' ' || coalesce(checksum, 0)) ||
	CASE WHEN NOT success THEN '` + failed + `' WHEN type LIKE '%BASELINE' THEN '` + baseline + `' ELSE '' END
FROM (SELECT DISTINCT ON (version, CASE WHEN version IS NULL THEN description END) *
	FROM ` + b.name() + ` WHERE type <> 'SCHEMA' ORDER BY version, CASE WHEN version IS NULL THEN description END, installed_rank DESC) AS newest
WHERE type <> 'DELETE' AND type NOT LIKE 'UNDO%' ORDER BY installed_rank`}
}

// Read compares versions as numbers: 1.0 and 1 are one.
func (b *flywayBooks) Read(answer []string) (map[string]bool, error) {
	applied := make(map[string]bool)
	byNumber := make(map[string]string)
	for v, f := range b.files {
		if f.kind != 'R' {
			byNumber[versionKey(f.parts)] = v
		}
	}
	for _, text := range answer {
		version, isFailed := strings.CutSuffix(text, failed)
		if isFailed {
			return nil, &Error{Path: b.Table(), Err: fmt.Errorf("version %s has failed, and stands there as failed", version),
				hint: "take back by hand what it has left, then run `flyway repair`"}
		}
		if strings.HasPrefix(text, repeatable) {
			applied[text] = true
			continue
		}
		if base, ok := strings.CutSuffix(text, baseline); ok {
			for v, f := range b.files {
				if f.kind != 'R' && compareVersions(f.parts, versionParts(base)) <= 0 {
					applied[v] = true
				}
			}
			continue
		}
		if v, ok := byNumber[versionKey(versionParts(text))]; ok {
			applied[v] = true
			continue
		}
		if b.future(text) {
			continue
		}
		return nil, &Error{Path: b.Table(), Err: fmt.Errorf("version %s is applied, and its file is not there", text),
			hint: "get the file back, or say with `flyway repair` that it is gone"}
	}
	// What a baseline migration stands for is applied with it, and it with what it stands for.
	for v, f := range b.files {
		if f.kind == 'B' && !applied[v] && len(answer) > 0 {
			applied[v] = true
		}
	}
	return applied, nil
}

// future reports whether a version is newer than all files: Flyway lets those of another branch be.
func (b *flywayBooks) future(version string) bool {
	parts := versionParts(version)
	for _, f := range b.files {
		if f.kind != 'R' && compareVersions(f.parts, parts) >= 0 {
			return false
		}
	}
	return true
}

func (b *flywayBooks) Record(m Migration) []Statement {
	f := b.files[m.Version]
	kind := map[byte]string{'V': "SQL", 'R': "SQL", 'B': "SQL_BASELINE"}[f.kind]
	var version, by, checksum any
	if f.kind != 'R' {
		version = f.version
	}
	if b.by != "" {
		by = b.by
	}
	checksum = strconv.Itoa(int(*f.checksum))
	if f.code {
		kind, checksum = "JDBC", nil
	}
	return []Statement{{
		SQL: "INSERT INTO " + b.name() + ` (installed_rank, version, description, type, script, checksum, installed_by, execution_time, success)
SELECT coalesce(max(installed_rank), 0) + 1, $1::text, $2::text, $3::text, $4::text, $5::text::integer, coalesce($6::text, current_user), 0, true
FROM ` + b.name(),
		Args: []any{version, shortened(f.description), kind, tail(f.script), checksum, by},
	}}
}

// Erase takes back the newest row: where a repeatable migration ran before, in another form, its older row counts
// again.
func (b *flywayBooks) Erase(m Migration) []Statement {
	f := b.files[m.Version]
	where, arg := "version = $1", f.version
	if f.kind == 'R' {
		where, arg = "version IS NULL AND description = $1", shortened(f.description)
	}
	return []Statement{{
		SQL: "DELETE FROM " + b.name() + " WHERE installed_rank = (SELECT max(installed_rank) FROM " + b.name() +
			" WHERE type NOT IN ('SCHEMA', 'BASELINE') AND " + where + ")",
		Args: []any{arg},
	}}
}

// shortened is a description as its column takes it.
func shortened(s string) string {
	if r := []rune(s); len(r) > 200 {
		return string(r[:197]) + "..."
	}
	return s
}

// tail is a script's path as its column takes it.
func tail(s string) string {
	if r := []rune(s); len(r) > 1000 {
		return "..." + string(r[len(r)-997:])
	}
	return s
}
