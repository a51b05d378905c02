"""Runs upgrade() or downgrade() of one revision as alembic does: through env.py, in its transaction."""

import os

import sqlalchemy
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy.pool import NullPool

from replank import document, worker
from replank.worker import Refused


def runner(config, section):
    def run(request):
        Run(config, section, request).all()

    return run


class Run:
    def __init__(self, config, section, request):
        self.request = request
        self.engine = engine(request)
        self.settings = Config(config, ini_section=section)
        url = self.engine.url.render_as_string(hide_password=False)
        self.settings.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
        self.script = ScriptDirectory.from_config(self.settings)
        self.revision = self.script.get_revision(request["revision"])
        self.begun = False

    def all(self):
        configure = EnvironmentContext.configure
        with self.engine.connect() as ours:

            def configured(env, connection=None, **kw):
                if not self._here(connection):
                    connection = ours
                    if not self._here(ours):
                        raise Refused("another executor has taken over")
                return configure(env, connection=connection, **kw)

            EnvironmentContext.configure = configured
            try:
                with EnvironmentContext(
                    self.settings, self.script, fn=self._steps, as_sql=False, destination_rev=self.revision.revision,
                    dont_mutate=True,
                ):  # fmt: skip
                    self.script.run_env()
            except (Exception, SystemExit) as e:
                if self.begun:
                    raise
                print(f"env.py was left out: {document.last_line(e)}")
            finally:
                EnvironmentContext.configure = configure
            if not self.begun:
                self._without_env(ours)

    def _without_env(self, ours):
        if not self._here(ours):
            raise Refused("another executor has taken over")
        opts = {"fn": self._steps, "script": self.script, "dont_mutate": True}
        context = MigrationContext.configure(connection=ours, opts=opts)
        with Operations.context(context), context.begin_transaction():
            context.run_migrations()

    def _here(self, connection):
        """Enlist a connection when it is one to the database that replank changes."""
        if connection is None or not hasattr(connection, "exec_driver_sql"):
            return False
        try:
            with connection.begin_nested() if connection.in_transaction() else connection.begin():
                worker.as_ourselves(_execute(connection), self.request["enlist"])
                for statement in self.request["session"]:
                    connection.exec_driver_sql(statement)
        except (Refused, sqlalchemy.exc.SQLAlchemyError):
            return False
        return True

    def _steps(self, heads, context):
        """Stands where alembic asks for its steps. The books of the framework are replank's to write."""
        if self.begun:
            raise Refused("env.py runs the migrations more than once")
        self.begun = True
        module, request = self.revision.module, self.request
        with context.begin_transaction(_per_migration=True):
            (module.downgrade if request["backwards"] else module.upgrade)()
            if request["atomic"]:
                worker.as_ourselves(_execute(context.connection), request["mark"])
        if not request["atomic"]:
            with context.begin_transaction(_per_migration=True):
                worker.as_ourselves(_execute(context.connection), request["mark"])
        return []


def _execute(connection):
    def execute(sql):
        # As text it would be searched for parameters, and here it has none.
        result = connection.exec_driver_sql(sql.replace("%", "%%") if connection.dialect.driver == "psycopg2" else sql)
        return result.fetchone() if result.returns_rows else None

    return execute


def engine(request):
    """An engine for the database that replank changes, whatever env.py says."""
    where = {k: v for k, v in _parsed(request["dsn"]).items()}
    name = where.pop("dbname", "") or os.environ.get("PGDATABASE") or request["dbname"]
    url = sqlalchemy.URL.create(
        f"postgresql+{_driver()}",
        username=where.pop("user", None),
        password=where.pop("password", None),
        database=name,
        query={k: str(v) for k, v in where.items()},
    )
    return sqlalchemy.create_engine(url, poolclass=NullPool)


def _driver():
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg2"
    return "psycopg"


def _parsed(dsn):
    if not dsn:
        return {}
    try:
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        from psycopg2.extensions import parse_dsn as conninfo_to_dict
    return conninfo_to_dict(dsn)
