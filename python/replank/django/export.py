"""Walks the history of a Django project once and makes the document."""

import gc
import os
import sys

from replank import document
from replank.document import ExportError, NeedsDatabase


def add_arguments(parser):
    from replank.django.__main__ import _add_arguments

    _add_arguments(parser)


def run(output, server_version, root=None, with_models=False):
    document.write(project(server_version, root, with_models), output)


def project(server_version=180000, root=None, with_models=False):
    """The document of the project that django.setup() has loaded."""
    import django
    from django.conf import settings

    root = os.path.abspath(root or os.getcwd())
    places = Places(root)
    doc = document.new("django", django.get_version())
    aliases = _databases(doc)
    doc["database"] = aliases[0]
    doc["routers"] = [r if isinstance(r, str) else type(r).__qualname__ for r in settings.DATABASE_ROUTERS]
    doc["root"] = root.replace(os.sep, "/")
    loader = _load(places)
    forks = _heads(doc, loader)
    from replank.django import models
    from replank.django.quick import quick
    from replank.django.walk import Walk

    # The classes of models are garbage in circles, and little of it at a time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    walk = Walk(loader, aliases, server_version, places)
    doc["bookkeeping"] = {"table": "django_migrations", "create": walk.bookkeeping()}
    with quick():
        try:
            doc["migrations"] = walk.all()
        except ExportError as e:
            # Two branches that both change a model need not fit behind each other.
            raise ExportError(f"{forks}; {e}") if forks else e from None
    if with_models:
        doc["models"] = models.describe(walk.first, root, walk.warnings)
        doc["unmigrated"] = models.unmigrated(walk.described, walk.first)
    doc["warnings"] = walk.warnings
    return doc


def _databases(doc):
    """The aliases on PostgreSQL. A project that is on none is exported as if its default were."""
    from django.core.exceptions import ImproperlyConfigured
    from django.db import connections

    from replank.django.offline import search_path

    doc["databases"], aliases = {}, []
    for alias, settings in connections.settings.items():
        engine = settings.get("ENGINE", "")
        try:
            vendor = connections[alias].vendor
        except ImproperlyConfigured as e:
            raise ExportError(f'database "{alias}": {document.last_line(e)}') from e
        doc["databases"][alias] = {"engine": engine, "vendor": vendor, "search_path": search_path(settings)}
        if vendor == "postgresql":
            aliases.append(alias)
    if not aliases:
        doc["databases"]["default"]["assumed"] = "postgresql"
        settings = connections.settings["default"]
        settings.update(ENGINE="django.db.backends.postgresql", OPTIONS={})
        try:
            connections["default"] = connections.create_connection("default")
        except ImproperlyConfigured as e:
            raise ExportError(f"no database of the settings is PostgreSQL, and {document.last_line(e)}") from e
        aliases = ["default"]
    aliases.sort(key=lambda a: a != "default")
    return aliases


def _load(places):
    from django.db.migrations.exceptions import CircularDependencyError, NodeNotFoundError
    from django.db.migrations.graph import MigrationGraph
    from django.db.migrations.loader import MigrationLoader

    places.watch()
    MigrationGraph.root_nodes = _root_nodes
    try:
        return MigrationLoader(None)
    except NodeNotFoundError as e:
        raise ExportError(f"a dependency is missing: {e}") from e
    except CircularDependencyError as e:
        raise ExportError(f"the migrations depend on each other in a circle: {e}") from e
    finally:
        places.unwatch()


def _root_nodes(self, app=None):
    """MigrationGraph.root_nodes, which looks at every migration of the project for each dependency on `__first__`."""
    if getattr(self, "_replank_size", None) != len(self.nodes):
        self._replank_size, self._replank_apps = len(self.nodes), {}
        for node in self.nodes:
            self._replank_apps.setdefault(node[0], []).append(node)
    nodes = self._replank_apps.get(app, []) if app else self.nodes
    return sorted(n for n in nodes if all(key[0] != n[0] for key in self.node_map[n].parents))


def _heads(doc, loader):
    """Notes the ends of the history, and says which app has several of them."""
    try:
        loader.graph.ensure_not_cyclic()
    except Exception as e:
        raise ExportError(f"the migrations depend on each other in a circle: {e}") from e
    doc["heads"] = [list(key) for key in sorted(loader.graph.leaf_nodes())]
    said = "; ".join(f"{app}: {', '.join(sorted(names))}" for app, names in sorted(loader.detect_conflicts().items()))
    return said and f"several heads in one app ({said}); merge them with `manage.py makemigrations --merge`"


class Places:
    """Where the operations were written: noted while the migrations are imported."""

    def __init__(self, root):
        self.root, self._lines = root, {}

    def watch(self):
        from django.db.migrations.operations.base import Operation

        lines, original = self._lines, Operation.__new__

        def noting(cls, *args, **kwargs):
            made = original(cls, *args, **kwargs)
            frame = inner = sys._getframe(1)
            while frame is not None:
                if frame.f_code.co_name in ("Migration", "<module>") and "Operation" not in frame.f_globals:
                    break
                frame = frame.f_back
            frame = frame or inner
            lines[id(made)] = (made, frame.f_code.co_filename, frame.f_lineno)
            return made

        self._original = original
        Operation.__new__ = staticmethod(noting)

    def unwatch(self):
        from django.db.migrations.operations.base import Operation

        Operation.__new__ = staticmethod(self._original)

    def of(self, operation):
        """(path, line) of an operation; (None, None) when it was made elsewhere."""
        _, path, line = self._lines.get(id(operation), (None, None, None))
        return (document.relative(path, self.root), line) if path else (None, None)

    def code(self, function):
        """(path, line) of a function."""
        inner = getattr(function, "__wrapped__", getattr(function, "func", function))
        code = getattr(inner, "__code__", None)
        if code is None:
            return None, None
        return document.relative(code.co_filename, self.root), code.co_firstlineno

    def module(self, name):
        """The file of a module."""
        return document.relative(getattr(sys.modules.get(name), "__file__", None), self.root)


__all__ = ["NeedsDatabase", "Places", "add_arguments", "project", "run"]
