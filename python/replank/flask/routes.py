"""The routes of a Flask application: the rules of its url_map, as werkzeug's state machine holds them."""

import importlib.metadata
import inspect
import re

from flask import Flask
from werkzeug.routing import BaseConverter
from werkzeug.routing.converters import FloatConverter, IntegerConverter, NumberConverter, UUIDConverter

from replank import document as documents
from replank import routes
from replank.flask import gateway
from replank.routes import Pattern, Untranslatable

_SUFFIX = r"(?<!/)(/?)\Z"
_NUMBERS = {sign + c.regex for sign in ("", "-?") for c in (IntegerConverter, FloatConverter)}


def document(app, root=None):
    """The route document of an application."""
    if not isinstance(app, Flask):
        raise documents.ExportError(f"a Flask application is needed, and this is a {type(app).__qualname__}")
    rules_of = app.url_map
    rules_of.update()
    by_host = rules_of.host_matching or app.subdomain_matching
    machine = rules_of._matcher._root
    if by_host:
        domains = [*machine.static.values(), *(state for _, state in machine.dynamic)]
    else:
        # Without subdomain matching Flask asks for the default subdomain only.
        domains = [machine.static[d] for d in (rules_of.default_subdomain or "",) if d in machine.static]
    found = []
    for state in domains:
        _walk(state, [], lambda rule, segments: found.append(_route(rule, segments, app, by_host, root)))
    version = importlib.metadata.version("flask")
    merge = rules_of._matcher.merge_slashes
    return routes.new(f"flask {version}", "segments", found, _incomplete(app), merge_slashes=merge)


def _walk(state, segments, visit):
    """Visit the rules depth first, in the order in which the machine tries them: a machine that is built in this order
    tries them in the same."""
    for rule in state.rules:
        visit(rule, segments)
    for text, below in state.static.items():
        _walk(below, [*segments, text], visit)
    for branch, (part, below) in enumerate(state.dynamic):
        _walk(below, [*segments, (branch, part)], visit)


def _route(rule, segments, app, by_host, root):
    opaque = ["the host decides"] if by_host else []
    # Those of the host come first. A name that stands twice has one converter only, and is opaque.
    groups = sum(_groups(s[1].content) for s in segments if not isinstance(s, str))
    names = list(rule._converters)[-groups:]
    if len(names) < groups:
        opaque.append("a parameter stands twice in it")
    written = []
    for segment in segments:
        if isinstance(segment, str):
            written.append({"text": segment})
            continue
        branch, part = segment
        here, names = names[: _groups(part.content)], names[_groups(part.content) :]
        written.append({**_segment(part, here, opaque), "branch": branch})
    limits = []
    for name, converter in rule._converters.items():
        if reason := _checks(converter):
            opaque.append(reason)
        elif isinstance(converter, NumberConverter):
            limit = {"digits": converter.fixed_digits or None, "min": converter.min, "max": converter.max}
            limit = {k: v for k, v in limit.items() if v is not None}
            if limit:
                limits.append({"param": name, "kind": converter.num_convert.__name__, **limit})
    view = app.view_functions.get(rule.endpoint)
    entry = {
        "template": _template(rule.rule), "methods": sorted(rule.methods) if rule.methods is not None else None,
        "endpoint": _endpoint(view), "name": str(rule.endpoint), "source": routes.source(_view(view), root),
        "segments": written, "strict_slashes": rule.strict_slashes, "merge_slashes": rule.merge_slashes,
    }  # fmt: skip
    if rule.websocket:
        entry["websocket"] = True
    if limits:
        entry["limits"] = limits
    if opaque:
        entry["opaque"] = "; ".join(dict.fromkeys(opaque))
    return entry


def _groups(content):
    return content.count("(?P<__werkzeug_")


def _segment(part, names, opaque):
    content = part.content.removesuffix(_SUFFIX if part.suffixed else r"\Z")
    for i, name in enumerate(names):
        content = content.replace(f"(?P<__werkzeug_{i}>", f"(?P<{name}>", 1)
    flags = {k: True for k in ("final", "suffixed") if getattr(part, k)}
    try:
        pattern = Pattern("^" + content, fullmatch=True)
    except Untranslatable as e:
        opaque.append(f"{content!r} has {e}")
        return {"re": "(?s:.*)", **flags}
    stage = pattern.stage()
    return {k: stage[k] for k in ("re", "ascii", "newline") if k in stage} | flags


def _template(rule):
    return re.sub(r"<(?:[a-zA-Z_][a-zA-Z0-9_]*(?:\(.*?\))?:)?([a-zA-Z_][a-zA-Z0-9_]*)>", r"{\1}", rule)


def _checks(converter):
    """Why a converter may refuse what its regular expression matches, where the limits of numbers do not say it."""
    own = type(converter).to_python
    if routes.same_code(own, BaseConverter.to_python):
        return ""
    if own is NumberConverter.to_python and converter.regex in _NUMBERS and converter.num_convert in (int, float):
        return ""
    if routes.same_code(own, UUIDConverter.to_python) and converter.regex == UUIDConverter.regex:
        return ""
    return f"the converter {type(converter).__qualname__} may refuse a value"


def _view(view):
    return view.view_class if inspect.isclass(getattr(view, "view_class", None)) else view


def _endpoint(view):
    if view is None:
        return ""
    view = inspect.unwrap(_view(view))
    if not hasattr(view, "__qualname__"):
        view = type(view)
    return f"{view.__module__}.{view.__qualname__}"


def _incomplete(app):
    """What may answer a path for which there is no rule."""
    passive = app.config.get("REPLANK_PASSIVE", ())
    reasons = []
    outermost = app.wsgi_app
    while isinstance(outermost, gateway.Served):
        outermost = outermost.wsgi_app
    if getattr(outermost, "__func__", None) is not Flask.wsgi_app:
        name = _named(outermost)
        if name not in passive:
            reasons.append(f"{name} around wsgi_app may answer; name it in the setting REPLANK_PASSIVE if it does not")
    for function in app.before_request_funcs.get(None, ()):
        name = _named(function)
        if name not in passive and not name.startswith("replank."):
            reasons.append(f"{name} before each request may answer; name it in the setting REPLANK_PASSIVE if it does not")
    return reasons


def _named(thing):
    if not hasattr(thing, "__qualname__"):
        thing = type(thing)
    return f"{thing.__module__}.{thing.__qualname__}"
