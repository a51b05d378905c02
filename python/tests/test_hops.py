"""What carries hop tokens on, and what refuses them. The gateway's part is tested in Go, with real applications."""

import http.client
import json
import threading
import urllib.request
from base64 import urlsafe_b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from flask import Flask
from replank import hops
from replank.flask.hops import Hops


def token(**claims):
    return urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode() + ".sum"


@pytest.fixture
def server():
    """Answers with the hop headers that it got; /away sends on to localhost."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/away":
                self.send_response(302)
                self.send_header("Location", f"http://localhost:{self.server.server_port}/")
                self.end_headers()
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps([v for k, v in self.headers.items() if k.startswith("Replank-")]).encode())

        def log_message(self, *args):
            pass

    s = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{s.server_port}"
    s.shutdown()
    s.server_close()


@pytest.fixture
def clean(monkeypatch):
    monkeypatch.setattr(http.client.HTTPConnection, "endheaders", http.client.HTTPConnection.endheaders)
    monkeypatch.setattr(hops, "_hosts", set())
    yield
    hops.leave()


def test_only_named_hosts_are_told(server, clean):
    hops.enter("t", "legacy")
    assert requests.get(server, timeout=5).json() == []
    hops.install("127.0.0.1:1", "[::1]:80", "Shop.example")
    assert requests.get(server, timeout=5).json() == []
    hops.install(server.removeprefix("http://"))
    hops.install("127.0.0.1")  # once more wraps nothing twice
    assert requests.get(server, timeout=5).json() == ["t", "legacy"]
    with urllib.request.urlopen(server, timeout=5) as answer:
        assert json.load(answer) == ["t", "legacy"]
    assert requests.get(server + "/away", timeout=5).json() == []
    hops.leave()
    assert requests.get(server, timeout=5).json() == []
    assert hops.headers() == {}


def test_threads_serve_their_own_requests(clean):
    hops.enter("mine", "modern")
    seen = []
    thread = threading.Thread(target=lambda: seen.append(hops.headers()))
    thread.start()
    thread.join()
    assert seen == [{}]
    assert hops.headers() == {"Replank-Hop": "mine", "Replank-Hop-By": "modern"}


@pytest.mark.parametrize("hosts", [(), ("",), ("http://shop.example",), ("shop.example/path",), ("shop.example:port",)])
def test_hosts_are_hosts(hosts, clean):
    before = http.client.HTTPConnection.endheaders
    with pytest.raises(ValueError):
        hops.install(*hosts)
    assert http.client.HTTPConnection.endheaders is before


def test_what_is_no_token_means_nothing(clean):
    garbage = ["", ".", "%%%.x", "é.x", "bnVsbA.x", "W10.x", "eyJ9.x", token(side=["legacy"]), token(), "x" * 10_000, "[" * 9000, None]
    assert not any(hops.wrong_way(t, "modern") for t in garbage)
    legacy = token(side="legacy")
    assert hops.wrong_way(legacy, "modern")
    assert hops.wrong_way(f"{legacy}, {legacy}", "modern")
    assert not hops.wrong_way(legacy, "legacy")
    assert not hops.wrong_way(token(side="modern"), "modern")
    assert not hops.wrong_way(token(side="modern"), "legacy")


def test_flask_as_the_modern_application(clean):
    app = Flask("app")
    app.config["REPLANK_SIDE"] = "modern"
    Hops(app)
    app.add_url_rule("/", view_func=lambda: hops.headers())
    client = app.test_client()
    assert client.get("/").json == {}
    modern = token(side="modern")
    assert client.get("/", headers={"Replank-Hop": modern}).json == {"Replank-Hop": modern, "Replank-Hop-By": "modern"}
    refused = client.get("/", headers={"Replank-Hop": token(side="legacy")})
    assert refused.status_code == 403
    assert "REPLANK_GATEWAY" in refused.text
    refused.close()  # as servers do
    assert hops.headers() == {}


def test_a_side_is_one_of_two(clean):
    app = Flask("app")
    app.config["REPLANK_SIDE"] = "new"
    with pytest.raises(ValueError, match="REPLANK_SIDE"):
        Hops(app)
