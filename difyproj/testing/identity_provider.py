"""A sign-in provider on loopback: an OpenID Connect issuer with PKCE and signed ID tokens, and GitHub beside it."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from aiohttp import encode_basic_auth, web
from cryptography.hazmat.primitives.asymmetric import rsa

WE = CLIENT_ID, CLIENT_SECRET = "difyproj-at-the-provider", "its secret there"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(slots=True)
class FakeProvider:
    """``person`` are the claims of whoever signs in next; ``token`` and ``config`` replace parts of what is
    answered, ``refusal`` comes instead of tokens."""

    url: str = ""
    person: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    token: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    refusal: dict[str, Any] | None = None
    emails: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    key: rsa.RSAPrivateKey = KEY
    algorithm: str = "RS256"
    asked: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def grant(self, address: str) -> str:
        """The person agrees on the provider's page: the address that their browser goes back to."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert (asked["client_id"], asked["response_type"], asked["code_challenge_method"]) == (CLIENT_ID, "code", "S256")
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/.well-known/openid-configuration", self._describe),
            web.get("/jwks", self._keys),
            web.post("/token", self._exchange),
            web.get("/userinfo", self._tell),
            web.post("/login/oauth/access_token", self._exchange),
            web.get("/api/v3/user", self._tell),
            web.get("/api/v3/user/emails", self._tell_emails),
        ]

    async def _describe(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        places = {
            "authorization_endpoint": "authorize",
            "token_endpoint": "token",
            "jwks_uri": "jwks",
            "userinfo_endpoint": "userinfo",
        }
        told = {name: f"{self.url}/{place}" for name, place in places.items()}
        return web.json_response({"issuer": self.url, **told, **self.config}, status=self.status)

    async def _keys(self, request: web.Request) -> web.Response:
        public: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        return web.json_response({"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}]})

    async def _exchange(self, request: web.Request) -> web.Response:
        form = await request.post()
        granted = self._codes.pop(str(form["code"]), None)
        challenge = hashlib.sha256(str(form.get("code_verifier", "")).encode()).digest()
        if self.refusal is not None:
            return web.json_response(self.refusal, status=400)
        if granted is None or granted["code_challenge"] != base64.urlsafe_b64encode(challenge).rstrip(b"=").decode():
            return web.json_response({"error": "invalid_grant"}, status=400)
        assert form["redirect_uri"] == granted["redirect_uri"]
        basic = encode_basic_auth(CLIENT_ID, CLIENT_SECRET)
        assert request.headers.get("Authorization") == basic or (form["client_id"], form["client_secret"]) == WE
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, **self.person, **self.token}
        signed = jwt.encode(claims, self.key, algorithm=self.algorithm, headers={"kid": "one"})
        return web.json_response({"access_token": "at-the-provider", "token_type": "bearer", "id_token": signed})

    async def _tell(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"].split()[1] == "at-the-provider"
        return web.json_response(self.person if self.userinfo is None else self.userinfo)

    async def _tell_emails(self, request: web.Request) -> web.Response:
        return web.json_response(self.emails)


@asynccontextmanager
async def fake_provider() -> AsyncIterator[FakeProvider]:
    provider = FakeProvider()
    application = web.Application()
    application.add_routes(provider.routes())
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield provider
    finally:
        await runner.cleanup()
