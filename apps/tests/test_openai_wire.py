"""Chunks of a stream that was interrupted: nothing is said twice, and what was said cannot be taken back."""

from __future__ import annotations

from typing import Any

import pytest

from apps.generation.openai_wire import ChatCompletionWire
from apps.generation.request import Reply
from apps.generation.wire import RunError
from difyproj.kernel import ids
from difyproj.tiers.error_shapes import openai
from workflows.engine.events import NodeStarted, RunEvent, RunFailed, RunFinished, TextChunk, TextReplaced

END = RunFinished(status="succeeded")


def wire(*, include_usage: bool = False) -> ChatCompletionWire:
    one = ids.new_id()
    reply = Reply(one, "chat", "service-api", 1, one, one, one, one)
    return ChatCompletionWire(reply, model="m", fingerprint="fp_1", include_usage=include_usage, describe=openai)


def deltas(*run_events: RunEvent) -> list[dict[str, Any]]:
    writer = wire()
    return [record["choices"][0]["delta"] for event in run_events for record in writer.records(event)]


def resumed(text: str) -> TextReplaced:
    return TextReplaced(text, "resumed")


@pytest.mark.parametrize(
    ("run_events", "said"),
    [
        ([TextChunk("a"), TextChunk("b")], ["a", "b"]),
        ([TextChunk("a"), resumed("ab")], ["a", "b"]),
        ([TextChunk("a"), resumed("ab"), TextChunk("c")], ["a", "b", "c"]),
        ([TextChunk("ab"), resumed("a")], ["ab"]),
        ([TextChunk("ab"), resumed("ab")], ["ab"]),
        ([TextChunk("ab"), resumed("Withdrawn.")], ["ab"]),
        ([resumed("ab")], ["ab"]),
    ],
)
def test_a_text_told_again_goes_on_behind_what_was_sent(run_events: list[RunEvent], said: list[str]) -> None:
    assert [delta["content"] for delta in deltas(*run_events)] == said


def test_the_role_comes_once_also_without_a_text() -> None:
    assert deltas(TextChunk("a"), TextChunk("b"), END) == [{"role": "assistant", "content": "a"}, {"content": "b"}, {}]
    assert deltas(END) == [{"role": "assistant", "content": ""}]
    assert deltas(TextReplaced("No.", "output_moderation")) == [{"role": "assistant", "content": "", "refusal": "No."}]


def test_what_openai_has_no_word_for_is_not_told() -> None:
    assert wire().records(NodeStarted("1", "llm", "llm", "LLM", 1, 0.0)) == ()


def test_the_end_tells_the_usage_when_asked_to() -> None:
    assert len(wire().records(END)) == 1
    last = wire(include_usage=True).records(END)[-1]
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 0)


def test_a_run_that_failed_is_an_error_in_both_forms() -> None:
    failure = RunFailed(code="worker_lost", status=500, message="Gone.")
    error = {"message": "Gone.", "type": "server_error", "param": None, "code": "worker_lost"}
    assert list(wire().records(failure)) == [{"error": error}]
    with pytest.raises(RunError):
        wire().blocking([TextChunk("a"), failure])
