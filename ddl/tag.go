package ddl

import (
	"reflect"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// noTx reports whether PostgreSQL refuses a statement inside a transaction block. It cannot know that REINDEX
// TABLE or INDEX, or CLUSTER, names a partitioned one.
func noTx(stmt *pg.Node) bool {
	switch n := stmt.Node.(type) {
	case *pg.Node_IndexStmt:
		return n.IndexStmt.Concurrent
	case *pg.Node_DropStmt:
		return n.DropStmt.Concurrent
	case *pg.Node_ReindexStmt:
		k := n.ReindexStmt.Kind
		return k == pg.ReindexObjectType_REINDEX_OBJECT_DATABASE || k == pg.ReindexObjectType_REINDEX_OBJECT_SYSTEM ||
			k == pg.ReindexObjectType_REINDEX_OBJECT_SCHEMA || flag(n.ReindexStmt.Params, "concurrently")
	case *pg.Node_AlterTableStmt:
		for _, cmd := range n.AlterTableStmt.Cmds {
			if cmd.GetAlterTableCmd().GetDef().GetPartitionCmd().GetConcurrent() {
				return true
			}
		}
	case *pg.Node_VacuumStmt:
		return n.VacuumStmt.IsVacuumcmd
	case *pg.Node_ClusterStmt:
		return n.ClusterStmt.Relation == nil
	case *pg.Node_AlterDatabaseStmt:
		for _, o := range n.AlterDatabaseStmt.Options {
			if o.GetDefElem().GetDefname() == "tablespace" {
				return true
			}
		}
	case *pg.Node_CreateSubscriptionStmt:
		return subscriptionSlot(n.CreateSubscriptionStmt.Options)
	case *pg.Node_AlterSubscriptionStmt:
		return refreshes(n.AlterSubscriptionStmt)
	case *pg.Node_TransactionStmt:
		k := n.TransactionStmt.Kind
		return k == pg.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED || k == pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED
	case *pg.Node_DiscardStmt:
		return n.DiscardStmt.Target == pg.DiscardMode_DISCARD_ALL
	case *pg.Node_AlterSystemStmt, *pg.Node_CreatedbStmt, *pg.Node_DropdbStmt,
		*pg.Node_CreateTableSpaceStmt, *pg.Node_DropTableSpaceStmt, *pg.Node_DropSubscriptionStmt:
		return true
	}
	return false
}

// subscriptionSlot reports whether CREATE SUBSCRIPTION makes a replication slot on the publisher.
func subscriptionSlot(options []*pg.Node) bool {
	for _, o := range options {
		switch e := o.GetDefElem(); e.GetDefname() {
		case "create_slot", "connect":
			if off(e.Arg) {
				return false
			}
		}
	}
	return true
}

// refreshes reports whether ALTER SUBSCRIPTION speaks with the publisher.
func refreshes(n *pg.AlterSubscriptionStmt) bool {
	switch n.Kind {
	case pg.AlterSubscriptionType_ALTER_SUBSCRIPTION_REFRESH:
		return true
	case pg.AlterSubscriptionType_ALTER_SUBSCRIPTION_SET_PUBLICATION,
		pg.AlterSubscriptionType_ALTER_SUBSCRIPTION_ADD_PUBLICATION,
		pg.AlterSubscriptionType_ALTER_SUBSCRIPTION_DROP_PUBLICATION:
		for _, o := range n.Options {
			if e := o.GetDefElem(); e.GetDefname() == "refresh" && off(e.Arg) {
				return false
			}
		}
		return true
	case pg.AlterSubscriptionType_ALTER_SUBSCRIPTION_OPTIONS:
		// The slot has to be told (from 17 and 18 on).
		return slices.ContainsFunc(n.Options, func(o *pg.Node) bool {
			name := o.GetDefElem().GetDefname()
			return name == "failover" || name == "two_phase"
		})
	}
	return false
}

// tag is PostgreSQL's command tag of a statement.
func (c *statement) tag(stmt *pg.Node) string {
	switch n := stmt.Node.(type) {
	case *pg.Node_DropStmt:
		return "DROP " + objectKind(n.DropStmt.RemoveType)
	case *pg.Node_RenameStmt:
		return "ALTER " + owner(n.RenameStmt.RenameType, n.RenameStmt.RelationType)
	case *pg.Node_AlterOwnerStmt:
		return "ALTER " + objectKind(n.AlterOwnerStmt.ObjectType)
	case *pg.Node_AlterObjectDependsStmt:
		return "ALTER " + objectKind(n.AlterObjectDependsStmt.ObjectType)
	case *pg.Node_DefineStmt:
		return "CREATE " + objectKind(n.DefineStmt.Kind)
	case *pg.Node_GrantStmt:
		return pick(n.GrantStmt.IsGrant, "GRANT", "REVOKE")
	case *pg.Node_GrantRoleStmt:
		return pick(n.GrantRoleStmt.IsGrant, "GRANT ROLE", "REVOKE ROLE")
	case *pg.Node_CreateFunctionStmt:
		return "CREATE " + pick(n.CreateFunctionStmt.IsProcedure, "PROCEDURE", "FUNCTION")
	case *pg.Node_AlterFunctionStmt:
		return "ALTER " + objectKind(n.AlterFunctionStmt.Objtype)
	case *pg.Node_VacuumStmt:
		return pick(n.VacuumStmt.IsVacuumcmd, "VACUUM", "ANALYZE")
	case *pg.Node_DiscardStmt:
		return "DISCARD " + strings.TrimPrefix(n.DiscardStmt.Target.String(), "DISCARD_")
	case *pg.Node_DeallocateStmt:
		return pick(n.DeallocateStmt.Name == "", "DEALLOCATE ALL", "DEALLOCATE")
	case *pg.Node_ClosePortalStmt:
		return pick(n.ClosePortalStmt.Portalname == "", "CLOSE CURSOR ALL", "CLOSE CURSOR")
	case *pg.Node_FetchStmt:
		return pick(n.FetchStmt.Ismove, "MOVE", "FETCH")
	case *pg.Node_AlterExtensionContentsStmt:
		return "ALTER EXTENSION"
	case *pg.Node_AlterTableMoveAllStmt:
		return "ALTER " + objectKind(n.AlterTableMoveAllStmt.Objtype)
	case *pg.Node_AlterRoleStmt, *pg.Node_AlterRoleSetStmt:
		return "ALTER ROLE"
	}
	name := strings.TrimSuffix(strings.TrimPrefix(reflect.TypeOf(stmt.Node).Elem().Name(), "Node_"), "Stmt")
	if t, ok := tags[name]; ok {
		return t
	}
	// CreateSchema → CREATE SCHEMA: most of PostgreSQL's nodes are called as their tag.
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}

func pick(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// owner is the kind of object whose ALTER renames a part of it.
func owner(t, relation pg.ObjectType) string {
	switch t {
	case pg.ObjectType_OBJECT_DOMCONSTRAINT:
		return "DOMAIN"
	case pg.ObjectType_OBJECT_ATTRIBUTE:
		return "TYPE"
	case pg.ObjectType_OBJECT_COLUMN, pg.ObjectType_OBJECT_TABCONSTRAINT:
		return objectKind(relation)
	}
	return objectKind(t)
}

var tags = map[string]string{
	"Merge": "MERGE", "AlterDefaultPrivileges": "ALTER DEFAULT PRIVILEGES", "VariableShow": "SHOW",
	"CreateTableSpace": "CREATE TABLESPACE", "DropTableSpace": "DROP TABLESPACE",
	"AlterTableSpaceOptions": "ALTER TABLESPACE", "CreateFdw": "CREATE FOREIGN DATA WRAPPER",
	"AlterFdw": "ALTER FOREIGN DATA WRAPPER", "CreateForeignServer": "CREATE SERVER",
	"AlterForeignServer": "ALTER SERVER", "CreateForeignTable": "CREATE FOREIGN TABLE",
	"CreateAm": "CREATE ACCESS METHOD", "CreateEventTrig": "CREATE EVENT TRIGGER",
	"AlterEventTrig": "ALTER EVENT TRIGGER", "CreatePlang": "CREATE LANGUAGE", "CreateOpClass": "CREATE OPERATOR CLASS",
	"CreateOpFamily": "CREATE OPERATOR FAMILY", "AlterOpFamily": "ALTER OPERATOR FAMILY", "SecLabel": "SECURITY LABEL",
	"DeclareCursor": "DECLARE CURSOR", "CreateStats": "CREATE STATISTICS", "AlterStats": "ALTER STATISTICS",
	"Rule": "CREATE RULE", "CompositeType": "CREATE TYPE", "CreateRange": "CREATE TYPE", "Createdb": "CREATE DATABASE",
	"Dropdb": "DROP DATABASE", "AlterDatabaseRefreshColl": "ALTER DATABASE", "AlterDatabaseSet": "ALTER DATABASE",
	"CheckPoint": "CHECKPOINT", "Lock": "LOCK TABLE", "ConstraintsSet": "SET CONSTRAINTS",
	"AlterTsdictionary": "ALTER TEXT SEARCH DICTIONARY", "AlterTsconfiguration": "ALTER TEXT SEARCH CONFIGURATION",
}

// objects are the relations that a statement names, as far as its parse tree tells.
func objects(stmt *pg.Node) []Name {
	switch n := stmt.Node.(type) {
	case *pg.Node_CommentStmt:
		return relationOf(n.CommentStmt.Objtype, n.CommentStmt.Object)
	case *pg.Node_SecLabelStmt:
		return relationOf(n.SecLabelStmt.Objtype, n.SecLabelStmt.Object)
	case *pg.Node_AlterTableMoveAllStmt, *pg.Node_DropStmt:
		return nil
	}
	return relations(stmt)
}

// names are the names of what a statement creates, alters or drops where that is no relation.
func names(stmt *pg.Node) []Name {
	one := func(n Name) []Name {
		if n.IsZero() {
			return nil
		}
		return []Name{n}
	}
	switch n := stmt.Node.(type) {
	case *pg.Node_DropStmt:
		var list []Name
		for _, o := range n.DropStmt.Objects {
			list = append(list, objectName(o))
		}
		return list
	case *pg.Node_RenameStmt:
		if n.RenameStmt.Object == nil {
			return one(Name{Name: n.RenameStmt.Subname})
		}
		return one(objectName(n.RenameStmt.Object))
	case *pg.Node_AlterOwnerStmt:
		return one(objectName(n.AlterOwnerStmt.Object))
	case *pg.Node_CommentStmt:
		if relationOf(n.CommentStmt.Objtype, n.CommentStmt.Object) == nil {
			return one(objectName(n.CommentStmt.Object))
		}
	case *pg.Node_CreateSchemaStmt:
		schema := n.CreateSchemaStmt.Schemaname
		if schema == "" {
			schema = n.CreateSchemaStmt.GetAuthrole().GetRolename()
		}
		return one(Name{Name: schema})
	case *pg.Node_CreateExtensionStmt:
		return one(Name{Name: n.CreateExtensionStmt.Extname})
	case *pg.Node_AlterExtensionStmt:
		return one(Name{Name: n.AlterExtensionStmt.Extname})
	case *pg.Node_CreateFunctionStmt:
		return one(nameOf(n.CreateFunctionStmt.Funcname))
	case *pg.Node_AlterFunctionStmt:
		return one(nameOf(n.AlterFunctionStmt.Func.GetObjname()))
	case *pg.Node_DefineStmt:
		return one(nameOf(n.DefineStmt.Defnames))
	case *pg.Node_CreateRangeStmt:
		return one(nameOf(n.CreateRangeStmt.TypeName))
	case *pg.Node_CreateStatsStmt:
		return one(nameOf(n.CreateStatsStmt.Defnames))
	case *pg.Node_AlterStatsStmt:
		return one(nameOf(n.AlterStatsStmt.Defnames))
	case *pg.Node_CreatePolicyStmt:
		return one(Name{Name: n.CreatePolicyStmt.PolicyName})
	case *pg.Node_AlterPolicyStmt:
		return one(Name{Name: n.AlterPolicyStmt.PolicyName})
	case *pg.Node_RuleStmt:
		return one(Name{Name: n.RuleStmt.Rulename})
	case *pg.Node_CreatePublicationStmt:
		return one(Name{Name: n.CreatePublicationStmt.Pubname})
	case *pg.Node_AlterPublicationStmt:
		return one(Name{Name: n.AlterPublicationStmt.Pubname})
	case *pg.Node_CreateSubscriptionStmt:
		return one(Name{Name: n.CreateSubscriptionStmt.Subname})
	case *pg.Node_AlterSubscriptionStmt:
		return one(Name{Name: n.AlterSubscriptionStmt.Subname})
	case *pg.Node_DropSubscriptionStmt:
		return one(Name{Name: n.DropSubscriptionStmt.Subname})
	case *pg.Node_CreatedbStmt:
		return one(Name{Name: n.CreatedbStmt.Dbname})
	case *pg.Node_DropdbStmt:
		return one(Name{Name: n.DropdbStmt.Dbname})
	case *pg.Node_CreateTableSpaceStmt:
		return one(Name{Name: n.CreateTableSpaceStmt.Tablespacename})
	case *pg.Node_DropTableSpaceStmt:
		return one(Name{Name: n.DropTableSpaceStmt.Tablespacename})
	case *pg.Node_GrantStmt:
		var list []Name
		for _, o := range n.GrantStmt.Objects {
			if name := objectName(o); o.GetRangeVar() == nil && !name.IsZero() {
				list = append(list, name)
			}
		}
		return list
	}
	return nil
}

func relationOf(t pg.ObjectType, object *pg.Node) []Name {
	switch t {
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW,
		pg.ObjectType_OBJECT_INDEX, pg.ObjectType_OBJECT_SEQUENCE, pg.ObjectType_OBJECT_FOREIGN_TABLE:
		return []Name{objectName(object)}
	case pg.ObjectType_OBJECT_COLUMN, pg.ObjectType_OBJECT_TABCONSTRAINT, pg.ObjectType_OBJECT_TRIGGER,
		pg.ObjectType_OBJECT_POLICY, pg.ObjectType_OBJECT_RULE:
		table, _ := memberName(object)
		return []Name{table}
	}
	return nil
}
