"""Whoever loses an account's trust loses it everywhere: open streams of the console end as well (security row A4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async

from accounts.models import Session
from accounts.services import accounts, sessions, tenants, workspaces
from difyproj.kernel import jsonio
from difyproj.testing.cast import Cast, Person
from difyproj.testing.console import signed_in
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script
from difyproj.tiers import streaming

AT_MOST_SECONDS = 5.0
RUNNING = {"inputs": {}, "query": "Hello?", "response_mode": "streaming"}


def _goes_elsewhere(bob: Person) -> None:
    tenant = tenants.create(name="Bob's own", owner=bob.account)
    workspaces.switch(bob.account, tenant.pk)


LOSSES: dict[str, Callable[[Person], object]] = {
    "demotion": lambda bob: tenants.change_role(membership=bob.membership, role="normal"),
    "promotion": lambda bob: tenants.change_role(membership=bob.membership, role="admin"),
    "removal": lambda bob: tenants.remove_member(membership=bob.membership),
    "suspension": lambda bob: accounts.set_status(account=bob.account, status="banned"),
    "a new password": lambda bob: accounts.set_password(account=bob.account, password="another battery staple"),
    "a new address": lambda bob: accounts.set_email(account=bob.account, email="robert@acme.example"),
    "a revoked session": lambda bob: sessions.close(Session.objects.get(account=bob.account).pk),
    "another workspace": _goes_elsewhere,
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_an_open_stream_ends_with(house: Served, cast: Cast, monkeypatch: pytest.MonkeyPatch, loss: str) -> None:
    monkeypatch.setattr(streaming, "RECHECK_SECONDS", 0.05)
    house.upstream.script = Script(hang="end")
    bobs = await signed_in(house, cast.bob)
    address = f"{house.url}/console/api/apps/{house.chat.app.pk}/chat-messages"
    async with house.client.post(address, json=RUNNING, headers=bobs.headers) as response:
        assert response.status == 200
        await response.content.readuntil(b"\n\n")
        await sync_to_async(LOSSES[loss])(cast.bob)
        async with asyncio.timeout(AT_MOST_SECONDS):
            rest = await response.content.read()
    last = jsonio.loads(rest.strip().split(b"\n\n")[-1].removeprefix(b"data: "))
    assert (last["event"], last["code"], last["status"]) == ("error", "unauthorized", 401)


async def test_nobody_elses_stream_ends_with_it(house: Served, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "RECHECK_SECONDS", 0.02)
    house.upstream.script = Script(tokens=["a"] * 20, delay=0.02)
    alices = await signed_in(house, cast.alice)
    address = f"{house.url}/console/api/apps/{house.chat.app.pk}/chat-messages"
    async with house.client.post(address, json=RUNNING, headers=alices.headers) as response:
        await response.content.readuntil(b"\n\n")
        await sync_to_async(LOSSES["suspension"])(cast.bob)
        assert b'"event":"message_end"' in await response.content.read()
