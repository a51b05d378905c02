package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/catalog"
	"github.com/replank/replank/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// TestApplyEqualsPostgreSQL runs every statement of testdata/apply/*.sql on a server and on a schema in memory and
// compares the two after each: both refuse it with the same SQLSTATE, or both come to the same shape.
//
// A file may say "-- since 17" in its first line.
func TestApplyEqualsPostgreSQL(t *testing.T) {
	files, err := filepath.Glob("testdata/apply/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	statements, ran, ops := 0, 0, map[string]bool{}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".sql"), func(t *testing.T) {
			ran++
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var since int
			if _, err := fmt.Sscanf(string(text), "-- since %d", &since); err == nil {
				pgtest.AtLeast(t, since)
			}
			f, err := ddl.Parse(path, string(text))
			if err != nil {
				t.Fatal(err)
			}
			conn := pgtest.Connect(t, pgtest.DB(t))
			ctx := context.Background()
			mem := load(t, conn, catalog.Options{NoSizes: true})
			for _, st := range f.Statements {
				statements++
				for _, op := range st.Ops {
					ops[strings.TrimPrefix(fmt.Sprintf("%T", op), "ddl.")] = true
				}
				before := lines(mem, nil)
				trial := mem.Clone()
				memErr := trial.Apply(st)
				if d := cmp.Diff(before, lines(mem, nil)); d != "" {
					t.Fatalf("%s: applying to a clone changed the original:\n%s", st.SQL, d)
				}
				_, pgErr := conn.PgConn().Exec(ctx, st.SQL).ReadAll()
				if !agree(memErr, pgErr) {
					t.Fatalf("%v: %s\n in memory: %v\n on the server: %v", st.Pos, st.SQL, memErr, pgErr)
				}
				if memErr == nil {
					mem = trial
				}
				real := load(t, conn, catalog.Options{NoSizes: true, NoFacts: true})
				if d := cmp.Diff(lines(real, mem), lines(mem, mem)); d != "" {
					t.Fatalf("%v: %s\nafter it, - server, + memory:\n%s", st.Pos, st.SQL, d)
				}
			}
		})
	}
	if t.Failed() || ran < len(files) { // with -run only some files were asked for
		return
	}
	if statements < 150 {
		t.Errorf("only %d statements were compared", statements)
	}
	for _, op := range []string{"CreateTable", "DropTable", "RenameTable", "SetSchema", "Truncate", "AddColumn", "DropColumn", "RenameColumn",
		"AlterColumnType", "SetDefault", "SetNotNull", "DropNotNull", "AddIdentity", "DropIdentity", "DropExpression", "AddConstraint",
		"ValidateConstraint", "DropConstraint", "RenameConstraint", "CreateIndex", "DropIndex", "RenameIndex", "Reindex", "AttachPartition",
		"DetachPartition", "AttachIndex", "CreateEnum", "AddEnumValue", "RenameEnumValue", "CreateDomain", "AlterDomain", "RenameType", "DropType",
		"CreateView", "DropView", "RenameView", "RefreshMaterializedView", "CreateSequence", "AlterSequence", "DropSequence", "RenameSequence",
		"CreateTrigger", "DropTrigger", "AlterTable", "Update", "Delete", "Insert", "Set", "Do", "Other"} {
		if !ops[op] {
			t.Errorf("no statement with %s was compared", op)
		}
	}
	t.Logf("%d statements compared", statements)
}

// agree: both fine, or both refuse with the same SQLSTATE.
func agree(mem, server error) bool {
	var se *ddl.SchemaError
	var pe *pgconn.PgError
	if errors.As(mem, &se) && errors.As(server, &pe) {
		return se.Code == pe.Code
	}
	return mem == nil && server == nil
}

func load(t *testing.T, conn *pgx.Conn, opt catalog.Options) *ddl.Schema {
	t.Helper()
	s, err := catalog.Load(context.Background(), conn, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lines is a schema as what must be equal, without texts that only PostgreSQL can print. The columns of views
// whose type mem does not know are left without it.
func lines(s, mem *ddl.Schema) map[string]string {
	out := map[string]string{"search_path": fmt.Sprint(s.SearchPath), "schemas": fmt.Sprint(s.Schemas)}
	for n, r := range s.Relations {
		if n.Schema == "pg_temp" {
			continue
		}
		relationLines(out, r, mem)
	}
	for n, x := range s.Indexes {
		out["index "+n.String()] = fmt.Sprintf("on %s %s unique=%t primary=%t exclusion=%t valid=%t keys=%q include=%q columns=%q constraint=%s parent=%s partitioned=%t options=%q where=%t nnd=%t replident=%t clustered=%t immediate=%t expr=%t stats=%v comment=%q",
			x.Table, x.Method, x.Unique, x.Primary, x.Exclusion, x.Valid, x.Keys, x.Include, sorted(x.Columns), x.Constraint, x.Parent, x.Partitioned,
			x.Options, x.Predicate != "", x.NullsNotDistinct, x.ReplIdent, x.Clustered, x.Immediate, x.HasExpr, x.StatsTarget, x.Comment)
	}
	for n, q := range s.Sequences {
		out["sequence "+n.String()] = fmt.Sprintf("%s start=%d inc=%d min=%d max=%d cache=%d cycle=%t owned=%s.%s identity=%t %c comment=%q owner=%s acl=%q", q.Type, q.Start,
			q.Increment, q.Min, q.Max, q.Cache, q.Cycle, q.OwnedTable, q.OwnedColumn, q.Identity, q.Persistence, q.Comment, q.Owner, grants(q.ACL))
	}
	for n, t := range s.Types {
		var cs []string
		for _, c := range t.Constraints {
			cs = append(cs, fmt.Sprintf("%s %c %t", c.Name, c.Kind, c.Valid))
		}
		out["type "+n.String()] = fmt.Sprintf("%c labels=%q base=%s notnull=%t default=%t volatile=%t constraints=%q attrs=%v comment=%q acl=%q", t.Kind, t.Labels, t.Base, t.NotNull,
			t.Default != "", t.DefaultVolatile, cs, t.Attributes, t.Comment, grants(t.ACL))
	}
	for sig, f := range s.Functions {
		if s.Types[f.Name] != nil {
			continue // a range's own
		}
		out["function "+sig] = fmt.Sprintf("%c %c owner=%s acl=%q", f.Kind, f.Volatile, f.Owner, grants(f.ACL))
	}
	for what, o := range s.Owned {
		out[fmt.Sprint(what)] = fmt.Sprintf("owner=%s acl=%q", o.Owner, grants(o.ACL))
	}
	out["default privileges"] = ""
	for _, d := range s.DefaultACLs {
		out["default privileges"] += fmt.Sprintf("%s %s %c %q; ", d.Role, d.Schema, d.Kind, grants(d.ACL))
	}
	return out
}

func relationLines(out map[string]string, r *ddl.Relation, mem *ddl.Schema) {
	key := r.Name.String()
	out["relation "+key] = fmt.Sprintf("%c %c parents=%v children=%v partition=%t bound=%t key=%t by=%q rls=%t/%t ident=%c options=%q oftype=%t attrs=%d populated=%t comment=%q am=%s owner=%s acl=%q",
		r.Kind, r.Persistence, r.Parents, sortedNames(r.Children), r.IsPartition, r.Bound != "", r.PartitionKey != "", r.PartitionBy, r.RowSecurity, r.ForceRowSecurity,
		r.ReplicaIdentity, sorted(r.Options), r.OfType, r.UsedAttributes, r.Populated, r.Comment, r.AccessMethod, r.Owner, grants(r.ACL))
	for i, c := range r.Columns {
		if mem != nil && mem.Relations[r.Name] != nil {
			if m := mem.Relations[r.Name].Column(c.Name); m != nil && m.Type == "" {
				out["column "+key+" "+c.Name] = fmt.Sprintf("#%d, of some type", i)
				continue
			}
		}
		out["column "+key+" "+c.Name] = fmt.Sprintf("#%d att=%d %s (%s mod=%d array=%t) coll=%s notnull=%t/%s/%t default=%t volatile=%t identity=%d generated=%d storage=%c compression=%d stats=%d options=%q seq=%s inh=%d local=%t comment=%q acl=%q",
			i, c.Number, c.Type, c.TypeName, c.Mod, c.Array, c.Collation, c.NotNull, c.NotNullName, c.NotNullValid, c.Default != "", c.Volatile, c.Identity, c.Generated,
			c.Storage, c.Compression, c.StatsTarget, c.Options, c.Sequence, c.Inherited, c.Local, c.Comment, grants(c.ACL))
	}
	for _, c := range r.Constraints {
		line := constraintLine(c)
		if c.Kind == ddl.PrimaryKey || c.Kind == ddl.Unique || c.Kind == ddl.ForeignKey && !c.Deferrable {
			line += " " + c.Definition
		}
		out["constraint "+key+" "+c.Name] = line
	}
	for _, c := range r.ReferencedBy {
		out["reference to "+key+" from "+c.Table.String()+" "+c.Name] = constraintLine(c)
	}
	for _, t := range r.Triggers {
		out["trigger "+key+" "+t.Name] = fmt.Sprintf("%c columns=%q uses=%q row=%t before=%t instead=%t %t%t%t%t comment=%q", t.Enabled, t.Columns, sorted(t.UsesColumns), t.Row, t.Before, t.InsteadOf,
			t.OnInsert, t.OnUpdate, t.OnDelete, t.OnTruncate, t.Comment)
	}
	for _, p := range r.Policies {
		out["policy "+key+" "+p.Name] = fmt.Sprintf("%q comment=%q", sorted(p.Columns), p.Comment)
	}
	for _, x := range r.Rules {
		out["rule "+key+" "+x.Name] = fmt.Sprintf("%c comment=%q", x.Enabled, x.Comment)
	}
	for _, x := range r.Statistics {
		out["statistics "+x.Name.String()] = fmt.Sprintf("of %s %q target=%d comment=%q", key, sorted(x.Columns), x.Target, x.Comment)
	}
	deps := []string{}
	for _, d := range r.Dependents {
		if d.Kind == "view" || d.Kind == "materialized view" {
			deps = append(deps, fmt.Sprint(d.Column, " ", d.Kind, " ", d.Name, " ", d.Depth, " ", d.Via))
		}
	}
	slices.Sort(deps)
	out["dependents "+key] = strings.Join(deps, "; ")
}

func constraintLine(c *ddl.TableConstraint) string {
	return fmt.Sprintf("%c on %s columns=%q valid=%t enforced=%t noinherit=%t inh=%d local=%t deferrable=%t/%t index=%s ref=%s%q comment=%q", c.Kind, c.Table, sorted(c.Columns),
		c.Valid, !c.NotEnforced, c.NoInherit, c.Inherited, c.Local, c.Deferrable, c.Deferred, c.Index, c.RefTable, c.RefColumns, c.Comment)
}

func sorted(v []string) []string { return slices.Sorted(slices.Values(v)) }

func grants(acl []ddl.Grant) []string {
	if acl == nil {
		return []string{"the owner's own"}
	}
	var out []string
	for _, g := range acl {
		out = append(out, fmt.Sprintf("%s to %s %t by %s", g.Privilege, g.Grantee, g.Grantable, g.Grantor))
	}
	slices.Sort(out)
	return out
}

func sortedNames(v []ddl.Name) []string {
	var out []string
	for _, n := range v {
		out = append(out, n.String())
	}
	slices.Sort(out)
	return out
}
