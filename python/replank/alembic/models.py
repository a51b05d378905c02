"""What SQLAlchemy would execute to make the tables of a MetaData, in the order in which it would."""

from sqlalchemy import Table, UniqueConstraint, create_mock_engine
from sqlalchemy.dialects.postgresql import dialect

from replank import document

POSTGRESQL = dialect()


def describe(metadata, include, warnings):
    """(tables, what they rest on): types and sequences are made before all tables."""
    found, before = {}, {}
    for one in metadata if isinstance(metadata, (list, tuple)) else [metadata]:
        for table in one.tables.values():
            found[table.fullname] = entry = {"model": table.fullname, "table": table.name, "sql": []}
            if table.schema:
                entry["schema"] = table.schema
            if not _included(include, table):
                entry["managed"] = False
            if named := sorted(_named(table)):
                entry["named"] = named
        try:
            _create(one, found, before)
        except Exception as e:
            warnings.append(f"the tables of the models are not known: {document.last_line(e)}")
    return list(found.values()), list(before.values())


def _create(metadata, found, before):
    def note(element, *args, **kwargs):
        sql = str(element.compile(dialect=POSTGRESQL)).strip() if hasattr(element, "compile") else str(element)
        kind, about = type(element).__name__, getattr(element, "element", None)
        table = about if isinstance(about, Table) else getattr(about, "table", None)
        if isinstance(table, Table):
            # The keys of tables that refer to each other come behind both.
            into = "after" if kind == "AddConstraint" else "sql"
            found[table.fullname].setdefault(into, []).append(sql)
        elif kind in KINDS:
            made = {"kind": KINDS[kind], "name": about.name, "sql": sql}
            if about.schema:
                made["schema"] = about.schema
            before[kind, about.schema, about.name] = made
        elif kind != "CreateSchema":
            before[kind, "", sql] = {"kind": "", "name": "", "sql": sql}

    engine = create_mock_engine("postgresql://", note)
    metadata.create_all(engine, checkfirst=False)


KINDS = {"CreateEnumType": "TYPE", "CreateDomainType": "DOMAIN", "CreateSequence": "SEQUENCE"}


def _included(include, table):
    """Does env.py leave the table to autogenerate? One that it leaves out belongs to somebody else."""
    if include is None:
        return True
    try:
        return bool(include(table, table.name, "table", False, None))
    except Exception:
        return True


def _named(table):
    """The indexes and constraints that autogenerate knows by their names."""
    quote = POSTGRESQL.identifier_preparer
    for index in table.indexes:
        if index.name:
            yield _plain(quote.format_index(index))
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint) and constraint.name:
            yield _plain(quote.format_constraint(constraint))


def _plain(name):
    return name[1:-1].replace('""', '"') if name[:1] == '"' else name
