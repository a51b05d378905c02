from django.db import migrations, models


def lengthen(apps, schema_editor):
    for volume in apps.get_model("shelf", "Volume").objects.all():
        volume.shout += "!"
        volume.save()


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shelf", "0003_author")]
    operations = [
        migrations.RenameModel("Book", "Volume"),
        migrations.AlterField("volume", "shout", models.CharField(max_length=100)),
        migrations.RunPython(lengthen),
    ]
