"""One way only: what a Flask application sends while it serves a request tells the gateway so.

    from replank import hops
    from replank.flask.hops import Hops
    Hops(app)
    hops.install("shop.example.com")               # the gateway, as the application calls it

    app.config["REPLANK_SIDE"] = "legacy"          # or "modern": requests of the legacy application are refused then
    app.config["REPLANK_GATEWAY"] = "http://127.0.0.1:8080"    # asked about those; needed by "modern" for waivers
"""

from flask import Response, current_app, request

from replank import hops


class Hops:
    def __init__(self, app=None):
        if app is not None:
            self.init_app(app)

    def init_app(self, app):
        self.side = hops.side_of(app.config.get("REPLANK_SIDE"), "legacy")
        # Before every other function, which may send requests.
        app.before_request_funcs.setdefault(None, []).insert(0, self._enter)
        app.after_request(self._leave)

    def _enter(self):
        token = request.headers.get(hops.HEADER)
        hops.enter(token, self.side)
        if token is None or not hops.wrong_way(token, self.side):
            return None
        refusal = hops.judge(current_app.config.get("REPLANK_GATEWAY"), token, request.method, request.path)
        return refusal and Response(refusal[1], refusal[0], {"Cache-Control": "no-store"}, mimetype="text/plain")

    def _leave(self, response):
        response.call_on_close(hops.leave)  # not now, nor at the teardown: a streamed answer may still send requests
        return response
