"""One way only: the requests that an application sends while it serves one carry on the hop token that it came with
(docs/guide-gateway.md). By it the gateway knows whom a request comes from.

    requests.get(url, headers=hops.headers())                      # by hand
    hops.install("shop.example.com", "10.0.0.5:8001")              # or once: for http.client, and with it urllib, urllib3 and requests
    httpx.Client(event_hooks={"request": [lambda r: r.headers.update(hops.headers())]})

`replank.django.middleware.Gateway` and `replank.flask.hops.Hops` say which request is being served.
"""

import functools
import http.client
import json
import urllib.error
import urllib.request
from base64 import urlsafe_b64decode
from contextvars import ContextVar
from urllib.parse import quote, urlsplit

HEADER = "Replank-Hop"
BY = "Replank-Hop-By"
ASK = "Replank-Ask"
SIDES = ("modern", "legacy")
MAX_TOKEN = 8 << 10

_serving = ContextVar("replank_hop", default=None)  # (token, side) of the request that is being served
_hosts = set()


def enter(token, side):
    """A request is served from now on, in this thread or task; token is None where it came without one."""
    token = _first(token)
    _serving.set((token, side) if token else None)


def leave(*args, **kwargs):
    """It is served no longer. Takes what signals give."""
    _serving.set(None)


def headers():
    """What a request that is sent now has to carry: nothing, when no request of the gateway is being served."""
    now = _serving.get()
    return {HEADER: now[0], BY: now[1]} if now else {}


def install(*hosts):
    """From now on requests to these hosts ("name" or "name:port") carry the token: name the gateway and both applications,
    and nobody else, as it is none of their business. It wraps http.client.HTTPConnection.endheaders, by which urllib,
    urllib3 and requests send; requests through a proxy are left alone, as are httpx and aiohttp."""
    if not hosts:
        raise ValueError("say which hosts are the gateway's and the applications': install('shop.example.com', '10.0.0.5:8001')")
    for host in hosts:
        parts = urlsplit("//" + host)
        if not parts.hostname or parts.path:
            raise ValueError(f"{host!r} is no host: want a name, or name:port")
        _hosts.add((parts.hostname, parts.port))
    send = http.client.HTTPConnection.endheaders
    if getattr(send, "replank", False):
        return

    @functools.wraps(send)
    def endheaders(self, *args, **kwargs):
        host = self.host.lower()
        if (host, None) in _hosts or (host, self.port) in _hosts:
            for name, value in headers().items():
                self.putheader(name, value)
        return send(self, *args, **kwargs)

    endheaders.replank = True
    http.client.HTTPConnection.endheaders = endheaders


def wrong_way(token, side):
    """Whether a request comes from the legacy application, and this is the modern one: it has not come through the gateway,
    which writes a token of its own. The signature is not looked at: a token can only take a right away."""
    return side == "modern" and _claims(_first(token)).get("side") == "legacy"


def judge(gateway, token, method, path):
    """What a request in the wrong direction is answered with, as (status, text), or None if it may be served. The gateway
    decides, because it knows the waivers; without one nothing is let through. It blocks for two seconds at most."""
    if not gateway:
        return 403, "Refused: the legacy application never calls the modern one, and it does. Waivers need the setting REPLANK_GATEWAY.\n"
    serving = _serving.set(None)  # this is the gateway's own question, and no request of the application
    question = urllib.request.Request(gateway.rstrip("/") + "/.replank/hop", headers={HEADER: _first(token), ASK: f"{method} {quote(path)}"})
    try:
        # No proxy of the environment stands between an application and its gateway.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(question, timeout=2):
            return None
    except urllib.error.HTTPError as e:
        with e:
            if e.code == 404:
                return None  # not one of the gateway's tokens, or an old one: it means nothing
            return e.code, e.read(4096).decode(errors="replace")
    except OSError:
        return 503, "The gateway cannot be asked whether the legacy application may call this.\n"
    finally:
        _serving.reset(serving)


def _first(token):
    # Two of them are folded into one by WSGI.
    token = (token or "").partition(",")[0].strip()
    return token if len(token) <= MAX_TOKEN else ""


def _claims(token):
    try:
        text = token.partition(".")[0]
        claims = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def side_of(given, otherwise):
    """The setting REPLANK_SIDE: which of the two this application is."""
    side = given or otherwise
    if side not in SIDES:
        raise ValueError(f'REPLANK_SIDE is {side!r}: want "modern" or "legacy"')
    return side
