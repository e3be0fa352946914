"""Nodes that reach the world, in whole runs: requests, documents, tools; and what of a secret may go where."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.models.token import TokenKind
from apps.services import tokens
from difyproj.infra import backends
from difyproj.kernel import ids
from difyproj.testing.served import Key, Served
from workflows.models import NodeExecution

from .flows import Asked, ask, end, make_flow, node, row, start, text_input
from .test_file_upload import upload

SECRET = {"id": str(ids.new_id()), "name": "key", "value_type": "secret", "value": "sk-very-secret"}
BEARER = {"type": "api-key", "config": {"type": "bearer", "api_key": "{{#env.key#}}"}}


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


async def asked_of(house: Served, graph: Any, **parts: Any) -> Asked:
    inputs = parts.pop("inputs", {})
    app = await sync_to_async(make_flow)(house.cast.alice, graph, **parts)
    return await ask(app, inputs=inputs)


async def test_a_request_of_a_run_arrives_and_its_trace_holds_no_key(house: Served) -> None:
    body = {"type": "json", "data": [{"key": "", "type": "text", "value": '{"messages": [], "model": "{{#start.word#}}"}'}]}
    url = f"{house.upstream.url}/v1/chat/completions"
    request = node("web", "http-request", method="post", url=url, authorization=BEARER, body=body)
    graph = row(start(text_input("word")), request, end(status=["web", "status_code"]))
    asked = await asked_of(house, graph, environment_variables=[SECRET], inputs={"word": "m"})
    assert (await asked.whole())["data"]["outputs"] == {"status": 200}
    assert house.upstream.last.headers["authorization"] == "Bearer sk-very-secret"
    assert house.upstream.last.body["model"] == "m"
    kept = await NodeExecution.objects.aget(run_id=asked.run_id, node_id="web")
    assert "Authorization: ******" in (kept.process_data or {})["request"]
    assert "sk-very-secret" not in str([kept.inputs, kept.process_data, kept.outputs])


@pytest.mark.parametrize(
    "parts", [{"authorization": BEARER}, {"params": "q:{{#env.key#}}"}, {"headers": "X-Own: {{#env.key#}}"}]
)
async def test_a_secret_of_the_environment_goes_to_no_host_that_a_caller_names(house: Served, parts: dict[str, Any]) -> None:
    graph = row(start(text_input("word")), node("web", "http-request", url="{{#start.word#}}", **parts), end())
    before = house.upstream.requests
    asked = await asked_of(house, graph, environment_variables=[SECRET], inputs={"word": house.upstream.url})
    data = (await asked.whole())["data"]
    assert data["status"] == "failed" and "could choose to whom" in data["error"]
    assert house.upstream.requests == before


async def test_an_uploaded_document_gives_its_text(house: Served) -> None:
    variable = {
        "variable": "doc", "type": "file", "label": "d", "required": True, "allowed_file_types": ["document"],
        "allowed_file_upload_methods": ["local_file"],
    }  # fmt: skip
    graph = row(
        start(variable), node("read", "document-extractor", variable_selector=["start", "doc"]), end(t=["read", "text"])
    )
    app = await sync_to_async(make_flow)(house.cast.alice, graph)
    _, token = await sync_to_async(tokens.create)(tenant=app.tenant, app=app, kind=TokenKind.APP)
    sent = await upload(house, b"Name;Size\na;1", name="a.csv", mime="text/csv", key=Key(app, token))
    given = {"type": "document", "transfer_method": "local_file", "upload_file_id": sent.json()["id"]}
    asked = await ask(app, inputs={"doc": given})
    assert (await asked.whole())["data"]["outputs"] == {"t": "| Name | Size |\n| --- | --- |\n| a | 1 |"}


async def test_a_built_in_tool_answers(house: Served) -> None:
    day = {name: {"type": "constant", "value": value} for name, value in (("year", 2024), ("month", 2), ("day", 29))}
    tool = node("day", "tool", provider_type="builtin", provider_id="time", tool_name="weekday", tool_parameters=day)
    asked = await asked_of(house, row(start(), tool, end(t=["day", "text"], j=["day", "json"])))
    assert (await asked.whole())["data"]["outputs"] == {"t": "2024-02-29 is a Thursday.", "j": [{"data": []}]}
