from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [migrations.AlterField("item", "count", models.BigIntegerField(db_default=1))]
