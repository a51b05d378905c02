"""What the tables of a MetaData look like on PostgreSQL, in plain data."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy import Enum, Sequence
from sqlalchemy.dialects.postgresql import ExcludeConstraint, dialect
from sqlalchemy.schema import AddConstraint, CreateIndex

POSTGRESQL = dialect()


def describe(metadata):
    """name → table. Several MetaData may be given, as in env.py."""
    found = {}
    for one in metadata if isinstance(metadata, (list, tuple)) else [metadata]:
        for table in one.tables.values():
            found[table.fullname] = _table(table)
    return found


def _sql(element):
    return " ".join(str(element.compile(dialect=POSTGRESQL)).split())


def _name(constraint):
    """The name by the naming convention, or None."""
    name = POSTGRESQL.identifier_preparer.format_constraint(constraint) if constraint.name else None
    return name[1:-1] if name and name[0] == '"' else name


def _table(table):
    out = {"table": table.name, "columns": {c.name: _column(c) for c in table.columns}}
    if table.schema:
        out["schema"] = table.schema
    if table.comment:
        out["comment"] = table.comment
    indexes, constraints = {}, {}
    for index in table.indexes:
        sql = _sql(CreateIndex(index))
        name = POSTGRESQL.identifier_preparer.format_index(index).strip('"') if index.name else sql
        indexes[name] = {"sql": sql}
    kinds = ((UniqueConstraint, "unique"), (CheckConstraint, "check"), (ForeignKeyConstraint, "foreign key"),
             (ExcludeConstraint, "exclude"))  # fmt: skip
    for constraint in table.constraints:
        kind = next((k for cls, k in kinds if isinstance(constraint, cls)), None)
        if isinstance(constraint, PrimaryKeyConstraint):
            if len(constraint.columns) > 1:
                out["primary_key"] = [c.name for c in constraint.columns]
            continue
        if kind is None or getattr(constraint, "_type_bound", False):
            continue
        columns = [c.name for c in getattr(constraint, "columns", ())]
        if kind == "unique" and len(columns) == 1:
            out["columns"][columns[0]]["unique"] = True
            continue
        if kind == "foreign key" and len(columns) == 1:
            continue
        name = _name(constraint) or f"{table.name}_{'_'.join(columns)}_{kind}"
        try:
            sql = _sql(AddConstraint(constraint))
        except Exception:  # without a name there is no ALTER TABLE for it
            sql = ""
        constraints[name] = {"kind": kind, "columns": columns, "sql": sql}
    if indexes:
        out["indexes"] = dict(sorted(indexes.items()))
    if constraints:
        out["constraints"] = dict(sorted(constraints.items()))
    return out


def _column(column):
    out = {"field": column.key, "type": column.type.compile(dialect=POSTGRESQL)}
    if isinstance(column.type, Enum) and column.type.enums:
        out["enum"] = list(column.type.enums)
    if column.nullable and not column.primary_key:
        out["null"] = True
    if column.primary_key:
        out["primary_key"] = True
    if column.identity is not None:
        out["identity"] = "ALWAYS" if column.identity.always else "BY DEFAULT"
    elif column is column.table._autoincrement_column and column.server_default is None:
        out["serial"] = True
    if column.computed is not None:
        out["generated"] = str(column.computed.sqltext)
        out["stored"] = column.computed.persisted is not False
    elif column.server_default is not None and hasattr(column.server_default, "arg"):
        arg = column.server_default.arg
        out["default"] = "'" + arg.replace("'", "''") + "'" if isinstance(arg, str) else _sql(arg)
    if column.default is not None and not isinstance(column.default, Sequence):
        arg = getattr(column.default, "arg", None)
        out["application_default"] = f"{arg.__module__ or ''}.{arg.__qualname__}()".lstrip(".") if callable(arg) else repr(arg)
    if column.comment:
        out["comment"] = column.comment
    for key in column.foreign_keys:
        if key.constraint is None or len(key.constraint.columns) != 1:
            continue
        to = {}
        to["table"], to["column"] = key.target_fullname.rsplit(".", 1)
        if "." in to["table"]:
            to["schema"], to["table"] = to["table"].rsplit(".", 1)
        to["constraint"] = _name(key.constraint) or f"{column.table.name}_{column.name}_fkey"
        if key.ondelete:
            to["on_delete"] = key.ondelete
        out["references"] = to
    return out
