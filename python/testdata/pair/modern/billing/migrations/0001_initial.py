import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Customer",
            fields=[("id", models.IntegerField(primary_key=True, serialize=False)), ("name", models.TextField())],
            options={"db_table": "customers", "managed": False},
        ),
        migrations.CreateModel(
            name="Invoice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.CharField(max_length=20, unique=True)),
                ("customer", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="billing.customer")),
            ],
        ),
    ]
