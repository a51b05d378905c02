package equivalence

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/replank/replank/plan"
)

const page = "../../docs/forms.md"

const pageHead = `# Statement forms

How each statement form is carried out on a big table. The page is written and checked by the tests in
internal/equivalence, which run every form on every kind of table and compare the result with psql -f on
PostgreSQL 15; forms that only later versions know are marked.

- **online**: in steps beside a running application, under locks of at most the lock budget
- **instant**: one short lock; nothing is rewritten or read
- **as-is**: executed as written, under lock discipline
- **refused**: not done; the reason stands in [ADR 0012](adr/0012-refusals.md)
- –: the form has no meaning on that kind of table

| group | form | plain | odd names | partitioned | nested partitions | with dependents |
|---|---|---|---|---|---|---|
`

// wanted reports whether a form runs on a variant.
func wanted(f form, v variant) bool { return len(f.only) == 0 || slices.Contains(f.only, v.name) }

// readPage gives the classes that the page claims, by form and variant.
func readPage(t *testing.T) map[string][]string {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) == 2+len(variants) && cells[0] != "| group" {
			cells[len(cells)-1] = strings.TrimSuffix(cells[len(cells)-1], " |")
			rows[strings.TrimPrefix(cells[0], "| ")+"\x00"+cells[1]] = cells[2:]
		}
	}
	return rows
}

// TestPageHasNoBlank needs no server: every form has a class on every kind of table that it runs on.
func TestPageHasNoBlank(t *testing.T) {
	rows := readPage(t)
	classes := []string{string(plan.Online), string(plan.Instant), string(plan.AsIs), string(plan.Refused)}
	for _, f := range forms {
		row, ok := rows[f.group+"\x00"+title(f)]
		if !ok {
			t.Errorf("%s: %q is missing; write the page with REPLANK_UPDATE=1 REPLANK_TEST_FULL=1 go test ./internal/equivalence", page, title(f))
			continue
		}
		for i, v := range variants {
			if got := row[i]; wanted(f, v) != slices.Contains(classes, got) {
				t.Errorf("%s: %q on %s is %q", page, title(f), v.name, got)
			}
		}
	}
	if len(rows) != len(forms) {
		t.Errorf("%s has %d forms, the tests have %d", page, len(rows), len(forms))
	}
}

// title is how the page calls a form.
func title(f form) string {
	if f.since > 0 {
		return fmt.Sprintf("%s (%d)", f.name, f.since)
	}
	return f.name
}

// checkPage compares the page with the outcomes of this run, or writes it.
func checkPage(t *testing.T) {
	outcomesMu.Lock()
	defer outcomesMu.Unlock()
	if os.Getenv("REPLANK_UPDATE") != "" {
		writePage(t)
		return
	}
	rows := readPage(t)
	for _, f := range forms {
		for i, v := range variants {
			got, ok := outcomes[f.group+"\x00"+f.name][v.name]
			if row := rows[f.group+"\x00"+title(f)]; ok && row != nil && row[i] != string(got.class) {
				t.Errorf("%s: %q on %s is %s, the page says %s", page, title(f), v.name, got.class, row[i])
			}
		}
	}
}

// writePage keeps what the page says of forms that this server does not know.
func writePage(t *testing.T) {
	old := readPage(t)
	var b strings.Builder
	b.WriteString(pageHead)
	for _, f := range forms {
		fmt.Fprintf(&b, "| %s | %s |", f.group, title(f))
		for i, v := range variants {
			cell := "–"
			if o, ok := outcomes[f.group+"\x00"+f.name][v.name]; ok {
				cell = string(o.class)
			} else if row := old[f.group+"\x00"+title(f)]; wanted(f, v) && row != nil {
				cell = row[i]
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteString("\n")
	}
	if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
