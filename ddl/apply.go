package ddl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// SchemaError is why a statement cannot run on the schema as it is.
type SchemaError struct {
	Code    string // the SQLSTATE that PostgreSQL would give
	Message string
	Hint    string
}

func (e *SchemaError) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + " (" + e.Hint + ")"
}

const (
	undefinedTable     = "42P01"
	undefinedColumn    = "42703"
	undefinedObject    = "42704"
	undefinedSchema    = "3F000"
	duplicateTable     = "42P07"
	duplicateColumn    = "42701"
	duplicateObject    = "42710"
	duplicateSchema    = "42P06"
	wrongObjectType    = "42809"
	dependentObjects   = "2BP01"
	invalidTable       = "42P16"
	invalidForeignKey  = "42830"
	notSupported       = "0A000"
	duplicateEnumLabel = duplicateObject

	notInPrerequisiteState = "55000"
	datatypeMismatch       = "42804"
)

func refuse(code, hint, format string, args ...any) error {
	return &SchemaError{Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// Apply moves the schema forward as PostgreSQL would when it runs the statement, and refuses with a
// *SchemaError what PostgreSQL would visibly refuse. On an error the schema may hold a part of the statement;
// Clone first where that matters. What it does not know (functions' bodies, DO blocks) it leaves alone.
//
// Texts that PostgreSQL prints in its own way (defaults, definitions) are as written until catalog reads them.
func (s *Schema) Apply(st Statement) error {
	s.dropping = map[Name]bool{}
	for _, op := range st.Ops {
		switch op := op.(type) {
		case DropTable:
			s.drops(op.Table)
		case DropView:
			s.drops(op.View)
		}
	}
	defer func() { s.dropping = nil }()
	for _, op := range st.Ops {
		if err := s.applyOp(op, st.SQL, st.tree); err != nil {
			return err
		}
	}
	return nil
}

func (s *Schema) drops(n Name) {
	if r := s.lookup(n); r != nil {
		s.dropping[r.Name] = true
	}
}

// ApplyOp is Apply for one operation. sql says it alone: [Statement.Alone].
func (s *Schema) ApplyOp(op Op, sql string) error { return s.applyOp(op, sql, nil) }

// applyOp is ApplyOp for an operation whose tree may be known, with positions of another text than sql.
func (s *Schema) applyOp(op Op, sql string, tree *pg.RawStmt) error {
	s.own()
	s.constraints.next()
	err := s.dispatch(op, sql, tree)
	var se *SchemaError
	if !errors.As(err, &se) {
		return err
	}
	switch se.Code {
	case undefinedTable, undefinedColumn, undefinedObject, undefinedSchema:
		if s.opaque {
			return nil // it may have been made by what could not be followed
		}
		fallthrough
	case notInPrerequisiteState, datatypeMismatch:
		if s.forgiven(op) {
			return nil
		}
	}
	return err
}

func (s *Schema) dispatch(op Op, sql string, tree *pg.RawStmt) error {
	switch op := op.(type) {
	case CreateTable:
		return s.createTable(op)
	case DropTable:
		return s.dropRelation(op.Table, op.DropOptions, "table", "rpf")
	case RenameTable:
		return s.renameRelation(op.Table, op.To, op.IfExists)
	case SetSchema:
		return s.setSchema(op)
	case AddColumn, DropColumn, RenameColumn, AlterColumnType, SetDefault, SetNotNull, DropNotNull, AddIdentity,
		DropIdentity, DropExpression:
		return s.applyColumnOp(op)
	case AddConstraint, ValidateConstraint, DropConstraint, RenameConstraint:
		return s.applyConstraintOp(op)
	case CreateIndex:
		return s.createIndex(op)
	case DropIndex:
		return s.dropIndex(op)
	case RenameIndex:
		return s.renameIndex(op)
	case AttachPartition:
		return s.attachPartition(op)
	case DetachPartition:
		return s.detachPartition(op)
	case AttachIndex:
		return s.attachIndex(op)
	case CreateEnum, AddEnumValue, RenameEnumValue, CreateDomain, AlterDomain, RenameType, DropType:
		return s.applyTypeOp(op)
	case CreateView:
		return s.createView(op)
	case DropView:
		kinds, what := "v", "view"
		if op.Materialized {
			kinds, what = "m", "materialized view"
		}
		return s.dropRelation(op.View, op.DropOptions, what, kinds)
	case RenameView:
		return s.renameRelation(op.View, op.To, false)
	case CreateSequence, AlterSequence, DropSequence, RenameSequence:
		return s.applySequenceOp(op, sql)
	case CreateTrigger:
		return s.createTrigger(op, sql)
	case DropTrigger:
		return s.dropTrigger(op)
	case AlterTable:
		return s.alterTable(op)
	case Set:
		return s.set(op)
	case Other:
		return s.other(op, sql, tree)
	case Truncate:
		_, err := s.must(op.Table, "rpf")
		return err
	case Update:
		return s.target(op.Table, op.With)
	case Delete:
		return s.target(op.Table, op.With)
	case Insert:
		return s.target(op.Table, op.With)
	case RefreshMaterializedView:
		r, err := s.must(op.View, "m")
		if err == nil {
			s.mut(r).Populated = true
		}
		return err
	}
	if do, ok := op.(Do); ok {
		s.applyDo(do)
	}
	return nil // Reindex, Transaction
}

// target checks the table of a data statement, which may be a view or foreign table.
func (s *Schema) target(n Name, with bool) error {
	if with {
		return nil // the name may be a WITH query's
	}
	_, err := s.must(n, "rpvf")
	return err
}

// tempSchema holds temporary tables, which PostgreSQL finds before all others.
const tempSchema = "pg_temp"

// lookup finds a relation as a statement names it, temporary ones first.
func (s *Schema) lookup(n Name) *Relation {
	if n.Schema == "" {
		if r := s.Relations[Name{tempSchema, n.Name}]; r != nil {
			return r
		}
	}
	return s.Relation(n)
}

// must finds a relation of one of the kinds, or says what is wrong.
func (s *Schema) must(n Name, kinds string) (*Relation, error) {
	r := s.lookup(n)
	if r == nil {
		return nil, s.noRelation(n)
	}
	if !strings.ContainsRune(kinds, rune(r.Kind)) {
		return nil, refuse(wrongObjectType, "", "%q is a %s", n.Name, kindWord(r.Kind))
	}
	return r, nil
}

func kindWord(k byte) string {
	switch k {
	case 'v':
		return "view"
	case 'm':
		return "materialized view"
	case 'f':
		return "foreign table"
	case 'p':
		return "partitioned table"
	}
	return "table"
}

func (s *Schema) noRelation(n Name) error {
	if n.Schema != "" && !slices.Contains(s.Schemas, n.Schema) && n.Schema != tempSchema {
		return refuse(undefinedSchema, didYouMean(n.Schema, s.Schemas), "schema %q does not exist", n.Schema)
	}
	var there []string
	for _, known := range s.sortedRelations() {
		if n.Schema == "" && slices.Contains(s.SearchPath, known.Schema) || known.Schema == n.Schema {
			there = append(there, known.Name)
		}
	}
	hint := didYouMean(n.Name, there)
	if hint == "" && n.Schema == "" {
		for _, known := range s.sortedRelations() {
			if known.Name == n.Name {
				hint = "there is " + known.String() + ", whose schema is not in the search_path"
				break
			}
		}
	}
	return refuse(undefinedTable, hint, "relation %q does not exist", unquoted(n))
}

// unquoted is a name as PostgreSQL prints it in messages.
func unquoted(n Name) string {
	if n.Schema == "" {
		return n.Name
	}
	return n.Schema + "." + n.Name
}

func (s *Schema) noColumn(r *Relation, col string) error {
	var there []string
	for _, c := range r.Columns {
		there = append(there, c.Name)
	}
	return refuse(undefinedColumn, didYouMean(col, there), "column %q of relation %q does not exist", col, r.Name.Name)
}

// home gives a new object's full name and refuses when its schema does not exist.
func (s *Schema) home(n Name) (Name, error) {
	if n.Schema == "" {
		if len(s.SearchPath) == 0 {
			return n, refuse(undefinedSchema, "", "no schema has been selected to create %q in", n.Name)
		}
		return Name{s.SearchPath[0], n.Name}, nil
	}
	if !slices.Contains(s.Schemas, n.Schema) && n.Schema != tempSchema {
		return n, refuse(undefinedSchema, didYouMean(n.Schema, s.Schemas), "schema %q does not exist", n.Schema)
	}
	return n, nil
}

// didYouMean finds the nearest of the words, when it is near enough.
func didYouMean(word string, words []string) string {
	best, at := "", len(word)/3+2
	for _, w := range words {
		if d := distance(strings.ToLower(word), strings.ToLower(w), at); d < at {
			best, at = w, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// distance counts the insertions, deletions and replacements between a and b, giving up at limit.
func distance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) >= limit || len(y)-len(x) >= limit {
		return limit
	}
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			cost := diagonal
			if x[i] != y[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(y)]
}

// set follows search_path and TimeZone.
func (s *Schema) set(op Set) error {
	switch strings.ToLower(op.Name) {
	case "search_path":
		if op.Reset {
			return nil // to a value of the role or the server that is not known here
		}
		setting := ParseSearchPath(strings.ReplaceAll(op.Value, "'", `"`), s.User)
		if len(setting) == 1 && strings.EqualFold(strings.TrimSpace(op.Value), "default") {
			return nil
		}
		s.PathSetting = setting
		s.resolvePath()
	case "timezone", "time zone":
		if !op.Reset {
			s.TimeZone = strings.Trim(strings.TrimSpace(op.Value), "'")
		}
	}
	return nil
}

// resolvePath finds which schemas of the setting exist.
func (s *Schema) resolvePath() {
	s.SearchPath = nil
	for _, p := range s.PathSetting {
		if slices.Contains(s.Schemas, p) && !slices.Contains(s.SearchPath, p) {
			s.SearchPath = append(s.SearchPath, p)
		}
	}
}
