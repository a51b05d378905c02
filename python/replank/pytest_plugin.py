"""A real database for every test, from the template that `replank dev refresh` makes.

    def test_invoice(replank_db):
        engine = create_engine(replank_db.url("postgresql+psycopg"))

Where Django is configured (pytest-django does that), its default connection leads to the same database while the
test runs. docs/guide-dev.md of Replank shows the rest.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys

import pytest


class Database:
    """A database that is one test's alone."""

    def __init__(self, printed):
        self.name = printed["name"]
        self.dsn = printed["dsn"]
        self.host = printed["host"]
        self.port = printed["port"]
        self.user = printed["user"]
        self.password = printed["password"]

    def url(self, scheme="postgresql"):
        """The URL for a driver: url("postgresql+psycopg")."""
        return scheme + self.dsn[self.dsn.index("://") :]

    @contextlib.contextmanager
    def as_django(self, alias="default"):
        """Lead a connection of Django here, for a while."""
        from django.db import connections

        connection = connections[alias]
        before = dict(connection.settings_dict)
        connection.close()
        connection.settings_dict.update(
            NAME=self.name, HOST=self.host, PORT=self.port, USER=self.user, PASSWORD=self.password
        )
        try:
            yield self
        finally:
            connection.close()
            connection.settings_dict.clear()
            connection.settings_dict.update(before)


def _replank(config, *args):
    here = pathlib.Path(str(config.rootpath))
    named = os.environ.get("REPLANK_CONFIG")
    found = [named] if named else [d / "replank.toml" for d in (here, *here.parents) if (d / "replank.toml").exists()]
    if not found:
        raise pytest.UsageError(f"there is no replank.toml in {here}, nor above")
    program = os.environ.get("REPLANK_BIN", "replank")
    done = subprocess.run(
        [program, "testdb", "--config", str(found[0]), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise RuntimeError(f"replank testdb ended with exit code {done.returncode}:\n{done.stderr}")
    return done.stdout


@contextlib.contextmanager
def _database(config):
    database = Database(json.loads(_replank(config, "--json", "--for", str(os.getpid()))))
    try:
        yield database
    finally:
        _replank(config, "release", database.name)


@contextlib.contextmanager
def _django(request, database):
    """The default connection of Django leads to the database, where there is one of PostgreSQL; and pytest-django,
    which keeps tests away from databases, lets this one through."""
    if "django" not in sys.modules:
        yield
        return
    from django.conf import settings

    if not settings.configured or "postgresql" not in settings.DATABASES.get("default", {}).get("ENGINE", ""):
        yield
        return
    with contextlib.ExitStack() as stack:
        if request.config.pluginmanager.hasplugin("django"):
            stack.enter_context(request.getfixturevalue("django_db_blocker").unblock())
        stack.enter_context(database.as_django())
        yield


@pytest.fixture
def replank_db(request):
    """A database for this test alone: what it commits is there, and nobody else sees it."""
    with _database(request.config) as database, _django(request, database):
        yield database


@pytest.fixture(scope="session")
def replank_session_db(request):
    """One database for all tests of this process (of each worker of pytest-xdist), for those that roll back."""
    with _database(request.config) as database:
        yield database
