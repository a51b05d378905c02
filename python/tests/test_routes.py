"""What makes a route opaque or a document incomplete, beside the applications of testdata/routes."""

import json
import os
import subprocess
import sys

import jsonschema
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def exported(folder, *args):
    done = subprocess.run(
        [sys.executable, "-B", *args], cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ROOT}
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    document = json.loads(done.stdout)
    with open(os.path.join(ROOT, "..", "docs", "routes.schema.json")) as f:
        jsonschema.validate(document, json.load(f))
    return document


def flask(folder, text, app="shop:app"):
    (folder / "shop.py").write_text("from flask import Flask\n" + text)
    return exported(folder, "-m", "replank.flask", "routes", app)


def test_hosts_are_opaque(tmp_path):
    text = """
app = Flask("shop", host_matching=True, static_host="s.example.com")
app.add_url_rule("/a", "a", lambda: "", host="a.example.com")
app.add_url_rule("/b/<x>", "b", lambda x: "", host="<tenant>.example.com")
"""
    routes = flask(tmp_path, text)["routes"]
    assert {r["template"] for r in routes} == {"/a", "/b/{x}", "/static/{filename}"}
    assert {r["opaque"] for r in routes} == {"the host decides"}
    # The parameter of the host takes no name from those of the path.
    assert [s for r in routes if r["name"] == "b" for s in r["segments"]][-1]["re"] == "(?P<x>[^/]+)"


def test_subdomains_are_asked_for_only_if_they_are_matched(tmp_path):
    rule = 'app.add_url_rule("/a", "a", lambda: "", subdomain="api")\n'
    assert [r["name"] for r in flask(tmp_path, 'app = Flask("shop")\n' + rule)["routes"]] == ["static"]
    matched = flask(tmp_path, 'app = Flask("shop", subdomain_matching=True)\n' + rule)["routes"]
    assert {r["name"]: r["opaque"] for r in matched} == {"static": "the host decides", "a": "the host decides"}


def test_what_may_answer_makes_flask_incomplete(tmp_path):
    text = """
print("loading")
def create_app(passive):
    app = Flask("shop")
    app.config["REPLANK_PASSIVE"] = passive
    @app.before_request
    def first(): pass
    class Around:
        def __init__(self, app): self.app = app
    app.wsgi_app = Around(app.wsgi_app)
    return app
"""
    document = flask(tmp_path, text, "shop:create_app([])")
    assert not document["complete"]
    assert [r.split(" ")[0] for r in document["incomplete_because"]] == ["shop.create_app.<locals>.Around", "shop.create_app.<locals>.first"]
    names = [r.split(" ")[0] for r in document["incomplete_because"]]
    assert flask(tmp_path, text, f"shop:create_app({names!r})")["complete"]
    with pytest.raises(RuntimeError, match="cannot be loaded|Failed to find|needed"):
        flask(tmp_path, "app = 1\n")


def django(folder, urls, **settings):
    (folder / "shop_urls.py").write_text(urls)
    values = {"SECRET_KEY": "x", "ROOT_URLCONF": "shop_urls", "MIDDLEWARE": [], **settings}
    (folder / "shop_settings.py").write_text("".join(f"{k} = {v!r}\n" for k, v in values.items()))
    (folder / "shop_middleware.py").write_text("def tenant(get_response):\n    return get_response\n")
    return exported(folder, "-m", "replank.django", "routes", "--settings", "shop_settings")


URLS = """
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, include, path
from django.urls.resolvers import RoutePattern

class Own(URLResolver):
    def resolve(self, path):
        return super().resolve(path.lower())

class OwnPattern(RoutePattern):
    def match(self, path):
        return super().match(path.lower())

def view(request): return HttpResponse()

urlpatterns = [
    path("plain/", view),
    Own(RoutePattern("own/"), [path("inside/", view)]),
    URLPattern(OwnPattern("pattern/", is_endpoint=True), view),
    path("last", view),
]
"""


def test_own_classes_are_opaque(tmp_path):
    document = django(tmp_path, URLS, MIDDLEWARE=["django.middleware.common.CommonMiddleware"])
    assert [(r["template"], r.get("opaque")) for r in document["routes"]] == [
        ("/plain/", None),
        ("/own/", "Own resolves in its own way"),
        ("/pattern/", "OwnPattern matches in its own way"),
        ("/last", None),
    ]
    # What is opaque ends with a stage that takes any rest.
    assert [r["stages"][-1] for r in document["routes"]] == [
        {"re": "plain/", "end": True}, {"re": ""}, {"re": ""}, {"re": "last", "end": True},
    ]  # fmt: skip
    assert document["complete"] and document["append_slash"]


def test_what_may_answer_makes_django_incomplete(tmp_path):
    middleware = ["django.contrib.flatpages.middleware.FlatpageFallbackMiddleware", "shop_middleware.tenant"]
    apps = ["django.contrib.sites", "django.contrib.flatpages"]
    document = django(tmp_path, URLS, MIDDLEWARE=middleware, INSTALLED_APPS=apps)
    assert not document["append_slash"] and not document["complete"]
    assert document["incomplete_because"][0] == "flat pages answer paths without a route"
    assert document["incomplete_because"][1].startswith("the middleware shop_middleware.tenant may answer")
    named = django(tmp_path, URLS, MIDDLEWARE=middleware[1:], REPLANK_PASSIVE_MIDDLEWARE=["shop_middleware.tenant"])
    assert named["complete"]


def test_the_build_is_of_what_is_matched(tmp_path):
    first = django(tmp_path, URLS)
    moved = django(tmp_path, "# A line more.\n" + URLS)
    changed = django(tmp_path, URLS.replace('"last"', '"least"'))
    assert first["build"] == moved["build"] != changed["build"]
    assert first["routes"] != moved["routes"]
