"""The gateway's identity in Django.

    MIDDLEWARE = [..., "django.contrib.auth.middleware.AuthenticationMiddleware", "replank.django.identity.IdentityMiddleware"]
    AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "replank.django.identity.IdentityBackend"]
    REPLANK_JWKS = "http://127.0.0.1:8081/.replank/jwks.json"
    REPLANK_AUDIENCE = "modern"
    REPLANK_IDENTITY = "required"    # or "optional": a request without a token is served as if there were no gateway
    REPLANK_DATABASE = "default"     # the database with schema replank
    REPLANK_USER_FIELD = "pk"        # the field of the user model that holds the token's subject
    REPLANK_LEEWAY = 10              # seconds by which clocks may differ
"""

import logging
from functools import lru_cache

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, authenticate, get_user, get_user_model
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.signals import setting_changed
from django.db import connections
from django.dispatch import receiver
from django.http import HttpResponse, JsonResponse

from replank.identity import ENDED, HEADER, INTROSPECT, MARK, Refused, Unavailable, Verifier, copy_mark, is_newer, login_mark, session_id

log = logging.getLogger("replank.identity")
BACKEND = "replank.django.identity.IdentityBackend"


def _meta(header):
    return "HTTP_" + header.upper().replace("-", "_")


@lru_cache(maxsize=1)
def _verifier():
    return Verifier(
        getattr(settings, "REPLANK_JWKS", None),
        getattr(settings, "REPLANK_AUDIENCE", None),
        issuer=getattr(settings, "REPLANK_ISSUER", "replank"),
        leeway=getattr(settings, "REPLANK_LEEWAY", 10),
    )


@receiver(setting_changed)
def _forget_verifier(setting, **kwargs):
    if setting.startswith("REPLANK_"):
        _verifier.cache_clear()


class IdentityBackend(BaseBackend):
    """Finds the user of a verified identity. Permissions are those of the other backends."""

    def authenticate(self, request, identity=None):
        if identity is None:
            return None
        model = get_user_model()
        try:
            user = model._default_manager.get(**{getattr(settings, "REPLANK_USER_FIELD", "pk"): identity.subject})
        except (model.DoesNotExist, model.MultipleObjectsReturned, ValueError, TypeError, ValidationError):
            return None
        return user if self._may(user) else None

    def get_user(self, user_id):
        user = get_user_model()._default_manager.filter(pk=user_id).first()
        return user if user is not None and self._may(user) else None

    def _may(self, user):
        return getattr(user, "is_active", True)


class IdentityMiddleware:
    """Sets request.user and request.identity to what the gateway says, and keeps the local session in step with it."""

    def __init__(self, get_response):
        self.get_response = get_response
        mode = getattr(settings, "REPLANK_IDENTITY", "required")
        if mode not in ("required", "optional"):
            raise ImproperlyConfigured(f'REPLANK_IDENTITY is {mode!r}: want "required" or "optional"')
        if BACKEND not in settings.AUTHENTICATION_BACKENDS:
            raise ImproperlyConfigured(f"AUTHENTICATION_BACKENDS needs {BACKEND}: the sessions of users who logged in elsewhere are its")
        try:
            _verifier()
        except ValueError as e:
            raise ImproperlyConfigured(str(e)) from e
        self.required = mode == "required"

    def __call__(self, request):
        if not hasattr(request, "session") or not hasattr(request, "user"):
            raise ImproperlyConfigured("IdentityMiddleware stands in MIDDLEWARE before SessionMiddleware or AuthenticationMiddleware")
        request.identity = None
        if _meta(INTROSPECT) in request.META:
            return _introspect(request)
        token = request.META.get(_meta(HEADER))
        if token is None:
            self._without(request)
            return self.get_response(request)
        try:
            identity = _verifier().verify(token)
        except Refused as e:
            log.warning("an identity token was refused: %s", e)
            return HttpResponse(f"The identity token was refused: {e}\n", status=401, content_type="text/plain",
                                headers={"WWW-Authenticate": "Replank", "Cache-Control": "no-store"})  # fmt: skip
        except Unavailable as e:
            log.error("an identity token cannot be verified: %s", e)
            return HttpResponse("The gateway's keys cannot be read.\n", status=503, content_type="text/plain",
                                headers={"Retry-After": "5", "Cache-Control": "no-store"})  # fmt: skip
        self._with(request, identity)
        return self.get_response(request)

    def _without(self, request):
        """Nobody is logged in, or the request did not come through the gateway."""
        session = request.session
        if SESSION_KEY not in session:
            return
        if _meta(ENDED) in request.META or "of" in session.get(MARK, {}):
            session.flush()
            _set_user(request, AnonymousUser())
        elif self.required:
            # It may be that the gateway cannot read our sessions: nobody is logged out by that.
            _set_user(request, AnonymousUser())

    def _with(self, request, identity):
        request.identity = identity
        session = request.session
        if not identity.stateless and SESSION_KEY in session and identity.session in (_own(session), session.get(MARK, {}).get("of")):
            user = get_user(request)  # from the session; it is ended here when the password was changed
            if user.is_authenticated and _subject(user) == identity.subject:
                _set_user(request, user)
                return
        if not identity.stateless and SESSION_KEY in session and is_newer(session.get(MARK, {}), identity):
            user = get_user(request)
            if user.is_authenticated:
                if _subject(user) != identity.subject:
                    request.identity = None
                _set_user(request, user)
                return
        user = authenticate(request, identity=identity)
        if user is None:
            log.warning("user %s of the gateway is not one of this application", identity.subject)
            request.identity = None
            user = AnonymousUser()
            if SESSION_KEY in session and not identity.stateless:
                session.flush()
        elif not identity.stateless:
            _copy(request, user, identity)
        _set_user(request, user)


def _set_user(request, user):
    request.user = request._cached_user = request._acached_user = user

    async def auser():
        return user

    request.auser = auser


def _subject(user):
    field = getattr(settings, "REPLANK_USER_FIELD", "pk")
    return str(user.pk if field == "pk" else getattr(user, field))


def _own(session):
    """The name of a login that was made here, None for a copy."""
    if SESSION_KEY not in session:
        return None
    mark = session.get(MARK, {})
    if "of" in mark:
        return None
    if "sid" in mark:
        return mark["sid"]
    if settings.SESSION_ENGINE.endswith("signed_cookies"):
        return session_id(f"{session[SESSION_KEY]}\0{session.get(HASH_SESSION_KEY, '')}")
    return session_id(session.session_key or "")


def _copy(request, user, identity):
    """Logs in here who is logged in on the other side, as django.contrib.auth.login does, but for what makes it a login:
    no signal, and the CSRF token stays, since a form that is being sent now has it."""
    session = request.session
    name = user._meta.pk.value_to_string(user)
    if session.get(SESSION_KEY, name) == name:
        session.cycle_key()
    else:
        session.flush()  # it is somebody else's
    session[SESSION_KEY] = name
    session[BACKEND_SESSION_KEY] = BACKEND
    session[HASH_SESSION_KEY] = user.get_session_auth_hash() if hasattr(user, "get_session_auth_hash") else ""
    session[MARK] = copy_mark(identity)


def revoke(session=None, subject=None):
    """Ends a login by its name, or all that a subject has, on both sides. Returns the database's time."""
    with connections[getattr(settings, "REPLANK_DATABASE", "default")].cursor() as cursor:
        cursor.execute("SELECT replank.revoke(%s, %s)", [session, None if subject is None else str(subject)])
        return cursor.fetchone()[0]


@receiver(user_logged_in, dispatch_uid="replank.identity")
def _logged_in(request, **kwargs):
    if not hasattr(request, "session"):
        return
    # The login that the request came with is replaced by this one.
    identity = getattr(request, "identity", None)
    replaced = identity.session if identity and not identity.stateless else None
    request.session[MARK] = login_mark(revoke(replaced))


@receiver(user_logged_out, dispatch_uid="replank.identity")
def _logged_out(request, **kwargs):
    if not hasattr(request, "session"):
        return
    identity = getattr(request, "identity", None)
    names = {_own(request.session), request.session.get(MARK, {}).get("of"), identity and identity.session}
    for name in names - {None, ""}:
        revoke(name)


def _introspect(request):
    """Answers the gateway's question whose session a request shows, for sessions that it cannot read itself. It changes
    nothing: copies of other sessions are left as they are."""
    user, sid = get_user(request), _own(request.session)
    answer = {"active": False}
    if user.is_authenticated and sid is not None:
        answer = {"active": True, "sub": _subject(user), "sid": sid, "at": request.session.get(MARK, {}).get("at", 0)}
    return JsonResponse(answer, headers={"Cache-Control": "no-store"})
