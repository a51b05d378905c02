from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [("stock", "0001_initial"), ("stock", "0002_count")]
    dependencies = [("shop", "0001_initial")]
    run_before = [("sites", "0002_alter_domain_unique")]
    operations = [
        migrations.CreateModel(
            name="Item",
            fields=[
                ("shop", models.OneToOneField("shop.Shop", models.CASCADE, primary_key=True, serialize=False)),
                ("count", models.BigIntegerField(db_default=1)),
            ],
        ),
    ]
