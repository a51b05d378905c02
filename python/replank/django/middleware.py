"""What the gateway has to hear from the new application: whether it has a route for a request.

Put `replank.django.middleware.Gateway` first in MIDDLEWARE. It labels what was not found:

    route   no URL pattern matches the path
    method  the view exists, and does not take the method
    slash   only the path with a slash at its end matches (APPEND_SLASH)
    object  a view has answered: there is no such thing

A request that the gateway marks as a trial is looked up before anything else runs: where there is no route, no session
is read, no row is written and nothing is logged as a missing page.

It also knows the hop token of each request (`replank.hops`), and refuses what the legacy application sends past the gateway:

    REPLANK_SIDE = "modern"                       # or "legacy", where Django is the old one
    REPLANK_GATEWAY = "http://127.0.0.1:8080"     # knows which calls of the legacy application are waived
With the setting REPLANK_ROUTES_SECRET it serves the route document at /.replank/routes to whoever shows that secret, so
that the gateway knows the routes without a file (modern_routes = "http").
"""

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import request_finished
from django.http import HttpResponse
from django.urls import Resolver404, is_valid_path, resolve

from replank import hops
from replank.routes import SERVED_AT, Served

LABEL = "Replank-Not-Found"
BUILD = "Replank-Build"
METHODS = "Replank-Methods"


class Gateway:
    sync_capable = True
    async_capable = True

    def __init__(self, get_response):
        self.get_response = get_response
        # A middleware that sets request.urlconf decides later which patterns count.
        self.early = getattr(settings, "REPLANK_EARLY_LABELS", True)
        self.build = getattr(settings, "REPLANK_BUILD", "")
        self.gateway = getattr(settings, "REPLANK_GATEWAY", "")
        try:
            self.side = hops.side_of(getattr(settings, "REPLANK_SIDE", None), "modern")
        except ValueError as e:
            raise ImproperlyConfigured(str(e)) from e
        # Not when the view returns: a streamed answer may still send requests.
        request_finished.connect(hops.leave, dispatch_uid="replank.hops")
        self.routes = Served(getattr(settings, "REPLANK_ROUTES_SECRET", None), _document)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request):
        if iscoroutinefunction(self):
            return self._call_async(request)
        refused = self.refuse(request) if self.enter(request) else None
        return refused or self.before(request) or self.after(request, self.get_response(request))

    async def _call_async(self, request):
        refused = await sync_to_async(self.refuse, thread_sensitive=False)(request) if self.enter(request) else None
        return refused or self.before(request) or self.after(request, await self.get_response(request))

    def enter(self, request):
        """Notes the hop token, and says whether the request comes from where none may come."""
        token = request.META.get("HTTP_REPLANK_HOP")
        hops.enter(token, self.side)
        return token is not None and hops.wrong_way(token, self.side)

    def refuse(self, request):
        refusal = hops.judge(self.gateway, request.META["HTTP_REPLANK_HOP"], request.method, request.path_info)
        return refusal and HttpResponse(refusal[1], status=refusal[0], content_type="text/plain", headers={"Cache-Control": "no-store"})

    def before(self, request):
        """The answer to the gateway's own questions, None for everybody else's."""
        if request.path_info == "/.replank/ask":
            return self.ask(request)
        if request.path_info == SERVED_AT:
            return self.document(request)
        if self.early and "HTTP_REPLANK_TRIAL" in request.META:
            label, _ = look_up(request.method, request.path_info)
            if label:
                return self.labelled(HttpResponse(status=404), label)
        return None

    def ask(self, request):
        method, _, path = request.META.get("HTTP_REPLANK_ASK", "").partition(" ")
        if not path.startswith("/"):
            return HttpResponse("Replank-Ask: METHOD /path\n", status=400, content_type="text/plain")
        label, methods = look_up(method, path_info(path))
        answer = self.labelled(HttpResponse(status=404 if label else 204), label)
        if methods is not None:
            answer[METHODS] = ", ".join(sorted(methods))
        return answer

    def document(self, request):
        shown, known = (request.META.get(f"HTTP_{name}", "") for name in ("AUTHORIZATION", "IF_NONE_MATCH"))
        status, headers, text = self.routes.answer(request.method, shown, known)
        return self.labelled(HttpResponse(text, status=status, headers=headers), None)

    def after(self, request, response):
        label = None
        if response.status_code == 404:
            label = "object" if request.resolver_match else "route"
        elif response.status_code == 405:
            label = "method"
        elif response.status_code in (301, 308) and not request.resolver_match and _appends_slash(request, response):
            label = "slash"
        return self.labelled(response, label)

    def labelled(self, response, label):
        if label:
            response[LABEL] = label
        if self.build:
            response[BUILD] = self.build
        return response


def look_up(method, path):
    """The label for a request (None: there is a route for it), and the methods of the route where they are known."""
    try:
        match = resolve(path)
    except Resolver404:
        if settings.APPEND_SLASH and not path.endswith("/") and is_valid_path(path + "/"):
            return "slash", None
        return "route", None
    methods = methods_of(match.func)
    if methods is None or method in methods:
        return None, methods
    return "method", methods


def methods_of(view):
    """The methods that a view takes, None where only the view itself knows."""
    # Django's View and the views of Django REST framework answer 405 to what they have no function for.
    actions = getattr(view, "actions", None)  # of a ViewSet: method → function
    if actions:
        return {m.upper() for m in actions} | {"OPTIONS"} | ({"HEAD"} if "get" in actions else set())
    view_class = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if view_class is not None:
        names = set(getattr(view_class, "http_method_names", ()))
        found = {m.upper() for m in names if hasattr(view_class, m)}
        return found | ({"HEAD"} if "GET" in found and "head" in names else set())
    return None


def _document():
    from replank.django import routes  # needs the URLconf, which is not loaded yet when this module is

    return routes.document()


def path_info(path):
    """A path as WSGI and ASGI servers give it to Django."""
    from urllib.parse import unquote_to_bytes

    from django.utils.encoding import repercent_broken_unicode

    return repercent_broken_unicode(unquote_to_bytes(path)).decode()


def _appends_slash(request, response):
    location = response.get("Location", "").partition("?")[0]
    return location.endswith("/") and location.rpartition("/")[0].endswith(request.path.rpartition("/")[2])
