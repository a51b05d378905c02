"""Asks a framework who answers: a JSON list [method, path, websocket] a line on standard input, what happened on standard output.

The path is bytes as Latin-1, as WSGI has it. The framework's whole application is called, as a server would."""

import io
import json
import logging
import re
import sys
from urllib.parse import unquote, urlsplit

logging.disable(logging.CRITICAL)


def environ(method, path, websocket):
    made = {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "testserver",
        "SERVER_PORT": "80", "HTTP_HOST": "testserver", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr, "wsgi.multithread": False,
        "wsgi.multiprocess": False, "wsgi.run_once": False, "CONTENT_LENGTH": "0",
    }  # fmt: skip
    if websocket:
        made |= {"HTTP_CONNECTION": "Upgrade", "HTTP_UPGRADE": "websocket"}
    return made


def call(application, *request):
    answer = {}

    def start(status, headers, exc_info=None):
        answer.update(status=int(status[:3]), **{k.lower(): v for k, v in headers})

    body = application(environ(*request), start)
    getattr(body, "close", lambda: None)()
    return answer


def django():
    import os

    os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()

    def ask(method, path, websocket):
        answer = call(application, method, path, websocket)
        status = answer["status"]
        if "x-found" in answer:
            return {"kind": "method" if status == 405 else "found", "name": answer["x-route"], "status": status}
        if status == 301 and not path.endswith("/"):
            return {"kind": "slash", "name": ""}
        if status in (301, 302):
            return {"kind": "redirect", "name": ""}
        return {"kind": "missing", "name": "", **({} if status == 404 else {"status": status})}

    return ask


def flask():
    import flask
    from shop_app import app
    from werkzeug.exceptions import MethodNotAllowed, NotFound
    from werkzeug.routing import RequestRedirect, WebsocketMismatch

    seen = {}

    @app.before_request
    def note():
        seen["rule"] = flask.request.url_rule
        seen["error"] = flask.request.routing_exception

    def ask(method, path, websocket):
        seen.clear()
        call(app, method, path, websocket)
        rule, error = seen["rule"], seen["error"]
        if rule is not None:
            return {"kind": "found", "name": rule.endpoint}
        if isinstance(error, RequestRedirect):
            text = "/" + path.encode("latin-1").decode(errors="replace").lstrip("/")
            merged = re.sub("/{2,}", "/", text)
            to = unquote(urlsplit(error.new_url).path)
            return {"kind": "slash" if to in (text + "/", merged, merged + "/") else "found", "name": ""}
        if isinstance(error, (MethodNotAllowed, WebsocketMismatch)):
            return {"kind": "method", "name": ""}
        return {"kind": "missing", "name": "", **({} if isinstance(error, NotFound) else {"error": repr(error)})}

    return ask


ask = {"django": django, "flask": flask}[sys.argv[1]]()
for line in sys.stdin:
    print(json.dumps(ask(*json.loads(line))), flush=True)
