"""Who sends a request, as the gateway says: the token in the header Replank-Identity (docs/gateway-identity.md).

`replank.django.identity` and `replank.flask.identity` use this; an application of another kind can, too:

    verifier = Verifier("http://127.0.0.1:8081/.replank/jwks.json", audience="modern")
    who = verifier.verify(token)
"""

import hashlib
import json
import secrets
import threading
import time
import urllib.request
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field

import jwt

HEADER = "Replank-Identity"
ENDED = "Replank-Session-Ended"
INTROSPECT = "Replank-Introspect"
MARK = "_replank"  # the key of a session that the gateway reads
ALGORITHM = "EdDSA"
LONGEST = 60  # seconds that a token may live
MAX_TOKEN = 16 << 10


class Refused(Exception):
    """The token proves nothing: answer 401."""


class Unavailable(Exception):
    """The keys cannot be read, so it is not known whether the token is good: answer 503."""


@dataclass(frozen=True)
class Identity:
    """The user and the login behind a request."""

    subject: str
    session: str
    roles: tuple = ()
    tenant: str | None = None
    source: str = ""
    found: float = 0.0  # when the gateway looked, by the clock of login_mark
    claims: dict = field(default_factory=dict, repr=False, compare=False)

    @property
    def stateless(self):
        """The request proved itself, and no session is to be made for it."""
        return self.source == "bearer"


class Keys:
    """The gateway's public keys: an URL, or the path of a file.

    They are kept for `lifetime` seconds. An unknown kid makes them be read anew, but not more often than every `pause`
    seconds, whoever sends what. When they cannot be read, the last ones are good for `stale` seconds.
    """

    def __init__(self, source, *, lifetime=60, pause=5, stale=600, timeout=2, clock=time.monotonic):
        self.source, self.lifetime, self.pause, self.stale, self.timeout = source, lifetime, pause, stale, timeout
        self.clock = clock
        self.keys = {}
        self.read_at = self.tried_at = None
        self.lock = threading.Lock()

    def get(self, kid):
        now = self.clock()
        old = self.read_at is None or now - self.read_at >= self.lifetime
        if old or kid not in self.keys:
            self._refresh(now, kid)
        if self.read_at is None or self.clock() - self.read_at > self.stale:
            raise Unavailable(f"the gateway's keys cannot be read from {self.source}")
        key = self.keys.get(kid)
        if key is None:
            raise Refused("it is signed with a key that the gateway does not publish")
        return key

    def _refresh(self, now, kid):
        # Who finds another one reading goes on with the key that he has; who has none waits.
        if not self.lock.acquire(blocking=self.read_at is None or kid not in self.keys):
            return
        try:
            if self.tried_at is not None and self.clock() - self.tried_at < self.pause:
                return
            self.tried_at = self.clock()
            found = jwt.PyJWKSet.from_dict(self._read()).keys
            self.keys = {k.key_id: k for k in found if k.key_type == "OKP" and k.algorithm_name == ALGORITHM}
            self.read_at = now
        except (OSError, ValueError, jwt.PyJWTError):
            pass  # get says so when it matters
        finally:
            self.lock.release()

    def _read(self):
        if not self.source.startswith(("http://", "https://")):
            with open(self.source, "rb") as f:
                return json.loads(f.read(1 << 20))
        request = urllib.request.Request(self.source, headers={"Accept": "application/jwk-set+json, application/json"})
        # No proxy of the environment stands between an application and its gateway.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=self.timeout) as answer:
            return json.loads(answer.read(1 << 20))


class Verifier:
    """Verifies tokens that were made for one application."""

    def __init__(self, keys, audience, *, issuer="replank", leeway=10):
        if not keys or not audience:
            raise ValueError("say where the gateway's keys are (REPLANK_JWKS) and who this application is (REPLANK_AUDIENCE)")
        self.keys = Keys(keys) if isinstance(keys, str) else keys
        self.audience, self.issuer, self.leeway = audience, issuer, leeway

    def verify(self, token):
        """The identity that a token proves. Raises Refused or Unavailable."""
        if len(token) > MAX_TOKEN:
            raise Refused("it is too long")
        try:
            header = jwt.get_unverified_header(token)
            # PyJWT would refuse it as well, but the keys are not even read for such a token.
            if header.get("alg") != ALGORITHM:
                raise Refused("its algorithm is not EdDSA")
            if not isinstance(header.get("kid"), str):
                raise Refused("it names no key")
            claims = jwt.decode(
                token,
                self.keys.get(header["kid"]),
                algorithms=[ALGORITHM],
                audience=self.audience,
                issuer=self.issuer,
                leeway=self.leeway,
                options={"require": ["iss", "aud", "sub", "sid", "iat", "nbf", "exp"]},
            )
        except jwt.PyJWTError as e:
            raise Refused(str(e)) from e
        except (ValueError, TypeError, RecursionError) as e:
            raise Refused("it cannot be read") from e
        if claims["aud"] not in (self.audience, [self.audience]):
            raise Refused("it is for others as well")
        if claims["exp"] - claims["iat"] > LONGEST:
            raise Refused("it lives for too long")
        sub, sid, roles, tenant = claims["sub"], claims["sid"], claims.get("roles") or [], claims.get("tenant")
        texts = [sub, sid, *roles] if isinstance(roles, list) else [None]
        if not all(isinstance(t, str) for t in texts) or not sub or not sid or not isinstance(tenant, str | None):
            raise Refused("its claims are not what the gateway writes")
        found = claims.get("fnd", 0.0)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise Refused("its claims are not what the gateway writes")
        return Identity(sub, sid, tuple(roles), tenant, str(claims.get("src", "")), float(found), claims)


def session_id(key):
    """How the gateway calls a session that it knows by a key which nobody may be told."""
    return urlsafe_b64encode(hashlib.sha256(b"replank session\0" + key.encode()).digest()[:16]).rstrip(b"=").decode()


def login_mark(at):
    """What marks a session in which somebody has just logged in; `at` is the time of the database with schema replank."""
    return {"sid": secrets.token_urlsafe(16), "at": round(at.timestamp(), 6)}


def is_newer(mark, identity):
    """Somebody has logged in here since the gateway looked: what it says is about the login before."""
    return "sid" in mark and 0 < identity.found < mark.get("at", 0)


def copy_mark(identity):
    """What marks a session that was made because somebody is logged in on the other side."""
    return {"of": identity.session}
