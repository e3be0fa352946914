"""Visitors of published pages, in tests."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async

from accounts.models import SessionScope
from accounts.services import sessions
from apps.models import AccessMode, Site
from apps.services import apps, sites
from difyproj.testing.cast import Person
from difyproj.testing.console import TierClient, visiting
from difyproj.testing.served import Answer, Key, Served


async def visit(house: Served, key: Key | None = None, *, user_id: str = "") -> TierClient:
    """A visitor of the chat app's page, or of another app's."""
    return await visiting(house, (key or house.chat).app, user_id=user_id)


async def site_of(key: Key) -> Site:
    return await sync_to_async(sites.of)(key.app)


async def change_site(key: Key, **changes: Any) -> Site:
    return await sync_to_async(sites.update)(await site_of(key), **changes)


async def change_app(key: Key, **changes: Any) -> None:
    key.app = await sync_to_async(apps.update)(key.app, **changes)


async def for_members(key: Key) -> None:
    await change_app(key, access_mode=AccessMode.PRIVATE_ALL)


async def web_login(person: Person) -> sessions.Tokens:
    """The person's sign-in to pages for members."""
    return await sync_to_async(sessions.open)(person.account, method="test", scope=SessionScope.WEB_APP)


async def passport(house: Served, key: Key | None = None, headers: dict[str, str] | None = None, **params: str) -> Answer:
    """Ask for one as a browser does."""
    site = await site_of(key or house.chat)
    sent = {"Authorization": "", "X-App-Code": site.code, **(headers or {})}
    return await house.call("GET", "/api/passport", headers=sent, params=params)


async def ask(visitor: TierClient, query: str = "Hello?", **fields: Any) -> Answer:
    """A chat message; streamed unless ``fields`` say otherwise."""
    body = {"inputs": {}, "query": query, "response_mode": "streaming", "auto_generate_name": False, **fields}
    return await visitor.post("/chat-messages", body)


async def write(visitor: TierClient, subject: str = "whales", **fields: Any) -> Answer:
    """A completion message; streamed unless ``fields`` say otherwise."""
    return await visitor.post("/completion-messages", {"inputs": {"query": subject}, "response_mode": "streaming", **fields})


async def asked(visitor: TierClient, query: str = "Hello?", **fields: Any) -> dict[str, Any]:
    """The blocking answer to a chat message."""
    answer = await ask(visitor, query, response_mode="blocking", **fields)
    assert answer.status == 200, answer.body
    body: dict[str, Any] = answer.json()
    return body


async def written(visitor: TierClient, subject: str = "whales") -> dict[str, Any]:
    """The blocking answer to a completion message."""
    answer = await write(visitor, subject, response_mode="blocking")
    assert answer.status == 200, answer.body
    body: dict[str, Any] = answer.json()
    return body
