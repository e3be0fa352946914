"""Requests made from our own OpenAPI document, good ones and bad ones: each answer is one that the document names."""

from __future__ import annotations

import asyncio
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from asgiref.sync import sync_to_async
from hypothesis import given
from hypothesis import strategies as some
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from difyproj.kernel import jsonio
from difyproj.testing.contract import CITY, FAMILIES
from difyproj.testing.knowledge_contract import dataset_key
from difyproj.testing.openapi import Document
from difyproj.testing.rawhttp import quiet_log
from difyproj.testing.served import Served, parse_frames

from . import odd

DOCUMENT = jsonio.loads((Path(__file__).resolve().parent.parent.parent / "docs" / "api" / "service.openapi.json").read_bytes())
JUDGE = Document(DOCUMENT)


def without_streams(part: Any) -> Any:
    """The document with no word on what streams hold: our own judge knows better how a frame is read."""
    if isinstance(part, list):
        return [without_streams(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {name: {} if name == "text/event-stream" else without_streams(value) for name, value in part.items()}


SCHEMA = schemathesis.openapi.from_dict(without_streams(DOCUMENT))
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)}
CHECKS: list[Any] = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
]  # fmt: skip


KNOWLEDGE = ("/datasets", "/workspaces/", "/retrieval")
"""What takes a dataset key."""


@pytest.fixture
async def furnished(house: Served) -> Served:
    await house.configure(house.chat, **{**CITY, "user_input_form": []})
    await house.configure(house.completion, **CITY)
    return house


@pytest.mark.parametrize("mode", ["chat", "completion"])
async def test_any_request_of_the_document(furnished: Served, mode: str) -> None:
    key = furnished.chat if mode == "chat" else furnished.completion
    of_datasets = await sync_to_async(dataset_key)(furnished.cast.alice)
    made = [one.as_strategy(kind) for one in OPERATIONS.values() for kind in GenerationMode]

    @odd.search(300)
    @given(some.one_of(made))
    def search(case: Case) -> None:
        token = of_datasets if case.operation.path.startswith(KNOWLEDGE) else key.token
        response = case.call(base_url=f"{furnished.url}/v1", headers={"Authorization": f"Bearer {token}"})
        if case.method != case.operation.method.upper():
            return
        case.validate_response(response, checks=CHECKS)
        if response.headers.get("content-type", [""])[0].startswith("text/event-stream") and not is_openai(case):
            for frame in filter(attrgetter("id"), parse_frames(response.content)):
                assert not JUDGE.record(case.method, case.operation.path, FAMILIES[mode], frame.record), frame

    with quiet_log():
        await asyncio.to_thread(search)


def is_openai(case: Case) -> bool:
    """Whether the stream has no numbered records but OpenAI's chunks, which the stock client judges elsewhere."""
    return case.operation.path == "/chat/completions"


def test_every_operation_is_tried() -> None:
    assert len(OPERATIONS) == sum(len(methods) for methods in DOCUMENT["paths"].values())
