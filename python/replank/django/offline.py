"""A PostgreSQL connection that is never opened, and a schema editor that writes down what it would execute."""

from django.contrib.postgres import operations as postgres
from django.db import connections
from django.db.backends.postgresql import base  # noqa: F401 first: its modules import each other
from django.db.backends.postgresql.introspection import DatabaseIntrospection, TableInfo
from django.db.models import Index

from replank.catalog import Catalog
from replank.document import ExportError, NeedsDatabase, last_line

try:
    from psycopg._queries import PostgresClientQuery
    from psycopg.adapt import Transformer
except ImportError:
    PostgresClientQuery = None


def prepare(alias, server_version):
    """Make the connection of an alias one that is never opened; its Catalog."""
    connection = connections[alias]
    catalog = Catalog(search_path(connection.settings_dict))

    def refuse(*args, **kwargs):
        raise NeedsDatabase("the operation opens a connection to the database")

    connection.connect = connection.ensure_connection = connection.get_new_connection = refuse
    connection.cursor = Cursor
    connection.__dict__["pg_version"] = server_version
    connection.introspection = _introspection(connection)(connection, catalog)
    if hasattr(type(connection.ops), "spatial_version"):
        connection.ops.__dict__.setdefault("spatial_version", (3, 4, 0))
    if not hasattr(connection.ops, "compose_sql"):
        raise ExportError(
            f'the backend of database "{alias}" is too old: replank needs Django 4.2 or later'
        )
    quote, compose = _quoting(connection)
    connection.ops.compose_sql = compose
    connection.replank_quote = quote
    postgres.CreateExtension.extension_exists = lambda self, editor, extension: False
    postgres.register_type_handlers = lambda connection: None
    return catalog


def search_path(settings):
    """The schemas of a connection's search_path option, without "$user"."""
    words = str((settings.get("OPTIONS") or {}).get("options") or "").replace("\\ ", "").split()
    path = ["public"]
    for word in words:
        word = word.removeprefix("-c").removeprefix("--")
        if word.startswith("search_path="):
            value = word.partition("=")[2].strip("'")
            path = [s.strip().strip('"') for s in value.split(",") if s.strip().strip('"') not in ("", "$user")]
    return path or ["public"]


def _quoting(connection):
    from django.db.backends.postgresql import psycopg_any

    if psycopg_any.is_psycopg3:
        from django.conf import settings

        zone = connection.timezone if settings.USE_TZ else None
        context = psycopg_any.get_adapters_template(settings.USE_TZ, zone)

        def quote(value):
            return psycopg_any.sql.quote(value, context)

        def compose(sql, params):
            if PostgresClientQuery is None:
                return sql % tuple(map(quote, params)) if params else sql.replace("%%", "%")
            query = PostgresClientQuery(Transformer(context))
            query.convert(sql, params)
            return query.query.decode()

    else:
        quote = psycopg_any.sql.quote

        def compose(sql, params):
            return sql % tuple(map(quote, params)) if params else sql

    return quote, compose


class Cursor:
    """Stands where a cursor is opened; fails when it is used."""

    def __init__(self, *args, **kwargs):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *args):
        return False

    def __getattr__(self, name):
        raise NeedsDatabase("the operation asks the database")


def _introspection(connection):
    class Introspection(type(connection.introspection)):
        """Answers from the statements that came before."""

        def __init__(self, connection, catalog):
            super().__init__(connection)
            self.catalog = catalog

        def get_constraints(self, cursor, table_name):
            return constraints(self.catalog, table_name)

        def get_sequences(self, cursor, table_name, table_fields=()):
            table = self.catalog.visible(table_name)
            found = table.sequences.items() if table else ()
            return [{"name": n, "table": table_name, "column": c} for c, n in found]

        def get_table_list(self, cursor):
            names = [t.name[1] for t in self.catalog.tables.values() if self.catalog.visible(t.name[1]) is t]
            return [TableInfo(n, "t", *[None] * (len(TableInfo._fields) - 2)) for n in names]

    return Introspection


def constraints(catalog, table_name):
    """DatabaseIntrospection.get_constraints of Django's PostgreSQL backend."""
    table, found = catalog.visible(table_name), {}
    if table is None:
        return found
    for name, c in table.constraints.items():
        found[name] = {
            "columns": list(c["columns"]),
            "primary_key": c["kind"] == "p",
            "unique": c["kind"] in "pu",
            "foreign_key": (c["to"][0][1], c["to"][1]) if c["kind"] == "f" else None,
            "check": c["kind"] == "c",
            "index": False,
            "definition": None,
            "options": None,
        }
    for name, i in table.indexes.items():
        plain = (
            i["method"] == DatabaseIntrospection.index_default_access_method
            and not name.endswith("_btree")
            and i["options"] is None
        )
        found.setdefault(
            name,
            {
                "columns": [] if i["columns"] == [None] else list(i["columns"]),
                "orders": [] if i["orders"] == [None] else list(i["orders"]),
                "primary_key": False,
                "unique": i["unique"],
                "foreign_key": None,
                "check": False,
                "index": True,
                "type": Index.suffix if plain else i["method"],
                "definition": "an expression" if i["expression"] else None,
                "options": i["options"],
            },
        )
    return found


NUMBERS = ("Integer", "AutoField", "Float", "Decimal", "Boolean")


def placeholder(field):
    """A value that stands for a default which only the database knows."""
    while field.remote_field is not None:
        field = field.target_field
    kind = field.get_internal_type()
    if kind == "BooleanField":
        return False
    return 0 if any(n in kind for n in NUMBERS) else ""


def editor(connection, catalog):
    """A schema editor of the connection's own kind that collects statements."""

    class Editor(connection.SchemaEditorClass):
        def __init__(self):
            super().__init__(connection, collect_sql=False, atomic=False)
            self.statements = []
            self.guessed = None  # the default that is not known

        def execute(self, sql, params=()):
            text = str(sql)
            if params is not None:
                text = connection.ops.compose_sql(text, params)
            self.statements.append(text)
            catalog.run(text)

        def effective_default(self, field):
            try:
                return super().effective_default(field)
            except Exception as e:
                name = getattr(field.default, "__qualname__", repr(field.default))
                self.guessed = f"the default {name}() of {field.name} is not known: {last_line(e)}"
                return placeholder(field)

        def quote_value(self, value):
            return connection.replank_quote(value)

        def _is_collation_deterministic(self, collation_name):
            return catalog.collations.get(collation_name)

    return Editor
