"""Exports beside what Django does on a real database."""

import json
import os
import re
import subprocess
import sys

import jsonschema
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def python(*args, cwd=HERE, **env):
    done = subprocess.run(
        [sys.executable, "-B", *args], cwd=cwd, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": ROOT, "PYTHONHASHSEED": "0", **env},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "export.json"
    # A port where nobody listens: the export opens no connection.
    python("-m", "replank.django", "export", "--models", "--settings", "settings_of_many", "-o", str(path), REPLANK_TEST_PORT="1")
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def migrated():
    return json.loads(python("oracle.py", "settings_of_many"))


def test_schema(exported):
    with open(os.path.join(ROOT, "..", "docs", "export.schema.json")) as f:
        jsonschema.validate(exported, json.load(f))


def test_order_is_that_of_migrate(exported, migrated):
    ours = [f"{m['app']}.{m['name']}" for m in exported["migrations"] if "replaced_by" not in m]
    assert ours == migrated["order"]
    assert len(ours) > 200


def timeless(sql):
    """Without the values that now() and uuid4() gave."""
    return re.sub(r"'\d{4}-\d\d-\d\d[ T][^']*'|'[0-9a-f]{8}-[0-9a-f-]{27}'|'[0-9a-f]{32}'", "'…'", sql)


def test_statements_are_those_of_migrate(exported, migrated):
    compared = 0
    for m in exported["migrations"]:
        if "replaced_by" in m:
            continue
        name = f"{m['app']}.{m['name']}"
        ours = [s for o in m["operations"] for s in o.get("sql", [])]
        ours += [s for o in m["operations"] for s in o.get("deferred", [])]
        real = migrated["executed"][name]
        if any("error" in o for o in m["operations"]):
            assert name == "wagtaildocs.0005_document_collection", name
            assert [(o["code"]["at"], o["code"]["atomic"]) for o in m["operations"]] == [([0], True)]
            continue
        ours, real = [timeless(s) for s in ours], [timeless(s) for s in real]
        if any("code" in o for o in m["operations"]):
            # What the Python code executed stands between them.
            real = [s for s in real if s in ours]
        if any(o["kind"] == "RenameModel" for o in m["operations"]):
            # Django takes the referring models in the order of a set.
            ours, real = sorted(ours), sorted(real)
        assert ours == real, name
        compared += len(ours)
    assert compared > 600


def test_command_and_module_agree(exported, tmp_path):
    path = tmp_path / "command.json"
    python("-m", "django", "replank", "export", "--models", "-o", str(path), DJANGO_SETTINGS_MODULE="settings_of_many")
    assert timeless(path.read_text().strip()) == timeless(json.dumps(exported, ensure_ascii=False, separators=(",", ":")))


def test_operations_have_their_lines(exported):
    for m in exported["migrations"]:
        with open(os.path.join(exported["root"], m["path"])) as f:
            lines = f.read().splitlines()
        for o in m["operations"]:
            if "path" not in o:
                assert 1 <= o["line"] <= len(lines)
                kind = o["kind"].replace("RenameContentType", "RenameModel")  # behind which Django puts it
                assert kind in "".join(lines[o["line"] - 1 : o["line"] + 2]) or "Separate" in lines[o["line"] - 1], m


PLAIN = """
import sys
from replank.django import __main__ as command, states, tables
# Without what is kept from one operation for the next.
states.Kept.get = lambda self, keys, lookup: None
tables._described = lambda *args: (tables._column(*args), tables._indexes(*args))
states._Copied.clone = lambda self: self.field.clone()
sys.exit(command.main(sys.argv[1:]))
"""


def test_what_is_kept_changes_nothing(tmp_path):
    generate = os.path.join(ROOT, "..", "bench", "django", "generate.py")
    python(generate, str(tmp_path / "project"), "--apps", "12", "--migrations", "300")
    for name, start in ("quick", ["-m", "replank.django"]), ("plain", ["-c", PLAIN]):
        python(*start, "export", "-o", str(tmp_path / name), cwd=str(tmp_path / "project"))
    assert (tmp_path / "quick").read_text() == (tmp_path / "plain").read_text()
