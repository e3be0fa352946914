"""Requests made from the documents of what accounts do on both tiers: each answer is one that the document names."""

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
from accounts.api.console import urls as console
from accounts.api.web import urls as web
from accounts.services import sessions
from apps.services import sites
from difyproj.testing.cast import PASSWORD
from difyproj.testing.rawhttp import quiet_log
from difyproj.testing.served import Served

from . import odd
from .test_fuzz_schema import CHECKS

# They have a fuzz of their own, which knows their ids.
ELSEWHERE = {*model_credentials.routes, *model_providers.routes, *model_providers.icon_routes}
NAMES = ("appCode", "appId", "email", "member_id", "password", "provider", "session_id", "tenant_id")
TIERS = {
    "/console/api": [route for route in console.urlpatterns if route not in ELSEWHERE],
    "/api": web.urlpatterns,
}


def known(house: Served) -> dict[str, str]:
    """What is really there, by the names that paths and bodies have for it."""
    cast = house.cast
    return {
        "member_id": str(cast.norma.account.pk),
        "tenant_id": str(cast.alice.tenant.pk),
        "session_id": str(sessions.open(cast.alice.account, method="test").session_id),
        "provider": "github",
        "email": cast.alice.account.email,
        "password": PASSWORD,
        "appId": str(house.chat.app.pk),
        "appCode": sites.of(house.chat.app).code,
    }


@pytest.mark.parametrize("prefix", TIERS)
async def test_any_request_of_the_document(house: Served, prefix: str) -> None:
    patterns: Any = TIERS[prefix]
    document: Any = SchemaGenerator(patterns=patterns).get_schema(public=True)
    operations = schemathesis.openapi.from_dict(document).get_all_operations()
    made = [found.ok().as_strategy(kind) for found in operations if isinstance(found, Ok) for kind in GenerationMode]
    alice = house.cast.alice.account

    @odd.search(250)
    @given(some.one_of(made), some.sets(some.sampled_from(NAMES)))
    def search(case: Case, given_names: set[str]) -> None:
        facts = known(house)
        for part in (case.path_parameters, case.query, case.body):
            if isinstance(part, dict):
                part.update({name: facts[name] for name in given_names & set(part)})
        headers = {"Authorization": f"Bearer {sessions.open(alice, method='test').access}", "X-App-Code": facts["appCode"]}
        response = case.call(base_url=house.url + prefix, headers=headers, allow_redirects=False)
        if case.method == case.operation.method.upper():
            case.validate_response(response, checks=CHECKS)

    with quiet_log():
        await asyncio.to_thread(search)
