"""A model's thinking goes where the node wants it, whatever way the provider sends it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from difyproj.model_runtime.messages import Delta
from difyproj.testing.fakes import scripted, visible
from workflows.engine.events import NodeFinished, ReasoningChunk, RunEvent
from workflows.engine.node import NodeText
from workflows.engine.reasoning import SeparatedReasoning

from .graphs import LLM, chain, events_of

ANSWER = ("answer", "answer", {"answer": "{{#llm.text#}}"})


def _thoughts(events: list[RunEvent]) -> str:
    return "".join(event.reasoning for event in events if isinstance(event, ReasoningChunk))


async def test_separate_reasoning_is_tagged_in_the_text_by_default() -> None:
    ports = scripted(Delta(reasoning="hm "), Delta(reasoning="well"), Delta("Yes"), Delta("."))
    events = await events_of(chain(("llm", "llm", LLM), ANSWER), ports)
    assert visible(events) == "<think>\nhm well\n</think>\nYes."
    assert _thoughts(events) == ""


async def test_tags_in_the_text_stay_by_default() -> None:
    events = await events_of(chain(("llm", "llm", LLM), ANSWER), scripted("<think>a</think>", "b"))
    assert visible(events) == "<think>a</think>b"


async def test_reasoning_that_never_ends_is_closed() -> None:
    events = await events_of(chain(("llm", "llm", LLM), ANSWER), scripted(Delta(reasoning="hm")))
    assert visible(events) == "<think>\nhm\n</think>\n"


@pytest.mark.parametrize(
    "script",
    [
        (Delta(reasoning="why"), Delta("Yes")),
        ("<think>why</think>Yes",),
        ("<th", "ink>w", "hy</thi", "nk>Y", "es"),
    ],
)
async def test_separated_reasoning_leaves_the_text(script: tuple[str | Delta, ...]) -> None:
    events = await events_of(chain(("llm", "llm", {**LLM, "reasoning_format": "separated"}), ANSWER), scripted(*script))
    assert visible(events) == "Yes"
    assert _thoughts(events) == "why"
    assert [event.is_final for event in events if isinstance(event, ReasoningChunk)][-1] is True
    done = next(event for event in events if isinstance(event, NodeFinished) and event.node_id == "llm")
    assert done.outputs is not None and done.outputs["reasoning_content"] == "why"


@given(some.lists(some.sampled_from(["<", "<think>", "</think>", "think>", "a", "</", " "]), max_size=12), some.data())
def test_cutting_the_text_anywhere_changes_nothing(pieces: list[str], data: some.DataObject) -> None:
    whole = "".join(pieces)
    cut = data.draw(some.integers(0, len(whole)))

    def split(*chunks: str) -> tuple[str, str]:
        reader = SeparatedReasoning("n")
        out = [piece for chunk in chunks for piece in reader.feed(chunk, "")] + reader.end()
        text = "".join(piece.text for piece in out if isinstance(piece, NodeText))
        return text, "".join(piece.reasoning for piece in out if isinstance(piece, ReasoningChunk))

    assert split(whole[:cut], whole[cut:]) == split(whole) == split(*whole)
