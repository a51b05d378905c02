"""What a model's tables look like on PostgreSQL, in plain data."""

from django.db.models import NOT_PROVIDED


def describe(model, editor):
    """label → table, for a model and the many-to-many tables that belong to it."""
    found = {}
    options = model._meta
    if options.proxy or options.swapped:
        return found
    found[options.label] = _table(model, editor)
    for field in options.local_many_to_many:
        through = field.remote_field.through
        if not isinstance(through, str) and through._meta.auto_created:
            found[through._meta.label] = _table(through, editor) | {"many_to_many": field.name}
    return found


def _table(model, editor):
    options = model._meta
    table = {"table": options.db_table, "columns": {}}
    if not options.managed:
        table["managed"] = False
    if options.db_tablespace:
        table["tablespace"] = options.db_tablespace
    if comment := getattr(options, "db_table_comment", ""):
        table["comment"] = comment
    indexes, constraints = {}, {}
    for field in options.local_fields:
        column, own = _described(model, field, editor)
        if column is None:
            continue
        table["columns"][field.column] = column
        indexes.update(own)
    for names in options.unique_together:
        fields = [options.get_field(n) for n in names]
        statement = editor._create_unique_sql(model, fields)
        constraints[_name(statement)] = {"kind": "unique", "columns": [f.column for f in fields], "sql": str(statement)}
    for index in options.indexes:
        if not index.contains_expressions or editor.connection.features.supports_expression_indexes:
            indexes[index.name] = {"sql": str(index.create_sql(model, editor))}
    for constraint in options.constraints:
        statement = constraint.create_sql(model, editor)
        if statement:
            kind = {"CheckConstraint": "check", "UniqueConstraint": "unique", "ExclusionConstraint": "exclude"}
            text = str(statement)
            into = indexes if text.startswith("CREATE UNIQUE INDEX") else constraints
            into[constraint.name] = {"kind": kind.get(type(constraint).__name__, "other"), "sql": text}
    if pk := getattr(options, "pk_fields", None):
        if len(pk) > 1:
            table["primary_key"] = [f.column for f in pk]
    if indexes:
        table["indexes"] = indexes
    if constraints:
        table["constraints"] = constraints
    return table


def _described(model, field, editor):
    """A field's column and indexes. They are kept with the field of the model's state, of which field is a copy: most
    fields of a table stay as they are when it changes."""
    source = getattr(field, "_replank_source", None)
    if source is None or field.remote_field is not None or getattr(field, "generated", False):
        return _column(model, field, editor), _indexes(model, field, editor)
    options = model._meta
    where = (options.db_table, options.db_tablespace, field.name, field.column)
    kept = source.__dict__.get("_replank_described")
    if kept is None or kept[0] is not source or kept[1] != where:
        kept = source, where, _column(model, field, editor), _indexes(model, field, editor)
        source.__dict__["_replank_described"] = kept
    return kept[2:]


def _indexes(model, field, editor):
    return {_name(s): {"sql": str(s)} for s in editor._field_indexes_sql(model, field)}


def _column(model, field, editor):
    connection = editor.connection
    params = field.db_parameters(connection=connection)
    if not params.get("type") or not field.column:
        return None
    column = {"field": field.name, "type": params["type"]}
    if suffix := field.db_type_suffix(connection=connection):
        if "IDENTITY" in suffix:
            column["identity"] = "ALWAYS" if "ALWAYS" in suffix else "BY DEFAULT"
    if field.null and not field.primary_key:
        column["null"] = True
    if field.primary_key:
        column["primary_key"] = True
    elif field.unique:
        column["unique"] = True
    if collation := params.get("collation"):
        column["collation"] = collation
    if check := params.get("check"):
        column["check"] = check % () if "%%" in check else check
    if comment := getattr(field, "db_comment", None):
        column["comment"] = comment
    if getattr(field, "generated", False):
        sql, values = field.generated_sql(connection)
        column["generated"] = connection.ops.compose_sql(sql, values) if values else sql
        column["stored"] = field.db_persist
    elif getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED:
        sql, values = editor.db_default_sql(field)
        column["default"] = connection.ops.compose_sql(sql, values) if values else sql
    if field.has_default() and getattr(field, "db_default", NOT_PROVIDED) is NOT_PROVIDED:
        column["application_default"] = _default(field.default)
    if field.remote_field and not isinstance(field.remote_field.model, str):
        to = {"table": field.remote_field.model._meta.db_table, "column": field.target_field.column}
        if field.db_constraint:
            to["constraint"] = _plain(editor._fk_constraint_name(model, field, "_fk_%(to_table)s_%(to_column)s"))
        column["references"] = to
    return column


def _default(value):
    """A default of the application, for people: a constant, or what is called."""
    if callable(value):
        return f"{getattr(value, '__module__', '?')}.{getattr(value, '__qualname__', type(value).__name__)}()"
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "…"


def _name(statement):
    return _plain(statement.parts["name"])


def _plain(name):
    name = str(name)
    return name[1:-1].replace('""', '"') if name[:1] == '"' else name
