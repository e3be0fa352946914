"""The OpenAPI documents of Console and Web API: whole, without a warning, and the committed ones are the present ones."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from django.core.management import call_command

from difyproj.kernel import jsonio
from difyproj.testing.served import Served
from difyproj.tests.source import ROOT
from difyproj.tiers.features_off import FeatureOff

from .routes import Route, routes

TIERS = {"console": ("console/api/", "CONSOLE"), "web": ("api/", "WEB")}
REFUSALS = {"400", "401", "403", "404", "409", "412", "413", "415", "429", "500"}
# The contract's own shape of refusals: {"result": "fail", "message"}.
OTHER_SHAPES = {"/refresh-token", "/apps/imports", "/apps/imports/{import_id}/confirm"}
DOCUMENT = "openapi.json"
PAGES = ("docs", "redoc")


@pytest.fixture(scope="module", params=TIERS)
def tier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def document(tier: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The document as ``script/openapi`` writes it; a warning is a failure."""
    file = tmp_path_factory.mktemp("openapi") / "made.json"
    call_command(
        "spectacular",
        urlconf=f"difyproj.urls.{tier}",
        custom_settings=f"difyproj.tiers.docs.{TIERS[tier][1]}",
        format="openapi-json",
        validate=True,
        fail_on_warn=True,
        file=str(file),
    )
    return jsonio.loads(file.read_bytes())


def committed(tier: str) -> Any:
    return jsonio.loads((ROOT / "docs" / "api" / f"{tier}.openapi.json").read_bytes())


def operations(document: Any) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, one) for path, found in document["paths"].items() for method, one in found.items()]


def described(tier: str) -> list[Route]:
    """The tier's routes, without those of features that are off."""
    found = [route for route in routes(TIERS[tier][0]) if not route.path.endswith((DOCUMENT, *(f"/{name}" for name in PAGES)))]
    return [route for route in found if not (isinstance(route.view, type) and issubclass(route.view, FeatureOff))]


def test_the_committed_document_is_the_present_one(tier: str, document: Any) -> None:
    kept = committed(tier)
    kept["info"]["version"] = document["info"]["version"]
    assert kept == document, "run script/openapi"


def test_every_route_and_method_is_described(tier: str, document: Any) -> None:
    prefix = f"/{TIERS[tier][0]}".rstrip("/")
    routed = {(method, route.path.removeprefix(prefix)) for route in described(tier) for method in route.methods}
    assert {(method, path) for method, path, _ in operations(document)} == routed


def test_every_operation_has_a_name_of_its_own(document: Any) -> None:
    names = Counter(one["operationId"] for _, _, one in operations(document))
    assert not [name for name, count in names.items() if count > 1]
    assert not [name for name in names if re.search(r"_\d+$", name)]


def test_every_operation_tells_its_refusals_and_its_parameters(document: Any) -> None:
    for method, path, operation in operations(document):
        refusals = {status: one for status, one in operation["responses"].items() if status >= "400"}
        assert {"401", "403", "429", "500"} <= set(refusals) <= REFUSALS, (method, path)
        for refusal in refusals.values() if path not in OTHER_SHAPES else ():
            assert refusal["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}, path
        named = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path)), path


def test_every_answer_has_a_described_body(document: Any) -> None:
    for method, path, operation in operations(document):
        successes = [status for status in operation["responses"] if status < "400"]
        assert successes, (method, path)
        for status in successes:
            content = operation["responses"][status].get("content", {})
            assert bool(content) is (status != "204" and not status.startswith("3")), (method, path, status)
            assert all(body["schema"] for body in content.values()), (method, path)


async def test_the_served_documents_are_the_committed_ones(house: Served) -> None:
    for tier, (prefix, _) in TIERS.items():
        answer = await house.call("GET", f"/{prefix}{DOCUMENT}", headers={"Authorization": ""})
        assert answer.json() == committed(tier), tier


async def test_the_pages_need_nothing_from_elsewhere(house: Served) -> None:
    for prefix, _ in TIERS.values():
        for name in PAGES:
            answer = await house.call("GET", f"/{prefix}{name}", headers={"Authorization": "", "Accept": "text/html"})
            assert answer.status == 200 and f"/{prefix}{DOCUMENT}".encode() in answer.body
            addresses = re.findall(r'(?:src|href)="([^"]+)"', answer.body.decode())
            assert addresses and not [one for one in addresses if not one.startswith("/static/")]
