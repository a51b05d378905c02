"""Runs a history's revisions as `upgrade heads` would, without a database, and notes what each executes."""

import contextlib
import os
import sys
import warnings

import alembic
import sqlalchemy
from alembic.config import Config
from alembic.ddl.impl import DefaultImpl
from alembic.operations.base import AbstractOperations, BatchOperations, Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql import Select

from replank import document
from replank.alembic import source
from replank.document import ExportError, NeedsDatabase


def project(config, section, x, root):
    """The document of a history."""
    if not os.path.isfile(config):
        raise ExportError(f"there is no {config}; name it with -c")
    settings = Config(config, ini_section=section)
    if x:
        import argparse

        settings.cmd_opts = argparse.Namespace(x=x)
    doc = document.new("alembic", alembic.__version__)
    doc["sqlalchemy"] = sqlalchemy.__version__
    doc["root"] = root.replace(os.sep, "/")
    script, revisions = _revisions(settings)
    run = Run(script, root)
    run.all(settings, revisions)
    options = run.options
    doc["heads"] = _heads(script)
    doc["transaction"] = "migration" if options.get("transaction_per_migration") else "run"
    doc["bookkeeping"] = {
        "table": options.get("version_table") or "alembic_version",
        "schema": options.get("version_table_schema") or "",
        "create": run.create,
    }
    doc["migrations"] = [_migration(r, run, root) for r in revisions]
    if run.metadata is not None:
        from replank.alembic import models
        from replank.alembic.tables import describe

        # This first: AddConstraint, which the other asks for, takes a constraint out of CREATE TABLE for good.
        doc["models"], doc["before"] = models.describe(run.metadata, options.get("include_object"), run.warnings)
        doc["tables"] = describe(run.metadata)
    doc["warnings"] = run.warnings
    return doc


def _revisions(settings):
    """The scripts in the order in which they run."""
    try:
        script = ScriptDirectory.from_config(settings)
        with warnings.catch_warnings():
            # Alembic takes whichever file it reads last.
            warnings.filterwarnings("error", message=".* is present more than once")
            script.get_bases()
        return script, [step.revision for step in script._upgrade_revs("heads", ())]
    except SyntaxError:
        raise
    except KeyError as e:
        raise ExportError(f"a revision refers to {e}, which is not there") from e
    except Exception as e:
        raise ExportError(f"the revisions cannot be put in order: {document.last_line(e)}") from e


def _heads(script):
    """The revisions that no other follows or depends on."""
    revisions = list(script.walk_revisions())
    needed = {n for r in revisions for n in (*r._versioned_down_revisions, *r._resolved_dependencies)}
    return sorted(r.revision for r in revisions if r.revision not in needed)


def _migration(revision, run, root):
    down = list(revision._versioned_down_revisions)
    exported = {
        "name": revision.revision,
        "path": document.relative(revision.path, root),
        "title": revision.doc or "",
        "parents": down,
        "needs": down + [d for d in revision._resolved_dependencies if d not in down],
        "atomic": revision.revision not in run.outside,
        "operations": run.operations.get(revision.revision, []),
    }
    if revision.branch_labels:
        exported["labels"] = sorted(revision.branch_labels)
    return exported


class Run:
    def __init__(self, script, root):
        self.script, self.root = script, root
        self.operations, self.outside = {}, set()  # revision → operations; revisions that leave their transaction
        self.options, self.metadata, self.create, self.warnings = {}, None, [], []
        self.revision, self.entry = None, None

    def all(self, settings, revisions):
        """Through env.py, so that its options count; without it when it does not come that far."""
        with self._patched():
            try:
                with EnvironmentContext(
                    settings, self.script, fn=self._steps, as_sql=True, starting_rev=None, destination_rev="heads"
                ):
                    self.script.run_env()
                problem = None if self.operations or not revisions else "it runs no migrations when offline"
            except (Exception, SystemExit) as e:
                problem = document.last_line(e)
            if problem:
                self.warnings.append(f"env.py was left out: {problem}")
                self.operations, self.outside, self.create = {}, set(), []
                self._without_env()

    def _without_env(self):
        opts = {"as_sql": True, "fn": self._steps, "script": self.script, "literal_binds": True, "output_buffer": Nowhere()}
        context = MigrationContext.configure(
            dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, opts=opts
        )
        with Operations.context(context), context.begin_transaction():
            context.run_migrations()

    def _steps(self, heads, context):
        steps = list(self.script._upgrade_revs("heads", ()))
        if self.operations:
            self.warnings.append("env.py runs the migrations more than once; the export is of the first time")
            return []
        for step in steps:
            step.migration_fn = self._recording(step.revision)
        return steps

    def _recording(self, revision):
        def upgrade(**kwargs):
            self.operations[revision.revision] = []
            self.revision = revision
            try:
                revision.module.upgrade(**kwargs)
            except Exception as e:
                self._failed(revision, e)
            finally:
                self.revision = self.entry = None
            if revision.revision in self.outside:
                done = self.operations[revision.revision]
                done.insert(0, {"kind": "Begin", "sql": ["BEGIN"]})
                done.append({"kind": "Commit", "sql": ["COMMIT"]})

        return upgrade

    def _failed(self, revision, error):
        """What follows in the revision is not known; the others are."""
        line = 1
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == revision.path:
                line = trace.tb_lineno
            trace = trace.tb_next
        said = f"the revision needs a database: {document.last_line(error)}"
        code = {"name": f"{revision.revision}.upgrade", "path": document.relative(revision.path, self.root), "line": line}
        code.update(source.look(revision.path))
        self.operations[revision.revision].append({"kind": "Python", "line": line, "code": code, "error": said})
        self.warnings.append(f"{revision.revision}: {said}")

    # What alembic does, as it does it.

    @contextlib.contextmanager
    def _patched(self):
        """Alembic's ways to the database lead to this run."""
        run, kept = self, []

        def patch(owner, name, new):
            kept.append((owner, name, owner.__dict__[name]))
            setattr(owner, name, new(owner.__dict__[name]))

        def invoke(original):
            def invoked(self, operation):
                return run._invoke(original, self, operation)

            return invoked

        def configure(original):
            def configured(self, connection=None, url=None, dialect_name=None, dialect_opts=None, **kw):
                run.options = dict(kw)
                metadata = kw.get("target_metadata")
                run.metadata = run.metadata if metadata is None else metadata
                kw.update(literal_binds=True, output_buffer=Nowhere())
                opts = {**(dialect_opts or {}), "paramstyle": "named"}
                return original(self, dialect_name="postgresql", dialect_opts=opts, **kw)

            return configured

        patch(AbstractOperations, "invoke", invoke)
        if "invoke" in BatchOperations.__dict__:
            patch(BatchOperations, "invoke", invoke)
        patch(AbstractOperations, "get_bind", lambda original: lambda self: run._bind(self))
        patch(DefaultImpl, "static_output", lambda original: lambda self, text: run._output(text))
        patch(MigrationContext, "autocommit_block", lambda original: lambda self: run._autocommit(original, self))
        patch(EnvironmentContext, "configure", configure)
        try:
            yield
        finally:
            for owner, name, original in reversed(kept):
                setattr(owner, name, original)

    def _invoke(self, original, operations, operation):
        if self.revision is None or self.entry is not None:
            return original(operations, operation)
        kind = type(operation).__name__.removesuffix("Op")
        self.entry = {"kind": "Execute" if kind == "ExecuteSQL" else kind, "line": self._line()}
        table = getattr(operation, "table_name", None) or getattr(operation, "source_table", None)
        column = getattr(operation, "column_name", None) or getattr(getattr(operation, "column", None), "name", None)
        if target := ".".join(str(n) for n in (table, column) if n) or getattr(operation, "index_name", None):
            self.entry["target"] = str(target)
        try:
            result = original(operations, operation)
            if self.entry.get("sql"):
                self.operations[self.revision.revision].append(self.entry)
            return result
        finally:
            self.entry = None

    def _line(self):
        """Where the revision's file is at this moment."""
        frame = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename == self.revision.path:
                return frame.f_lineno
            frame = frame.f_back
        return 1

    def _output(self, text):
        text = text.strip().removesuffix(";")
        if not text or text.startswith("-- Running "):
            return
        if self.revision is None:
            # Around the revisions: BEGIN, the version table and its rows, COMMIT.
            if text.upper().startswith("CREATE TABLE"):
                self.create.append(text)
            return
        if self.entry is not None:
            self.entry.setdefault("sql", []).append(text)
            return
        # Of a batch, or of something that goes around the operations.
        self.operations[self.revision.revision].append({"kind": "SQL", "line": self._line(), "sql": [text]})

    @contextlib.contextmanager
    def _autocommit(self, original, context):
        if self.revision is None:
            with original(context):
                yield
            return
        self.outside.add(self.revision.revision)
        done, line = self.operations[self.revision.revision], self._line()
        done.append({"kind": "Commit", "line": line, "sql": ["COMMIT"]})
        yield
        done.append({"kind": "Begin", "line": line, "sql": ["BEGIN"]})

    def _bind(self, operations):
        """What op.get_bind() gives: statements sent to it are noted, questions are not answered."""
        context = operations.migration_context
        engine = sqlalchemy.create_mock_engine("postgresql://", lambda sql, *a, **k: self._send(context, sql, *a, **k))
        engine.exec_driver_sql = lambda sql, *a, **k: self._send(context, sqlalchemy.text(sql), *a, **k)
        original = engine.execute

        def execute(statement, *args, **kwargs):
            if isinstance(statement, ExecutableDDLElement):
                return original(statement)
            return self._send(context, statement, *args, **kwargs)

        engine.execute = execute
        return engine

    @staticmethod
    def _send(context, statement, *args, **kwargs):
        if args and args[0]:
            raise NeedsDatabase("statements with parameters are sent to the connection")
        if isinstance(statement, ExecutableDDLElement):
            context.impl.static_output(str(statement.compile(dialect=context.dialect)).strip())
            return Answer()
        if isinstance(statement, Select) or str(statement).lstrip().lower().startswith(("select", "with", "show")):
            raise NeedsDatabase("the revision reads from the database")
        context.impl._exec(statement)
        return Answer()


class Answer:
    """The result of a statement: nothing is known of it."""

    def __getattr__(self, name):
        raise NeedsDatabase("the revision asks what a statement returned")

    def __iter__(self):
        raise NeedsDatabase("the revision asks what a statement returned")


class Nowhere:
    """The output buffer; what goes there is noted before."""

    def write(self, text):
        pass

    def flush(self):
        pass
