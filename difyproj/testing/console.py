"""Callers of the Console API and the Web API for tests: a person who is signed in, a visitor with a passport."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async

from accounts.services import sessions
from apps.models import App
from apps.services import passports, sites

from .cast import Person
from .served import Answer, Served


@dataclass(frozen=True, slots=True)
class TierClient:
    """Calls below one prefix with one caller's headers."""

    house: Served
    prefix: str
    headers: dict[str, str]

    async def call(self, method: str, path: str, **sent: Any) -> Answer:
        headers = {**self.headers, **sent.pop("headers", {})}
        return await self.house.call(method, self.prefix + path, headers=headers, **sent)

    async def get(self, path: str, **params: str) -> Answer:
        return await self.call("GET", path, params=params)

    async def post(self, path: str, json: Any = None, **sent: Any) -> Answer:
        return await self.call("POST", path, json={} if json is None and "data" not in sent else json, **sent)

    async def put(self, path: str, json: Any = None) -> Answer:
        return await self.call("PUT", path, json=json or {})

    async def patch(self, path: str, json: Any = None) -> Answer:
        return await self.call("PATCH", path, json=json or {})

    async def delete(self, path: str, json: Any = None, **params: str) -> Answer:
        return await self.call("DELETE", path, json=json, params=params)


async def signed_in(house: Served, person: Person) -> TierClient:
    """The person's session at the Console API, its access token as Bearer."""
    tokens = await sync_to_async(sessions.open)(person.account, method="test")
    return TierClient(house, "/console/api", {"Authorization": f"Bearer {tokens.access}"})


async def visiting(house: Served, app: App, *, user_id: str = "") -> TierClient:
    """A visitor of the app's page at the Web API, known by a passport."""
    site = await sync_to_async(sites.of)(app)
    passport = await sync_to_async(passports.issue)(site.code, user_id=user_id)
    return TierClient(house, "/api", {"X-App-Code": site.code, "X-App-Passport": passport, "Authorization": ""})
