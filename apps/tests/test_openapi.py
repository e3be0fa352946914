"""The Service API's OpenAPI document: complete, without a warning, and the committed one is the present one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command

from difyproj.kernel import jsonio
from difyproj.testing.openapi import METHODS
from difyproj.testing.served import Served
from difyproj.tiers.error_shapes import for_path, openai
from difyproj.urls.service import urlpatterns

COMMITTED = Path(__file__).resolve().parent.parent.parent / "docs" / "api" / "service.openapi.json"

KNOWLEDGE = ("/datasets", "/workspaces/", "/retrieval")
SAID_BY_ADDRESS = {"/datasets/{dataset_id}/metadata/built-in/{action}"}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The document as ``script/openapi`` writes it; a warning is a failure."""
    file = tmp_path_factory.mktemp("openapi") / "made.json"
    call_command(
        "spectacular",
        urlconf="difyproj.urls.service",
        custom_settings="difyproj.tiers.docs.SERVICE",
        format="openapi-json",
        validate=True,
        fail_on_warn=True,
        file=str(file),
    )
    return jsonio.loads(file.read_bytes())


def operations(document: Any) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, one) for path, found in document["paths"].items() for method, one in found.items()]


def test_the_committed_document_is_the_present_one(document: Any) -> None:
    committed = jsonio.loads(COMMITTED.read_bytes())
    committed["info"]["version"] = document["info"]["version"]
    assert committed == document, "run script/openapi"


async def test_the_served_document_is_the_committed_one(house: Served) -> None:
    served = (await house.call("GET", "/v1/openapi.json", headers={"Authorization": ""})).json()
    assert served == jsonio.loads(COMMITTED.read_bytes())


def test_every_route_and_method_is_described(document: Any) -> None:
    described = {(method, path) for method, path, _ in operations(document)}
    routed = {
        (method, "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern)))
        for pattern in urlpatterns
        for method in pattern.callback.actions  # type: ignore[attr-defined]
    }
    assert described == {(method, path) for method, path in routed if method in METHODS}


def test_every_operation_needs_the_token_and_tells_its_refusals(document: Any) -> None:
    for method, path, operation in operations(document):
        key = "DatasetKeyAuth" if path.startswith(KNOWLEDGE) else "ApiKeyAuth"
        assert operation["security"] == [{key: []}], path
        expected = {"401", "403", "429", "500"} | ({"400", "404"} if method != "get" or "{" in path else set())
        assert expected <= set(operation["responses"]), (method, path)
        refusals = {status: one for status, one in operation["responses"].items() if status >= "400"}
        for status, refusal in refusals.items():
            body = "OpenAIErrorBody" if for_path(f"/v1{path}") is openai else "ErrorBody"
            assert refusal["content"] == {"application/json": {"schema": {"$ref": f"#/components/schemas/{body}"}}}, path
            assert refusal["description"], (path, status)


def test_every_change_says_what_it_reads(document: Any) -> None:
    for method, path, operation in operations(document):
        reads = method != "get" and path not in SAID_BY_ADDRESS
        assert method == "delete" or ("requestBody" in operation) is reads, (method, path)
        named = (
            {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"} if "{" in path else set()
        )
        assert named == set(re.findall(r"{(\w+)}", path))


def test_every_answer_has_a_described_body(document: Any) -> None:
    for method, path, operation in operations(document):
        successes = [status for status in operation["responses"] if status < "300"]
        assert successes, (method, path)
        for success in successes:
            content = operation["responses"][success].get("content", {})
            assert bool(content) is (success != "204"), (method, path)
            assert all(body["schema"] for body in content.values()), (method, path)
    schemas = document["components"]["schemas"]
    assert all(set(one) - {"type", "description"} for one in schemas.values()), "an object without a shape"


@pytest.mark.parametrize("path", ["/v1/docs", "/v1/redoc"])
async def test_the_pages_need_nothing_from_elsewhere(house: Served, path: str) -> None:
    page = (await house.call("GET", path)).body.decode()
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert addresses and not [one for one in addresses if not one.startswith("/static/")]
    for address in addresses:
        assert finders.find(address.removeprefix("/static/")), address


async def test_the_page_for_browsers_shows_indented_json_and_leads_to_the_documentation(house: Served) -> None:
    page = (await house.call("GET", "/v1/meta", headers={"Accept": "text/html,application/xhtml+xml"})).body.decode()
    assert "{\n  &quot;tool_icons&quot;: {}\n}" in page
    assert 'href="/v1/docs">Service API' in page
