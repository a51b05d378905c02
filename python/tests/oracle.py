"""Runs `migrate` of a project on a real database and prints what each migration executed, as JSON.

Run as a program: python oracle.py SETTINGS. The database of the settings' default alias is emptied before.
"""

import json
import os
import sys


def main(settings):
    os.environ["DJANGO_SETTINGS_MODULE"] = settings
    sys.path.insert(0, os.getcwd())
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.migration import Migration
    from django.db.migrations.recorder import MigrationRecorder

    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    executed, state = {}, {"now": None}
    Editor = connection.SchemaEditorClass
    original, apply = Editor.execute, Migration.apply

    def execute(self, sql, params=()):
        text = str(sql) if params is None else self.connection.ops.compose_sql(str(sql), params)
        if state["now"] is not None:
            executed[state["now"]].append(text)
        return original(self, sql, params)

    def traced(self, *args, **kwargs):
        state["now"] = f"{self.app_label}.{self.name}"
        executed[state["now"]] = []
        return apply(self, *args, **kwargs)

    record = MigrationRecorder.record_applied
    rows = []

    def recorded(self, app, name):
        state["now"] = None
        rows.append(f"{app}.{name}")
        return record(self, app, name)

    Editor.execute, Migration.apply, MigrationRecorder.record_applied = execute, traced, recorded
    # What was deferred runs at the editor's exit, still under the name of the migration, except when the row is
    # written before: only where nothing was deferred.
    call_command("migrate", verbosity=0)
    json.dump({"executed": executed, "order": list(executed), "rows": rows}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
