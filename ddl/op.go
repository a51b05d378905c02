package ddl

// Op is one change that a statement makes. A statement has one Op, except ALTER TABLE, which has one for
// each of its subcommands, and DROP, which has one for each object it names.
//
// The set is closed: consumers switch over the types of this file, and whatever PostgreSQL can say beyond
// them arrives as [Other], never as nothing.
type Op interface{ op() }

// Drop behaviour, shared by the Drop… ops.
type DropOptions struct {
	IfExists bool
	Cascade  bool
}

// Column is the definition of a column in CREATE TABLE or ADD COLUMN.
type Column struct {
	Name        string
	Type        TypeName
	Collation   string // quoted, qualified as written; "" = the type's own
	Compression string
	Storage     string

	Default   string // expression; "" = none
	Generated string // expression of GENERATED ALWAYS AS (…); "" = not generated
	Virtual   bool   // with Generated: VIRTUAL (PostgreSQL 18), otherwise STORED
	Identity  byte   // 'a' = ALWAYS, 'd' = BY DEFAULT, 0 = none
	// IdentityOptions are the sequence options as written, without their parentheses.
	IdentityOptions string

	NotNull     bool
	NotNullName string // name of the NOT NULL constraint where one is written
	// NotNullNoInherit is NOT NULL NO INHERIT (18).
	NotNullNoInherit bool
	// Constraints are the inline CHECK, UNIQUE, PRIMARY KEY and REFERENCES, in order, rewritten as table
	// constraints over this column.
	Constraints []Constraint
}

// TypeName is a type as a statement writes it.
type TypeName struct {
	Schema string   // "" = found through search_path; "pg_catalog" for SQL's own spellings (int → int4)
	Name   string   // internal name: int4, varchar, timestamptz, numeric; serial2, serial4, serial8 for the serials
	Mods   []string // type modifiers as written, e.g. {"10", "2"}
	Fields string   // interval fields or precision as PostgreSQL prints them, else ""
	Array  int      // number of [] dimensions
	SQL    string   // the type as SQL, as PostgreSQL would accept it
}

// Constraint is a table constraint as a statement writes it.
type Constraint struct {
	Name string // "" = PostgreSQL chooses
	Kind ConstraintKind

	// Columns of UNIQUE, PRIMARY KEY, FOREIGN KEY and EXCLUDE ("" = an expression); NOT NULL has one, CHECK none.
	Columns []string
	Include []string
	Expr    string // CHECK
	// Body is the constraint without "CONSTRAINT name" and without the trailing NOT VALID, as SQL: what
	// stands behind ADD or ADD CONSTRAINT name.
	Body string

	RefTable   Name
	RefColumns []string // as written; empty = the primary key of RefTable

	NotValid          bool
	NoInherit         bool
	NotEnforced       bool
	Temporal          bool // WITHOUT OVERLAPS, PERIOD (18)
	Deferrable        bool
	InitiallyDeferred bool
	NullsNotDistinct  bool
	UsingIndex        string // UNIQUE/PRIMARY KEY USING INDEX name
	Method            string // EXCLUDE USING method
}

// ConstraintKind is pg_constraint.contype.
type ConstraintKind byte

// The kinds of constraint, with PostgreSQL's own letters.
const (
	Check      ConstraintKind = 'c'
	ForeignKey ConstraintKind = 'f'
	PrimaryKey ConstraintKind = 'p'
	Unique     ConstraintKind = 'u'
	Exclude    ConstraintKind = 'x'
	NotNull    ConstraintKind = 'n'
)

// Tables.
type (
	CreateTable struct {
		Table       Name
		IfNotExists bool
		Persistence byte // 'p' permanent, 'u' unlogged, 't' temporary
		Columns     []Column
		Constraints []Constraint
		Inherits    []Name
		PartitionOf Name   // zero = not a partition
		Bound       string // FOR VALUES … or DEFAULT, as SQL
		PartitionBy string // RANGE (k), as SQL; "" = not partitioned
		Like        []Name
		LikeOptions []string // for each of Like: INCLUDING …, as written
		OfType      Name     // OF type
		With        string   // reloptions as SQL, without WITH ( )
		Tablespace  string
		// Query is that of CREATE TABLE AS, or the whole SELECT INTO; "" = neither. With it Columns have names only.
		Query string
	}
	DropTable struct {
		Table Name
		DropOptions
	}
	RenameTable struct {
		Table    Name
		To       string
		IfExists bool
	}
	// SetSchema moves an object (Kind as in DROP: TABLE, VIEW, SEQUENCE, TYPE, FUNCTION …) to a schema.
	SetSchema struct {
		Kind   string
		Object Name
		Schema string
	}
	Truncate struct {
		Table   Name
		Cascade bool
	}
)

// Columns.
type (
	AddColumn struct {
		Table       Name
		Only        bool
		IfNotExists bool
		Column      Column
	}
	DropColumn struct {
		Table  Name
		Only   bool
		Column string
		DropOptions
	}
	RenameColumn struct {
		Table    Name // table, view, materialized view or composite type
		From, To string
	}
	AlterColumnType struct {
		Table     Name
		Column    string
		Type      TypeName
		Collation string
		Using     string // "" = none written
	}
	SetDefault struct { // Expr "" = DROP DEFAULT
		Table        Name
		Only         bool
		Column, Expr string
	}
	SetNotNull struct {
		Table  Name
		Only   bool
		Column string
	}
	DropNotNull struct {
		Table  Name
		Only   bool
		Column string
	}
	AddIdentity struct {
		Table   Name
		Column  string
		Always  bool
		Options string
	}
	DropIdentity struct {
		Table    Name
		Column   string
		IfExists bool
	}
	// DropExpression is ALTER COLUMN … DROP EXPRESSION.
	DropExpression struct {
		Table    Name
		Column   string
		IfExists bool
	}
)

// Constraints.
type (
	AddConstraint struct {
		Table      Name
		Only       bool
		Constraint Constraint
	}
	ValidateConstraint struct {
		Table Name
		Name  string
	}
	DropConstraint struct {
		Table Name
		Name  string
		DropOptions
	}
	RenameConstraint struct {
		Table    Name
		From, To string
	}
)

// Indexes.
type (
	IndexElem struct {
		Column    string // "" when Expr is set
		Expr      string
		Collation string
		Opclass   string // with parameters, as SQL
		Options   string // ASC/DESC NULLS FIRST/LAST, as SQL
	}
	CreateIndex struct {
		Name         string // "" = PostgreSQL chooses
		Table        Name
		Only         bool
		IfNotExists  bool
		Concurrently bool
		Unique       bool
		Method       string // btree when not written
		Elems        []IndexElem
		Include      []string
		Where        string
		With         string // reloptions as SQL, without WITH ( )
		Tablespace   string
		// NullsNotDistinct is UNIQUE NULLS NOT DISTINCT (15).
		NullsNotDistinct bool
	}
	DropIndex struct {
		Index        Name
		Concurrently bool
		DropOptions
	}
	RenameIndex struct {
		Index    Name
		To       string
		IfExists bool
	}
	// Reindex has Kind INDEX, TABLE, SCHEMA, DATABASE or SYSTEM.
	Reindex struct {
		Kind         string
		Name         Name
		Concurrently bool
		Tablespace   string // that the indexes move to; "" = they stay
	}
)

// Partitions.
type (
	AttachPartition struct {
		Table, Partition Name
		Bound            string
	}
	DetachPartition struct {
		Table, Partition Name
		Concurrently     bool
		Finalize         bool
	}
	// AttachIndex is ALTER INDEX parent ATTACH PARTITION child.
	AttachIndex struct{ Index, Partition Name }
)

// Types.
type (
	CreateEnum struct {
		Type   Name
		Labels []string
	}
	AddEnumValue struct {
		Type          Name
		Label         string
		IfNotExists   bool
		Before, After string
	}
	RenameEnumValue struct {
		Type     Name
		From, To string
	}
	CreateDomain struct {
		Type        Name
		Base        TypeName
		Collation   string
		NotNull     bool
		Default     string
		Constraints []Constraint
	}
	// AlterDomain carries the subcommand: Action is one of "add constraint", "validate constraint",
	// "drop constraint", "set default", "drop default", "set not null", "drop not null".
	AlterDomain struct {
		Type       Name
		Action     string
		Constraint Constraint
		Default    string
		DropOptions
	}
	RenameType struct {
		Type Name
		To   string
	}
	DropType struct {
		Type Name
		DropOptions
	}
)

// Views.
type (
	CreateView struct {
		View         Name
		Replace      bool
		Materialized bool
		IfNotExists  bool
		WithData     bool
		Columns      []string // names written in parentheses
		With         string   // view options as SQL, without WITH ( )
		Query        string
	}
	DropView struct {
		View         Name
		Materialized bool
		DropOptions
	}
	RenameView struct {
		View Name
		To   string
	}
	RefreshMaterializedView struct {
		View         Name
		Concurrently bool
	}
)

// Sequences.
type (
	CreateSequence struct {
		Sequence    Name
		IfNotExists bool
		OwnedBy     string
	}
	AlterSequence struct {
		Sequence Name
		Options  string
	}
	DropSequence struct {
		Sequence Name
		DropOptions
	}
	RenameSequence struct {
		Sequence Name
		To       string
	}
)

// Triggers and the rest of ALTER TABLE.
type (
	CreateTrigger struct {
		Name       string
		Table      Name
		Constraint bool
		Columns    []string // UPDATE OF
	}
	DropTrigger struct {
		Name  string
		Table Name
		DropOptions
	}
	// AlterTable is every subcommand without an Op of its own: Action is PostgreSQL's name of it without
	// "AT_" (SetStatistics, SetRelOptions, SetLogged, ReplicaIdentity, EnableRowSecurity, ChangeOwner …).
	// Arg is what it says: the bare name of the trigger, rule, index, tablespace, access method or constraint;
	// the parent as SQL for AddInherit and DropInherit; the value of SetStatistics and SetStorage; DEFAULT, FULL,
	// NOTHING or USING INDEX name for ReplicaIdentity; what stands in the parentheses for the options. For
	// AlterConstraint With has the new attributes in upper case.
	AlterTable struct {
		Table  Name
		Only   bool
		Kind   string // TABLE, INDEX, VIEW, MATERIALIZED VIEW, SEQUENCE, FOREIGN TABLE: as written
		Action string
		Column string
		Arg    string
		With   []string // names of the storage parameters of SetRelOptions and ResetRelOptions
	}
)

// Data.
type (
	// Assignment is column = expr of an UPDATE. (a, b) = (1, 2) arrives as two; where the row comes from a query,
	// Expr is that query and Position counts from 1 the column of its row. Indirection is what follows the name
	// of an assigned column as SQL: [1], .field.
	Assignment struct {
		Column, Expr string
		Position     int
		Indirection  string
	}
	Update struct {
		Table     Name
		Only      bool
		Alias     string
		Set       []Assignment
		From      string // FROM list as SQL
		Where     string
		Returning bool
		With      bool // has a WITH clause
	}
	Delete struct {
		Table     Name
		Only      bool
		Alias     string
		Using     string
		Where     string
		Returning bool
		With      bool
	}
	Insert struct {
		Table   Name
		Columns []string
		// Query is the SELECT as SQL; "" for VALUES and DEFAULT VALUES, which Rows counts.
		Query string
		Rows  int
		// Source is the only relation of Query's FROM, with SourceAlias and SourceWhere, when Query is a plain
		// filter and projection of one relation: no aggregate, DISTINCT, GROUP BY, window, set operation,
		// LIMIT, ORDER BY, set-returning function or sub-select. Otherwise it is zero.
		Source      Name
		SourceOnly  bool
		SourceAlias string
		SourceWhere string
		Targets     []string // with Source: the projected expressions
		OnConflict  string   // clause as SQL
		Overriding  string   // USER or SYSTEM: OVERRIDING … VALUE
		Returning   bool
		With        bool
	}
)

// Sessions and what is left.
type (
	// Transaction is BEGIN, COMMIT, ROLLBACK, SAVEPOINT …: Verb in upper case.
	Transaction struct{ Verb string }
	// Set is SET/RESET of a run-time parameter. Value is as SQL; Local is SET LOCAL; Reset is RESET.
	Set struct {
		Name, Value  string
		Local, Reset bool
	}
	Do struct{ Language, Body string }
	// Other is a statement of known kind but without an Op: Tag is its command tag (CREATE FUNCTION, GRANT,
	// COMMENT …) and Objects the relations it names, as far as they can be told.
	Other struct {
		Tag     string
		Objects []Name
		// Names are the names of what is created, altered or dropped where that is no relation: the schema of
		// CREATE SCHEMA, the function of CREATE FUNCTION (without its arguments), the extension, the type …
		Names []Name
		// LockMode is that of LOCK TABLE: 1 = ACCESS SHARE … 8 = ACCESS EXCLUSIVE; otherwise 0.
		LockMode int
	}
)

func (CreateTable) op()             {}
func (DropTable) op()               {}
func (RenameTable) op()             {}
func (SetSchema) op()               {}
func (Truncate) op()                {}
func (AddColumn) op()               {}
func (DropColumn) op()              {}
func (RenameColumn) op()            {}
func (AlterColumnType) op()         {}
func (SetDefault) op()              {}
func (SetNotNull) op()              {}
func (DropNotNull) op()             {}
func (AddIdentity) op()             {}
func (DropIdentity) op()            {}
func (DropExpression) op()          {}
func (AddConstraint) op()           {}
func (ValidateConstraint) op()      {}
func (DropConstraint) op()          {}
func (RenameConstraint) op()        {}
func (CreateIndex) op()             {}
func (DropIndex) op()               {}
func (RenameIndex) op()             {}
func (Reindex) op()                 {}
func (AttachPartition) op()         {}
func (DetachPartition) op()         {}
func (AttachIndex) op()             {}
func (CreateEnum) op()              {}
func (AddEnumValue) op()            {}
func (RenameEnumValue) op()         {}
func (CreateDomain) op()            {}
func (AlterDomain) op()             {}
func (RenameType) op()              {}
func (DropType) op()                {}
func (CreateView) op()              {}
func (DropView) op()                {}
func (RenameView) op()              {}
func (RefreshMaterializedView) op() {}
func (CreateSequence) op()          {}
func (AlterSequence) op()           {}
func (DropSequence) op()            {}
func (RenameSequence) op()          {}
func (CreateTrigger) op()           {}
func (DropTrigger) op()             {}
func (AlterTable) op()              {}
func (Update) op()                  {}
func (Delete) op()                  {}
func (Insert) op()                  {}
func (Transaction) op()             {}
func (Set) op()                     {}
func (Do) op()                      {}
func (Other) op()                   {}
