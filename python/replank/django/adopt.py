"""Migrations that take tables over or give them up: they change what Django knows, and nothing in the database."""

import os

from replank import document
from replank.document import ExportError


def run(labels, name, why, write):
    """The migrations, in an order in which they can run: [{app, name, path, text}]."""
    from django.apps import apps

    wanted = set()
    for label in labels:
        app, _, model = label.partition(".")
        try:
            apps.get_app_config(app)
        except LookupError as e:
            raise ExportError(document.last_line(e)) from e
        wanted.add((app, model.lower()))
    made = _migrations(wanted, name)
    for app in sorted({app for app, _ in wanted} - {m.app_label for m in made}):
        # The models are as the migrations have them already: the file only marks the place.
        made.append(_marker(app, name))
    return [_written(m, why, write) for m in made]


def _written(migration, why, write):
    from django.db.migrations.operations import SeparateDatabaseAndState
    from django.db.migrations.writer import MigrationWriter

    if migration.operations:
        migration.operations = [SeparateDatabaseAndState(state_operations=migration.operations)]
    writer = MigrationWriter(migration)
    text = "".join(f"# {line}\n" for line in why.splitlines()) + writer.as_string()
    if write:
        if os.path.exists(writer.path):
            raise ExportError(f"{writer.path} is there already")
        _package(os.path.dirname(writer.path))
        with open(writer.path, "w", encoding="utf-8") as f:
            f.write(text)
    return {"app": migration.app_label, "name": migration.name, "path": writer.path, "text": text}


def _package(folder):
    """The migrations of an app that had none."""
    os.makedirs(folder, exist_ok=True)
    init = os.path.join(folder, "__init__.py")
    if not os.path.isfile(init):
        open(init, "w").close()


def _migrations(wanted, name):
    """What makemigrations would do to the models. A model that was not managed gets its relations and indexes only when
    Django has seen that it is now: that takes two rounds."""
    from django.apps import apps
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.state import ProjectState

    loader = MigrationLoader(None)
    state, made = loader.project_state(), {}  # made: (app, name) → migration
    for _ in range(4):
        target = ProjectState.from_apps(apps)
        # The autodetector takes apart what it is given.
        found = _detected({app for app, _ in wanted}, name, loader.graph, state.clone(), target.clone())
        found = [m for m in found if _keep(m, wanted)]
        if not found:
            return list(made.values())
        for migration in found:
            for operation in migration.operations:
                _complete(migration.app_label, operation, target)
                operation.state_forwards(migration.app_label, state)
            _add(made, migration)
        _settle(made, {(m.app_label, m.name) for m in found} | set(loader.graph.nodes))
        _render(state)
    raise ExportError("makemigrations goes on finding changes in " + ", ".join(sorted({app for app, _ in wanted})))


def _detected(labels, name, graph, state, target):
    """The migrations in an order in which they can run."""
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.questioner import MigrationQuestioner

    questioner = MigrationQuestioner(defaults={"ask_initial": True}, specified_apps=labels)
    found = MigrationAutodetector(state, target, questioner).changes(
        graph=graph, trim_to_apps=labels, convert_apps=labels, migration_name=name
    )
    waiting = [m for migrations in found.values() for m in migrations]
    names, done, ordered = {(m.app_label, m.name) for m in waiting}, set(), []
    while waiting:
        ready = [m for m in waiting if all(tuple(d) not in names or tuple(d) in done for d in m.dependencies)]
        if not ready:
            raise ExportError("the migrations that makemigrations finds depend on each other in a circle")
        done |= {(m.app_label, m.name) for m in ready}
        ordered += ready
        waiting = [m for m in waiting if m not in ready]
    return ordered


def _keep(migration, wanted):
    """Leave the operations on the models; what else makemigrations finds is not ours to write."""
    migration.operations = [o for o in migration.operations if (migration.app_label, _model(o)) in wanted]
    return bool(migration.operations)


def _model(operation):
    return (getattr(operation, "model_name", None) or getattr(operation, "name", "")).lower()


def _add(made, migration):
    """A further round goes on in the last migration of the app."""
    last = next((m for m in reversed(made.values()) if m.app_label == migration.app_label), None)
    if last is None or (migration.app_label, migration.name) not in made:
        made[migration.app_label, migration.name] = migration
        return
    last.operations = [*last.operations, *migration.operations]
    last.dependencies = [*last.dependencies, *(d for d in migration.dependencies if d not in last.dependencies)]


def _settle(made, there):
    """No migration waits for itself, or for one of which nothing was kept."""
    there |= set(made)
    for key, migration in made.items():
        migration.dependencies = [
            d for d in migration.dependencies if tuple(d) != key and (tuple(d) in there or d[1].startswith("__"))
        ]


def _render(state):
    try:
        state.apps  # noqa: B018
    except ValueError as e:
        raise ExportError(f"adopt what the tables refer to, too: {document.last_line(e)}") from e


def _marker(app, name):
    from django.db.migrations import Migration
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.loader import MigrationLoader

    leaves = MigrationLoader(None).graph.leaf_nodes(app)
    number = max((MigrationAutodetector.parse_number(leaf) or 0 for _, leaf in leaves), default=0) + 1
    made = type("Migration", (Migration,), {})(f"{number:04}_{name}", app)
    made.dependencies, made.operations = leaves, []
    return made


def _complete(app, operation, target):
    """A column that is there needs no default for the rows that it would be added to."""
    from django.db.migrations.operations import AddField, AlterField

    if isinstance(operation, (AddField, AlterField)) and not operation.preserve_default:
        operation.field = target.models[app, operation.model_name.lower()].fields[operation.name].clone()
        operation.preserve_default = True
