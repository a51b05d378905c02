import hashlib
import threading
import time

from flask import Flask, Response, jsonify, request

app = Flask(__name__)
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
