"""Tokens and keys as applications verify them."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from replank.identity import Keys, Refused, Unavailable, Verifier, is_newer, session_id


class Gateway:
    """Serves keys; `down` makes it answer 500."""

    def __init__(self):
        self.keys, self.asked, self.down = {}, 0, False
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                gateway.asked += 1
                self.send_response(500 if gateway.down else 200)
                self.end_headers()
                jwk = jwt.get_algorithm_by_name("EdDSA").to_jwk
                found = [json.loads(jwk(k.public_key())) | {"kid": kid, "alg": "EdDSA"} for kid, k in gateway.keys.items()]
                self.wfile.write(json.dumps({"keys": found}).encode())

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def token(self, kid, **changes):
        now = int(time.time())
        claims = {"iss": "replank", "aud": ["modern"], "sub": "1", "sid": "s", "roles": ["a"], "iat": now, "nbf": now, "exp": now + 60}
        return jwt.encode(claims | changes, self.keys.get(kid) or Ed25519PrivateKey.generate(), "EdDSA", headers={"kid": kid})


@pytest.fixture
def gateway():
    g = Gateway()
    g.keys["one"] = Ed25519PrivateKey.generate()
    yield g
    g.server.shutdown()
    g.server.server_close()


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def verifier(gateway, clock):
    return Verifier(Keys(gateway.url, clock=clock), "modern")


def test_found(gateway, verifier):
    who = verifier.verify(gateway.token("one", fnd=12.5))
    assert who.found == 12.5
    assert is_newer({"sid": "s", "at": 12.6}, who)
    assert not any(is_newer(mark, who) for mark in ({}, {"of": "s"}, {"sid": "s"}, {"sid": "s", "at": 12.4}))
    assert not is_newer({"sid": "s", "at": 12.6}, verifier.verify(gateway.token("one")))  # of a gateway that does not say
    for wrong in ("12.5", True, None, [12.5]):
        with pytest.raises(Refused):
            verifier.verify(gateway.token("one", fnd=wrong))


def test_good(gateway, verifier):
    who = verifier.verify(gateway.token("one", tenant="t", src="bearer"))
    assert (who.subject, who.session, who.roles, who.tenant, who.stateless) == ("1", "s", ("a",), "t", True)
    for _ in range(9):
        verifier.verify(gateway.token("one"))
    assert gateway.asked == 1


def test_rotation(gateway, verifier, clock):
    verifier.verify(gateway.token("one"))
    gateway.keys["two"] = Ed25519PrivateKey.generate()
    clock.now += 6  # nobody has read the new key, a token shows that it is there
    verifier.verify(gateway.token("two"))
    assert gateway.asked == 2
    old = gateway.token("one")
    del gateway.keys["one"]
    verifier.verify(old)
    clock.now += 60
    with pytest.raises(Refused, match="does not publish"):
        verifier.verify(old)


def test_unknown_kids_cost_little(gateway, verifier, clock):
    verifier.verify(gateway.token("one"))
    for i in range(50):
        clock.now += 0.2
        with pytest.raises(Refused, match="does not publish"):
            verifier.verify(gateway.token(f"unknown {i}"))
    assert gateway.asked <= 4
    verifier.verify(gateway.token("one"))


def test_gateway_that_is_down(gateway, verifier, clock):
    gateway.down = True
    with pytest.raises(Unavailable):
        verifier.verify(gateway.token("one"))
    gateway.down = False
    clock.now += 6
    verifier.verify(gateway.token("one"))
    gateway.down = True
    clock.now += 300
    verifier.verify(gateway.token("one"))
    clock.now += 400  # a key may have been withdrawn long ago
    with pytest.raises(Unavailable):
        verifier.verify(gateway.token("one"))


def test_clock_steps(gateway, verifier):
    now = int(time.time())
    verifier.verify(gateway.token("one", iat=now + 5, nbf=now + 5, exp=now + 65))
    verifier.verify(gateway.token("one", iat=now - 65, nbf=now - 65, exp=now - 5))
    with pytest.raises(Refused):
        verifier.verify(gateway.token("one", iat=now + 20, nbf=now + 20, exp=now + 80))


def test_keys_of_other_kinds(tmp_path):
    """A symmetric key in the set, or an RSA one, is no key for us."""
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "k", "alg": "HS256"}]}))
    token = jwt.encode({"aud": "modern"}, b"secret" * 9, "HS256", headers={"kid": "k"})
    with pytest.raises(Refused):
        Verifier(str(path), "modern").verify(token)


def test_configuration():
    for keys, audience in (("", "modern"), ("x", ""), (None, None)):
        with pytest.raises(ValueError, match="REPLANK_JWKS"):
            Verifier(keys, audience)


def test_names_of_sessions():
    assert session_id("abc") == session_id("abc") != session_id("abd")
    assert len(session_id("x" * 40)) == 22
