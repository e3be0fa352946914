"""Requests made from the OpenAPI document of the console's app routes, good and bad: each answer is one that it names."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import given
from hypothesis import strategies as some
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from apps.api.console.urls import urlpatterns
from difyproj.testing.contract import CITY
from difyproj.testing.openapi import Document
from difyproj.testing.rawhttp import quiet_log
from difyproj.testing.served import parse_frames

from . import odd
from .console_crew import Crew
from .test_fuzz_schema import CHECKS, without_streams

EXAMPLES = 300


@pytest.fixture(scope="module")
def document() -> Any:
    return SchemaGenerator(patterns=urlpatterns).get_schema(public=True)


async def test_any_request_of_the_document(crew: Crew, document: Any) -> None:
    house = crew.house
    await house.configure(house.chat, **{**CITY, "user_input_form": []})
    operations = schemathesis.openapi.from_dict(without_streams(document)).get_all_operations()
    made = [found.ok().as_strategy(kind) for found in operations if isinstance(found, Ok) for kind in GenerationMode]
    judge, headers = Document(document), crew.alice.headers
    app_ids = [str(key.app.pk) for key in (house.chat, house.completion)]

    @odd.search(EXAMPLES)
    @given(some.one_of(made), some.sampled_from([*app_ids, *app_ids, ""]))
    def search(case: Case, app_id: str) -> None:
        is_removal = case.method == "DELETE" and case.operation.path == "/apps/{app_id}"
        if app_id and "app_id" in case.path_parameters and not is_removal:
            case.path_parameters["app_id"] = app_id
        response = case.call(base_url=f"{house.url}/console/api", headers=headers)
        if case.method != case.operation.method.upper():
            return
        case.validate_response(response, checks=CHECKS)
        if response.headers.get("content-type", [""])[0].startswith("text/event-stream"):
            family = "completion" if "completion" in case.operation.path else "chat"
            for frame in parse_frames(response.content):
                assert not frame.id or not judge.record(case.method, case.operation.path, family, frame.record), frame

    with quiet_log():
        await asyncio.to_thread(search)
