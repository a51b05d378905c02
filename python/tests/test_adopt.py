"""Migrations that take tables over, as makemigrations sees them afterwards."""

import json
import os

import pytest
from test_django import python

SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["one", "two", "bare"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "HOST": "192.0.2.1"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
MODELS = {
    "one": """
class Left(models.Model):
    right = models.ForeignKey("two.Right", models.CASCADE)
    tags = models.ManyToManyField("bare.Tag")
    created = models.DateTimeField()

class Other(models.Model):
    n = models.IntegerField()
""",
    "two": """
class Right(models.Model):
    left = models.ForeignKey("one.Left", models.CASCADE, null=True)
""",
    "bare": """
class Tag(models.Model):
    name = models.CharField(max_length=9, unique=True)
""",
}


@pytest.fixture
def project(tmp_path):
    (tmp_path / "settings.py").write_text(SETTINGS)
    for app, text in MODELS.items():
        (tmp_path / app).mkdir()
        (tmp_path / app / "__init__.py").write_text("")
        (tmp_path / app / "models.py").write_text("from django.db import models\n" + text)
        if app != "bare":
            (tmp_path / app / "migrations").mkdir()
            (tmp_path / app / "migrations" / "__init__.py").write_text("")
    return str(tmp_path)


def adopt(project, *models, name="adopt_x", write=True):
    args = [a for m in models for a in ("--model", m)]
    out = python("-m", "replank.django", "adopt", "--settings", "settings", "--name", name, "--why", "why", *args,
                 *(["--write"] if write else []), cwd=project)  # fmt: skip
    return json.loads(out)


def changes(project):
    """What makemigrations finds, without a database."""
    code = """
import django; django.setup()
from django.apps import apps
from django.db.migrations.autodetector import MigrationAutodetector as A
from django.db.migrations.loader import MigrationLoader as L
from django.db.migrations.state import ProjectState as S
l = L(None); l.check_consistent_history
found = A(l.project_state(), S.from_apps(apps)).changes(graph=l.graph)
print(sorted(f"{app}: {o.describe()}" for app, ms in found.items() for m in ms for o in m.operations))
"""
    return eval(python("-c", code, cwd=project, DJANGO_SETTINGS_MODULE="settings"))


def test_models_that_refer_to_each_other(project):
    made = adopt(project, "one.Left", "two.Right", "bare.Tag")
    assert sorted((m["app"], m["name"]) for m in made) == [
        ("bare", "0001_adopt_x"), ("one", "0001_adopt_x"), ("one", "0002_adopt_x"), ("two", "0001_adopt_x"),
    ]  # fmt: skip
    assert all("SeparateDatabaseAndState" in m["text"] and m["text"].startswith("# why\n") for m in made)
    # Nothing is left but the model that was not asked for.
    assert changes(project) == ["one: Create model Other"]


def test_what_is_referred_to_belongs_with_it(project):
    with pytest.raises(AssertionError, match="adopt what the tables refer to, too: .*two.right"):
        adopt(project, "one.Left", "bare.Tag")


def test_a_dry_run_writes_nothing(project):
    made = adopt(project, "bare.Tag", write=False)
    assert "Tag" in made[0]["text"]
    assert not os.path.exists(os.path.join(project, "bare", "migrations"))


def test_giving_up(project):
    adopt(project, "one.Left", "two.Right", "bare.Tag", "one.Other")
    assert changes(project) == []
    path = os.path.join(project, "one", "models.py")
    with open(path) as f:
        text = f.read()
    # One model is only read from now on, the other goes.
    with open(path, "w") as f:
        f.write(text[: text.index("class Other")].replace("created =", "class Meta:\n        managed = False\n    created ="))
    made = adopt(project, "one.Left", "one.Other", name="give_up_x")
    assert [m["name"] for m in made] == ["0003_give_up_x"]
    assert "DeleteModel" in made[0]["text"] and "'managed': False" in made[0]["text"]
    assert changes(project) == []
    # There is nothing more to say: the file only marks the place.
    assert "operations = [\n    ]" in adopt(project, "one.Left", name="again")[0]["text"]
