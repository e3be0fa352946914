"""The built-in demo model: honest, deterministic, useful without a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from difyproj.kernel import jsonio
from difyproj.kernel.http import AddressPolicy, Egress
from difyproj.model_runtime.base import Credential, ModelRequest
from difyproj.model_runtime.messages import ImagePart, PromptMessage, Role, TextPart, ToolSpec
from difyproj.model_runtime.runtime import ModelRuntime

from .rows import Answer, collect

QUICK = [Credential("demo", {"delay_ms": "0"})]
CLOCK = ToolSpec("current_time", "A tool for getting the current time.", {"type": "object", "properties": {}})
SUMS = ToolSpec(
    "eval_expression",
    "Evaluates a mathematical expression",
    {"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]},
)


@pytest.fixture
def demo() -> ModelRuntime:
    """A runtime that may reach no address at all."""
    return ModelRuntime(Egress(AddressPolicy()))


async def ask(demo: ModelRuntime, *turns: tuple[str, str] | PromptMessage, **fields: Any) -> Answer:
    messages = [turn if isinstance(turn, PromptMessage) else PromptMessage(Role(turn[0]), turn[1]) for turn in turns]
    request = ModelRequest("demo", messages, **fields)
    return await collect(demo.stream("demo", QUICK, request))


async def test_it_says_what_it_is_and_streams_in_pieces(demo: ModelRuntime) -> None:
    answer = await ask(demo, ("user", "What is Django?"))
    assert "built-in demo model" in answer.text
    assert "What is Django?" in answer.text
    assert len(answer.deltas) > 10
    assert answer.finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 4
    assert answer.usage.completion_tokens > 20


async def test_it_answers_from_the_retrieved_context(demo: ModelRuntime) -> None:
    system = "Use this.\n<context>\nCats sleep a lot. Django is a web framework for Python.\nFlask is small.\n</context>"
    answer = await ask(demo, ("system", system), ("user", "What is Django?"))
    assert "Django is a web framework for Python." in answer.text
    assert "Cats" not in answer.text


async def test_it_says_when_the_context_holds_nothing(demo: ModelRuntime) -> None:
    answer = await ask(demo, ("system", "<context>Cats sleep a lot.</context>"), ("user", "What is Django?"))
    assert "holds nothing about it" in answer.text


async def test_it_answers_in_the_script_of_the_question(demo: ModelRuntime) -> None:
    answer = await ask(demo, ("user", "\u4e1c\u4eac\u6709\u4ec0\u4e48\u597d\u5403\u7684"))
    assert "\u6f14\u793a\u6a21\u578b" in answer.text
    assert len(answer.deltas) > 10


async def test_the_same_question_has_the_same_answer(demo: ModelRuntime) -> None:
    assert await ask(demo, ("user", "Hi")) == await ask(demo, ("user", "Hi"))


async def test_it_remembers_the_conversation_and_sees_files(demo: ModelRuntime) -> None:
    message = PromptMessage(Role.USER, [TextPart("And this?"), ImagePart(data=b"x")])
    answer = await ask(demo, ("user", "First?"), ("assistant", "Yes."), message)
    assert "question 2" in answer.text
    assert "First?" in answer.text
    assert "1 file" in answer.text


async def test_it_calls_a_tool_when_asked_plainly_and_tells_its_answer(demo: ModelRuntime) -> None:
    first = await ask(demo, ("user", "What time is it?"), tools=[SUMS, CLOCK])
    assert [(call.name, call.arguments) for call in first.tool_calls] == [("current_time", "{}")]
    assert first.finish_reason == "tool_calls"
    spoken = PromptMessage(Role.ASSISTANT, "", tool_calls=first.tool_calls)
    result = PromptMessage(Role.TOOL, "12:34", tool_call_id=first.tool_calls[0].id)
    second = await ask(demo, ("user", "What time is it?"), spoken, result, tools=[SUMS, CLOCK])
    assert "12:34" in second.text
    assert "current_time" in second.text
    assert not second.tool_calls


async def test_it_finds_the_arguments_of_a_tool_in_the_question(demo: ModelRuntime) -> None:
    answer = await ask(demo, ("user", "Please run eval expression for 3*(4+5)"), tools=[SUMS, CLOCK])
    assert jsonio.loads(answer.tool_calls[0].arguments) == {"expression": "3*(4+5)"}


async def test_it_calls_no_tool_for_small_talk(demo: ModelRuntime) -> None:
    assert not (await ask(demo, ("user", "Hello there, my friend"), tools=[SUMS, CLOCK])).tool_calls


async def test_a_list_of_questions_is_valid_json(demo: ModelRuntime) -> None:
    prompt = "Human: How do I bake bread?\nAssistant: With flour.\nPredict three questions. Output a JSON Array of strings."
    questions = jsonio.loads((await ask(demo, ("user", prompt))).text)
    assert len(questions) == 3
    assert all("bake bread" in question for question in questions)


async def test_a_title_is_short_and_comes_as_json_where_that_is_asked(demo: ModelRuntime) -> None:
    plain = await ask(demo, ("system", "Write a short title for the conversation."), ("user", "How do I bake bread at home?"))
    assert plain.text == "How do I bake bread at"
    wrapped = await ask(demo, ("system", "Write a title for the conversation as JSON."), ("user", "How do I bake bread?"))
    assert jsonio.loads(wrapped.text)["title"] == "How do I bake bread"


async def test_a_schema_is_followed(demo: ModelRuntime) -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 5},
            "age": {"type": "integer", "minimum": 0},
            "mood": {"enum": ["sad", "happy"]},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 2},
            "extra": {"anyOf": [{"type": "null"}, {"type": "string"}]},
        },
        "$defs": {"tag": {"type": "boolean"}},
    }
    answer = await ask(demo, ("user", 'A happy "Ada" is 36'), response_schema=schema)
    assert jsonio.loads(answer.text) == {"name": "Ada", "age": 36, "mood": "happy", "tags": [True, True], "extra": None}


async def test_limits_stop_words_and_thinking_are_kept(demo: ModelRuntime) -> None:
    short = await ask(demo, ("user", "Hi"), parameters={"max_tokens": 5, "thinking": True})
    assert short.finish_reason == "length"
    assert len(short.text) < 30
    assert short.reasoning
    stopped = await ask(demo, ("user", "Hi"), stop=["offline"])
    assert stopped.text.endswith("I run ")
    assert stopped.usage is not None


async def test_completion_mode_answers_too(demo: ModelRuntime) -> None:
    answer = await ask(demo, ("user", "Write about rain"), mode="completion")
    assert "Write about rain" in answer.text


async def test_embeddings_are_unit_vectors_that_know_related_texts(demo: ModelRuntime) -> None:
    texts = ["Cats sleep on sofas", "A cat sleeps on a sofa", "Stock markets fell", ""]
    result = await demo.embed("demo", [], "demo-embedding", texts)
    one, two, three, empty = result.vectors
    assert [len(row) for row in result.vectors] == [256] * 4
    assert math.isclose(sum(value * value for value in empty), 1.0)
    assert _product(one, two) > 0.6 > 0.3 > _product(one, three)
    assert result.usage.prompt_tokens > 0


async def test_rerank_moderation_and_speech_work_offline(demo: ModelRuntime) -> None:
    ranked = await demo.rerank("demo", [], "demo-rerank", "dogs that bark", ["stars", "a dog may bark", "bark"], top_n=2)
    assert [row.index for row in ranked] == [1, 2]
    assert await demo.moderate("demo", [], "demo-moderation", "anything") is False
    audio = b"".join([piece async for piece in demo.speak("demo", [], "demo-speech", "Hello")])
    assert audio[:2] == b"\xff\xfb"
    assert len(audio) % 104 == 0
    said = await demo.transcribe("demo", [], "demo-transcribe", audio, filename="a.mp3", mime_type="audio/mpeg")
    assert "demo model" in said
    await demo.validate("demo", Credential("demo", {}))


def _product(one: Sequence[float], two: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, two, strict=True))
