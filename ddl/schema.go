package ddl

// Schema is a database's shape in memory: what a planner must know to say what a statement does.
// catalog fills it from a live server, Apply moves it forward statement by statement.
// It is a value of plain data (JSON-serialisable) so that it can be stored, hashed and shipped.
type Schema struct {
	// Version is server_version_num, e.g. 150018.
	Version int `json:"version"`
	// SearchPath is the effective search_path with "$user" resolved and absent schemas left out,
	// without pg_catalog.
	SearchPath []string `json:"search_path"`
	// TimeZone is the session's TimeZone: ALTER TYPE timestamp ↔ timestamptz rewrites unless it is UTC.
	TimeZone string `json:"time_zone"`
	User     string `json:"user"`
	// Superuser says that User is one.
	Superuser bool `json:"superuser"`
	// PathSetting is the search_path setting with "$user" resolved; unlike SearchPath it keeps schemas that
	// do not exist (yet).
	PathSetting []string `json:"path_setting"`
	// InRecovery is true on a standby.
	InRecovery bool `json:"in_recovery"`

	Schemas   []string             `json:"schemas"`
	Relations map[Name]*Relation   `json:"-"` // tables, partitioned tables, views, materialized views, foreign tables
	Indexes   map[Name]*Index      `json:"-"` // every index by its own name; the same pointers as Relation.Indexes
	Sequences map[Name]*Sequence   `json:"-"`
	Types     map[Name]*Type       `json:"-"` // enums, domains, composites, ranges of the user; not pg_catalog's
	Functions map[string]*Function `json:"-"` // by regprocedure text, user's only
	// Owned are what else has privileges: schemas, the database, languages, foreign-data wrappers, servers, tablespaces.
	Owned map[Thing]Owned `json:"-"`
	// Members are the memberships in roles of the whole server.
	Members []Member `json:"-"`
	// DefaultACLs are what new objects get by ALTER DEFAULT PRIVILEGES.
	DefaultACLs []DefaultACL `json:"-"`
	Facts       *Facts       `json:"-"` // what the server knows about types, casts and functions; never nil after Load

	cow *cow // nil = this Schema owns all it points to, see Clone
	// dropping are the objects that the running statement drops together.
	dropping    map[Name]bool
	constraints constraintNames
	// opaque: something ran whose effect cannot be told, so that what looks undefined may exist.
	opaque bool
	// gone are names that a statement took away: they are not assumed to exist, see Assume.
	gone map[Name]bool
	// assuming: Assume was asked, so that blocks of code are read too.
	assuming bool
}

// Relation is a table or anything that can be read like one.
type Relation struct {
	OID         uint32
	Name        Name
	Kind        byte // pg_class.relkind: r p v m f
	Persistence byte // pg_class.relpersistence: p u t
	Owner       string
	Rows        int64 // estimate; -1 = unknown (never analysed)
	Bytes       int64 // heap + TOAST, without indexes; a partitioned table has the sum of its partitions, like Rows
	IndexBytes  int64

	Columns     []*RelColumn // by attnum, dropped ones left out
	Constraints []*TableConstraint
	Indexes     []*Index
	Triggers    []*Trigger
	Policies    []*Policy
	Rules       []*Rule // without a view's own _RETURN
	// ReferencedBy are the foreign keys of other tables (and of this one) that point here.
	ReferencedBy []*TableConstraint

	Parents      []Name // partition parent, or inheritance parents
	Children     []Name // direct partitions or inheritance children
	IsPartition  bool
	Bound        string   // pg_get_expr(relpartbound)
	PartitionKey string   // pg_get_partkeydef; "" = not partitioned
	PartitionBy  []string // columns of the partition key in its order, then those inside its expressions

	RowSecurity      bool
	ForceRowSecurity bool
	ReplicaIdentity  byte // d n f i
	Options          []string
	ACL              []Grant // nil = the owner's defaults, empty = everything was revoked
	Comment          string
	Tablespace       string
	AccessMethod     string
	OfType           bool
	RowType          Name `json:",omitzero"` // of a table OF a type
	UsedAttributes   int  // highest attnum ever given, dropped ones too (the limit is 1,600)
	// Assumed: a statement takes the relation for granted and nobody has seen it. Its size is not known, and columns,
	// constraints and indexes only as far as statements spoke of them.
	Assumed bool
	// Partial: it was made from a relation that is assumed, so that it may have more columns than are known.
	Partial bool

	// Definition is pg_get_viewdef for views and materialized views.
	Definition string
	Populated  bool // materialized views
	// Dependents are the objects that PostgreSQL would find in the way of dropping a column: views and their
	// like, by OID, never found by reading text. The list is the whole transitive closure (views of views)
	// in the order in which they can be re-created; drop them in reverse.
	Dependents []Dependent
	// Publications that carry this table, with an explicit column list where there is one.
	Publications []Publication
	Statistics   []StatisticsObject
}

// RelColumn is a column that exists.
type RelColumn struct {
	Number    int // attnum
	Name      string
	Type      string // format_type(atttypid, atttypmod)
	TypeName  Name   // the type's own name (array types: the element's)
	Mod       int    // atttypmod, -1 = none
	Array     bool
	Collation string // quoted and qualified; "" = the type's default
	NotNull   bool
	// NotNullName is the name of the NOT NULL constraint (18), else "".
	NotNullName  string
	NotNullValid bool
	Default      string // pg_get_expr; "" = none
	Volatile     bool   // the default calls a volatile function
	Identity     byte   // a d 0
	Generated    byte   // s v 0; Default then holds the expression
	HasMissing   bool
	Storage      byte
	Compression  byte
	StatsTarget  int // -1 = default
	Options      []string
	ACL          []Grant
	Comment      string
	Sequence     Name // sequence owned by the column (serial or identity)
	Inherited    int  // attinhcount
	Local        bool // attislocal
	AvgWidth     int  // pg_stats.avg_width, 0 = unknown
	Assumed      bool // nothing but its name is known, see Relation.Assumed
	NullFrac     float64
}

// TableConstraint is a constraint that exists.
type TableConstraint struct {
	OID        uint32
	Name       string
	Table      Name
	Kind       ConstraintKind
	Columns    []string // conkey
	Definition string   // pg_get_constraintdef, without a trailing NOT VALID
	Valid      bool
	// NotEnforced is NOT ENFORCED (18).
	NotEnforced bool
	NoInherit   bool
	Inherited   int
	Local       bool
	Deferrable  bool
	Deferred    bool
	Index       string // conindid's name, same schema as the table (UNIQUE, PRIMARY KEY, EXCLUDE); for FK the referenced one
	RefTable    Name
	RefColumns  []string
	// Parent is the OID of the parent table's constraint this one belongs to; 0 = its own.
	Parent  uint32
	Comment string
}

// Index is an index that exists.
type Index struct {
	OID        uint32
	Name       Name
	Table      Name
	Definition string // pg_get_indexdef
	Method     string
	Unique     bool
	// NullsNotDistinct is UNIQUE NULLS NOT DISTINCT (15).
	NullsNotDistinct bool
	Primary          bool
	Exclusion        bool
	Valid            bool
	Ready            bool
	Immediate        bool
	Clustered        bool
	ReplIdent        bool
	// Columns are all columns the index needs: keys, INCLUDE, and those in expressions and predicate.
	Columns []string
	// Keys are the key columns in order, "" for an expression.
	Keys        []string
	Include     []string
	HasExpr     bool
	Predicate   string
	Constraint  string // name of the constraint that owns it
	Parent      Name   // partitioned index it is attached to
	Partitioned bool   // relkind I
	Comment     string
	Bytes       int64
	StatsTarget map[int]int
	Options     []string
	Tablespace  string
	Assumed     bool // nothing but its name is known; Table is empty unless a statement told it
}

// Trigger is a user trigger that exists (internal ones are left out).
type Trigger struct {
	OID        uint32
	Name       string
	Definition string   // pg_get_triggerdef
	Enabled    byte     // O D R A
	Columns    []string // UPDATE OF
	// UsesColumns are the columns named in WHEN and UPDATE OF, by pg_depend.
	UsesColumns []string
	Row         bool
	Before      bool
	OnInsert    bool
	OnUpdate    bool
	OnDelete    bool
	OnTruncate  bool
	InsteadOf   bool
	Constraint  bool
	Function    string
	Parent      uint32 // OID of the parent's trigger of which this is a clone; 0 = its own
	Comment     string
}

// Policy is a row-security policy.
type Policy struct {
	OID        uint32
	Name       string
	Definition string // CREATE POLICY …, complete
	Columns    []string
	Comment    string
}

// Rule is a rewrite rule.
type Rule struct {
	OID        uint32
	Name       string
	Definition string // pg_get_ruledef
	Enabled    byte   // O D R A
	Columns    []string
	Comment    string
}

// Dependent is an object that depends on a column (or, with Column empty, on the whole relation).
type Dependent struct {
	Column string
	// Kind is one of view, materialized view, rule, policy, trigger, function, statistics, publication, generated
	// column, default, column (of this row type), constraint, index, type.
	Kind string
	// Name is the object's own; rules, policies, triggers, columns and constraints have the schema of their table.
	Name  Name
	Table Name   // the table or view that a rule, policy, trigger, column, constraint or index belongs to
	Text  string // pg_describe_object
	// Depth is 1 for what stands on the column itself, 2 for what stands on that, and so on; the longest way
	// counts. Via is what an object of depth over 1 stands on.
	Depth    int
	Via      Name
	Function string // key in Schema.Functions
}

// Publication carries a table.
type Publication struct {
	Name      string
	AllTables bool
	Columns   []string // explicit list, empty = all
	Where     string
}

// StatisticsObject is CREATE STATISTICS.
type StatisticsObject struct {
	OID        uint32
	Name       Name
	Definition string
	Columns    []string
	Target     int
	Comment    string
}

// Grant is one aclitem.
type Grant struct {
	Grantee   string // "" = PUBLIC
	Privilege string
	Grantable bool
	// Grantor is the role that gave it, "" for the owner.
	Grantor string `json:",omitempty"`
	// Foreign says that the session may not act as Grantor, so that only the owner could give it again.
	Foreign bool `json:",omitempty"`
}

// Thing is something that has a name and privileges. Kind is said as in GRANT … ON.
type Thing struct{ Kind, Name string }

// Owned is who owns a thing and what others may do with it.
type Owned struct {
	Owner string
	ACL   []Grant // nil = what is built in
	// Guests says of a schema that tables or routines of extensions live in it, which a Schema does not hold.
	Guests bool
}

// Member is a membership in a role.
type Member struct {
	Role, Member, Grantor string
	Admin                 bool
}

// DefaultACL is an entry of ALTER DEFAULT PRIVILEGES.
type DefaultACL struct {
	Role   string // whose objects get it
	Schema string // "" = in every schema
	Kind   byte   // pg_default_acl.defaclobjtype: r S f T n
	ACL    []Grant
}

// Sequence is a sequence that exists.
type Sequence struct {
	OID         uint32
	Name        Name
	Type        string
	Start       int64
	Increment   int64
	Min, Max    int64
	Cache       int64
	Cycle       bool
	OwnedTable  Name
	OwnedColumn string
	Identity    bool
	Owner       string
	ACL         []Grant
	Comment     string
	Persistence byte
	// UsedBy are what else than columns' defaults depends on the sequence of an identity column.
	UsedBy  []string
	Assumed bool // nothing but its name is known
}

// Type is a user-defined type.
type Type struct {
	OID     uint32
	Name    Name
	Kind    byte // pg_type.typtype: e d c r m b
	Labels  []string
	Base    string // format_type of a domain's base type, a range's subtype, a multirange's range
	NotNull bool
	Default string
	// DefaultVolatile: the domain's default calls a volatile function.
	DefaultVolatile bool
	// Constraints of a domain.
	Constraints []*TableConstraint
	Attributes  []Attribute // of a composite type
	// Dependents stand on the type: columns, functions, views, defaults, constraints, indexes, domains.
	Dependents []Dependent
	Owner      string
	ACL        []Grant
	Comment    string
	Assumed    bool // nothing but its name is known; Kind is a guess
}

// Attribute is a field of a composite type.
type Attribute struct {
	Name string
	Type string // format_type
}

// Function is a user-defined function or procedure.
type Function struct {
	OID        uint32
	Name       Name
	Signature  string // regprocedure
	Definition string // pg_get_functiondef
	Kind       byte   // prokind
	Volatile   byte   // i s v
	Language   string
	Body       string // prosrc
	Owner      string
	ACL        []Grant
	Comment    string
}

// Relation finds a relation as a statement names it: through SearchPath when no schema is written.
func (s *Schema) Relation(n Name) *Relation {
	if n.Schema != "" {
		return s.Relations[n]
	}
	for _, sch := range s.SearchPath {
		if r := s.Relations[Name{sch, n.Name}]; r != nil {
			return r
		}
	}
	return nil
}

// Index finds an index as a statement names it.
func (s *Schema) Index(n Name) *Index {
	if n.Schema != "" {
		return s.Indexes[n]
	}
	for _, sch := range s.SearchPath {
		if i := s.Indexes[Name{sch, n.Name}]; i != nil {
			return i
		}
	}
	return nil
}

// Type finds a user-defined type as a statement names it; nil for built-in and unknown ones.
func (s *Schema) Type(n Name) *Type {
	if n.Schema != "" {
		return s.Types[n]
	}
	for _, sch := range s.SearchPath {
		if t := s.Types[Name{sch, n.Name}]; t != nil {
			return t
		}
	}
	return nil
}

// Column finds a column by name; nil when there is none.
func (r *Relation) Column(name string) *RelColumn {
	for _, c := range r.Columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Constraint finds a constraint by name; nil when there is none.
func (r *Relation) Constraint(name string) *TableConstraint {
	for _, c := range r.Constraints {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// PrimaryKey gives the primary key; nil when there is none.
func (r *Relation) PrimaryKey() *TableConstraint {
	for _, c := range r.Constraints {
		if c.Kind == PrimaryKey {
			return c
		}
	}
	return nil
}
