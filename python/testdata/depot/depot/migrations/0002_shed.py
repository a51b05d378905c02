from django.db import migrations, models

from depot.models import first_shed


def use(apps, schema_editor):
    south = apps.get_model("depot", "Shed").objects.get(name="south")
    apps.get_model("depot", "Tool").objects.filter(name="saw").update(shed=south)


class Migration(migrations.Migration):
    dependencies = [("depot", "0001_initial")]
    operations = [
        migrations.AddField("tool", "shed", models.ForeignKey("depot.Shed", models.CASCADE, default=first_shed)),
        migrations.RunPython(use, migrations.RunPython.noop),
    ]
