"""A Flask application with SQLAlchemy 2: the application behind."""

import json
import os
import random
import sys

import sqlalchemy as sa
from flask import Flask, g, jsonify, request, session
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from replank.flask.identity import GatewayIdentity, logout

SECRETS = os.environ["LEGACY_SECRETS"].split()
PLAIN = os.environ.get("LEGACY_PLAIN")  # without Flask-Login, the user in session["uid"]
engine = sa.create_engine(os.environ["REPLANK_TEST_URL"])


class Base(DeclarativeBase):
    pass


class User(Base, UserMixin):
    __tablename__ = "auth_user"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str]
    is_active: Mapped[bool]


app = Flask(__name__)
app.config.update(
    SECRET_KEY=SECRETS[0],
    SECRET_KEY_FALLBACKS=SECRETS[1:],
    REPLANK_JWKS=os.environ["JWKS"],
    REPLANK_AUDIENCE="legacy",
    REPLANK_IDENTITY=os.environ.get("MODE", "required"),
)
if PLAIN:
    app.config["REPLANK_USER_KEY"] = "uid"
else:
    manager = LoginManager(app)

    @manager.user_loader
    def load(user_id):
        with Session(engine) as s:
            return s.get(User, int(user_id))


GatewayIdentity(app, engine=engine)


def present():
    """The user that the application's own code sees."""
    if not PLAIN:
        return current_user.username if current_user.is_authenticated else ""
    if "uid" not in session:
        return ""
    with Session(engine) as s:
        return s.get(User, int(session["uid"])).username


@app.get("/legacy/who")
def who():
    identity = g.identity
    return jsonify(
        user=present(),
        local=str(session.get("uid" if PLAIN else "_user_id", "")),
        cart=session.get("cart", ""),
        session=identity.session if identity else "",
        roles=list(identity.roles) if identity else [],
        tenant=identity.tenant if identity else None,
        source=identity.source if identity else "",
        headers=sorted(k for k in request.environ if k.startswith("HTTP_") and k != "HTTP_REPLANK_HOP" and ("REPLANK" in k or "USER" in k and "AGENT" not in k)),
    )


@app.get("/legacy/login")
def login():
    with Session(engine) as s:
        user = s.scalar(sa.select(User).where(User.username == request.args["user"]))
        if PLAIN:
            session["uid"] = user.id
        else:
            login_user(user, remember="remember" in request.args)
    return "in"


@app.get("/legacy/logout")
def out():
    how = request.args.get("how")
    if how == "clear":
        session.clear()
    elif how == "flask-login":
        logout_user()
    else:
        logout()
    return "out"


@app.get("/legacy/cart")
def cart():
    session["cart"] = request.args["cart"]
    return "kept"


def golden():
    """Cookies of all shapes as the framework itself writes them."""
    from datetime import datetime, timezone
    from uuid import UUID

    serializer = app.session_interface.get_signing_serializer(app)
    made = []
    for i in range(120):
        r = random.Random(i)
        held = {"_user_id": r.choice([sys.argv[2], int(sys.argv[2])]), "_id": "x"}
        for _ in range(r.randrange(20)):
            text = "".join(chr(r.choice([r.randrange(32, 127), r.randrange(160, 0xD800), r.randrange(0x10000, 0x10FFFF)])) for _ in range(r.randrange(40)))
            held[text or "-"] = r.choice([None, True, 1.5, 2**80, text * r.randrange(9), (text, [b"\0\xff"]), UUID(int=i), datetime.now(timezone.utc)])
        made.append({"cookie": serializer.dumps(held)})
    print(json.dumps(made))


if __name__ == "__main__":
    golden()
