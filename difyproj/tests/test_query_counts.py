"""What every GET of every tier costs the database: no more than was committed, and no more for many rows than for few.

``UPDATE_QUERY_COUNTS=1 pytest difyproj/tests/test_query_counts.py`` writes the file anew.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from asgiref.sync import sync_to_async

from difyproj.kernel import jsonio
from difyproj.testing.queries import counted
from difyproj.testing.served import Served

from . import acme, acme_datasets, acme_more
from .gets import callers, entry_of, gets, read

FILE = Path(__file__).with_name("query_counts.json")
MOST = 8
TRIES = 10
PAUSE = 0.02


def test_every_get_has_a_call_that_is_counted() -> None:
    assert [str(operation) for operation in gets() if entry_of(operation) is None] == []
    assert sorted(jsonio.loads(FILE.read_bytes())) == sorted(operation.route.path for operation in gets())


async def costs(house: Served, ids: Mapping[str, str], enough: Mapping[str, int]) -> dict[str, list[str]]:
    """The statements of each GET when it is warm: the fewest of some tries, the last of which needs no more than ``enough``.

    Others are at work beside it, and what another process is told to forget it forgets a little later.
    """
    clients, found = await callers(house, ids), {}
    for operation in gets():
        path = operation.route.path
        tries: list[list[str]] = []
        while len(tries) < TRIES and not (tries and len(tries[-1]) <= enough.get(path, -1)):
            await asyncio.sleep(PAUSE if tries else 0)
            with counted() as statements:
                await read(clients, operation, ids)
            tries.append(statements)
        found[path] = min(tries, key=len)
    return found


async def test_no_get_asks_more_than_it_did_nor_more_for_many_rows(house: Served) -> None:
    ids = {**acme.NAMES, **await acme.furnish(house), "private_model": acme.OTHER_MODEL, "model_id": "x"}
    ids |= await sync_to_async(acme_datasets.furnish)(house.cast.alice, acme.SECRET)
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
