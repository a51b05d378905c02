"""The migrations in the order in which `migrate` runs them, each with its SQL and what it changes in the models."""

from django.db import connections, router
from django.db.migrations.operations import (
    AlterField,
    RenameField,
    RenameModel,
    RunPython,
    SeparateDatabaseAndState,
)
from django.db.migrations.recorder import MigrationRecorder

from replank import document
from replank.django import offline, tables
from replank.django.states import Past, Present, Rendered
from replank.document import NeedsDatabase


class Database:
    """One alias: its connection, and what its constraints are at this point of the history."""

    def __init__(self, alias, server_version):
        self.alias = alias
        self.catalog = offline.prepare(alias, server_version)
        self.connection = connections[alias]
        self.Editor = offline.editor(self.connection, self.catalog)
        self.editor, self.origins = None, {}
        self.log = []  # the statements of the migrations before

    def begin(self):
        self.editor = self.Editor()
        # As __enter__ does, without opening a transaction.
        self.editor.deferred_sql, self.editor.atomic_migration = [], True
        self.origins = {}  # deferred statement → operation

    def part(self, other):
        """Start where another database stands, from which this one differs from here on."""
        self.log = list(other.log)
        self.begin()
        self.editor.deferred_sql = list(other.editor.deferred_sql)
        self.editor.statements = list(other.editor.statements)
        self.origins = dict(other.origins)
        self._replay()

    def run(self, app, operation, past, present, seeds):
        """What an operation executes, and why that is not known if it is not."""
        editor = self.editor
        statements, deferred = len(editor.statements), list(editor.deferred_sql)
        problem = None
        for everything in (False, True):
            try:
                if everything:
                    past.apps, present.apps = past.everything(), present.everything()
                else:
                    past.want(seeds)
                    present.want(seeds)
                editor.guessed = None
                operation.database_forwards(app, editor, past, present)
                if not type(operation).__module__.startswith("django."):
                    present.distrust()
                return editor.statements[statements:], editor.guessed
            except NeedsDatabase as e:
                problem, everything = str(e), True
            except Exception as e:
                problem = problem or document.last_line(e)
            present.distrust()
            editor.deferred_sql[:] = deferred
            if len(editor.statements) > statements:
                del editor.statements[statements:]
                self._replay()
            if everything:
                break
        return [], problem

    def _replay(self):
        self.catalog.tables.clear()
        for text in [*self.log, *self.editor.statements]:
            self.catalog.run(text)

    def note(self, at):
        """The deferred statements that are new since the last call come from operation `at`."""
        for statement in self.editor.deferred_sql:
            self.origins.setdefault(id(statement), (at, statement))

    def end(self):
        """Execute what was deferred to the end of the migration: operation → statements."""
        found = {}
        for statement in self.editor.deferred_sql:
            first = len(self.editor.statements)
            self.editor.execute(statement, None)
            at = self.origins.get(id(statement), (0, None))[0]
            found.setdefault(at, []).extend(self.editor.statements[first:])
        self.log += self.editor.statements
        return found


class Walk:
    """The first database is walked; another one only from where a router says something else of it."""

    def __init__(self, loader, aliases, server_version, places):
        self.loader, self.places = loader, places
        self.first = Database(aliases[0], server_version)
        self.server_version = server_version
        self.alike, self.apart = aliases[1:] if router.routers else [], []
        self.state = Present(loader.unmigrated_apps)
        self.described, self.labels = {}, {}  # label → table; model → its labels
        self.contenttypes = False  # their table is there
        self.warnings = []
        self.asked = []  # (app, hints, answer) of the routers in one operation
        if router.routers:
            self._listen()

    def _listen(self):
        original = type(router).allow_migrate

        def allow_migrate(db, app_label, **hints):
            answer = original(router, db, app_label, **hints)
            if db == self.first.alias:
                self.asked.append((app_label, hints, answer))
            return answer

        self.allowed = lambda db, app, hints: original(router, db, app, **hints)
        router.allow_migrate = allow_migrate

    def bookkeeping(self):
        self.first.begin()
        self.first.editor.create_model(MigrationRecorder.Migration)
        self.first.log += self.first.editor.statements
        return self.first.editor.statements

    def all(self):
        done = []
        for key in self._plan():
            if key == ("contenttypes", "0001_initial"):
                self.contenttypes = True
            migration = self.loader.graph.nodes[key]
            if migration.replaces:
                done += self._replaced(key, migration)
            done.append(self._migration(key, migration))
        return done

    def _plan(self):
        """MigrationExecutor.migration_plan for an empty database, in linear time."""
        graph, seen, plan = self.loader.graph, set(), []
        for leaf in sorted(graph.leaf_nodes()):
            stack = [(graph.node_map[leaf], False)]
            while stack:
                node, ready = stack.pop()
                if node.key in seen:
                    continue
                if ready:
                    seen.add(node.key)
                    plan.append(node.key)
                else:
                    stack.append((node, True))
                    stack += [(p, False) for p in sorted(node.parents) if p.key not in seen]
        return plan

    def _replaced(self, squash, migration):
        """What a squash stands for, where it is still there: its own SQL, from the same state."""
        disk = self.loader.disk_migrations
        members, stack = [], [k for k in reversed(migration.replaces)]
        while stack:
            key = stack.pop()
            if key in members or key not in disk:
                continue
            if disk[key].replaces:
                stack += [k for k in reversed(disk[key].replaces)]
            members.append(key)
        if not members:
            return []
        order, waiting = [], [k for k in members]
        while waiting:
            rest = [k for k in waiting if any(d in waiting and d != k for d in self._declared(disk[k]))]
            if len(rest) == len(waiting):
                break
            order += [k for k in waiting if k not in rest]
            waiting = rest
        saved = self.state, self.described, self.labels
        databases = [self.first, *self.apart]
        catalogs = [(d, d.catalog.copy_tables(), len(d.log)) for d in databases]
        alike, apart = list(self.alike), list(self.apart)
        done = []
        self.state, self.described, self.labels = self.state.clone(), dict(self.described), dict(self.labels)
        for key in order:
            if disk[key].replaces:
                continue
            try:
                exported = self._migration(key, disk[key])
            except document.ExportError:
                if all(tuple(k) in disk for k in migration.replaces):
                    raise
                # What it built on is gone, and it with that: only its name counts.
                exported = {"app": key[0], "name": key[1], "path": self.places.module(type(disk[key]).__module__)}
                exported |= {"needs": [], "atomic": disk[key].atomic, "operations": []}
            exported["replaced_by"] = ".".join(squash)
            done.append(exported)
        self.state, self.described, self.labels = saved
        self.alike, self.apart = alike, apart
        for database, kept, size in catalogs:
            del database.log[size:]
            database.catalog.tables = kept
        return done

    def _declared(self, migration):
        found = []
        for parent in migration.dependencies:
            try:
                parent = self.loader.check_key(tuple(parent), migration.app_label)
            except Exception:  # an app without migrations, or one that is gone
                parent = None
            if parent is not None:
                found.append(tuple(parent))
        return found

    def _migration(self, key, migration):
        graph = self.loader.graph
        exported = {"app": key[0], "name": key[1], "path": self.places.module(type(migration).__module__)}
        exported["dependencies"] = [list(d) for d in self._declared(migration)]
        if key in graph.node_map:
            needs = sorted(p.key for p in graph.node_map[key].parents)
        else:
            needs = sorted(set(self._declared(migration)))
        exported["needs"] = [".".join(n) for n in needs]
        if migration.run_before:
            exported["run_before"] = [list(d) for d in migration.run_before]
        if migration.replaces:
            exported["replaces"] = [list(d) for d in migration.replaces]
        exported["atomic"] = migration.atomic
        self._operations(exported, migration)
        return exported

    def _operations(self, exported, migration):
        for database in (self.first, *self.apart):
            database.begin()
        self.operations, touched = [], {}
        for at, operation in enumerate(migration.operations):
            self.state.begin()
            self._forward(migration, operation, self.state)
            self._operation(migration, operation, [at], Past(self.state), self.state)
            self._renamed(migration, operation, at)
            touched.update(dict.fromkeys(self.state.end()))
        for at, texts in self.first.end().items():
            self.operations[at]["deferred"] = texts
        for database in self.apart:
            ended = database.end()
            for at, entry in enumerate(self.operations):
                if database.alias in entry.get("on", {}) or ended.get(at, []) != entry.get("deferred", []):
                    there = entry.setdefault("on", {}).setdefault(database.alias, {"sql": entry.get("sql", [])})
                    there["deferred"] = ended.get(at, [])
        exported["operations"] = self.operations
        if changes := self._changes(list(touched), len(migration.operations) == 1):
            exported["state"] = changes

    @staticmethod
    def _forward(migration, operation, state):
        try:
            operation.state_forwards(migration.app_label, state)
        except Exception as e:
            raise document.ExportError(
                f"{migration.app_label}.{migration.name}: {type(operation).__name__} does not fit the models "
                f"before it: {document.last_line(e)}"
            ) from e

    def _operation(self, migration, operation, at, past, present, side=None):
        if isinstance(operation, SeparateDatabaseAndState):
            self._separate(migration, operation, at, past)
            return
        entry = self._entry(migration, operation)
        self.operations.append(entry)
        if side:
            entry["side"] = side
        if side == "state":
            return
        if operation.reduces_to_sql:
            self._sql(entry, migration, operation, at, past, present)
        else:
            self._code(entry, migration, operation, at)

    def _renamed(self, migration, operation, at):
        """`migrate` puts an operation behind each RenameModel that renames its content type, too."""
        if isinstance(operation, RenameModel) and self.contenttypes:
            rename = content_type_of(migration, operation)
            entry = {"kind": "RenameContentType", "what": f"Rename the content type of {operation.old_name}"}
            if line := self.operations[-1].get("line"):
                entry["line"] = line
            self._code(entry, migration, rename, [at, -1])
            self.operations.append(entry)

    def _entry(self, migration, operation):
        entry = {"kind": type(operation).__name__}
        path, line = self.places.of(operation)
        if line:
            entry["line"] = line
            if path != self.places.module(type(migration).__module__):
                entry["path"] = path
        if target := _target(operation):
            entry["target"] = target
        try:
            entry["what"] = operation.describe()
        except Exception:  # only words
            entry["what"] = entry["kind"]
        if not operation.reversible:
            entry["reversible"] = False
        if operation.elidable:
            entry["elidable"] = True
        return entry

    def _separate(self, migration, operation, at, past):
        """The database operations run one by one on states of their own, as SeparateDatabaseAndState does."""
        state, first = None, len(self.operations)
        for i, inner in enumerate(operation.database_operations):
            state = past.clone() if state is None else state
            state.begin()
            self._forward(migration, inner, state)
            self._operation(migration, inner, [*at, i], Past(state), state, "database")
            state.end()
        for inner in operation.state_operations:
            self._operation(migration, inner, [], past, None, "state")
        _, line = self.places.of(operation)
        for entry in self.operations[first:]:
            if line:
                entry.setdefault("line", line)

    def _code(self, entry, migration, operation, at):
        function = operation.code if isinstance(operation, RunPython) else operation.database_forwards
        name = f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', type(function).__name__)}"
        entry["code"] = _by_django(name, migration, operation, at)
        if function is RunPython.noop:
            entry["code"]["nothing"] = True
        path, line = self.places.code(function)
        if path:
            entry["code"].update(path=path, line=line)
        if operation.atomic is not None and bool(operation.atomic) != migration.atomic:
            entry["atomic"] = bool(operation.atomic)
        if router.routers:
            hints = getattr(operation, "hints", {})
            aliases = [self.first.alias, *self.alike, *(d.alias for d in self.apart)]
            skip = [a for a in aliases if not self.allowed(a, migration.app_label, hints)]
            if skip:
                entry["skipped_on"] = sorted(skip)

    def _sql(self, entry, migration, operation, place, past, present):
        app = migration.app_label
        at, seeds, self.asked = len(self.operations) - 1, _seeds(operation, app, past, present), []
        before = list(self.first.editor.deferred_sql), len(self.first.editor.statements)
        texts, problem = self.first.run(app, operation, past, present, seeds)
        if texts:
            entry["sql"] = texts
        if problem:
            # Django executes it, on the database that it asks.
            name = f"{entry['kind']} {entry.get('target', '')}".strip()
            entry["error"], entry["code"] = problem, _by_django(name, migration, operation, place)
            entry["code"].update((k, entry[k]) for k in ("path", "line") if k in entry)
            if not texts:
                entry["code"]["schema"] = True
            self.warnings.append(f"{app}: {entry['what']}: {problem}")
        for alias in [a for a in self.alike if any(self.allowed(a, n, h) != said for n, h, said in self.asked)]:
            self._part(alias, *before)
        self.first.note(at)
        for database in self.apart:
            there, problem = database.run(app, operation, past, present, seeds)
            database.note(at)
            if there != texts:
                entry.setdefault("on", {})[database.alias] = {"sql": there}

    def _part(self, alias, deferred, statements):
        """From this operation on, a router treats this database in another way than the first."""
        self.alike.remove(alias)
        database = Database(alias, self.server_version)
        now = self.first.editor.deferred_sql, self.first.editor.statements
        self.first.editor.deferred_sql, self.first.editor.statements = deferred, now[1][:statements]
        database.part(self.first)
        self.first.editor.deferred_sql, self.first.editor.statements = now
        self.apart.append(database)

    def _changes(self, keys, single):
        """What a migration changes in the tables, as a merge patch."""
        rendered = self.state.apps if single else Rendered(self.state.models.peek, self.state.real, self.state.cuts)
        rendered.seed(keys)
        editor = self.first.Editor()
        before, after, waiting, done = {}, {}, list(keys), set()
        while waiting:
            key = waiting.pop()
            if key in done:
                continue
            done.add(key)
            old, new = {label: self.described.pop(label) for label in self.labels.pop(key, ())}, {}
            if self.state.models.peek(key) is not None:
                try:
                    new = tables.describe(rendered.get_model(*key), editor)
                except Exception as e:
                    self.warnings.append(f"{key[0]}.{key[1]}: its table is not known: {document.last_line(e)}")
            self.labels[key] = list(new)
            self.described.update(new)
            before.update(old)
            after.update(new)
            if old and new and _identity(old) != _identity(new):
                # Those that refer to it change with it.
                waiting += sorted(self.state.models.referrers.get(key, ()))
        return document.patch(before, after)


def _by_django(name, migration, operation, at):
    return {
        "name": name,
        "at": at,
        "atomic": bool(migration.atomic or operation.atomic),
        "back": _way_back(operation),
    }


def _way_back(operation):
    """What takes code back: more code, nothing that would have to be done, or none."""
    if not operation.reversible:
        return "none"
    return "nothing" if getattr(operation, "reverse_code", None) is RunPython.noop else "code"


def content_type_of(migration, operation):
    """The operation that Django puts behind a RenameModel when it migrates."""
    from django.contrib.contenttypes.management import RenameContentType

    return RenameContentType(migration.app_label, operation.old_name_lower, operation.new_name_lower)


def _identity(described):
    """What other tables say of a table."""
    return [
        (t["table"], n, c["type"])
        for t in described.values()
        for n, c in t["columns"].items()
        if c.get("primary_key") or c.get("unique")
    ]


def _target(operation):
    model = getattr(operation, "model_name", None) or getattr(operation, "old_name", None)
    if model and not isinstance(operation, RenameField):
        name = getattr(operation, "name", None) if hasattr(operation, "model_name") else None
        if name is None and (index := getattr(operation, "index", None) or getattr(operation, "constraint", None)):
            name = index.name
        return f"{model}.{name}" if isinstance(name, str) else str(model)
    if isinstance(operation, RenameField):
        return f"{operation.model_name}.{operation.old_name}"
    name = getattr(operation, "name", None)
    return name if isinstance(name, str) else None


def _seeds(operation, app, past, present):
    """The models that an operation's SQL depends on."""
    names = [getattr(operation, n, None) for n in ("model_name", "name", "old_name", "new_name")]
    if hasattr(operation, "model_name"):
        names = names[:1]
    keys = [(app, n.lower()) for n in names if isinstance(n, str)]
    if isinstance(operation, RenameModel) or (
        isinstance(operation, AlterField) and _is_key(operation, keys[0], past, present)
    ):
        waiting, referrers = list(keys), present.models.referrers
        while waiting:
            key = waiting.pop()
            for other in sorted(referrers.get(key, ())):
                if other not in keys:
                    keys.append(other)
                    state = present.models.past(other)
                    if state and any(
                        f.remote_field is not None and (f.unique or f.primary_key) for f in state.fields.values()
                    ):
                        waiting.append(other)
    return keys


def _is_key(operation, key, past, present):
    """Is the field one that others may refer to?"""
    fields = [operation.field]
    if state := present.models.past(key):
        fields.append(state.fields.get(operation.name))
    return any(f is not None and (f.primary_key or f.unique) for f in fields)
