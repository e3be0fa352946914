"""Requests made from the OpenAPI documents to apps that are graphs, good and bad: each answer is one that they name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import pytest
import schemathesis
from asgiref.sync import sync_to_async
from django.test.utils import override_settings
from drf_spectacular.generators import SchemaGenerator
from hypothesis import given
from hypothesis import strategies as some
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from difyproj.testing.console import signed_in
from difyproj.testing.contract import FAMILIES
from difyproj.testing.flows import ASKING, ECHO, TALK, make_flow
from difyproj.testing.openapi import Document
from difyproj.testing.rawhttp import quiet_log
from difyproj.testing.served import Key, Served, parse_frames
from difyproj.urls import console, service, web

from . import odd
from .test_fuzz_schema import CHECKS, without_streams
from .visits import visit

EXAMPLES = 150
SPEECH = {"text_to_speech": {"enabled": True}, "speech_to_text": {"enabled": True}}
OF_GRAPHS = ("workflow", "advanced-chat", "form", "chat-messages", "conversation", "parameters", "runs")


def described(urlconf: Any) -> Any:
    return SchemaGenerator(patterns=urlconf.urlpatterns).get_schema(public=True)


def cases(document: Any) -> list[Any]:
    """Strategies for each operation that has to do with graphs."""
    operations = schemathesis.openapi.from_dict(without_streams(document)).get_all_operations()
    found = [one.ok() for one in operations if isinstance(one, Ok)]
    return [one.as_strategy(kind) for one in found if any(word in one.path for word in OF_GRAPHS) for kind in GenerationMode]


async def flows(house: Served) -> list[Key]:
    """Alice's graphs: one that echoes, one that asks people, one that talks."""
    graphs = ((ECHO, "workflow"), (ASKING, "workflow"), (TALK, "advanced-chat"))
    return [
        await sync_to_async(make_flow)(house.cast.alice, graph, mode, features=SPEECH) for graph, mode in graphs
    ]  # fmt: skip


async def search(base_url: str, document: Any, headers: dict[str, str], mode: str, aim: Callable[[Case], None]) -> None:
    judge = Document(document)

    @odd.search(EXAMPLES)
    @given(some.one_of(cases(document)))
    def asked(case: Case) -> None:
        aim(case)
        response = case.call(base_url=base_url, headers=headers)
        if case.method != case.operation.method.upper():
            return
        case.validate_response(response, checks=CHECKS)
        if response.headers.get("content-type", [""])[0].startswith("text/event-stream"):
            for frame in filter(attrgetter("id"), parse_frames(response.content)):
                families = [name for one in (mode, "workflow", "chat") for name in FAMILIES[one]]
                assert not judge.record(case.method, case.operation.path, families, frame.record), frame

    with quiet_log(), override_settings(WEB_USER_RATE="", WEB_PASSPORT_RATE=""):
        await asyncio.to_thread(asked)


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_any_request_of_the_service_api(house: Served, which: int) -> None:
    key = (await flows(house))[which]
    headers = {"Authorization": f"Bearer {key.token}"}
    await search(f"{house.url}/v1", described(service), headers, key.app.mode, lambda case: None)


@pytest.mark.parametrize("which", [1, 2])
async def test_any_request_of_a_page(house: Served, which: int) -> None:
    key = (await flows(house))[which]
    visitor = await visit(house, key)
    headers = {name: value for name, value in visitor.headers.items() if value}
    await search(f"{house.url}/api", described(web), headers, key.app.mode, lambda case: None)


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_any_request_of_the_console(house: Served, which: int) -> None:
    key, alice = (await flows(house))[which], await signed_in(house, house.cast.alice)

    def aim(case: Case) -> None:
        """At the app, and at nodes that it has."""
        if "app_id" in case.path_parameters:
            case.path_parameters["app_id"] = str(key.app.pk)
        if "node_id" in case.path_parameters:
            case.path_parameters["node_id"] = "ask" if which == 1 else "start"

    await search(f"{house.url}/console/api", described(console), alice.headers, key.app.mode, aim)
