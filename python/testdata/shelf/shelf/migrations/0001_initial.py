from django.db import migrations, models


def stock(apps, schema_editor):
    Book = apps.get_model("shelf", "Book")
    Book.objects.bulk_create(Book(title=f"book {i}", writer=f"writer {i % 3}") for i in range(100))


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Book",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("title", models.CharField(max_length=80)),
                ("writer", models.CharField(max_length=80)),
            ],
        ),
        migrations.RunPython(stock, migrations.RunPython.noop),
    ]
