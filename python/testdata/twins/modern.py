"""A Django project in one file: the application in front."""

import json
import os
import sys

from django.conf import settings

SECRETS = os.environ["MODERN_SECRETS"].split()
SIGNED = os.environ.get("MODERN_SESSIONS") == "signed_cookies"
settings.configure(
    SECRET_KEY=SECRETS[0],
    SECRET_KEY_FALLBACKS=SECRETS[1:],
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    SESSION_ENGINE="django.contrib.sessions.backends." + ("signed_cookies" if SIGNED else "db"),
    MIDDLEWARE=[
        "replank.django.middleware.Gateway",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "replank.django.identity.IdentityMiddleware",
    ],
    AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend", "replank.django.identity.IdentityBackend"],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    USE_TZ=True,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["REPLANK_TEST_HOST"],
            "PORT": os.environ["REPLANK_TEST_PORT"],
            "USER": os.environ["REPLANK_TEST_USER"],
            "PASSWORD": os.environ["REPLANK_TEST_PASSWORD"],
            "NAME": os.environ["REPLANK_TEST_DATABASE"],
        }
    },
    REPLANK_JWKS=os.environ["JWKS"],
    REPLANK_AUDIENCE="modern",
    REPLANK_IDENTITY=os.environ.get("MODE", "required"),
)

import django  # noqa: E402

django.setup()

from django.contrib import auth  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402


def who(request):
    identity = request.identity
    return JsonResponse(
        {
            "user": request.user.get_username(),
            "local": request.session.get("_auth_user_id", ""),
            "cart": request.session.get("cart", ""),
            "session": identity.session if identity else "",
            "roles": list(identity.roles) if identity else [],
            "tenant": identity.tenant if identity else None,
            "source": identity.source if identity else "",
            "headers": sorted(k for k in request.META if k.startswith("HTTP_") and k not in ("HTTP_REPLANK_TRIAL", "HTTP_REPLANK_HOP") and ("REPLANK" in k or "USER" in k and "AGENT" not in k)),
        }
    )


def login(request):
    user = auth.authenticate(request, username=request.GET["user"], password=request.GET["password"])
    if user is None:
        return HttpResponse("no", status=403)
    auth.login(request, user)
    return HttpResponse("in")


def logout(request):
    auth.logout(request)
    return HttpResponse("out")


def cart(request):
    request.session["cart"] = request.GET["cart"]
    return HttpResponse("kept")


urlpatterns = [
    path("modern/who", who),
    path("modern/login", login),
    path("modern/logout", logout),
    path("modern/cart", cart),
]
application = get_wsgi_application()


def golden():
    """Sessions of all shapes as the framework itself writes them: [{"cookie" or "row": ..., "user": ...}]."""
    import random

    from django.contrib.sessions.backends import db, signed_cookies

    made = []
    for i in range(120):
        store = (signed_cookies if i % 2 else db).SessionStore()
        r = random.Random(i)
        user = auth.models.User.objects.get(username="alice")
        store["_auth_user_id"] = str(user.pk)
        store["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
        store["_auth_user_hash"] = user.get_session_auth_hash()
        for _ in range(r.randrange(20)):
            # Long and short, so that some are compressed; every plane of Unicode; everything that JSON has.
            text = "".join(chr(r.choice([r.randrange(32, 127), r.randrange(160, 0xD800), r.randrange(0x10000, 0x10FFFF)])) for _ in range(r.randrange(40)))
            store[text or "-"] = r.choice([None, True, -1.5e300, 2**80, text * r.randrange(9), [text, {text: []}], {"a": {"b": text}}])
        if i % 2:
            store.save()
            made.append({"cookie": store.session_key})
        else:
            store.create()
            made.append({"cookie": store.session_key})
        made[-1]["signed"] = bool(i % 2)
    print(json.dumps(made))


if __name__ == "__main__":
    if sys.argv[1] == "golden":
        golden()
    else:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
