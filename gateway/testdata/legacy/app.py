import hashlib
import http.client
import os
import threading
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import requests
from flask import Flask, Response, jsonify, request, stream_with_context

from replank import hops
from replank.flask.gateway import Gateway
from replank.flask.hops import Hops

app = Flask(__name__)
Hops(app)
hops.install("127.0.0.1")
app.config["REPLANK_ROUTES_SECRET"] = os.environ.get("ROUTES_SECRET")
Gateway(app)
ALL = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@app.route("/", defaults={"path": ""}, methods=ALL)
@app.route("/<path:path>", methods=ALL)
def old(path):
    body = request.get_data()
    return jsonify(
        app="legacy", method=request.method, path=request.full_path, length=len(body), sha=hashlib.sha256(body).hexdigest(),
        declared=request.headers.get("Content-Length"), coding=request.headers.get("Transfer-Encoding"),
        host=request.host, headers=sorted(request.headers.keys()),
    )


@app.route("/same/<name>")
def same(name):
    return jsonify(name=name, at=time.time(), total=2, shadow=False)


@app.route("/legacy/cookies")
def cookies():
    answer = Response()
    answer.set_cookie("session", "l", domain="example.com", path="/legacy", httponly=True, samesite="Strict")
    answer.set_cookie("other", "1")
    return answer


seen = []


@app.before_request
def note():
    seen.append(f"{request.method} {request.path}")


@app.route("/legacy/seen")
def what_was_seen():
    """Every request since the last question."""
    paths, seen[:] = seen[:-1], []
    return jsonify(paths)


def by_requests(method, url):
    sent = requests.request(method, url, timeout=10)
    return sent.status_code, sent.text


def by_urllib(method, url):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as sent:
            return sent.status, sent.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def by_hand(method, url):
    """The hook does it, too."""
    sent = requests.request(method, url, headers=hops.headers(), timeout=10)
    return sent.status_code, sent.text


def without(method, url):
    """As an application without the hook."""
    hops.leave()
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request(method, parts.path)
    sent = connection.getresponse()
    return sent.status, sent.read().decode()


WAYS = {"requests": by_requests, "urllib": by_urllib, "hand": by_hand, "without": without}


@app.route("/legacy/calls/<how>", methods=ALL)
def calls(how):
    """Sends a request while this one is served, and answers with its answer."""
    way, method, url = WAYS[request.args.get("way", how)], request.args.get("method", "GET"), request.args["url"]
    if how == "stream":
        return Response(stream_with_context(way(method, url)[1] for _ in range(1)), content_type="text/plain")
    status, text = way(method, url)
    return Response(text, status, content_type="text/plain")


wanted = threading.Semaphore(0)


@app.route("/legacy/events")
def events():
    def lines():
        for n in range(3):
            yield f"data: {n}\n\n"
            wanted.acquire(timeout=30)

    return Response(lines(), content_type="text/event-stream")


@app.route("/legacy/events/next", methods=["POST"])
def next_event():
    wanted.release()
    return "", 204


@app.route("/legacy/large")
def large():
    def parts():
        for _ in range(320):
            yield b"x" * 65536

    return Response(parts(), content_type="application/octet-stream")
