"""Servers of the OpenAI wire that differ: no usage option, one document, odd events, deployments, reasoning models."""

from __future__ import annotations

import pytest

from difyproj.kernel.errors import ProviderNotInitialize
from difyproj.kernel.http import AddressPolicy, Egress
from difyproj.model_runtime import catalogue
from difyproj.model_runtime.base import Credential, ModelRequest
from difyproj.model_runtime.errors import ModelCallFailed
from difyproj.model_runtime.messages import PromptMessage, Role, TokenUsage, ToolCall
from difyproj.model_runtime.providers.openai import OpenAIProvider
from difyproj.model_runtime.runtime import ModelRuntime
from difyproj.model_runtime.wires.exchange import Items
from difyproj.model_runtime.wires.lines import MAX_LINE
from difyproj.model_runtime.wires.openai_body import strict_ready
from difyproj.model_runtime.wires.openai_chat import ChatReader
from difyproj.model_runtime.wires.openai_provider import OpenAIWireProvider
from difyproj.testing.upstream import FakeUpstream, Script

from .rows import Answer, collect, credential, request

USER = PromptMessage(Role.USER, "Say hello")
END = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def read(*pieces: bytes) -> Answer:
    reader = ChatReader("Test")
    answer = Answer()
    items: list[Items] = [reader.feed(piece) for piece in pieces]
    for group in (*items, reader.finish()):
        for item in group:
            answer.add(item)
    return answer


@pytest.mark.parametrize(
    "script",
    [
        Script(refuse_field="stream_options"),
        Script(fail=422, fail_times=1, fail_message="stream_options"),
    ],
)
async def test_a_server_that_does_not_know_the_usage_option_is_asked_without_it(script: Script, runtime: ModelRuntime) -> None:
    async with FakeUpstream(script=script) as up:
        only = [credential("openai_api_compatible", up)]
        for _ in range(2):
            answer = await collect(runtime.stream("openai_api_compatible", only, request()))
            assert (answer.text, answer.usage) == ("Hello, world!", None)
        assert [("stream_options" in got.body) for got in up.received] == [True, False, False]


async def test_a_server_that_cannot_stream_answers_with_one_document(runtime: ModelRuntime) -> None:
    async with FakeUpstream(script=Script(whole=True, tool_calls=[ToolCall("c", "f", "{}")])) as up:
        answer = await collect(runtime.stream("openai", [credential("openai", up)], request()))
        assert (answer.text, answer.finish_reason, answer.usage) == ("Hello, world!", "tool_calls", TokenUsage(7, 3))
        assert answer.tool_calls == [ToolCall("c", "f", "{}")]


async def test_completion_models_use_the_text_wire(runtime: ModelRuntime) -> None:
    async with FakeUpstream() as up:
        asked = ModelRequest("test-model", [USER], stop=["world"], mode="completion")
        answer = await collect(runtime.stream("openai", [credential("openai", up)], asked))
        assert (answer.text, answer.usage) == ("Hello, ", TokenUsage(7, 3))
        assert (up.last.path, up.last.body["prompt"]) == ("/v1/completions", "Say hello")


async def test_azure_names_the_deployment_and_the_version_in_the_path(runtime: ModelRuntime) -> None:
    async with FakeUpstream() as up:
        only = credential("azure_openai", up, openai_api_version="2024-06-01")
        await collect(runtime.stream("azure_openai", [only], request()))
        assert up.last.path == "/openai/deployments/test-model/chat/completions?api-version=2024-06-01"
        assert "api-key" in up.last.headers
        await runtime.validate("azure_openai", only)
        assert up.last.path == "/openai/models?api-version=2024-06-01"
        newer = Credential("v1", {**only.values, "openai_api_base": f"{up.url}/openai/v1/"})
        await collect(runtime.stream("azure_openai", [newer], request()))
        assert up.last.path == "/openai/v1/chat/completions"


async def test_reasoning_models_get_no_sampling_and_their_stop_words_are_kept_here(runtime: ModelRuntime) -> None:
    async with FakeUpstream(script=Script(tokens=["Hel", "lo w", "orld"], delay=0.001)) as up:
        parameters = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 9, "reasoning_effort": "low"}
        asked = ModelRequest("o4-mini-2025-04-16", [USER], parameters, stop=["o world"])
        answer = await collect(runtime.stream("openai", [credential("openai", up)], asked))
        assert (answer.text, answer.finish_reason) == ("Hell", "stop")
        assert not {"temperature", "top_p", "max_tokens", "stop"} & set(up.last.body)
        assert (up.last.body["max_completion_tokens"], up.last.body["reasoning_effort"]) == (9, "low")
        await up.until(lambda: up.open == 0, seconds=1)


async def test_unknown_parameters_pass_and_empty_ones_stay_behind(runtime: ModelRuntime) -> None:
    async with FakeUpstream() as up:
        asked = request(USER, parameters={"min_p": 0.1, "seed": None, "response_format": "JSON_OBJECT", "top_k": ""})
        await collect(runtime.stream("vllm", [credential("vllm", up)], asked))
        assert up.last.body["min_p"] == 0.1
        assert up.last.body["response_format"] == {"type": "json_object"}
        assert not {"seed", "top_k"} & set(up.last.body)


async def test_the_thinking_switch_is_written_as_the_preset_says(runtime: ModelRuntime) -> None:
    async with FakeUpstream() as up:
        asked = request(USER, parameters={"thinking": True})
        await collect(runtime.stream("tongyi", [credential("tongyi", up)], asked))
        assert up.last.body["enable_thinking"] is True
        await collect(runtime.stream("zhipuai", [credential("zhipuai", up)], asked))
        assert up.last.body["thinking"] == {"type": "enabled"}
        await collect(runtime.stream("openai", [credential("openai", up)], asked))
        assert not {"thinking", "enable_thinking"} & set(up.last.body)


async def test_a_schema_in_the_parameters_counts_like_one_in_the_request(runtime: ModelRuntime) -> None:
    async with FakeUpstream() as up:
        text = '{"name": "person", "schema": {"type": "object", "properties": {}, "additionalProperties": false}}'
        asked = request(USER, parameters={"response_format": "json_schema", "json_schema": text})
        await collect(runtime.stream("openai", [credential("openai", up)], asked))
        sent = up.last.body["response_format"]["json_schema"]
        assert (sent["name"], sent["strict"], sent["schema"]["type"]) == ("person", True, "object")


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("https://api.example.com", "https://api.example.com/v1/chat/completions"),
        ("https://api.example.com/v1/", "https://api.example.com/v1/chat/completions"),
        ("https://api.example.com/custom/v2", "https://api.example.com/custom/v2/chat/completions"),
        ("https://api.example.com/v1/chat/completions", "https://api.example.com/v1/chat/completions"),
    ],
)
def test_base_urls_are_taken_as_people_write_them(given: str, asked: str) -> None:
    values = {"openai_api_key": "k", "openai_api_base": given}
    assert OpenAIProvider(values, Egress(AddressPolicy())).endpoint().url("chat/completions") == asked


def test_presets_choose_their_address() -> None:
    http = Egress(AddressPolicy())
    tongyi = catalogue.create("tongyi", {"dashscope_api_key": "k", "use_international_endpoint": "true"}, http)
    assert isinstance(tongyi, OpenAIWireProvider)
    assert "dashscope-intl" in tongyi.endpoint().template
    vllm = catalogue.create("vllm", {}, http)
    with pytest.raises(ProviderNotInitialize):
        vllm.llm()


def test_an_event_may_be_spread_over_several_data_lines() -> None:
    event = b'data: {"choices": [\ndata: {"delta": {"content":\ndata: "Hi"}}\ndata: ]}\n\n'
    assert read(event, END).text == "Hi"


def test_lines_may_end_as_on_windows_and_carry_other_fields() -> None:
    event = b': ping\r\nevent: message\r\nid: 7\r\nretry: 10\r\ndata:{"choices":[{"delta":{"content":"Hi"}}]}\r\n\r\n'
    assert read(event, END).text == "Hi"


def test_an_event_without_its_last_line_feed_counts() -> None:
    assert read(b'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}').text == "Hi"


def test_reasoning_and_typed_parts_of_other_servers_are_understood() -> None:
    parts = b'data: {"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},'
    parts += b'{"type":"text","text":"Hi"}]}},{"index":1,"delta":{"content":"other choice"}}]}\n\n'
    other = b'data: {"choices":[{"delta":{"reasoning":"more","content":null}}],"usage":null}\n\n'
    answer = read(parts, other, END)
    assert (answer.text, answer.reasoning) == ("Hi", "hmmore")


def test_tool_calls_without_index_or_with_object_arguments_are_understood() -> None:
    first = b'data: {"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":1}}}]}}]}\n\n'
    second = b'data: {"choices":[{"delta":{"tool_calls":[{"id":"b","function":{"name":"g","arguments":"{}"}}]}}]}\n\n'
    assert read(first, second, END).tool_calls == [ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}")]


def test_a_bare_error_line_is_the_error() -> None:
    with pytest.raises(ModelCallFailed, match="out of memory"):
        read(b'{"error": {"message": "out of memory"}}\n')


def test_an_endless_line_is_refused() -> None:
    reader = ChatReader("Test")
    with pytest.raises(ModelCallFailed, match="longer than"):
        for _ in range(MAX_LINE // 65536 + 1):
            reader.feed(b"x" * 65536)


def test_strict_schemas_are_recognised() -> None:
    closed = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
    assert strict_ready(closed)
    assert not strict_ready({**closed, "required": []})
    assert not strict_ready({**closed, "properties": {"a": {"type": "object"}}})
