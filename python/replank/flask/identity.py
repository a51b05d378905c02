"""The gateway's identity in Flask.

    from replank.flask.identity import GatewayIdentity
    identity = GatewayIdentity(app, engine=db.engine)          # after LoginManager, where there is one

    app.config["REPLANK_JWKS"] = "http://127.0.0.1:8081/.replank/jwks.json"
    app.config["REPLANK_AUDIENCE"] = "legacy"
    app.config["REPLANK_IDENTITY"] = "required"    # or "optional": a request without a token is served as if there were no gateway
    app.config["REPLANK_USER_KEY"] = "_user_id"    # the key of the session that holds the user
    app.config["REPLANK_LEEWAY"] = 10              # seconds by which clocks may differ

g.identity is what the gateway says, or None. With Flask-Login current_user follows it; without, session[REPLANK_USER_KEY].
"""

import logging

from flask import Response, current_app, g, jsonify, request, session
from sqlalchemy import text

from replank.identity import ENDED, HEADER, INTROSPECT, MARK, Refused, Unavailable, Verifier, copy_mark, is_newer, login_mark, session_id

try:
    import flask_login
except ImportError:  # the application has users of its own
    flask_login = None

log = logging.getLogger("replank.identity")


class GatewayIdentity:
    """Keeps the session in step with the gateway: a user who logged in on the other side is logged in here, one who
    logged out there is logged out here, and a login or logout here is told.

    `engine` is the SQLAlchemy engine, or a function that returns it, of the database with schema replank. `find` returns
    what session[REPLANK_USER_KEY] has to hold for a subject, None if there is no such user; without Flask-Login it is the
    subject itself unless given.
    """

    def __init__(self, app=None, *, engine, find=None):
        self.engine, self.find = engine, find
        if app is not None:
            self.init_app(app)

    def init_app(self, app):
        config = app.config
        mode = config.setdefault("REPLANK_IDENTITY", "required")
        if mode not in ("required", "optional"):
            raise ValueError(f'REPLANK_IDENTITY is {mode!r}: want "required" or "optional"')
        self.required = mode == "required"
        self.key = config.setdefault("REPLANK_USER_KEY", "_user_id")
        self.verifier = Verifier(
            config.get("REPLANK_JWKS"),
            config.get("REPLANK_AUDIENCE"),
            issuer=config.get("REPLANK_ISSUER", "replank"),
            leeway=config.get("REPLANK_LEEWAY", 10),
        )
        app.extensions["replank_identity"] = self
        # Before every other function that may look at the session; and after all of them, which run from last to first.
        app.before_request_funcs.setdefault(None, []).insert(0, self._enter)
        app.after_request_funcs.setdefault(None, []).insert(0, self._leave)

    def _enter(self):
        g.identity = None
        if INTROSPECT in request.headers:
            return self._introspect()
        token = request.headers.get(HEADER)
        if token is None:
            self._without()
        else:
            try:
                identity = self.verifier.verify(token)
            except Refused as e:
                log.warning("an identity token was refused: %s", e)
                return Response(f"The identity token was refused: {e}\n", 401, {"WWW-Authenticate": "Replank", "Cache-Control": "no-store"},
                                mimetype="text/plain")  # fmt: skip
            except Unavailable as e:
                log.error("an identity token cannot be verified: %s", e)
                return Response("The gateway's keys cannot be read.\n", 503, {"Retry-After": "5", "Cache-Control": "no-store"},
                                mimetype="text/plain")  # fmt: skip
            self._with(identity)
        g._replank_entered = True
        g._replank_user, g._replank_mark, g._replank_own = session.get(self.key), session.get(MARK), self._own()

    def _without(self):
        """Nobody is logged in, or the request did not come through the gateway."""
        if self.key not in session:
            return
        if ENDED in request.headers or "of" in session.get(MARK, {}):
            self._drop(remembered=True)
        elif self.required:
            # It may be that the gateway cannot read our sessions: nobody is logged out by that.
            self._hide()

    def _with(self, identity):
        g.identity = identity
        expected = identity.subject if self.find is None else self.find(identity.subject)
        same = self.key in session and expected is not None and str(session[self.key]) == str(expected)
        if same and not identity.stateless and identity.session in (self._own(), session.get(MARK, {}).get("of")):
            return
        if self.key in session and not identity.stateless and is_newer(session.get(MARK, {}), identity):
            if not same:
                g.identity = None
            return
        manager = self._login_manager()
        user = expected
        if manager and expected is not None:
            user = manager._user_callback(expected)
            if user is not None and not user.is_active:
                user = None
        if user is None:
            log.warning("user %s of the gateway is not one of this application", identity.subject)
            g.identity = None
            if identity.stateless:
                self._hide()
            elif self.key in session:
                self._drop(remembered=True)
            return
        if identity.stateless:
            if manager:
                g._login_user = user
            return
        if self.key in session and not same:
            self._drop()
        if manager:
            flask_login.login_user(user)
        else:
            session[self.key] = expected
        session[MARK] = copy_mark(identity)

    def _login_manager(self):
        return getattr(current_app, "login_manager", None) if flask_login else None

    def _own(self):
        """The name of a login that was made here, None for a copy."""
        if self.key not in session:
            return None
        mark = session.get(MARK, {})
        if "of" in mark:
            return None
        return mark.get("sid") or session_id(f"{session[self.key]}\0{session.get('_id', '')}")

    def _drop(self, remembered=False):
        """Ends the local login. All of the session goes, as it belongs to another user or to none."""
        session.clear()
        if self._login_manager():
            g.pop("_login_user", None)
            if remembered:
                session["_remember"] = "clear"  # Flask-Login does not believe its other cookie then, and removes it

    def _hide(self):
        """Nobody is logged in for the time of this request."""
        manager = self._login_manager()
        if manager:
            g._login_user = manager.anonymous_user()
        if self.key in session:
            own, modified = self._own(), session.modified
            g._replank_hidden = own, session.pop(self.key)
            session.modified = modified

    def _leave(self, response):
        """Sees what the request has made of the session, and tells the gateway before the client has the answer."""
        if not g.get("_replank_entered"):
            return response
        identity, mark = g.get("identity"), g._replank_mark or {}
        held = identity.session if identity and not identity.stateless else None
        before, after = g._replank_user, session.get(self.key)
        if after is not None and (after != before or (mark and MARK not in session)):
            # Somebody has logged in. The login that the request came with is replaced by this one.
            session[MARK] = login_mark(self.revoke(held))
        elif after is None and before is not None:
            for name in {held, mark.get("sid"), mark.get("of"), g._replank_own} - {None}:
                self.revoke(name)
            session.pop(MARK, None)
        elif after is None and g.get("_replank_hidden"):
            own, user = g._replank_hidden
            if mark and MARK not in session:
                self.revoke(own)  # the application has cleared the session: that is a logout, too
            else:
                modified = session.modified
                session[self.key] = user
                session.modified = modified
        return response

    def _introspect(self):
        """Answers the gateway's question whose session a request shows, for sessions that it cannot read itself. It
        changes nothing: copies of other sessions are left as they are."""
        sid = self._own()
        answer = {"active": False}
        if sid is not None:
            answer = {"active": True, "sub": str(session[self.key]), "sid": sid, "at": session.get(MARK, {}).get("at", 0)}
        return jsonify(answer), {"Cache-Control": "no-store"}

    def revoke(self, sid=None, subject=None):
        """Ends a login by its name, or all that a subject has, on both sides. Returns the database's time."""
        engine = self.engine() if callable(self.engine) else self.engine
        with engine.begin() as connection:
            return connection.execute(
                text("SELECT replank.revoke(:sid, :subject)"),
                {"sid": sid, "subject": None if subject is None else str(subject)},
            ).scalar_one()


def logout():
    """Logs out on both sides. Flask-Login's logout_user and session.clear() do, too, where this extension is installed."""
    extension = current_app.extensions["replank_identity"]
    if extension._login_manager():
        flask_login.logout_user()
    session.pop(extension.key, None)
    own, _ = g.pop("_replank_hidden", None) or (None, None)
    if own:
        extension.revoke(own)
