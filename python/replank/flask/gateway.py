"""Tells the gateway the routes of a Flask application.

    from replank.flask.gateway import Gateway

    app.config["REPLANK_ROUTES_SECRET"] = os.environ["REPLANK_ROUTES_SECRET"]
    Gateway(app)                                   # or Gateway().init_app(app)

The route document is then at /.replank/routes for whoever shows that secret, and the gateway needs no file
(legacy_routes = "http"). Nothing of the application runs for it.
"""

from http import HTTPStatus

from replank import routes


class Gateway:
    def __init__(self, app=None):
        if app is not None:
            self.init_app(app)

    def init_app(self, app):
        app.wsgi_app = Served(app, app.wsgi_app)


class Served:
    """The application, with the document before it."""

    def __init__(self, app, wsgi_app):
        from replank.flask.routes import document  # which has to know this class

        self.wsgi_app = wsgi_app
        self.routes = routes.Served(app.config.get("REPLANK_ROUTES_SECRET"), lambda: document(app))

    def __call__(self, environ, start_response):
        if environ.get("PATH_INFO") != routes.SERVED_AT:
            return self.wsgi_app(environ, start_response)
        shown, known = environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_IF_NONE_MATCH", "")
        status, headers, text = self.routes.answer(environ["REQUEST_METHOD"], shown, known)
        if status != HTTPStatus.NOT_MODIFIED:
            headers["Content-Length"] = str(len(text))
        start_response(f"{status} {HTTPStatus(status).phrase}", [*headers.items()])
        return [text]
