"""Every chat provider of the catalogue, over a real socket to a fake upstream that speaks its wire."""

from __future__ import annotations

import asyncio

import pytest

from difyproj.kernel import jsonio
from difyproj.kernel.errors import DomainError, ModelNotSupported, ProviderNotInitialize, ProviderQuotaExceeded
from difyproj.model_runtime.base import ModelType
from difyproj.model_runtime.errors import ModelCallFailed
from difyproj.model_runtime.messages import (
    AudioPart,
    Delta,
    DocumentPart,
    ImagePart,
    PromptMessage,
    Role,
    TextPart,
    TokenUsage,
    ToolCall,
    ToolSpec,
)
from difyproj.model_runtime.runtime import Backoff, ModelRuntime
from difyproj.model_runtime.streams import closing
from difyproj.model_runtime.wires import exchange
from difyproj.testing.upstream import WIRES, FakeUpstream, Script, Understood

from .rows import KEY, Answer, collect, credential, named, online, request, upstream, wire_of

pytestmark = pytest.mark.parametrize("name", online(ModelType.LLM))

USER = PromptMessage(Role.USER, "Say hello")
WEATHER = ToolSpec(
    "weather", "The weather of a city", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
)
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": False}
ONCE = Backoff(tries=1)


def understood(up: FakeUpstream, name: str) -> Understood:
    return WIRES.get(wire_of(name))().understand(up.last)


async def test_text_arrives_whole_with_finish_reason_and_usage(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        system = PromptMessage(Role.SYSTEM, "Be brief")
        asked = request(system, USER, parameters={"temperature": 0.5, "max_tokens": 50})
        answer = await collect(runtime.stream(name, [credential(name, up)], asked))
        assert (answer.text, answer.finish_reason, answer.usage) == ("Hello, world!", "stop", TokenUsage(7, 3))
        got = understood(up, name)
        assert (got.system, list(got.turns), got.max_tokens) == ("Be brief", [("user", "Say hello")], 50)
        assert got.temperature == (None if name == "anthropic" else 0.5)
        assert KEY in up.last.path + "".join(up.last.headers.values())


async def test_a_conversation_keeps_its_turns(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        turns = [PromptMessage(Role.USER, "One"), PromptMessage(Role.ASSISTANT, "Two"), PromptMessage(Role.USER, "Three")]
        await collect(runtime.stream(name, [credential(name, up)], request(*turns)))
        assert list(understood(up, name).turns) == [("user", "One"), ("assistant", "Two"), ("user", "Three")]


async def test_tokens_that_wait_together_come_as_one_delta(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(tokens=[f" word{number}" for number in range(100)])
        answer = await collect(runtime.stream(name, [credential(name, up)], request()))
        assert answer.text == up.script.text
        assert len(answer.deltas) <= 4


async def test_tool_calls_are_offered_read_and_answered(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        calls = [ToolCall("call_1", "weather", '{"city":"Oslo"}'), ToolCall("call_2", "weather", '{"city":"Rome"}')]
        up.script = Script(tokens=(), tool_calls=calls)
        first = await collect(runtime.stream(name, [credential(name, up)], request(USER, tools=[WEATHER])))
        assert named(first.tool_calls) == named(calls)
        assert first.finish_reason == "tool_calls"
        assert len({call.id for call in first.tool_calls}) == 2
        assert understood(up, name).tools["weather"]["properties"] == WEATHER.parameters["properties"]
        results = [PromptMessage(Role.TOOL, f"{index} degrees", tool_call_id=c.id) for index, c in enumerate(first.tool_calls)]
        spoken = PromptMessage(Role.ASSISTANT, "", tool_calls=first.tool_calls)
        up.script = Script()
        await collect(runtime.stream(name, [credential(name, up)], request(USER, spoken, *results, tools=[WEATHER])))
        got = understood(up, name)
        assert named(got.tool_calls) == named(calls)
        assert [text for _, text in got.tool_results] == ["0 degrees", "1 degrees"]


async def test_images_reach_the_model(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        message = PromptMessage(Role.USER, [TextPart("What is it?"), ImagePart(data=b"image bytes", mime_type="image/png")])
        await collect(runtime.stream(name, [credential(name, up)], request(message)))
        got = understood(up, name)
        assert list(got.turns) == [("user", "What is it?")]
        assert [image.rpartition(",")[2] for image in got.images] == ["aW1hZ2UgYnl0ZXM="]


@pytest.mark.parametrize(("part", "kind"), [(AudioPart(b"sound"), "audio"), (DocumentPart(b"%PDF-1.4"), "documents")])
async def test_other_parts_reach_the_model_or_are_refused_clearly(
    name: str, part: AudioPart | DocumentPart, kind: str, runtime: ModelRuntime
) -> None:
    async with upstream(name) as up:
        asked = request(PromptMessage(Role.USER, [TextPart("What is it?"), part]))
        try:
            await collect(runtime.stream(name, [credential(name, up)], asked))
        except ModelNotSupported as error:
            assert "parts" in error.message
            assert up.requests == 0
        else:
            assert len(getattr(understood(up, name), kind)) == 1


async def test_reasoning_is_kept_apart_from_the_text(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(reasoning=["Let me ", "think."])
        answer = await collect(runtime.stream(name, [credential(name, up)], request(USER, parameters={"thinking": True})))
        assert (answer.reasoning, answer.text) == ("Let me think.", "Hello, world!")


async def test_stop_words_end_the_text(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        answer = await collect(runtime.stream(name, [credential(name, up)], request(USER, stop=["world"])))
        assert (answer.text, answer.finish_reason) == ("Hello, ", "stop")


async def test_a_length_limit_is_named_as_the_reason(name: str, runtime: ModelRuntime) -> None:
    native = {"openai": "length", "anthropic": "max_tokens", "gemini": "MAX_TOKENS", "ollama": "length", "cohere": "MAX_TOKENS"}
    async with upstream(name) as up:
        up.script = Script(finish=native[wire_of(name)])
        assert (await collect(runtime.stream(name, [credential(name, up)], request()))).finish_reason == "length"


async def test_a_json_schema_reaches_the_model_and_its_answer_is_text(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(tokens=['{"name":', '"Ada"}'])
        answer = await collect(runtime.stream(name, [credential(name, up)], request(USER, response_schema=SCHEMA)))
        assert jsonio.loads(answer.text) == {"name": "Ada"}
        assert (answer.tool_calls, answer.finish_reason) == ([], "stop")
        got = understood(up, name)
        assert got.schema is not None
        assert '"name"' in got.system or got.schema["properties"] == SCHEMA["properties"]


async def test_no_usage_is_invented(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(usage=None)
        usage = (await collect(runtime.stream(name, [credential(name, up)], request()))).usage
        assert usage is None or usage.prompt_tokens == 0


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, ProviderNotInitialize), (403, ProviderNotInitialize), (402, ProviderQuotaExceeded), (404, ModelNotSupported)],
)
async def test_refusals_become_the_contract_s_errors(
    name: str, status: int, kind: type[DomainError], runtime: ModelRuntime
) -> None:
    async with upstream(name) as up:
        up.script = Script(fail=status, fail_message=f"No entry with {KEY}, nor with sk-another-secret-key")
        with pytest.raises(kind) as caught:
            await collect(runtime.stream(name, [credential(name, up)], request()))
        assert "No entry with ***" in caught.value.message
        assert "secret" not in caught.value.message
        assert up.requests == 1


async def test_a_used_up_quota_is_not_a_busy_server(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(fail=429, fail_message="You exceeded your current quota, please check your plan.")
        with pytest.raises(ProviderQuotaExceeded):
            await collect(runtime.stream(name, [credential(name, up)], request()))


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_passing_failures_are_tried_again(name: str, status: int, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(fail=status, fail_times=2, retry_after=0.001)
        assert (await collect(runtime.stream(name, [credential(name, up)], request()))).text == "Hello, world!"
        assert up.requests == 3


async def test_a_lasting_failure_is_told_with_its_decision(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(fail=429, retry_after=7)
        with pytest.raises(ModelCallFailed) as caught:
            await collect(runtime.stream(name, [credential(name, up)], request()))
        assert (caught.value.code, caught.value.retryable, caught.value.retry_after) == ("completion_request_error", True, 7.0)
        assert up.requests == 1


async def test_a_bad_request_is_not_tried_again(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(fail=400, fail_message="temperature is too high")
        with pytest.raises(ModelCallFailed, match="temperature is too high") as caught:
            await collect(runtime.stream(name, [credential(name, up)], request()))
        assert not caught.value.retryable
        assert up.requests == 1


async def test_an_error_inside_the_stream_ends_it(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(stream_error="The model fell over", delay=0.001)
        answer = Answer()
        with pytest.raises(ModelCallFailed, match="The model fell over"):
            async for item in runtime.stream(name, [credential(name, up)], request()):
                answer.add(item)
        assert answer.text == "Hello, world!"


async def test_a_broken_connection_keeps_what_came_and_is_not_tried_again(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(disconnect_after=3, delay=0.005)
        answer = Answer()
        with pytest.raises(ModelCallFailed):
            async for item in runtime.stream(name, [credential(name, up)], request()):
                answer.add(item)
        assert answer.text == "Hello, world"
        assert up.requests == 1


async def test_a_connection_that_breaks_before_the_first_token_is_tried_again(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(disconnect_after=0)
        with pytest.raises(ModelCallFailed):
            await collect(runtime.stream(name, [credential(name, up)], request()))
        assert up.requests == 3


async def test_a_stream_cut_at_a_clean_boundary_is_still_an_error(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(tokens=(), cut_end=True)
        with pytest.raises(ModelCallFailed, match="ended before"):
            await collect(ModelRuntime(runtime.http, backoff=ONCE).stream(name, [credential(name, up)], request()))


async def test_bytes_that_come_one_by_one_make_the_same_answer(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(tokens=["Zwölf ", "Boxkämpfer ", "吃饭"], dribble=True)
        answer = await collect(runtime.stream(name, [credential(name, up)], request()))
        assert (answer.text, answer.usage) == ("Zwölf Boxkämpfer 吃饭", TokenUsage(7, 3))


async def test_a_few_malformed_events_are_skipped(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(malformed=3)
        answer = await collect(runtime.stream(name, [credential(name, up)], request()))
        assert (answer.text, answer.usage) == ("Hello, world!", TokenUsage(7, 3))


async def test_a_stream_of_rubbish_ends_with_a_clear_error(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(tokens=["x"] * 40, malformed=40)
        with pytest.raises(ModelCallFailed, match="malformed"):
            await collect(ModelRuntime(runtime.http, backoff=ONCE).stream(name, [credential(name, up)], request()))


async def test_a_stream_that_never_ends_is_cut_off(name: str, runtime: ModelRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "STREAM_BODY", 10_000)
    async with upstream(name) as up:
        up.script = Script(tokens=["x" * 100] * 10_000)
        answer = Answer()
        with pytest.raises(ModelCallFailed, match="more than 10000 bytes"):
            async for item in runtime.stream(name, [credential(name, up)], request()):
                answer.add(item)
        assert len(answer.text) < 10_000
        assert up.requests == 1


async def test_more_text_than_is_wanted_is_cut_off(name: str, runtime: ModelRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "ANSWER_TEXT", 10_000)
    async with upstream(name) as up:
        up.script = Script(tokens=["x" * 1000] * 50)
        with pytest.raises(ModelCallFailed, match="more than 10000 characters"):
            await collect(runtime.stream(name, [credential(name, up)], request()))
        assert up.requests == 1


async def test_closing_the_iterator_closes_the_socket(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(hang="end")
        async with closing(runtime.stream(name, [credential(name, up)], request())) as items:
            assert isinstance(await anext(items), Delta)
        await up.until(lambda: up.aborted == 1, seconds=1)
        assert up.open == 0


async def test_cancelling_the_reader_closes_the_socket_before_the_first_token(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(hang="before")
        reading = asyncio.create_task(collect(runtime.stream(name, [credential(name, up)], request())))
        await up.until(lambda: up.open == 1)
        reading.cancel()
        await up.until(lambda: up.aborted == 1, seconds=1)
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert runtime.pool.busy(name, credential(name, up)) == 0


@pytest.mark.parametrize("hang", ["before", "first"])
async def test_a_silent_server_is_given_up_in_time(name: str, hang: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(hang=hang)
        once = ModelRuntime(runtime.http, backoff=ONCE)
        with pytest.raises(ModelCallFailed, match=r"within 0\.2 seconds") as caught:
            await collect(once.stream(name, [credential(name, up)], request(USER, first_token_timeout=0.2)))
        assert caught.value.retryable
        await up.until(lambda: up.aborted == 1, seconds=1)


async def test_one_connection_serves_calls_one_after_the_other(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        for _ in range(3):
            await collect(runtime.stream(name, [credential(name, up)], request()))
        assert (up.requests, up.connections) == (3, 1)


async def test_a_good_key_is_valid_and_a_bad_one_is_not(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(keys={"sk-wrong": 401})
        await runtime.validate(name, credential(name, up))
        with pytest.raises(ProviderNotInitialize):
            await runtime.validate(name, credential(name, up, key="sk-wrong-key"))
