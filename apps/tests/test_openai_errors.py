"""Every refusal of the OpenAI-compatible routes has OpenAI's shape, and the stock client raises its own exceptions for it."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from django.test.utils import override_settings

from apps.models import Message, Run
from apps.services import apps
from difyproj.testing.served import Answer, Served
from difyproj.testing.upstream import Script

from .openai_client import USER, assert_openai_error, client_of, complete


async def test_an_unknown_key_is_an_authentication_error(house: Served) -> None:
    async with client_of(house, token="app-unknown") as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            await client.chat.completions.create(model="x", messages=[USER])
    assert (caught.value.code, caught.value.type) == ("invalid_api_key", "invalid_request_error")
    assert caught.value.response.headers["WWW-Authenticate"] == 'Bearer realm="api"'


async def test_a_wrong_request_is_a_bad_request_error_that_names_the_field(house: Served) -> None:
    async with client_of(house) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(model="x", messages=[USER], temperature=3)
    assert (caught.value.code, caught.value.param) == ("invalid_param", "temperature")
    assert "at most 2" in caught.value.message


async def test_an_unknown_model_is_a_not_found_error(house: Served) -> None:
    async with client_of(house) as client:
        with pytest.raises(openai.NotFoundError) as caught:
            await client.models.retrieve("gpt-4o")
    assert caught.value.code == "model_not_found"


async def test_a_busy_app_is_a_rate_limit_error_that_says_when_to_come_again(house: Served) -> None:
    await apps_limit(house, 1)
    house.upstream.script = Script(hang="first")
    async with client_of(house) as client:
        first = await client.chat.completions.create(model="x", messages=[USER], stream=True)
        with pytest.raises(openai.RateLimitError) as caught:
            await client.chat.completions.create(model="x", messages=[USER])
        await first.close()
    assert (caught.value.code, caught.value.type) == ("rate_limit_exceeded", "rate_limit_error")
    assert int(caught.value.response.headers["Retry-After"]) >= 1


async def apps_limit(house: Served, most: int) -> None:
    house.chat.app = await asyncio.to_thread(apps.update, house.chat.app, max_active_requests=most)


async def test_a_token_that_calls_too_often_is_limited_on_every_route(house: Served) -> None:
    with override_settings(API_TOKEN_RATE="2/m"):
        answers = [await house.call("GET", "/v1/models") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert_openai_error(answers[-1], 429, "rate_limit_exceeded", kind="rate_limit_error")
    assert int(answers[-1].headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "unsupported_parameter", "tools"),
        ({"functions": [{"name": "f"}]}, "unsupported_parameter", "functions"),
        ({"n": 2}, "unsupported_parameter", "n"),
        ({"n": 0}, "unsupported_parameter", "n"),
        ({"logprobs": True}, "unsupported_parameter", "logprobs"),
        ({"logit_bias": {"50256": -100}}, "unsupported_parameter", "logit_bias"),
        ({"modalities": ["text", "audio"]}, "unsupported_parameter", "modalities"),
        ({"messages": []}, "invalid_param", "messages"),
        ({"messages": None}, "invalid_param", "messages"),
        ({"messages": "Hello?"}, "invalid_param", "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "invalid_param", "messages"),
        ({"messages": [USER, {"role": "assistant", "content": "x"}]}, "invalid_param", "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "invalid_param", "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "invalid_param", "messages[0].content"),
        ({"messages": [{"role": "user", "content": [7]}]}, "invalid_param", "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "invalid_param", "messages[0].content[0].text"),
        ({"messages": [{"role": "tool", "content": "x"}, USER]}, "unsupported_parameter", "messages[0].role"),
        (
            {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}, USER]},
            "unsupported_parameter",
            "messages[0].tool_calls",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
            "unsupported_parameter",
            "messages[0].content[0].type",
        ),
        ({"messages": [{"role": "user", "content": " "}]}, "invalid_param", "query"),
        ({"temperature": "hot"}, "invalid_param", "temperature"),
        ({"top_p": -0.1}, "invalid_param", "top_p"),
        ({"max_tokens": 0}, "invalid_param", "max_tokens"),
        ({"seed": 2**70}, "invalid_param", "seed"),
        ({"stop": ["a"] * 5}, "invalid_param", "stop"),
        ({"stop": [""]}, "invalid_param", "stop"),
        ({"response_format": {"type": "xml"}}, "invalid_param", "response_format"),
        ({"response_format": {"type": "json_schema"}}, "invalid_param", "response_format"),
        ({"inputs": []}, "invalid_param", "inputs"),
        ({"user": "x" * 256}, "invalid_param", "user"),
    ],
)
async def test_what_is_not_offered_and_what_is_wrong_is_refused_by_name(
    house: Served, fields: dict[str, Any], code: str, param: str
) -> None:
    body = {"model": "x", "messages": [USER], **fields}
    answer = await house.call("POST", "/v1/chat/completions", json=body)
    assert_openai_error(answer, 400, code, param=param, kind="invalid_request_error")
    assert await Run.objects.acount() == 0


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings"])
@pytest.mark.parametrize("body", [b"{", b"", b"[]", b"null", b"\xff", b'"x"'])
async def test_a_body_that_is_no_object_is_refused_in_the_shape(house: Served, path: str, body: bytes) -> None:
    answer = await house.call("POST", path, data=body, headers={"Content-Type": "application/json"})
    assert_openai_error(answer, 400, "invalid_param")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("PUT", "/v1/embeddings", 405, "method_not_allowed"),
        ("GET", "/v1/chat/nothing", 404, "not_found"),
        ("POST", "/v1/responses", 404, "not_found"),
        ("POST", "/v1/images/generations", 404, "not_found"),
        ("GET", "/v1/models/no/such/model", 404, "model_not_found"),
    ],
)
async def test_wrong_methods_and_unknown_routes_have_the_shape(
    house: Served, method: str, path: str, status: int, code: str
) -> None:
    assert_openai_error(await house.call(method, path), status, code)


async def test_an_unreadable_content_type_has_the_shape(house: Served) -> None:
    answer = await house.call("POST", "/v1/chat/completions", data=b"x", headers={"Content-Type": "text/plain"})
    assert_openai_error(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/v1/models/x"])
async def test_a_body_that_is_too_large_has_the_shape(house: Served, path: str) -> None:
    with override_settings(MAX_BODY_BYTES=100):
        answer = await house.call("POST", path, data=b"x" * 101)
    assert_openai_error(answer, 413, "request_entity_too_large")


async def test_a_json_body_over_the_limit_in_memory_has_the_shape(house: Served) -> None:
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=100):
        answer = await complete(house, {"role": "user", "content": "x" * 200})
    assert_openai_error(answer, 413, "request_entity_too_large")


async def test_a_crash_has_the_shape_and_says_nothing(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_: object) -> None:
        raise RuntimeError("SECRET detail")

    monkeypatch.setattr(apps, "model_name", crash)
    async with client_of(house) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(model="x", messages=[USER])
    assert caught.value.type == "server_error"
    assert "SECRET" not in str(caught.value.body)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "completion_request_error", "api_error"),
        (401, "provider_not_initialize", "api_error"),
        (402, "provider_quota_exceeded", "insufficient_quota"),
    ],
)
async def test_a_provider_that_refuses_is_told_and_kept(house: Served, status: int, code: str, kind: str) -> None:
    house.upstream.script = Script(fail=status, fail_message="Key sk-test-0123456789abcdef is no good.")
    answer = await complete(house)
    expected = "insufficient_quota" if kind == "insufficient_quota" else code
    assert_openai_error(answer, 400, expected, kind=kind)
    assert b"0123456789abcdef" not in answer.body
    row = await Message.objects.select_related("run").aget()
    assert row.run is not None and (row.status, row.run.error_code) == ("error", code)


async def test_an_error_in_mid_answer_is_told_in_the_stream(house: Served) -> None:
    house.upstream.script = Script(tokens=("One ", "two "), delay=0.05, stream_error="The model is tired.")
    said: list[str] = []
    async with client_of(house) as client:
        stream = await client.chat.completions.create(model="x", messages=[USER], stream=True)
        with pytest.raises(openai.APIError) as caught:
            async for chunk in stream:
                said.append(chunk.choices[0].delta.content or "")
    assert "".join(said) == "One two "
    assert (caught.value.code, caught.value.type) == ("completion_request_error", "api_error")
    assert (await Message.objects.aget()).answer == "One two "


async def test_an_app_that_is_switched_off_is_refused_in_the_shape(house: Served) -> None:
    house.chat.app = await asyncio.to_thread(apps.update, house.chat.app, enable_api=False)
    for answer in await everything(house):
        assert_openai_error(answer, 403, "app_api_disabled", kind="permission_error")


async def everything(house: Served) -> list[Answer]:
    return [
        await complete(house),
        await house.call("GET", "/v1/models"),
        await house.call("POST", "/v1/embeddings", json={"input": "x"}),
    ]


async def test_the_javascript_client_may_ask_from_a_page(house: Served) -> None:
    answer = await house.call("OPTIONS", "/v1/chat/completions", headers={"Origin": "https://page.example"})
    allowed = set(answer.headers["Access-Control-Allow-Headers"].lower().split(", "))
    assert {"authorization", "content-type", "x-conversation-id", "x-stainless-os", "x-stainless-runtime"} <= allowed
    assert "X-Conversation-Id" in answer.headers["Access-Control-Expose-Headers"]
