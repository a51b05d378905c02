"""The route document: what a framework's router matches, described by docs/routes.schema.json of Replank."""

import builtins
import functools
import hashlib
import hmac
import inspect
import json
import os
import re
import threading

from . import __version__, document

try:
    from re import _constants as sre, _parser as parser
except ImportError:  # Python 3.10
    import sre_constants as sre
    import sre_parse as parser

FORMAT = "replank-routes"
VERSION = 1


def new(framework, matching, routes, incomplete, **more):
    """The document. Its build is a hash of what is matched, so it changes with the routes and with nothing else."""
    content = {"matching": matching, **more, "complete": not incomplete, "incomplete_because": incomplete, "routes": routes}
    # Where a view stands in its file changes nothing for the gateway.
    hashed = {**content, "routes": [{k: v for k, v in r.items() if k != "source"} for r in routes]}
    text = json.dumps(hashed, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return {
        "format": FORMAT,
        "version": VERSION,
        "generator": f"replank {__version__}",
        "framework": framework,
        "build": "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        **content,
    }


SERVED_AT = "/.replank/routes"


class Served:
    """The route document at SERVED_AT, for the gateway: 404 to everybody who does not show the secret, and to everybody
    where there is none. `make` returns the document; it is called once, when it is first asked for."""

    def __init__(self, secret, make):
        if secret is not None and not isinstance(secret, str):
            raise ValueError(f"REPLANK_ROUTES_SECRET is a {type(secret).__name__}: want a text")
        secret = (secret or "").strip()
        self._secret = _digest(secret.encode()) if secret else None
        self._make, self._making, self._text, self._tag = make, threading.Lock(), None, None

    def answer(self, method, authorization, known):
        """Status, headers and body for a request: its method, and its headers Authorization and If-None-Match as WSGI and
        ASGI have them."""
        headers = {"Cache-Control": "no-store"}
        scheme, _, shown = authorization.partition(" ")
        # Digests have one length: how long the comparison takes tells nothing of the secret, not even its length.
        same = self._secret is not None and hmac.compare_digest(_digest(shown.strip().encode("latin-1", "replace")), self._secret)
        if not same or scheme.lower() != "bearer" or method != "GET":
            return 404, headers, b""
        with self._making:
            if self._text is None:
                text = json.dumps(self._make(), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
                self._tag, self._text = f'"{hashlib.sha256(text).hexdigest()[:32]}"', text
        headers["ETag"] = self._tag
        if self._tag in (tag.strip() for tag in known.split(",")):
            return 304, headers, b""
        return 200, headers | {"Content-Type": "application/json"}, self._text


def _digest(text):
    return hashlib.sha256(text).digest()


def source(function, root):
    """Where a view is written: file and line, relative to the root."""
    try:
        function = inspect.unwrap(function)
        while isinstance(function, functools.partial):
            function = function.func
        if not inspect.isclass(function) and not inspect.isroutine(function):
            function = type(function)
        path = inspect.getsourcefile(function)
        line = function.__code__.co_firstlineno if hasattr(function, "__code__") else inspect.getsourcelines(function)[1]
    except (OSError, TypeError, ValueError, AttributeError):
        return ""
    return f"{document.relative(path, os.path.abspath(root or os.getcwd()))}:{line}"


def same_code(function, known):
    """Whether two methods do the same: most converters of projects have a to_python that is int(value), which is known."""
    a, b = (getattr(f, "__func__", f) for f in (function, known))
    if a is b:
        return True
    if not inspect.isfunction(a) or not inspect.isfunction(b):
        return False

    def shape(f):
        code = f.__code__
        means = [f.__globals__.get(n, getattr(builtins, n, None)) for n in code.co_names]
        consts = [c for c in code.co_consts if c is not None and c != f.__doc__]
        return code.co_code, code.co_names, means, consts, code.co_argcount, code.co_flags, f.__defaults__, code.co_freevars

    return shape(a) == shape(b)


class Untranslatable(Exception):
    """RE2 cannot do it; the text says what."""


class Pattern:
    """A regular expression of Python in the syntax of RE2.

    Python's own parser reads it, so nothing is guessed about its syntax. `re` is anchored at the start unless `search`.
    `ascii`: exact only for texts in ASCII (folding of case and word boundaries differ). `newline`: exact only for texts
    that do not end in a newline ($ matches before one, which RE2 cannot say)."""

    def __init__(self, pattern, fullmatch=False):
        try:
            tree = parser.parse(pattern)
        except (re.error, RecursionError, OverflowError) as e:
            raise Untranslatable(f"Python cannot read it: {e}") from e
        self.flags = tree.state.flags
        self.ascii = self.newline = False
        self._names = {number: name for name, number in tree.state.groupdict.items()}
        items = list(tree)
        self.search = not (items and items[0] in (_BEGINNING, _BEGINNING_STRING))
        if not self.search:
            items = items[1:]
        self.search = self.search and not fullmatch
        # fullmatch wants nothing left, so a $ at the end says nothing more.
        if fullmatch and items and items[-1] == (sre.AT, sre.AT_END):
            items = items[:-1]
        self.end = fullmatch
        if items and items[-1] == (sre.AT, sre.AT_END_STRING):
            items, self.end = items[:-1], True
        if self.flags & re.MULTILINE:
            raise Untranslatable("the flag MULTILINE")
        self.re = self._all(items, self.flags)
        self.template = "".join(self._shown(i) for i in items)

    def stage(self):
        flags = {k: True for k in ("search", "end", "ascii", "newline") if getattr(self, k)}
        return {"re": self.re, **flags}

    def _all(self, items, flags):
        return "".join(self._one(op, arg, flags) for op, arg in items)

    def _one(self, op, arg, flags):
        if op is sre.LITERAL:
            return self._folded(_quoted(arg), flags)
        if op is sre.NOT_LITERAL:
            return self._folded(f"[^{_in_class(arg)}]", flags)
        if op is sre.ANY:
            return "(?s:.)" if flags & re.DOTALL else "[^\\n]"
        if op is sre.IN:
            return self._folded(_class(arg, flags), flags)
        if op is sre.BRANCH:
            return "(?:" + "|".join(self._all(b, flags) for b in arg[1]) + ")"
        if op is sre.SUBPATTERN:
            group, add, remove, inner = arg
            text = self._all(inner, (flags | add) & ~remove)
            if group is None:
                return f"(?:{text})"
            name = self._names.get(group, "")
            return f"(?P<{name}>{text})" if re.fullmatch(r"[A-Za-z0-9_]+", name) else f"({text})"
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            least, most, inner = arg
            if least > 1000 or most is not sre.MAXREPEAT and most > 1000:
                raise Untranslatable("a repetition of more than 1000 times")
            times = {(0, sre.MAXREPEAT): "*", (1, sre.MAXREPEAT): "+", (0, 1): "?"}.get((least, most))
            if times is None:
                times = f"{{{least}}}" if least == most else f"{{{least},{'' if most is sre.MAXREPEAT else most}}}"
            text = self._all(inner, flags)
            if len(inner) > 1 or inner[0][0] not in _ATOMS:
                text = f"(?:{text})"
            return f"{text}{times}{'?' if op is sre.MIN_REPEAT else ''}"
        if op is sre.AT:
            if arg in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING):
                return r"\A"
            if arg is sre.AT_END:
                self.newline = True
                return r"\z"
            if arg is sre.AT_END_STRING:
                return r"\z"
            if arg in (sre.AT_BOUNDARY, sre.AT_NON_BOUNDARY):
                self.ascii = True
                return r"\b" if arg is sre.AT_BOUNDARY else r"\B"
        raise Untranslatable(_NAMES.get(str(op), str(op).lower()))

    def _folded(self, text, flags):
        if not flags & re.IGNORECASE:
            return text
        self.ascii = True
        return f"(?i:{text})"

    def _shown(self, item):
        """The item in a template: for people, and the name of the route in decisions."""
        op, arg = item
        if op is sre.LITERAL:
            return chr(arg)
        if op is sre.SUBPATTERN:
            group, _, _, inner = arg
            if group is None:
                return "".join(map(self._shown, inner))
            return "{" + self._names.get(group, str(group)) + "}"
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            inner = "".join(map(self._shown, arg[2]))
            return f"[{inner}]" if arg[:2] == (0, 1) else "{*}"
        if op is sre.AT:
            return ""
        if op is sre.BRANCH:
            return "(" + "|".join("".join(map(self._shown, b)) for b in arg[1]) + ")"
        return "{*}"


_ATOMS = (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN, sre.SUBPATTERN, sre.BRANCH)
_BEGINNING = (sre.AT, sre.AT_BEGINNING)
_BEGINNING_STRING = (sre.AT, sre.AT_BEGINNING_STRING)
_NAMES = {"ASSERT": "look-ahead or look-behind", "ASSERT_NOT": "look-ahead or look-behind", "GROUPREF": "a back-reference"}
_SPACE = r"\t-\r\x{1c}- \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
_ASCII_SPACE = r"\t-\r "


def _quoted(code):
    return re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", chr(code)) if code >= 32 and not 0xD800 <= code < 0xE000 else _coded(code)


def _in_class(code):
    return chr(code) if 32 < code < 127 and chr(code) not in "\\]^-[" else _coded(code)


def _coded(code):
    if 0xD800 <= code < 0xE000:
        raise Untranslatable("half of a surrogate pair")
    return f"\\x{{{code:x}}}"


def _class(items, flags):
    ascii = flags & re.ASCII
    sets = {
        "DIGIT": "0-9" if ascii else r"\p{Nd}",
        "WORD": "0-9A-Za-z_" if ascii else r"\p{L}\p{N}_",
        "SPACE": _ASCII_SPACE if ascii else _SPACE,
    }
    negated, parts, without = False, [], []
    for op, arg in items:
        if op is sre.NEGATE:
            negated = True
        elif op is sre.LITERAL:
            parts.append(_in_class(arg))
        elif op is sre.RANGE:
            if arg[0] < 0xD800 <= arg[1]:  # a range over the surrogates, which no path holds
                parts.append(f"{_in_class(arg[0])}-\\x{{d7ff}}")
                if arg[1] >= 0xE000:
                    parts.append(f"\\x{{e000}}-{_in_class(arg[1])}")
            else:
                parts.append(f"{_in_class(arg[0])}-{_in_class(arg[1])}")
        elif op is sre.CATEGORY:
            name = str(arg).removeprefix("CATEGORY_")
            if name.startswith("NOT_"):
                without.append(sets[name.removeprefix("NOT_")])
            else:
                parts.append(sets[name])
        else:
            raise Untranslatable(str(op).lower())
    if not without:
        return f"[{'^' if negated else ''}{''.join(parts)}]"
    if negated and (parts or len(without) > 1):
        raise Untranslatable("a class that leaves out the opposite of a class")
    if negated:
        return f"[{without[0]}]"
    alternatives = [f"[^{w}]" for w in without] + ([f"[{''.join(parts)}]"] if parts else [])
    return alternatives[0] if len(alternatives) == 1 else "(?:" + "|".join(alternatives) + ")"
