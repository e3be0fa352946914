"""Requests made from the Web API's own OpenAPI document, good ones and bad ones: each answer is one that the document names."""

from __future__ import annotations

import asyncio
from operator import attrgetter
from typing import Any

import pytest
import schemathesis
from django.test.utils import override_settings
from drf_spectacular.generators import SchemaGenerator
from hypothesis import given
from hypothesis import strategies as some
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from apps.api.web.urls import urlpatterns
from difyproj.testing.contract import CITY, FAMILIES
from difyproj.testing.openapi import Document
from difyproj.testing.rawhttp import quiet_log
from difyproj.testing.served import Served, parse_frames

from . import odd
from .test_fuzz_schema import CHECKS, without_streams
from .visits import visit

EXAMPLES = 200


@pytest.fixture(scope="module")
def document() -> Any:
    return SchemaGenerator(patterns=urlpatterns).get_schema(public=True)


@pytest.mark.parametrize("mode", ["chat", "completion"])
async def test_any_request_of_the_document(house: Served, document: Any, mode: str) -> None:
    key = house.chat if mode == "chat" else house.completion
    await house.configure(key, **{**CITY, "user_input_form": [], "more_like_this": {"enabled": True}})
    visitor, judge = await visit(house, key), Document(document)
    operations = schemathesis.openapi.from_dict(without_streams(document)).get_all_operations()
    made = [found.ok().as_strategy(kind) for found in operations if isinstance(found, Ok) for kind in GenerationMode]
    headers = {name: value for name, value in visitor.headers.items() if value}

    @odd.search(EXAMPLES)
    @given(some.one_of(made))
    def search(case: Case) -> None:
        response = case.call(base_url=f"{house.url}/api", headers=headers)
        if case.method != case.operation.method.upper():
            return
        case.validate_response(response, checks=CHECKS)
        if response.headers.get("content-type", [""])[0].startswith("text/event-stream"):
            for frame in filter(attrgetter("id"), parse_frames(response.content)):
                assert not judge.record(case.method, case.operation.path, FAMILIES[mode], frame.record), frame

    with quiet_log(), override_settings(WEB_USER_RATE=""):
        await asyncio.to_thread(search)
