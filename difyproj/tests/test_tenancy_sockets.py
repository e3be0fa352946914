"""The sweep over the websockets: the wrong tier's tokens, strangers' tokens and foreign ids open, follow and stop nothing.

The rows come from the socket table: a route that this file does not know fails the first test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import aiohttp
from asgiref.sync import sync_to_async

from apps.models import Run
from difyproj import asgi
from difyproj.kernel import jsonio
from difyproj.testing.console import visiting
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script

from . import acme, bearers
from .sweeping import changes, footprint


@dataclass(frozen=True, slots=True)
class Door:
    """A socket route: which credential opens it, whose question may be followed there, and whether it asks."""

    opens: str
    asks: bool
    task_id: str = ""


DOORS = {
    "api/ws/chat": Door(bearers.PASSPORT, asks=True),
    "api/ws/runs/{task_id}": Door(bearers.PASSPORT, asks=False, task_id="web_task_id"),
    "ws/chat": Door(bearers.APP_KEY, asks=True),
    "ws/runs/{task_id}": Door(bearers.APP_KEY, asks=False, task_id="task_id"),
}
UNAUTHORIZED, NOT_FOUND = 4401, 4404


def table() -> list[str]:
    """The paths of the socket table; the last row says that there are no others."""
    found = [str(route.pattern) for route in asgi.websockets.routes]
    assert found[-1] == ""
    return [re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", pattern).strip("^$") for pattern in found[:-1]]


def test_every_socket_is_swept() -> None:
    assert sorted(table()) == sorted(DOORS)


async def ids_of(house: Served) -> dict[str, str]:
    ids = await acme.furnish(house)
    ids["web_task_id"] = str((await Run.objects.aget(message=UUID(ids["web_message_id"]))).pk)
    return ids


async def heard(house: Served, path: str, token: str, *messages: dict[str, Any]) -> tuple[int | None, list[dict[str, Any]]]:
    """The close code, if the server closed, and the records: after each message one is awaited."""
    records: list[Any] = []
    protocols = ("bearer", token) if token else ()
    async with house.client.ws_connect(f"{house.url}/{path}", protocols=protocols) as socket:
        for message in messages or ({},):
            if message:
                await socket.send_str(jsonio.dumps_text(message))
            while (given := await socket.receive(20)).type is aiohttp.WSMsgType.TEXT:
                records.append(jsonio.loads(given.data))
                if message:
                    break
        return socket.close_code, records


async def test_no_other_credential_opens_a_socket(house: Served) -> None:
    ids, wrong = await ids_of(house), []
    given = await sync_to_async(bearers.of)(house.cast.alice, house.chat)
    before = await sync_to_async(footprint)(house.cast.alice.tenant)
    for path, door in DOORS.items():
        for name, token in given.items():
            if name == door.opens:
                continue
            # Without a token in the subprotocol the first message is taken for one.
            greeting = {"token": "", "query": "x", "inputs": {}} if not token else {}
            code, records = await heard(house, path.format(**ids), token, *([greeting, {}] if greeting else []))
            if code != UNAUTHORIZED or [record["event"] for record in records] != ["error"]:
                wrong.append(f"{path} with {name}: {code} {records}")
    assert not wrong, "\n".join(wrong)
    assert changes(before, await sync_to_async(footprint)(house.cast.alice.tenant)) == []


async def test_strangers_follow_no_run(house: Served) -> None:
    ids = await ids_of(house)
    eves = await sync_to_async(bearers.of)(house.cast.eve, house.foreign)
    alices = await sync_to_async(bearers.of)(house.cast.alice, house.completion)
    somebody = (await visiting(house, house.chat.app)).headers["X-App-Passport"]
    before = await sync_to_async(footprint)(house.cast.alice.tenant)
    for path, door in DOORS.items():
        if door.asks:
            continue
        strangers = [eves[door.opens], alices[door.opens]] + ([somebody] if door.opens == bearers.PASSPORT else [])
        for task_id in {value for name, value in ids.items() if name.endswith("task_id")}:
            for token in strangers:
                code, records = await heard(house, path.format(task_id=task_id), token)
                if task_id == ids["completion_task_id"] and token == alices[door.opens] and door.opens == bearers.APP_KEY:
                    continue
                assert code == NOT_FOUND, (path, task_id, records)
                assert acme.SECRET not in str(records)
    assert changes(before, await sync_to_async(footprint)(house.cast.alice.tenant)) == []


async def test_whose_run_it_is_may_follow_it(house: Served) -> None:
    ids = await ids_of(house)
    mine = await sync_to_async(bearers.of)(house.cast.alice, house.chat)
    for path, door in DOORS.items():
        if not door.asks:
            _, records = await heard(house, path.format(task_id=ids[door.task_id]), mine[door.opens])
            assert records[-1]["event"] == "message_end", path


async def test_strangers_ask_in_no_conversation_and_stop_nothing(house: Served) -> None:
    ids = await ids_of(house)
    await house.configure(house.foreign, file_upload=house.chat.app.config["file_upload"])
    house.upstream.script = Script(tokens=[" more"] * 500, delay=0.02, usage=(7, 500))
    async with house.asking(auto_generate_name=False) as running:
        await running.content.readline()
        task_id = str((await Run.objects.filter(app=house.chat.app, status="running").aget()).pk)
        before = await sync_to_async(footprint)(house.cast.alice.tenant)
        for path, door in DOORS.items():
            if door.asks:
                await knock(house, path, door, ids, task_id)
        after = await sync_to_async(footprint)(house.cast.alice.tenant)
        assert house.upstream.aborted == 0
        assert (await Run.objects.aget(pk=task_id)).status == "running"
        assert changes({**before, "Run": {}, "Message": {}}, {**after, "Run": {}, "Message": {}}) == []
        await house.call("POST", f"/v1/chat-messages/{task_id}/stop", json={"user": "u1"})
        await house.upstream.until(lambda: house.upstream.aborted == 1)
        await running.read()


async def knock(house: Served, path: str, door: Door, ids: dict[str, str], task_id: str) -> None:
    """As Eve: each of Alice's conversations, and the run that is at work."""
    eves = await sync_to_async(bearers.of)(house.cast.eve, house.foreign)
    asked: dict[str, Any] = {"action": "send", "inputs": {}, "query": "x", "user": "u1"}
    conversations = {value for name, value in ids.items() if name.endswith("conversation_id")}
    messages = [{**asked, "conversation_id": conversation} for conversation in sorted(conversations)]
    stop = {"action": "stop", "task_id": task_id, "user": "u1"}
    file = {"type": "image", "transfer_method": "local_file", "upload_file_id": ids["file_id"]}
    _, records = await heard(house, path, eves[door.opens], *messages, {**asked, "files": [file]}, stop)
    statuses = [record.get("status") for record in records]
    assert statuses == [404] * len(messages) + [400, None], records
    assert records[-1] == {"event": "stop", "result": "success"}
