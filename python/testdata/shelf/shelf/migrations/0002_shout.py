from django.db import migrations, models
from django.db.models.functions import Upper


def fill(apps, schema_editor):
    apps.get_model("shelf", "Book").objects.update(shout=Upper("title"))


class Migration(migrations.Migration):
    dependencies = [("shelf", "0001_initial")]
    operations = [
        migrations.AddField("book", "shout", models.CharField(max_length=90, null=True)),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField("book", "shout", models.CharField(max_length=90)),
    ]
