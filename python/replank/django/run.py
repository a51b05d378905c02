"""Runs one operation of a migration as MigrationExecutor would: with the models of that moment, in its transaction."""

from django.db import connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations import SeparateDatabaseAndState

from replank import worker
from replank.django.walk import content_type_of
from replank.worker import Refused


def run(request):
    connection = connect(request)
    try:
        _run(request, connection)
    finally:
        connection.close()


def connect(request):
    """The project's connection, to the database that replank changes."""
    connection = connections[request["database"]]
    connection.close()
    settings, options = connection.settings_dict, dict(connection.settings_dict.get("OPTIONS") or {})
    where = _parsed(request["dsn"])
    for key, name in (("NAME", "dbname"), ("USER", "user"), ("PASSWORD", "password"), ("HOST", "host"), ("PORT", "port")):
        settings[key] = where.pop(name, "")
    settings["NAME"] = settings["NAME"] or request["dbname"]
    for name in ("service", "passfile", "pool"):
        options.pop(name, None)
    if more := where.pop("options", ""):
        options["options"] = f"{options.get('options', '')} {more}".strip()
    settings["OPTIONS"] = {**options, **where}
    settings["CONN_MAX_AGE"] = 0
    connection.connect()
    with transaction.atomic(using=connection.alias):
        worker.as_ourselves(_execute(connection), request["enlist"])
    with connection.cursor() as cursor:
        for statement in request["session"]:
            cursor.execute(statement)
    return connection


def _parsed(dsn):
    if not dsn:
        return {}
    try:
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        from psycopg2.extensions import parse_dsn as conninfo_to_dict
    return {k: str(v) for k, v in conninfo_to_dict(dsn).items()}


def _execute(connection):
    def execute(sql):
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()

    return execute


def _run(request, connection):
    app, name = request["app"], request["name"]
    executor = MigrationExecutor(connection)
    # The graph lacks what a squash replaces once that is applied.
    migration = executor.loader.graph.nodes.get((app, name)) or executor.loader.disk_migrations.get((app, name))
    if migration is None:
        raise Refused(f"the project has no migration {app}.{name} any more")
    past = executor._create_project_state(with_applied_migrations=True)
    operation, past, present = find(migration, past, list(request["at"]))

    def mark():
        worker.as_ourselves(_execute(connection), request["mark"])

    def act(editor):
        if request["backwards"]:
            operation.database_backwards(app, editor, present, past)
        else:
            operation.database_forwards(app, editor, past, present)
            if request["deferred"]:
                editor.deferred_sql.clear()  # replank has it as steps of its own
        # Nothing may come behind the mark.
        while editor.deferred_sql:
            editor.execute(editor.deferred_sql.pop(0), None)

    with connection.schema_editor(atomic=migration.atomic) as editor:
        if not request["atomic"]:
            act(editor)
        elif editor.atomic_migration:
            act(editor)
            mark()
        else:
            with transaction.atomic(using=connection.alias):
                act(editor)
                mark()
    if not request["atomic"]:
        with transaction.atomic(using=connection.alias):
            mark()


def find(migration, past, at):
    """The operation at a place, with the states before and after it."""
    operations = migration.operations
    while True:
        i = at.pop(0)
        if i >= len(operations):
            raise Refused(f"{migration.app_label}.{migration.name} has changed: there is no operation {i}")
        for operation in operations[:i]:
            operation.state_forwards(migration.app_label, past)
        operation, present = operations[i], past.clone()
        operation.state_forwards(migration.app_label, present)
        if not at:
            return operation, past, present
        if at == [-1]:
            return content_type_of(migration, operation), present, present
        if not isinstance(operation, SeparateDatabaseAndState):
            raise Refused(f"{migration.app_label}.{migration.name} has changed: operation {i} is {type(operation).__name__}")
        operations = operation.database_operations
