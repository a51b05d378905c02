import os
import signal
import threading

from django.db import migrations


def die(schema_editor):
    """Half way, the program that has us run is killed, when the test wants that."""
    if os.environ.get("SHELF_KILL") == schema_editor.connection.alias + "." + __name__.rpartition(".")[2]:
        os.kill(os.getppid(), signal.SIGKILL)
        threading.Event().wait()


def forwards(apps, schema_editor):
    for i, volume in enumerate(apps.get_model("shelf", "Volume").objects.order_by("id")):
        if i == 50:
            die(schema_editor)
        volume.shout += "."
        volume.save()


def backwards(apps, schema_editor):
    for volume in apps.get_model("shelf", "Volume").objects.order_by("id"):
        volume.shout = volume.shout[:-1]
        volume.save()


class Migration(migrations.Migration):
    dependencies = [("shelf", "0005_tail")]
    operations = [migrations.RunPython(forwards, backwards)]

