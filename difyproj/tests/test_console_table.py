"""The Console API against its contract: every operation is built, off or planned, and the page about it is true."""

from __future__ import annotations

import io
from pathlib import Path
from urllib.parse import quote

import pytest
from django.core.management import call_command
from django.urls import get_resolver

from difyproj.testing.console import signed_in
from difyproj.testing.served import Served
from difyproj.tests.source import ROOT
from difyproj.tiers import console_table
from difyproj.tiers.console_table import Operation, Status
from difyproj.urls.console import built

TABLE = console_table.read()
DOCUMENT = ("get", "/openapi.json")


@pytest.fixture(scope="module")
def served() -> frozenset[console_table.Key]:
    return console_table.routed(get_resolver().url_patterns, prefix="console/api/")


def test_the_table_has_every_operation_of_the_contract_once() -> None:
    assert len(TABLE.operations) == len({operation.key for operation in TABLE.operations}) == 739


def test_every_operation_is_built_or_says_why_not(served: frozenset[console_table.Key]) -> None:
    assert not [f"{one.method} {one.path}" for one in TABLE.operations if one.status(served) is None]


def test_every_word_of_the_table_is_one_that_it_explains() -> None:
    explained = {Status.OFF: TABLE.off, Status.PLANNED: TABLE.planned}
    used: dict[str, set[str]] = {Status.OFF: set(), Status.PLANNED: set()}
    for operation in TABLE.operations:
        if operation.word:
            used[operation.word].add(operation.about)
    assert used == {word: set(names) for word, names in explained.items()}


def test_what_is_planned_has_no_route_yet(served: frozenset[console_table.Key]) -> None:
    assert not [one for one in TABLE.operations if one.word == Status.PLANNED and one.key in served], "take the word away"


def test_every_operation_that_is_off_has_its_route(served: frozenset[console_table.Key]) -> None:
    assert not [one for one in TABLE.operations if one.word == Status.OFF and one.key not in served]


def test_every_route_is_in_the_contract_or_named_as_ours(served: frozenset[console_table.Key]) -> None:
    contract, ours = ({one.key for one in rows} for rows in (TABLE.operations, TABLE.ours))
    assert served - contract - {DOCUMENT} == ours
    assert not ours & contract


def test_the_page_is_the_present_one(tmp_path: Path) -> None:
    page = tmp_path / "console.md"
    call_command("console_operations", file=str(page), stdout=io.StringIO())
    written = (ROOT / "docs" / "api" / "console.md").read_text(encoding="utf-8")
    assert written == page.read_text(encoding="utf-8"), "run script/console-operations"


def place(operation: Operation) -> str:
    """The operation's address with something for every parameter."""
    return quote(operation.path.replace("{", "").replace("}", ""))


async def test_what_is_off_says_so_to_members_and_nothing_to_others(house: Served) -> None:
    """Generated routes only: what the rooms answer themselves is their own tests' affair."""
    client, rooms = await signed_in(house, house.cast.norma), console_table.routed(built)
    off = [one for one in TABLE.operations if one.word == Status.OFF and one.key not in rooms]
    assert len(off) > 100
    for operation in off:
        answer = await client.call(operation.method, place(operation), json=None)
        if operation.key in TABLE.answers:
            assert (answer.status, answer.json()) == (200, TABLE.answers[operation.key]), operation
            continue
        assert answer.status == 403, operation
        assert answer.json() == {"code": "forbidden", "message": TABLE.off[operation.about], "status": 403}, operation
    for operation in off[::10]:
        path = f"/console/api{place(operation)}"
        assert (await house.call(operation.method, path, headers={"Authorization": ""})).status == 401, operation


async def test_a_method_that_a_route_does_not_have_is_told(house: Served) -> None:
    client = await signed_in(house, house.cast.norma)
    answer = await client.put("/tags")
    assert (answer.status, answer.json()["code"]) == (405, "method_not_allowed")
