from django.db import migrations, models

from depot.models import mean_weight


class Migration(migrations.Migration):
    dependencies = [("depot", "0002_shed")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.AlterField("tool", "weight", models.IntegerField(default=mean_weight))],
            state_operations=[migrations.AlterField("tool", "weight", models.IntegerField(default=mean_weight))],
        ),
    ]
