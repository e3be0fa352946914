"""The official SDKs as oracles: the same fake upstream read through the SDK and through the adapter, the results equal."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic import AsyncAnthropic
from google import genai
from google.genai import types
from openai import AsyncOpenAI

from difyproj.model_runtime.messages import PromptMessage, Role, TokenUsage, ToolCall, ToolSpec
from difyproj.model_runtime.runtime import ModelRuntime
from difyproj.testing.upstream import WIRES, FakeUpstream, Script

from .rows import KEY, Answer, collect, credential, named, request

CALL = ToolCall("call_1", "weather", '{"city":"Oslo"}')
SCRIPTS = {
    "text": Script(),
    "long": Script(tokens=[f" word{number}" for number in range(300)]),
    "unicode": Script(tokens=["Zwölf ", "吃饭\n", '"quoted" \\ ', "\u2028 🎉"]),
    "tools": Script(tokens=["Let me see."], tool_calls=[CALL, ToolCall("call_2", "weather", "{}")]),
    "reasoning": Script(reasoning=["Let me ", "think."]),
    "slow bytes": Script(dribble=True),
    "delayed": Script(delay=0.001),
}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
SYSTEM = PromptMessage(Role.SYSTEM, "Be brief")
USER = PromptMessage(Role.USER, "Say hello")
TOOL = ToolSpec("weather", "The weather", PARAMETERS)
ASKED = request(SYSTEM, USER, tools=[TOOL], stop=["END"], parameters={"max_tokens": 50})

pytestmark = pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())


async def by_adapter(name: str, up: FakeUpstream, runtime: ModelRuntime) -> Answer:
    return await collect(runtime.stream(name, [credential(name, up)], ASKED))


async def test_openai(script: Script, runtime: ModelRuntime) -> None:
    async with FakeUpstream("openai", script) as up:
        ours = await by_adapter("openai", up, runtime)
        our_request = WIRES.get("openai")().understand(up.last)
        theirs = await _by_openai(up)
        assert our_request == WIRES.get("openai")().understand(up.last)
    assert (ours.text, ours.reasoning, ours.tool_calls) == (theirs.text, theirs.reasoning, theirs.tool_calls)
    assert (ours.finish_reason, ours.usage) == (theirs.finish_reason, theirs.usage)


async def _by_openai(up: FakeUpstream) -> Answer:
    answer = Answer()
    calls: dict[int, list[str]] = {}
    tool: Any = {"type": "function", "function": {"name": "weather", "description": "The weather", "parameters": PARAMETERS}}
    async with AsyncOpenAI(api_key=KEY, base_url=f"{up.url}/v1", max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="test-model",
            messages=[{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Say hello"}],
            tools=[tool],
            max_completion_tokens=50,
            stop=["END"],
            stream=True,
            stream_options={"include_usage": True},
        )
        async for chunk in stream:
            if chunk.usage is not None:
                answer.usage = TokenUsage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
            for choice in chunk.choices:
                answer.text += choice.delta.content or ""
                answer.reasoning += (choice.delta.model_extra or {}).get("reasoning_content", "")
                answer.finish_reason = choice.finish_reason or answer.finish_reason
                for call in choice.delta.tool_calls or ():
                    held = calls.setdefault(call.index, ["", "", ""])
                    function = call.function
                    pieces = (call.id, function.name if function else "", function.arguments if function else "")
                    calls[call.index] = [old + (new or "") for old, new in zip(held, pieces, strict=True)]
    answer.tool_calls = [ToolCall(*held) for held in calls.values()]
    return answer


async def test_anthropic(script: Script, runtime: ModelRuntime) -> None:
    async with FakeUpstream("anthropic", script) as up:
        ours = await by_adapter("anthropic", up, runtime)
        our_request = WIRES.get("anthropic")().understand(up.last)
        theirs = await _by_anthropic(up)
        assert our_request == WIRES.get("anthropic")().understand(up.last)
    assert (ours.text, ours.reasoning) == (theirs.text, theirs.reasoning)
    assert [(c.id, c.name) for c in ours.tool_calls] == [(c.id, c.name) for c in theirs.tool_calls]
    assert ours.usage == theirs.usage
    assert ours.finish_reason == {"end_turn": "stop", "tool_use": "tool_calls"}[theirs.finish_reason]


async def _by_anthropic(up: FakeUpstream) -> Answer:
    answer = Answer()
    tool: Any = {"name": "weather", "description": "The weather", "input_schema": PARAMETERS}
    async with (
        AsyncAnthropic(api_key=KEY, base_url=up.url, max_retries=0) as client,
        client.messages.stream(
            model="test-model",
            system="Be brief",
            messages=[{"role": "user", "content": "Say hello"}],
            tools=[tool],
            max_tokens=50,
            stop_sequences=["END"],
        ) as stream,
    ):
        message = await stream.get_final_message()
    for block in message.content:
        if block.type == "text":
            answer.text += block.text
        elif block.type == "thinking":
            answer.reasoning += block.thinking
        elif block.type == "tool_use":
            answer.tool_calls.append(ToolCall(block.id, block.name, ""))
    answer.usage = TokenUsage(message.usage.input_tokens, message.usage.output_tokens)
    answer.finish_reason = message.stop_reason or ""
    return answer


async def test_gemini(script: Script, runtime: ModelRuntime) -> None:
    async with FakeUpstream("gemini", script) as up:
        ours = await by_adapter("gemini", up, runtime)
        our_request = WIRES.get("gemini")().understand(up.last)
        theirs = await _by_genai(up)
        assert our_request.turns == WIRES.get("gemini")().understand(up.last).turns
        assert our_request.stop == WIRES.get("gemini")().understand(up.last).stop
    assert (ours.text, ours.reasoning) == (theirs.text, theirs.reasoning)
    assert named(ours.tool_calls) == named(theirs.tool_calls)
    assert ours.usage == theirs.usage
    assert theirs.finish_reason == "STOP"


async def _by_genai(up: FakeUpstream) -> Answer:
    answer = Answer()
    client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=up.url))
    config = types.GenerateContentConfig(system_instruction="Be brief", max_output_tokens=50, stop_sequences=["END"])
    stream = await client.aio.models.generate_content_stream(model="test-model", contents="Say hello", config=config)
    async for chunk in stream:
        counted = chunk.usage_metadata
        if counted is not None:
            answer.usage = TokenUsage(counted.prompt_token_count or 0, counted.candidates_token_count or 0)
        for candidate in chunk.candidates or ():
            answer.finish_reason = candidate.finish_reason.value if candidate.finish_reason else answer.finish_reason
            for part in (candidate.content and candidate.content.parts) or ():
                if part.thought:
                    answer.reasoning += part.text or ""
                else:
                    answer.text += part.text or ""
                if part.function_call is not None:
                    args = '{"city":"Oslo"}' if part.function_call.args else "{}"
                    answer.tool_calls.append(ToolCall("", part.function_call.name or "", args))
    await client.aio.aclose()
    return answer
