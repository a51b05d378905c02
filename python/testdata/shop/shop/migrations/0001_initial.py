import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Shop",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=40, unique=True)),
                ("rank", models.PositiveSmallIntegerField(default=0, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("number", models.IntegerField(db_index=True)),
                ("note", models.TextField(default="50% 'off' \\ and more")),
                ("shop", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="shop.shop")),
                ("others", models.ManyToManyField(related_name="+", to="shop.shop")),
            ],
            options={"unique_together": {("number", "shop")}},
        ),
        migrations.CreateModel(
            name="Archive",
            fields=[("id", models.AutoField(primary_key=True, serialize=False))],
            options={"db_table": 'archive"."box', "managed": False},
        ),
    ]
