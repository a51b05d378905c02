import hashlib
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


@app.route("/legacy/events")
def events():
    def lines():
        for n in range(3):
            yield f"data: {n} {time.time()}\n\n"
            time.sleep(0.2)

    return Response(lines(), content_type="text/event-stream")


@app.route("/legacy/large")
def large():
    def parts():
        for _ in range(320):
            yield b"x" * 65536

    return Response(parts(), content_type="application/octet-stream")
