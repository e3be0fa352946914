"""Requests made from the OpenAPI document of the console's model providers: each answer is one that the document names."""

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

from accounts.api.console import model_credentials, model_providers
from accounts.models import ModelCredential
from difyproj.testing.console import signed_in
from difyproj.testing.rawhttp import quiet_log
from difyproj.testing.served import Served

from . import odd
from .test_fuzz_schema import CHECKS

PROVIDERS = ("openai", "langgenius/openai/openai", "openai_api_compatible", "demo", "ollama")


@pytest.fixture(scope="module")
def document() -> Any:
    routes = [*model_credentials.routes, *model_providers.routes, *model_providers.icon_routes]
    return SchemaGenerator(patterns=routes).get_schema(public=True)


async def test_any_request_of_the_document(house: Served, document: Any) -> None:
    client = await signed_in(house, house.cast.alice)
    kept = str((await ModelCredential.objects.aget(tenant=house.cast.alice.tenant)).pk)
    operations = schemathesis.openapi.from_dict(document).get_all_operations()
    made = [found.ok().as_strategy(kind) for found in operations if isinstance(found, Ok) for kind in GenerationMode]

    @odd.search(150)
    @given(some.one_of(made), some.sampled_from([*PROVIDERS, ""]), some.booleans())
    def search(case: Case, provider: str, known: bool) -> None:
        if provider and "provider" in case.path_parameters:
            case.path_parameters["provider"] = provider
        if known and isinstance(case.body, dict) and "credential_id" in case.body:
            case.body["credential_id"] = kept
        response = case.call(base_url=f"{house.url}/console/api", headers=client.headers)
        if case.method == case.operation.method.upper():
            case.validate_response(response, checks=CHECKS)

    with quiet_log():
        await asyncio.to_thread(search)
