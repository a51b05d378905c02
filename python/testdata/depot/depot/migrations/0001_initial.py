from django.db import migrations, models


def fill(apps, schema_editor):
    for name in "north", "south":
        apps.get_model("depot", "Shed").objects.create(name=name)
    for name, weight in ("axe", 3), ("saw", 5), ("rope", None):
        apps.get_model("depot", "Tool").objects.create(name=name, weight=weight)


class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel("Shed", [("id", models.BigAutoField(primary_key=True)), ("name", models.TextField())]),
        migrations.CreateModel(
            "Tool",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.TextField()),
                ("weight", models.IntegerField(null=True)),
            ],
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
