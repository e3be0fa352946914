"""A browser for tests: it keeps cookies as they are set and cleared, and repeats the CSRF cookie in its header."""

from __future__ import annotations

from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

from .served import Answer, Served


@dataclass(slots=True)
class Browser:
    """Calls below one tier's prefix. ``cookies`` may be changed by tests as they like."""

    house: Served
    prefix: str = "/console/api"
    cookies: dict[str, str] = field(default_factory=dict)

    async def call(
        self, method: str, path: str, *, csrf: bool = True, headers: dict[str, str] | None = None, **sent: Any
    ) -> Answer:
        given = {"Authorization": "", **(headers or {})}
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if csrf and "csrf_token" in self.cookies:
            given.setdefault("X-CSRF-Token", self.cookies["csrf_token"])
        answer = await self.house.call(method, self.prefix + path, headers=given, **sent)
        self._keep(answer)
        return answer

    async def get(self, path: str, **params: str) -> Answer:
        return await self.call("GET", path, params=params)

    async def post(self, path: str, json: Any = None, *, csrf: bool = True, **sent: Any) -> Answer:
        return await self.call("POST", path, json={} if json is None else json, csrf=csrf, **sent)

    async def sign_in(self, email: str, password: str) -> Answer:
        return await self.post("/login", {"email": email, "password": password})

    def _keep(self, answer: Answer) -> None:
        for line in set_cookies(answer):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value


def set_cookies(answer: Answer) -> list[str]:
    """The Set-Cookie headers, one by one."""
    headers: Any = answer.headers
    return list(headers.getall("Set-Cookie", []))
