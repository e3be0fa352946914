"""What differs between generations of Claude: sampling, thinking, answer formats, turns."""

from __future__ import annotations

from typing import Any

import pytest

from difyproj.kernel.http import Egress
from difyproj.model_runtime.base import Credential, ModelRequest
from difyproj.model_runtime.messages import DocumentPart, ImagePart, Part, PromptMessage, Role, TextPart, ToolCall, ToolSpec
from difyproj.model_runtime.runtime import ModelRuntime
from difyproj.testing.upstream import FakeUpstream

from .rows import collect, credential

USER = PromptMessage(Role.USER, "Say hello")
SCHEMA = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 1, "enum": [1, 2]}}}


async def sent(runtime: ModelRuntime, model: str, *messages: PromptMessage, **fields: Any) -> dict[str, Any]:
    async with FakeUpstream("anthropic") as up:
        request = ModelRequest(model, messages or [USER], **fields)
        await collect(runtime.stream("anthropic", [credential("anthropic", up)], request))
        body: dict[str, Any] = up.last.body
        return body


async def test_new_models_refuse_sampling_and_old_ones_take_one_kind(runtime: ModelRuntime) -> None:
    parameters = {"temperature": 1.7, "top_p": 0.5, "top_k": 3}
    assert not set(parameters) & set(await sent(runtime, "claude-opus-5-5", parameters=parameters))
    newer = await sent(runtime, "claude-sonnet-4-5-20250929", parameters=parameters)
    assert (newer["temperature"], "top_p" in newer, newer["top_k"]) == (1.0, False, 3)
    older = await sent(runtime, "claude-3-5-sonnet-20241022", parameters=parameters)
    assert (older["temperature"], older["top_p"]) == (1.0, 0.5)


async def test_thinking_is_adaptive_or_has_a_budget(runtime: ModelRuntime) -> None:
    parameters = {"thinking": "true", "thinking_budget": 5000, "max_tokens": 2000, "temperature": 0.2}
    assert (await sent(runtime, "claude-opus-5", parameters=parameters))["thinking"]["type"] == "adaptive"
    budgeted = await sent(runtime, "claude-sonnet-4-5", parameters=parameters)
    assert budgeted["thinking"] == {"type": "enabled", "budget_tokens": 5000}
    assert budgeted["max_tokens"] > 5000
    assert "temperature" not in budgeted
    assert "thinking" not in await sent(runtime, "claude-sonnet-4-5", parameters={"thinking": False})


async def test_older_models_do_not_think_within_a_round_of_tools(runtime: ModelRuntime) -> None:
    call = ToolCall("toolu_1", "clock", "not json")
    spoken = PromptMessage(Role.ASSISTANT, "Let me look.", tool_calls=[call])
    result = PromptMessage(Role.TOOL, "12:34", tool_call_id="toolu_1")
    body = await sent(
        runtime, "claude-sonnet-4-5", USER, spoken, result, tools=[ToolSpec("clock")], parameters={"thinking": True}
    )
    assert "thinking" not in body
    assert body["messages"][1]["content"][1] == {"type": "tool_use", "id": "toolu_1", "name": "clock", "input": {}}


async def test_a_schema_is_an_answer_format_or_a_forced_tool(runtime: ModelRuntime) -> None:
    newer = await sent(runtime, "claude-opus-5", response_schema=SCHEMA)
    schema = newer["output_config"]["format"]["schema"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["age"] == {"type": "integer", "enum": [1, 2]}
    older = await sent(runtime, "claude-3-5-haiku-20241022", response_schema=SCHEMA)
    assert older["tool_choice"] == {"type": "tool", "name": "answer"}
    assert older["tools"][0]["input_schema"] == SCHEMA


async def test_turns_are_joined_and_begin_with_the_user(runtime: ModelRuntime) -> None:
    turns = [
        PromptMessage(Role.ASSISTANT, "Welcome"),
        PromptMessage(Role.USER, "One"),
        PromptMessage(Role.USER, "Two"),
        PromptMessage(Role.ASSISTANT, "  "),
    ]
    body = await sent(runtime, "claude-opus-5", *turns)
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert [block["text"] for block in body["messages"][2]["content"]] == ["One", "Two"]


async def test_a_prompt_of_instructions_alone_is_a_question(runtime: ModelRuntime) -> None:
    body = await sent(runtime, "claude-opus-5", PromptMessage(Role.SYSTEM, "Name a colour"))
    assert "system" not in body
    assert body["messages"][0]["content"][0]["text"] == "Name a colour"


async def test_files_come_as_the_wire_s_blocks(runtime: ModelRuntime) -> None:
    parts: list[Part] = [
        ImagePart(url="https://example.com/a.png"),
        ImagePart(url="data:image/jpeg;base64,QUJD"),
        DocumentPart(b"plain", "text/markdown", "a.md"),
        TextPart("Read"),
    ]
    blocks = (await sent(runtime, "claude-opus-5", PromptMessage(Role.USER, parts)))["messages"][0]["content"]
    assert blocks[0]["source"] == {"type": "url", "url": "https://example.com/a.png"}
    assert blocks[1]["source"] == {"type": "base64", "media_type": "image/jpeg", "data": "QUJD"}
    assert blocks[2]["source"] == {"type": "text", "media_type": "text/plain", "data": "plain"}


@pytest.mark.parametrize("given", ["{url}", "{url}/", "{url}/v1"])
async def test_the_address_may_be_written_with_or_without_the_version(given: str, http: Egress) -> None:
    async with FakeUpstream("anthropic") as up:
        values = {"anthropic_api_key": "k", "anthropic_api_url": given.format(url=up.url)}
        await ModelRuntime(http).validate("anthropic", Credential("x", values))
        assert (up.last.path, up.last.headers["x-api-key"]) == ("/v1/models", "k")
