"""The llm node builds its prompt from templates, history and files, and keeps to the model's context."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from difyproj.model_runtime.base import ModelRequest
from difyproj.model_runtime.messages import ImagePart, PromptMessage, Role, TextPart
from difyproj.testing.fakes import KeptFiles, ScriptedModels
from workflows.engine.events import NodeFinished, RunEvent, RunFailed
from workflows.engine.model_config import Memory, ModelChoice
from workflows.engine.node import HistoryTurn
from workflows.engine.ports import Ports
from workflows.engine.prompt import PreparedPrompt, fit_history
from workflows.nodes.llm import PreparedLlmData

from .graphs import LLM, chain, events_of

TURNS = [HistoryTurn(f"q{n}", f"a{n}") for n in range(3)]
CAT = ImagePart(url="http://f/cat.png")


async def _ask(data: Any, *, size: int = 0, **detail: Any) -> tuple[ModelRequest | None, list[RunEvent]]:
    models = ScriptedModels(("ok",), size=size)
    ports = Ports(models, KeptFiles({"cat": CAT}))
    events = await events_of(chain(("llm", "llm", data), ("answer", "answer", {"answer": "{{#llm.text#}}"})), ports, **detail)
    return (models.requests[0] if models.requests else None), events


def _said(request: ModelRequest | None) -> list[tuple[str, str]]:
    assert request is not None
    return [(message.role.value, message.text) for message in request.messages]


async def test_templates_history_and_the_question_make_the_prompt() -> None:
    data = {
        **LLM,
        "prompt_template": [{"role": "system", "text": "For {{#start.who#}}."}, {"role": "user", "text": "  "}],
        "memory": {"window": {"enabled": True, "size": 2}, "role_prefix": {"user": "U"}},
    }
    request, _ = await _ask(data, inputs={"who": "Ann"}, query="now?", history=TURNS)
    assert _said(request) == [
        ("system", "For Ann."),
        ("user", "q1"),
        ("assistant", "a1"),
        ("user", "q2"),
        ("assistant", "a2"),
        ("user", "now?"),
    ]


async def test_without_memory_the_conversation_stays_out() -> None:
    request, _ = await _ask(LLM, query="now?", history=TURNS)
    assert _said(request) == [("user", "Hi")]


async def test_parameters_stop_words_and_user_reach_the_model() -> None:
    model = {**LLM["model"], "completion_params": {"temperature": 0.2, "top_p": None, "stop": ["END", ""]}}  # type: ignore[dict-item]
    request, _ = await _ask({**LLM, "model": model})
    assert request is not None
    assert (request.parameters, request.stop, request.user, request.mode) == ({"temperature": 0.2}, ("END",), "ann", "chat")


async def test_the_context_fills_its_place() -> None:
    data = {
        **LLM,
        "prompt_template": [{"role": "system", "text": "Know: {{#context#}}"}, {"role": "user", "text": "go"}],
        "context": {"enabled": True, "variable_selector": ["start", "found"]},
    }
    request, _ = await _ask(data, inputs={"found": [{"content": "one"}, "two"]})
    assert _said(request)[0] == ("system", "Know: one\ntwo")


async def test_files_stand_before_the_text_of_the_last_user_message() -> None:
    request, _ = await _ask({**LLM, "vision": {"enabled": True}}, files=["cat", "unknown"])
    assert request is not None
    assert request.messages[-1].content == (CAT, TextPart("Hi"))


async def test_files_after_another_role_are_a_message_of_their_own() -> None:
    data = {**LLM, "prompt_template": [{"role": "system", "text": "S"}], "vision": {"enabled": True}}
    request, _ = await _ask(data, files=["cat"])
    assert request is not None
    assert [message.role for message in request.messages] == [Role.SYSTEM, Role.USER]
    assert request.messages[-1].content == (CAT,)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ({**LLM, "prompt_template": [{"role": "user", "text": "{{#x.y#}}"}]}, "x.y"),
        ({**LLM, "prompt_template": []}, "empty"),
        ({**LLM, "prompt_template": [{"role": "user", "text": "{{ a }}", "edition_type": "mustache"}]}, "template language"),
    ],
)
async def test_a_prompt_that_cannot_be_built_is_a_clear_error(data: Any, word: str) -> None:
    request, events = await _ask(data)
    last = events[-1]
    assert request is None
    assert isinstance(last, RunFailed) and last.code == "invalid_param" and word in last.message


async def test_user_text_in_a_prepared_prompt_is_not_a_template() -> None:
    prompt = PreparedPrompt((PromptMessage(Role.SYSTEM, "S"),), (PromptMessage(Role.USER, "{{#sys.user_id#}}"),))
    data = PreparedLlmData(model=ModelChoice("demo", "m"), memory=Memory(), prompt=prompt)
    request, _ = await _ask(data, history=TURNS[:1])
    assert _said(request) == [("system", "S"), ("user", "q0"), ("assistant", "a0"), ("user", "{{#sys.user_id#}}")]


async def test_the_answer_is_shortened_to_what_the_context_leaves() -> None:
    model = {**LLM["model"], "completion_params": {"max_tokens": 90}}  # type: ignore[dict-item]
    long = [{"role": "user", "text": "word " * 50}]
    request, _ = await _ask({**LLM, "model": model, "prompt_template": long}, size=100)
    assert request is not None and request.parameters["max_tokens"] == 50


async def test_a_prompt_longer_than_the_context_is_refused_in_words() -> None:
    request, events = await _ask({**LLM, "prompt_template": [{"role": "user", "text": "word " * 200}]}, size=100)
    last = events[-1]
    assert request is None and isinstance(last, RunFailed)
    assert "200 tokens" in last.message and "100" in last.message


async def test_the_node_tells_what_it_asked_and_what_it_cost() -> None:
    _, events = await _ask(LLM)
    done = next(event for event in events if isinstance(event, NodeFinished) and event.node_id == "llm")
    assert done.process_data is not None and done.outputs is not None and done.usage is not None
    assert done.process_data["prompts"] == [{"role": "user", "text": "Hi"}]
    assert (done.process_data["model_provider"], done.process_data["model_name"]) == ("demo", "m")
    assert done.outputs["usage"]["total_tokens"] == done.usage.total_tokens == 2
    assert done.outputs["usage"]["currency"] == "USD"


def _words(text: str) -> int:
    return len(text.split())


def test_the_newest_turns_that_fit_are_kept_whole() -> None:
    turns = [HistoryTurn("one two", "three " * n) for n in (5, 3, 1)]
    kept = fit_history(turns, "prompt", context_size=20, max_tokens=10, count=_words)
    assert kept == turns[1:][-len(kept) :] and len(kept) == 2


def test_turns_without_an_answer_are_left_out_and_the_limit_holds() -> None:
    turns = [HistoryTurn("a", ""), *TURNS]
    assert fit_history(turns, "", context_size=0, max_tokens=0, count=_words) == TURNS
    assert fit_history(TURNS, "", context_size=0, max_tokens=0, count=_words, limit=1) == TURNS[-1:]


@given(some.lists(some.integers(1, 30), max_size=20), some.integers(1, 300), some.integers(0, 100))
def test_history_never_passes_its_budget(sizes: list[int], context: int, answer: int) -> None:
    turns = [HistoryTurn("q", "w " * size) for size in sizes]
    kept = fit_history(turns, "a b c", context_size=context, max_tokens=answer, count=_words)
    assert kept == turns[len(turns) - len(kept) :]
    assert not kept or sum(_words(f"{turn.query} {turn.answer}") for turn in kept) + 3 + answer <= context
