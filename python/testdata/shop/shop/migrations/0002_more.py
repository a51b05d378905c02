from django.db import migrations, models


def fill(apps, schema_editor):
    apps.get_model("shop", "Shop").objects.update(rank=1)


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("order", "code", models.SlugField(null=True)),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
        # The names of constraints that Django asks the database for.
        migrations.AlterField("shop", "id", models.BigAutoField(primary_key=True, serialize=False)),
        migrations.AlterField("shop", "rank", models.IntegerField(default=0)),
        migrations.AlterUniqueTogether("order", set()),
        migrations.AlterField("shop", "name", models.IntegerField(null=True)),
        migrations.RenameModel("Order", "Purchase"),
        migrations.RunSQL("CREATE VIEW names AS SELECT id FROM shop_shop -- 100% of them", "DROP VIEW names"),
    ]
