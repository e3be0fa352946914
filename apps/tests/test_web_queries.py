"""What a visitor's calls cost the database: nothing to be known, and no more for many rows than for few."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from difyproj.testing.console import TierClient
from difyproj.testing.queries import queries_of
from difyproj.testing.served import Served

from .visits import asked, for_members, passport, visit, web_login, written


async def least(call: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> int:
    """What a call costs once everything is remembered: news of the set-up's changes may come late and clear a cache."""
    return min([await queries_of(call, *args, **kwargs) for _ in range(3)])


@pytest.mark.parametrize("path", ["/site", "/parameters", "/meta"])
async def test_a_warm_visit_asks_the_database_nothing(house: Served, path: str) -> None:
    visitor = await visit(house)
    assert await least(visitor.get, path) == 0
    await for_members(house.chat)
    login = await web_login(house.cast.norma)
    given = (await passport(house, headers={"Authorization": f"Bearer {login.access}"})).json()["access_token"]
    member = TierClient(house, "/api", {"X-App-Passport": given, "Authorization": ""})
    assert await least(member.get, path) == 0


async def test_a_preflight_is_warm_too(house: Served) -> None:
    headers = {"Authorization": "", "Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
    assert await least(house.call, "OPTIONS", "/api/chat-messages", headers=headers) == 0


async def test_lists_cost_the_same_for_many_rows(house: Served) -> None:
    visitor, reader = await visit(house), await visit(house, house.completion)
    conversation = (await asked(visitor))["conversation_id"]
    await keep(reader)
    before = await costs(visitor, reader, conversation)
    for _ in range(3):
        message = (await asked(visitor, conversation_id=conversation))["id"]
        await visitor.post(f"/messages/{message}/feedbacks", {"rating": "like"})
        await asked(visitor)
        await keep(reader)
    after = await costs(visitor, reader, conversation)
    assert after == before
    assert max(after) <= 5


async def keep(reader: TierClient) -> None:
    await reader.post("/saved-messages", {"message_id": (await written(reader))["id"]})


async def costs(visitor: TierClient, reader: TierClient, conversation: str) -> list[int]:
    return [
        await least(visitor.get, "/conversations"),
        await least(visitor.get, "/conversations", pinned="false"),
        await least(visitor.get, "/messages", conversation_id=conversation),
        await least(reader.get, "/saved-messages"),
    ]
