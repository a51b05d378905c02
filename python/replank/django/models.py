"""What Django would execute to make the tables of the models as they stand in the code now."""

import sys

from django.apps import apps
from django.db import router

from replank import document
from replank.django import offline, tables


def describe(database, root, warnings):
    """One entry for each table: the models of the code, which the migrations may not have caught up with."""
    editor = _editor(database)()
    for model in apps.get_models():
        options = model._meta
        if options.proxy or options.swapped or not router.allow_migrate_model(database.alias, model):
            continue
        try:
            editor.create_model(model)
        except Exception as e:
            warnings.append(f"{options.label}: its table is not known: {document.last_line(e)}")
    for entry, model in editor.made:
        entry["path"] = document.relative(getattr(sys.modules.get(model.__module__), "__file__", None), root)
    return [entry for entry, _ in editor.made]


def unmigrated(described, database):
    """The merge patch from the tables as the migrations leave them to those of the models in the code."""
    editor, now = _editor(database)(), {}
    for model in apps.get_models():
        try:
            now.update(tables.describe(model, editor))
        except Exception:
            pass  # described says so already
    apps_with = {label.split(".")[0] for label in described}
    now = {label: table for label, table in now.items() if label.split(".")[0] in apps_with}
    return document.patch(_known(described), _known(now))


def _known(described):
    """Without what is of no concern to the database, and without the keys that Django leaves to chance: those of its
    many-to-many tables follow the app's default_auto_field in the code, and that of the settings in migrations."""
    out = {}
    for label, table in described.items():
        columns = {n: {k: v for k, v in c.items() if k != "application_default"} for n, c in table["columns"].items()}
        if "many_to_many" in table and "id" in columns:
            del columns["id"]["type"]
        out[label] = table | {"columns": columns}
    return out


class Nothing:
    """A catalog that follows nothing: no model asks what the ones before have made."""

    def __init__(self, collations):
        self.collations = collations

    def run(self, text):
        pass


def _editor(database):
    class Editor(offline.editor(database.connection, Nothing(database.catalog.collations))):
        """Keeps apart what each table gets: create_model makes the many-to-many tables of a model, too."""

        def __init__(self):
            super().__init__()
            self.deferred_sql, self.made = [], []

        def create_model(self, model):
            outer = self.statements, self.deferred_sql
            self.statements, self.deferred_sql = [], []
            try:
                super().create_model(model)
                entry = {"model": model._meta.label, "table": model._meta.db_table, "sql": self.statements}
                if not model._meta.managed:
                    entry["managed"] = False
                if model._meta.auto_created:
                    entry["unsure"] = [model._meta.pk.column]
                if self.deferred_sql:
                    entry["after"] = [str(s) for s in self.deferred_sql]
                if named := [i.name for i in (*model._meta.indexes, *model._meta.constraints)]:
                    entry["named"] = named
                self.made.append((entry, model))
            finally:
                self.statements, self.deferred_sql = outer

    return Editor
