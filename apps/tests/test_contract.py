"""Every answer of the chat and completion operations against OpenAPI documents: our own, and the vendor's if it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from difyproj.testing.contract import Exchange, Exercise, deviations
from difyproj.testing.deviations import REASONS, reason
from difyproj.testing.knowledge_contract import Library
from difyproj.testing.openapi import Deviation, Document
from difyproj.testing.served import Served

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ROOT / "docs" / "api" / "service.openapi.json"
# The vendor's document is not part of this project; script/check-openapi names it.
THEIRS = os.environ.get("OFFICIAL_OPENAPI", "")


@pytest.fixture
async def exchanges(house: Served) -> list[Exchange]:
    return [*await Exercise(house).run(), *await (await Library.of(house)).run()]


async def test_every_answer_fits_our_own_document(exchanges: list[Exchange]) -> None:
    found = deviations(exchanges, Document.load(OURS))
    assert {name: faults for name, faults in found.items() if faults} == {}


async def test_every_operation_of_our_document_is_called(exchanges: list[Exchange]) -> None:
    called = {(exchange.method, exchange.path) for exchange in exchanges}
    alias = ("PATCH", "/conversations/{conversation_id}/variables/{variable_id}")
    assert set(Document.load(OURS).operations()) - called == {alias}


@pytest.mark.skipif(not THEIRS, reason="OFFICIAL_OPENAPI names no document")
async def test_every_answer_fits_the_vendors_document_or_differs_for_a_reason(exchanges: list[Exchange]) -> None:
    found = deviations(exchanges, Document.load(Path(THEIRS)))
    for name, faults in sorted(found.items()):
        print(f"{'ok ' if not faults else 'see'} {name}")
        for fault in faults:
            print(f"      {fault}\n          {reason(name, fault) or 'NO REASON'}")
    unmeant = [f"{name}: {fault}" for name, faults in found.items() for fault in faults if reason(name, fault) is None]
    met = {reason(name, fault) for name, faults in found.items() for fault in faults}
    assert not unmeant
    assert {one.text for one in REASONS} <= met, "a reason for a deviation that is gone"


def test_every_reason_is_told_to_readers() -> None:
    page = " ".join((ROOT / "docs" / "contract.md").read_text(encoding="utf-8").split())
    assert not [one.text for one in REASONS if one.text not in page]


def document(schema: dict[str, object]) -> Document:
    answer = {"content": {"application/json": {"schema": schema}}}
    return Document({"paths": {"/x": {"get": {"responses": {"200": answer}}}}, "components": {"schemas": {}}})


@pytest.mark.parametrize(
    ("schema", "body", "faults"),
    [
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {"a": "x"}, []),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {"a": 1}, ["invalid $.a"]),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {"a": None}, ["invalid $.a"]),
        ({"type": "object", "properties": {"a": {"type": "string", "nullable": True}}}, {"a": None}, []),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {}, ["absent $.a"]),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {"a": "x", "b": 1}, ["more $.b"]),
        ({"type": "object", "required": ["a"], "properties": {"a": {}, "b": {}}}, {"b": 1}, ["invalid $"]),
        ({"type": "object", "properties": {"a": {"type": "string", "format": "uuid"}}}, {"a": "x"}, ["invalid $.a"]),
        (
            {"type": "array", "items": {"type": "object", "properties": {"default": {"type": "string"}}}},
            [{"default": 1}, {}],
            ["absent $[].default", "invalid $[].default"],
        ),
    ],
)
def test_the_judge_sees_what_is_forbidden_missing_and_unnamed(
    schema: dict[str, object], body: object, faults: list[str]
) -> None:
    found: list[Deviation] = document(schema).answer("GET", "/x", 200, "application/json", body)
    assert [f"{one.kind} {one.place}" for one in found] == faults


def test_the_judge_sees_undocumented_statuses_and_types() -> None:
    judge = document({"type": "object"})
    assert [one.kind for one in judge.answer("GET", "/x", 404, "application/json", {})] == ["status"]
    assert [one.kind for one in judge.answer("GET", "/x", 200, "text/html", b"")] == ["invalid"]
