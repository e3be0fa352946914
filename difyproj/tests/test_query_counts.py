"""What every GET of every tier costs the database: no more than was committed, and no more for many rows than for few.

``UPDATE_QUERY_COUNTS=1 pytest difyproj/tests/test_query_counts.py`` writes the file anew.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from asgiref.sync import sync_to_async

from difyproj.kernel import jsonio
from difyproj.testing.console import TierClient, signed_in, visiting
from difyproj.testing.queries import counted
from difyproj.testing.served import Served
from difyproj.tiers.features_off import FeatureOff

from . import acme, acme_more
from .console_app_entries import ENTRIES as CONSOLE
from .sweeping import Entry, Operation, call, operations

FILE = Path(__file__).with_name("query_counts.json")
MOST = 8
TRIES = 10
PAUSE = 0.02
PREFIXES = ("v1/", "console/api/", "api/", "files/")
USER = {"user": "u1"}
HERE = {"conversation_id": "{conversation_id}"}

SERVICE: dict[str, Entry] = {
    "/v1/": Entry(),
    "/v1/messages": Entry(query={**USER, **HERE}),
    "/v1/app/feedbacks": Entry(),
    "/v1/apps/annotations": Entry(),
    "/v1/conversations": Entry(query=USER),
    "/v1/conversations/{conversation_id}/variables": Entry(query=USER),
    "/v1/info": Entry(),
    "/v1/parameters": Entry(),
    "/v1/meta": Entry(),
    "/v1/site": Entry(),
    "/v1/models": Entry(),
    "/v1/models/{model_id}": Entry(status=404),
    "/v1/end-users/{end_user_id}": Entry(),
}
VISITOR: dict[str, Entry] = {
    "/api/site": Entry(),
    "/api/parameters": Entry(),
    "/api/meta": Entry(),
    "/api/system-features": Entry(),
    "/api/passport": Entry(),
    "/api/login/status": Entry(),
    "/api/webapp/access-mode": Entry(query={"appId": "{app_id}"}),
    "/api/webapp/permission": Entry(query={"appId": "{app_id}"}),
    "/api/conversations": Entry(),
    "/api/messages": Entry(query={"conversation_id": "{web_conversation_id}"}),
}
WRITER = {"/api/saved-messages": Entry()}
# As the sweeps call it, the list would be empty.
FULL = {"/console/api/apps": Entry()}
# They call a model, follow a run, fetch from elsewhere, send bytes or lead away: their cost is not a list's.
WITHOUT = {
    "/v1/messages/{message_id}/suggested",
    "/v1/runs/{task_id}/events",
    "/v1/files/{file_id}/preview",
    "/api/messages/{message_id}/suggested-questions",
    "/api/messages/{message_id}/more-like-this",
    "/api/runs/{task_id}/events",
    "/api/remote-files/{url}",
    "/console/api/apps/{app_id}/chat-messages/{message_id}/suggested-questions",
    "/console/api/remote-files/{url}",
    "/console/api/account/delete/verify",
    "/console/api/files/{file_id}/preview",
    "/files/{file_id}/file-preview",
    "/files/{file_id}/image-preview",
}
DOCUMENTS = ("openapi.json", "docs", "redoc")


def gets() -> list[Operation]:
    return [
        operation
        for prefix in PREFIXES
        for operation in operations(prefix)
        if operation.method == "get"
        and operation.route.path not in WITHOUT
        and not operation.route.path.endswith(DOCUMENTS)
        and operation.route.view is not FeatureOff
    ]


def entry_of(operation: Operation) -> Entry | None:
    path = operation.route.path
    return FULL.get(path) or CONSOLE.get(operation.name) or SERVICE.get(path) or VISITOR.get(path) or WRITER.get(path)


def test_every_get_has_a_call_that_is_counted() -> None:
    assert [str(operation) for operation in gets() if entry_of(operation) is None] == []
    assert sorted(jsonio.loads(FILE.read_bytes())) == sorted(operation.route.path for operation in gets())


async def callers(house: Served) -> Mapping[str, TierClient]:
    """Who calls below which path; the longest that fits counts."""
    return {
        "/v1/": TierClient(house, "", {}),
        "/console/api/": await signed_in(house, house.cast.alice),
        "/api/": await visiting(house, house.chat.app, user_id=acme.VISITOR),
        "/api/saved-messages": await visiting(house, house.completion.app, user_id=acme.VISITOR),
    }


async def costs(house: Served, ids: Mapping[str, str], enough: Mapping[str, int]) -> dict[str, list[str]]:
    """The statements of each GET when it is warm: the fewest of some tries, the last of which needs no more than ``enough``.

    Others are at work beside it, and what another process is told to forget it forgets a little later.
    """
    clients, found = await callers(house), {}
    for operation in gets():
        entry, path = entry_of(operation), operation.route.path
        assert entry is not None
        entry = replace(entry, query={**entry.query, "limit": "100"})
        client = clients[max((below for below in clients if path.startswith(below)), key=len)]
        tries: list[list[str]] = []
        while len(tries) < TRIES and not (tries and len(tries[-1]) <= enough.get(path, -1)):
            await asyncio.sleep(PAUSE if tries else 0)
            with counted() as statements:
                answer = await call(client, operation, entry, ids)
            assert answer.status == entry.status, f"{operation}: {answer.status} {answer.body[:300]!r}"
            tries.append(statements)
        found[path] = min(tries, key=len)
    return found


async def test_no_get_asks_more_than_it_did_nor_more_for_many_rows(house: Served) -> None:
    ids = {**acme.NAMES, **await acme.furnish(house), "private_model": acme.OTHER_MODEL, "model_id": "x"}
    update = bool(os.environ.get("UPDATE_QUERY_COUNTS"))
    committed: dict[str, int] = {} if update else jsonio.loads(FILE.read_bytes())
    await sync_to_async(acme_more.add)(house, ids, 1)
    few = await costs(house, ids, committed)
    await sync_to_async(acme_more.add)(house, ids, 11)
    many = await costs(house, ids, {path: len(statements) for path, statements in few.items()})
    if update:
        committed = {path: len(statements) for path, statements in sorted(many.items())}
        FILE.write_bytes(jsonio.indented(committed).encode() + b"\n")
    grown = [
        shown(f"{path}: {len(few[path])} for few rows, {len(many[path])} for many", many[path])
        for path in many
        if len(few[path]) < len(many[path])
    ]
    risen = [
        shown(f"{path}: {len(many[path])}, was {committed.get(path)}", many[path])
        for path in many
        if len(many[path]) > min(committed.get(path, MOST), MOST)
    ]
    assert not grown, "\n".join(grown)
    assert not risen, "\n".join(risen)


def shown(head: str, statements: list[str]) -> str:
    return "\n    ".join([head, *(statement[:300] for statement in statements)])
