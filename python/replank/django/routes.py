"""The routes of a Django project: what its URLconf matches, in the order in which Django tries it."""

import inspect
import re

import django
from django.conf import settings
from django.urls import URLPattern, URLResolver, converters, get_resolver
from django.urls.resolvers import LocalePrefixPattern, RegexPattern, RoutePattern
from django.utils.module_loading import import_string
from django.views import View

from replank import routes
from replank.routes import Pattern, Untranslatable

# They never answer a path that no route matches (CommonMiddleware does, and append_slash says it).
_PASSIVE = (
    "django.middleware.cache.", "django.middleware.clickjacking.", "django.middleware.common.CommonMiddleware",
    "django.middleware.common.BrokenLinkEmailsMiddleware", "django.middleware.csp.", "django.middleware.csrf.",
    "django.middleware.gzip.", "django.middleware.http.", "django.middleware.security.", "django.contrib.auth.middleware.",
    "django.contrib.messages.middleware.", "django.contrib.sessions.middleware.", "django.contrib.sites.middleware.",
    "django_guid.middleware.", "reversion.middleware.", "simple_history.middleware.", "waffle.middleware.",
    "django_structlog.middlewares.", "replank.",
)  # fmt: skip
_FRAMEWORK = ("django.", "rest_framework.")
# Where nothing can be said of the rest of a path; no stage comes after it.
_OPEN = {"re": ""}
_KNOWN = {
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware": "flat pages answer paths without a route",
    "django.contrib.redirects.middleware.RedirectFallbackMiddleware": "redirects in the database answer paths without a route",
    "whitenoise.middleware.WhiteNoiseMiddleware": "WhiteNoise serves files",
    "wagtail.contrib.redirects.middleware.RedirectMiddleware": "Wagtail's redirects answer paths without a route",
    "corsheaders.middleware.CorsMiddleware": "django-cors-headers answers preflight requests",
    "django_hosts.middleware.HostsRequestMiddleware": "django-hosts chooses the URLconf by the host",
}


def document(root=None):
    """The route document of the project that is set up."""
    found = []
    _walk(get_resolver(), [[]], _Route(), found, root)
    return routes.new(
        f"django {django.get_version()}", "ordered", found, _incomplete(), append_slash=_appends_slash(),
    )  # fmt: skip


class _Route:
    """What is collected on the way down."""

    def __init__(self, template="", names=(), opaque=""):
        self.template, self.names, self.opaque = template, names, opaque

    def below(self, template, namespace, opaque):
        names = (*self.names, namespace) if namespace else self.names
        return _Route(self.template + template, names, self.opaque or opaque)


def _walk(resolver, ways, above, found, root):
    """Add the routes below a resolver. `ways` are the lists of stages that lead here: one, but for languages."""
    ways, template, opaque = _onwards(resolver, ways)
    here = above.below(template, getattr(resolver, "namespace", None), opaque)
    if type(resolver).resolve is not URLResolver.resolve:
        _add(found, _open(ways), here, None, "", root, f"{type(resolver).__qualname__} resolves in its own way")
        return
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            _walk(pattern, ways, here, found, root)
            continue
        inner, template, opaque = _onwards(pattern, ways)
        if type(pattern).resolve is not URLPattern.resolve:
            opaque = f"{type(pattern).__qualname__} resolves in its own way"
            inner = _open(ways)
        route = here.below(template, None, opaque)
        _add(found, inner, route, pattern.callback, pattern.name or "", root, route.opaque)


def _add(found, ways, route, callback, name, root, opaque):
    for way in ways:
        entry = {
            "template": route.template or "/", "methods": methods(callback), "endpoint": _endpoint(callback),
            "name": ":".join((*route.names, name)) if name else "", "source": routes.source(_view(callback), root),
            "stages": way,
        }  # fmt: skip
        if not getattr(callback, "should_append_slash", True):
            entry["append_slash"] = False
        if opaque:
            entry["opaque"] = opaque
        found.append(entry)


def _onwards(resolver, ways):
    """The ways behind a pattern, its part of the template, and why a path that matches it may not match in Django."""
    pattern = resolver.pattern
    if type(pattern).match is LocalePrefixPattern.match:
        languages = sorted({settings.LANGUAGE_CODE, *(code for code, _ in settings.LANGUAGES)})
        stages = [{"re": "(?:" + "|".join(re.escape(code) for code in languages) + ")/"}]
        if not pattern.prefix_default_language:
            stages.append({"re": ""})
        return _behind(ways, stages), "{language}/", "the active language decides (i18n_patterns)"
    shown = str(pattern).removeprefix("^").removesuffix("$")
    everything = _open(ways)
    if type(pattern).match is RoutePattern.match:
        if not isinstance(pattern._route, str):
            return everything, shown, "the route is translated"
        text, fullmatch = pattern._regex, False
    elif type(pattern).match is RegexPattern.match:
        if not isinstance(pattern._regex, str):
            return everything, shown, "the regular expression is translated"
        text = pattern.regex.pattern
        fullmatch = pattern._is_endpoint and text.endswith("$")
    else:
        return everything, shown, f"{type(pattern).__qualname__} matches in its own way"
    try:
        translated = Pattern(text, fullmatch)
    except Untranslatable as e:
        return everything, shown, f"{text!r} has {e}"
    opaque = ""
    if type(pattern).match is RoutePattern.match:
        opaque = "; ".join(filter(None, map(_checks, pattern.converters.values())))
    return _behind(ways, [translated.stage()]), translated.template, opaque


def _open(ways):
    return _behind(ways, [_OPEN])


def _behind(ways, stages):
    return [way if way and way[-1] is _OPEN else [*way, s] for way in ways for s in stages]


def _checks(converter):
    """Why a converter may refuse what its regular expression matches. int(value) refuses more than 4300 digits, but the
    gateway takes no path of that length for known."""
    own = type(converter).to_python
    if routes.same_code(own, converters.StringConverter.to_python):
        return ""
    if routes.same_code(own, converters.IntConverter.to_python) and re.fullmatch(
        r"(?:\[0-9\]|\\d)(?:\+|\{\d+(?:,\d*)?\})", converter.regex
    ):
        return ""
    if routes.same_code(own, converters.UUIDConverter.to_python) and converter.regex == converters.UUIDConverter.regex:
        return ""
    # Its to_python strips dots and slashes.
    if type(converter).__name__ == "FormatSuffixConverter" and type(converter).__module__ == "rest_framework.urlpatterns":
        return ""
    return f"the converter {type(converter).__qualname__} may refuse a value"


def _view(callback):
    """The function or class that was written for a route."""
    for attribute in ("cls", "view_class"):
        if inspect.isclass(getattr(callback, attribute, None)):
            return getattr(callback, attribute)
    return callback


def _endpoint(callback):
    view = inspect.unwrap(_view(callback)) if callback is not None else None
    while hasattr(view, "func"):  # functools.partial
        view = view.func
    if view is None:
        return ""
    if not hasattr(view, "__qualname__"):
        view = type(view)
    # The class that api_view makes for a function bears the function's name.
    name = view.__qualname__ if view.__qualname__.endswith(view.__name__) else view.__name__
    return f"{view.__module__}.{name}"


def methods(callback):
    """The methods that a view has something for, or None where only the view knows."""
    allowed = None
    while True:
        code = getattr(callback, "__code__", None)
        module = getattr(callback, "__globals__", {}).get("__name__", "")
        # A wrapper that is not Django's may answer before the one below it is asked, and so does the admin's.
        if code is None or not module.startswith(_FRAMEWORK) or module.startswith("django.contrib.admin."):
            return allowed
        listed = None
        if module == "django.views.decorators.http" and "request_method_list" in code.co_freevars:
            listed = set(callback.__closure__[code.co_freevars.index("request_method_list")].cell_contents)
        elif code.co_name == "view" and _view(callback) is not callback:
            listed = _of_class(callback)
        if listed is not None:
            allowed = sorted(listed & set(allowed or listed))
        if code.co_name == "view":
            return allowed
        callback = getattr(callback, "__wrapped__", None)


def _of_class(view):
    cls = _view(view)
    for name in ("dispatch", "http_method_not_allowed", "setup", "initialize_request", "__getattribute__", "__getattr__"):
        for c in cls.__mro__:
            if name in vars(c) and c is not object and not c.__module__.startswith(_FRAMEWORK):
                return None
    if not issubclass(cls, View):
        return None
    initkwargs = getattr(view, "initkwargs", None) or getattr(view, "view_initkwargs", None) or {}
    names = initkwargs.get("http_method_names", cls.http_method_names)
    actions = getattr(view, "actions", None)
    has = {n for n in names if hasattr(cls, n)}
    if actions:
        has |= {n for n in names if n in actions}
    if "head" in names and "get" in has:
        has.add("head")
    return {n.upper() for n in has}


def _appends_slash():
    return bool(settings.APPEND_SLASH) and any(
        _inherits(path, "django.middleware.common.CommonMiddleware") for path in settings.MIDDLEWARE
    )


def _inherits(path, base):
    try:
        found = import_string(path)
        return inspect.isclass(found) and issubclass(found, import_string(base))
    except ImportError:
        return False


def _incomplete():
    """What may answer a path for which there is no route."""
    passive = (*_PASSIVE, *getattr(settings, "REPLANK_PASSIVE_MIDDLEWARE", ()))
    reasons = []
    for path in settings.MIDDLEWARE:
        if path in _KNOWN:
            reasons.append(_KNOWN[path])
        elif path == "django.middleware.locale.LocaleMiddleware":
            if _has_language_prefix(get_resolver()):
                reasons.append("LocaleMiddleware redirects to the path with a language")
        elif not path.startswith(passive):
            reasons.append(
                f"the middleware {path} may answer or set request.urlconf; name it in REPLANK_PASSIVE_MIDDLEWARE if it does neither"
            )
    if settings.DEBUG and "django.contrib.staticfiles" in settings.INSTALLED_APPS:
        reasons.append("with DEBUG, runserver serves STATIC_URL itself, and static() adds routes")
    return reasons


def _has_language_prefix(resolver):
    return any(
        isinstance(p, URLResolver) and isinstance(p.pattern, LocalePrefixPattern) for p in resolver.url_patterns
    )
