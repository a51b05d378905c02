from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0002_more"), ("stock", "0001_squashed_0002_count")]
    operations = [
        AddIndexConcurrently("purchase", models.Index(fields=["-number"], name="purchase_number_idx")),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL("ALTER TABLE shop_purchase ADD COLUMN extra integer")],
            state_operations=[migrations.AddField("purchase", "extra", models.IntegerField(null=True))],
        ),
        migrations.AddConstraint(
            "purchase", models.CheckConstraint(condition=models.Q(("extra__gt", 3)), name="extra_is_enough")
        ),
    ]
