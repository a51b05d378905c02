import django.db.models.deletion
from django.db import migrations, models


def forwards(apps, schema_editor):
    Book, Author = apps.get_model("shelf", "Book"), apps.get_model("shelf", "Author")
    for name in Book.objects.order_by("writer").values_list("writer", flat=True).distinct():
        Book.objects.filter(writer=name).update(author=Author.objects.create(name=name))


def backwards(apps, schema_editor):
    Book = apps.get_model("shelf", "Book")
    for book in Book.objects.select_related("author"):
        book.writer = book.author.name
        book.save()


class Migration(migrations.Migration):
    dependencies = [("shelf", "0002_shout")]
    operations = [
        migrations.CreateModel(
            "Author",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=80)),
            ],
        ),
        migrations.AddField(
            "book", "author", models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to="shelf.author")
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL("SELECT 1"), migrations.RunPython(forwards, backwards)]
        ),
        migrations.AlterField(
            "book", "author", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="shelf.author")
        ),
        migrations.RemoveField("book", "writer"),
    ]
