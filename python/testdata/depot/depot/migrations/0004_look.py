from django.db import migrations
from django.db.migrations.operations.base import Operation


class IndexOfSheds(Operation):
    """An operation of a package: what it executes depends on the rows that are there, and nothing is known of it."""

    def state_forwards(self, app_label, state):
        pass

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        for pk, _ in self._sheds(schema_editor):
            schema_editor.execute(f"CREATE INDEX tools_of_{pk} ON depot_tool (name) WHERE shed_id = {pk}")

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        for pk, _ in self._sheds(schema_editor):
            schema_editor.execute(f"DROP INDEX tools_of_{pk}")

    @staticmethod
    def _sheds(schema_editor):
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT id, name FROM depot_shed ORDER BY id")
            return cursor.fetchall()


class Migration(migrations.Migration):
    dependencies = [("depot", "0003_weight")]
    operations = [IndexOfSheds()]
