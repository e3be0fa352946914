"""A run that waits for people: everything else goes on, then it pauses, and goes on with their answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import pytest

from difyproj.testing.fakes import scripted, visible
from workflows.engine.events import (
    ContainerFinished,
    ContainerNext,
    ContainerStarted,
    HumanInputFilled,
    HumanInputRequired,
    NodeFinished,
    NodeStarted,
    RunEvent,
    RunFailed,
    RunFinished,
    RunPaused,
    TextChunk,
    decode,
    encode,
)
from workflows.engine.graph import Graph
from workflows.engine.node import FormAnswer
from workflows.engine.pool import VariablePool
from workflows.engine.state import RunState
from workflows.engine.walk import run

from . import acting
from .acting import RAN
from .graphs import TYPES, graph, short
from .graphs_inside import exported, iteration, loop
from .test_engine_resume import Known

ANSWER = ("answer", "answer", {"answer": "{{#first.text#}}|{{#then.text#}}|{{#ask.name#}}"})


def approval(*extra: tuple[str, str, Any], edges: Sequence[str] = ()) -> Graph:
    """A model speaks while a person is asked; only after a yes the rest follows."""
    return graph(
        ("start", "start", {}),
        ("first", "act", {"words": ["before"]}),
        ("ask", "ask", {"question": "Go on?"}),
        ("then", "act", {"words": ["after"]}),
        ("refused", "answer", {"answer": "refused"}),
        ANSWER,
        *extra,
        edges=["start -> first", "start -> ask", "ask:yes -> then", "ask:no -> refused", "then -> answer", *edges],
    )


async def events_of(tree: Graph, **more: Any) -> list[RunEvent]:
    async with aclosing(run(tree, VariablePool({"inputs": {"items": [1]}}), scripted(), nodes=TYPES, **more)) as events:
        return [event async for event in events]


async def resumed(tree: Graph, before: Sequence[RunEvent], **more: Any) -> list[RunEvent]:
    known = Known.of([event for event in before if not isinstance(event, RunPaused)])
    acting.forget()
    return await events_of(
        tree, finished=known.finished, begun=known.begun, announced=known.announced, reason="resumption", **more
    )


async def test_a_waiting_node_lets_the_rest_go_on_and_then_the_run_pauses() -> None:
    state = RunState()
    events = await events_of(approval(), state=state)
    assert short(events) == "+start -start +first +ask -first HumanInputRequired RunPaused"
    asked, paused = events[-2], events[-1]
    assert isinstance(asked, HumanInputRequired) and isinstance(paused, RunPaused)
    started = next(event for event in events if isinstance(event, NodeStarted) and event.node_id == "ask")
    assert (asked.node_id, asked.execution_id, asked.form["content"]) == ("ask", started.execution_id, "Go on?")
    assert (list(paused.paused_nodes), list(paused.reasons), paused.total_steps) == (["ask"], [asked], 3)
    assert not any(isinstance(event, TextChunk) for event in events), "the answer may still be avoided"
    assert not state.ended
    assert encode(decode(encode(paused))) == encode(paused)


async def test_an_answer_lets_the_run_go_on_with_what_is_left() -> None:
    tree = approval()
    before = await events_of(tree)
    after = await resumed(tree, before, answers={"ask": FormAnswer("yes", {"name": "Ann"})})
    assert short(after) == "HumanInputFilled 'before' '|' -ask +then 'after' '|' 'Ann' -then +answer -answer RunFinished"
    assert RAN == ["ask", "then"]
    ids = {
        event.execution_id
        for event in (*before, *after)
        if isinstance(event, NodeStarted | NodeFinished) and event.node_id == "ask"
    }
    assert len(ids) == 1
    last = after[-1]
    assert isinstance(last, RunFinished) and (last.answer, last.status) == ("before|after|Ann", "succeeded")


async def test_the_chosen_action_is_the_way_on() -> None:
    tree = approval()
    after = await resumed(tree, await events_of(tree), answers={"ask": FormAnswer("no")})
    assert visible(after) == "refused" and "then" not in RAN


async def test_a_form_that_nobody_answered_yet_is_not_asked_again() -> None:
    tree = approval(("also", "ask", {"question": "And?"}), edges=["start -> also"])
    before = await events_of(tree)
    forms = [event for event in before if isinstance(event, HumanInputRequired)]
    assert [form.node_id for form in forms] == ["ask", "also"]
    after = await resumed(tree, before, answers={"ask": FormAnswer("no")}, waiting=[forms[1]])
    assert not any(isinstance(event, HumanInputRequired) for event in after) and "also" not in RAN
    paused = after[-1]
    assert isinstance(paused, RunPaused) and list(paused.reasons) == [forms[1]] and list(paused.paused_nodes) == ["also"]
    last = (await resumed(tree, [*before, *after], answers={"also": FormAnswer("yes"), "ask": FormAnswer("no")}))[-1]
    assert isinstance(last, RunFinished) and last.answer == "refused"


async def test_an_answer_that_was_told_before_a_crash_is_not_told_again() -> None:
    tree = approval()
    before = await events_of(tree)
    answers = {"ask": FormAnswer("no")}
    after = await resumed(tree, before, answers=answers)
    cut = next(index for index, event in enumerate(after) if isinstance(event, HumanInputFilled))
    again = await resumed(tree, [*before, *after[: cut + 1]], answers=answers)
    assert not any(isinstance(event, HumanInputFilled) for event in again) and visible(again) == "refused"


async def test_a_failure_elsewhere_ends_the_run_and_asks_nobody() -> None:
    tree = approval(("bad", "act", {"fails": -1, "seconds": 0.01}), edges=["start -> bad"])
    events = await events_of(tree)
    assert isinstance(events[-1], RunFailed) and not any(isinstance(event, HumanInputRequired) for event in events)


SAY = ("say", "answer", {"answer": "{{#ask.text#}}. "})


def replies(events: Sequence[RunEvent], action: str, *values: str) -> dict[str, FormAnswer]:
    """What people answer to the forms of a pause, in their order; fewer values leave the last ones waiting."""
    paused = events[-1]
    assert isinstance(paused, RunPaused)
    return {form.execution_id: FormAnswer(action, {"text": value}) for form, value in zip(paused.reasons, values, strict=False)}


async def rounds(tree: Graph, *turns: Sequence[str], items: Sequence[Any]) -> tuple[list[int], list[RunEvent]]:
    """Pause after pause, each answered by the next turn; how many forms were asked each time, and all that was told."""
    told: list[RunEvent] = []
    answers: dict[str, FormAnswer] = {}
    counts: list[int] = []
    more: dict[str, Any] = {}
    for turn in [*turns, ()]:
        pool = VariablePool({"inputs": {"items": list(items)}})
        async with aclosing(run(tree, pool, scripted(), nodes=TYPES, **more)) as events:
            told += [event async for event in events]
        last = told[-1]
        if not isinstance(last, RunPaused):
            break
        counts.append(len(last.reasons))
        answers |= replies(told, "yes", *turn)
        waiting = [form for form in last.reasons if form.execution_id not in answers]
        known = Known.of([event for event in told if not isinstance(event, RunPaused)])
        more = {
            "finished": known.finished, "begun": known.begun, "announced": known.announced, "answers": answers,
            "waiting": waiting, "reason": "resumption",
        }  # fmt: skip
    return counts, told


def boundaries(told: Sequence[RunEvent]) -> Counter[tuple[Any, ...]]:
    """Node, round and kind of what must be told once."""
    return Counter(
        (type(event), event.node_id, str(event.place), getattr(event, "index", 0))
        for event in told
        if isinstance(event, NodeStarted | NodeFinished | ContainerStarted | ContainerNext | ContainerFinished)
    )


@pytest.mark.parametrize(
    ("data", "turns", "counts"),
    [
        ({}, [["a"], ["b"], ["c"]], [1, 1, 1]),
        ({"is_parallel": True}, [["a", "b", "c"]], [3]),
        ({"is_parallel": True}, [["a"], ["b", "c"]], [3, 2]),
    ],
)
async def test_people_are_asked_in_the_rounds_of_an_iteration(
    data: dict[str, Any], turns: list[list[str]], counts: list[int]
) -> None:
    tree = iteration(("ask", "ask", {}), SAY, output_selector=["ask", "text"], **data)
    asked, told = await rounds(tree, *turns, items=[1, 2, 3])
    assert asked == counts
    ends = [event for event in told if isinstance(event, NodeFinished) and event.node_id == "each"]
    assert [event.outputs for event in ends] == [{"output": ["a", "b", "c"]}]
    assert set(boundaries(told).values()) == {1}
    filled = [event.execution_id for event in told if isinstance(event, HumanInputFilled)]
    assert len(filled) == len(set(filled)) == 3
    last = told[-1]
    assert isinstance(last, RunFinished) and last.answer == "a. b. c. "


async def test_people_are_asked_in_the_rounds_of_a_loop_and_in_a_container_within() -> None:
    asking: tuple[str, str, dict[str, Any]] = ("ask", "ask", {})
    asked, told = await rounds(loop(asking, SAY, loop_count=2), ["a"], ["b"], items=[])
    last = told[-1]
    assert asked == [1, 1] and isinstance(last, RunFinished) and last.answer == "a. b. "
    assert set(boundaries(told).values()) == {1}
    tree = exported(
        [
            ("start", "start", {}),
            ("outer", "loop", {"loop_count": 2}),
            ("first", "loop-start", {}),
            ("each", "iteration", {"iterator_selector": ["start", "items"], "output_selector": ["ask", "text"]}),
            ("within", "iteration-start", {}),
            asking,
            ("end", "end", {"outputs": [{"variable": "all", "value_selector": ["each", "output"]}]}),
        ],
        ["start -> outer", "outer -> end", "first -> each", "within -> ask"],
        outer=["first", "each"],
        each=["within", "ask"],
    )
    asked, told = await rounds(tree, ["a"], ["b"], ["c"], ["d"], items=[1, 2])
    assert asked == [1, 1, 1, 1] and isinstance(told[-1], RunFinished)
    lists = [event.outputs for event in told if isinstance(event, NodeFinished) and event.node_id == "each"]
    assert lists == [{"output": ["a", "b"]}, {"output": ["c", "d"]}]
    assert set(boundaries(told).values()) == {1}


@pytest.mark.parametrize("words", [[], ["x"]])
async def test_a_paused_run_tells_what_it_has_so_far(words: list[str]) -> None:
    tree = graph(
        ("start", "start", {}),
        ("say", "act", {"words": words, "tokens": 5}),
        ("told", "answer", {"answer": "{{#say.text#}}!"}),
        ("ask", "ask", {}),
        edges=["start -> say", "say -> told", "told -> ask"],
    )
    paused = (await events_of(tree))[-1]
    assert isinstance(paused, RunPaused)
    assert (paused.answer, paused.usage.total_tokens) == ("".join(words) + "!", 5)
