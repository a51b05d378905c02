from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    run_before = [("sites", "0002_alter_domain_unique")]
    operations = [
        migrations.CreateModel(
            name="Item",
            fields=[
                ("shop", models.OneToOneField("shop.Shop", models.CASCADE, primary_key=True, serialize=False)),
                ("count", models.IntegerField(db_default=0)),
            ],
        ),
    ]
