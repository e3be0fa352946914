"""What the graph says about failures: other tries first, then default values or a way of their own."""

from __future__ import annotations

import time
from typing import Any

import pytest

from difyproj.kernel.errors import CompletionRequestError
from difyproj.model_runtime.base import ModelRequest
from difyproj.testing.fakes import KeptFiles, Script, ScriptedModels, scripted, visible
from workflows.engine.events import NodeFinished, NodeRetried, RunEvent, RunFailed, RunFinished, TextReplaced
from workflows.engine.graph import BoundGraph, GraphError
from workflows.engine.ports import Ports

from .acting import RAN
from .graphs import LLM, TYPES, chain, events_of, graph, short

ANSWER = ("answer", "answer", {"answer": "{{#n.text#}}"})


def default(value: Any, kind: str = "string", key: str = "text") -> dict[str, Any]:
    return {"error_strategy": "default-value", "default_value": [{"key": key, "type": kind, "value": value}]}


def retry(most: int, interval: float = 1) -> dict[str, Any]:
    return {"retry_config": {"retry_enabled": True, "max_retries": most, "retry_interval": interval}}


def node_end(events: list[RunEvent], name: str) -> NodeFinished:
    return next(event for event in events if isinstance(event, NodeFinished) and event.node_id == name)


async def test_a_node_is_tried_again_without_a_second_start() -> None:
    events = await events_of(chain(("n", "act", {"fails": 2, "words": ["ok"], **retry(3)}), ANSWER), scripted())
    assert short(events).startswith("+start -start +n 'ok' TextReplaced NodeRetried 'ok' TextReplaced NodeRetried 'ok' -n")
    tries = [event for event in events if isinstance(event, NodeRetried)]
    assert [(each.retry_index, each.error, each.node_id) for each in tries] == [(1, "It broke.", "n"), (2, "It broke.", "n")]
    assert {each.execution_id for each in tries} == {node_end(events, "n").execution_id}
    last = events[-1]
    assert isinstance(last, RunFinished) and (last.status, last.exceptions_count) == ("succeeded", 0)
    assert visible(events) == last.answer == "ok"


async def test_a_pause_lies_between_the_tries() -> None:
    began = time.monotonic()
    await events_of(chain(("n", "act", {"fails": 1, **retry(1, 100)})), scripted())
    assert 0.1 <= time.monotonic() - began < 1


async def test_the_last_try_decides() -> None:
    events = await events_of(chain(("n", "act", {"fails": -1, **retry(2)})), scripted())
    assert RAN == ["n"] * 3
    assert isinstance(events[-1], RunFailed) and events[-1].node_id == "n"


@pytest.mark.parametrize(
    "config",
    [
        {"retry_enabled": False, "max_retries": 3, "retry_interval": 1},
        {"enabled": True, "max_retries": 3, "exponential_backoff": {}},
        {"retry_enabled": True, "max_retries": -1},
        None,
    ],
)
async def test_a_retry_that_is_off_or_of_another_shape_does_not_count(config: Any) -> None:
    await events_of(chain(("n", "act", {"fails": -1, "retry_config": config})), scripted())
    assert RAN == ["n"]


async def test_only_types_that_say_so_are_tried_again() -> None:
    events = await events_of(chain(("n", "echo", {"crash": True, **retry(2)})), scripted())
    assert short(events) == "+start -start +n !n RunFailed"


async def test_default_values_stand_in_and_the_run_goes_on() -> None:
    events = await events_of(chain(("n", "act", {"fails": -1, **default("fallback")}), ANSWER), scripted())
    end, last = node_end(events, "n"), events[-1]
    assert (end.status, end.error, end.error_strategy) == ("exception", "It broke.", "default-value")
    assert end.outputs == {"text": "fallback", "error_message": "It broke.", "error_type": "CompletionRequestError"}
    assert isinstance(last, RunFinished)
    assert (last.status, last.exceptions_count, last.outputs["answer"]) == ("partial-succeeded", 1, "fallback")


async def test_text_of_a_failed_try_is_withdrawn_for_the_default() -> None:
    ports = scripted("half of ", CompletionRequestError("On fire."))
    tree = chain(("n", "llm", {**LLM, **default("fallback")}), ("answer", "answer", {"answer": "So: {{#n.text#}}."}))
    events = await events_of(tree, ports)
    assert [event.text for event in events if isinstance(event, TextReplaced)] == ["So: "]
    assert visible(events) == getattr(events[-1], "answer", "") == "So: fallback."


async def test_text_that_nobody_saw_yet_is_dropped_with_the_failed_try() -> None:
    tree = graph(
        ("start", "start", {}),
        ("n", "act", {"fails": 1, "words": ["ok"], **retry(1)}),
        ("slow", "act", {"seconds": 0.05, "words": ["slow "]}),
        ("answer", "answer", {"answer": "{{#slow.text#}}{{#n.text#}}"}),
        edges=["start -> n", "start -> slow", "n -> answer", "slow -> answer"],
    )
    events = await events_of(tree, scripted())
    assert visible(events) == "slow ok" and not any(isinstance(event, TextReplaced) for event in events)


@pytest.mark.parametrize("success", ["source", "success-branch"])
async def test_a_failure_takes_its_own_way(success: str) -> None:
    tree = graph(
        ("start", "start", {}),
        ("n", "act", {"fails": -1, "error_strategy": "fail-branch"}),
        ("good", "answer", {"answer": "good"}),
        ("bad", "answer", {"answer": "{{#n.error_type#}}: {{#n.error_message#}}"}),
        edges=["start -> n", f"n:{success} -> good", "n:fail-branch -> bad"],
    )
    events = await events_of(tree, scripted())
    last = events[-1]
    assert isinstance(last, RunFinished) and (last.status, last.answer) == (
        "partial-succeeded",
        "CompletionRequestError: It broke.",
    )
    assert node_end(events, "n").handle == "fail-branch"


@pytest.mark.parametrize("success", ["source", "success-branch"])
async def test_success_leaves_the_way_of_failure_alone(success: str) -> None:
    tree = graph(
        ("start", "start", {}),
        ("n", "act", {"error_strategy": "fail-branch"}),
        ("good", "answer", {"answer": "good"}),
        ("bad", "answer", {"answer": "bad"}),
        edges=["start -> n", f"n:{success} -> good", "n:fail-branch -> bad"],
    )
    last = (await events_of(tree, scripted()))[-1]
    assert isinstance(last, RunFinished) and (last.status, last.answer) == ("succeeded", "good")


async def test_a_failure_without_a_way_for_it_ends_that_path_only() -> None:
    tree = chain(("n", "act", {"fails": -1, "error_strategy": "fail-branch"}), ("never", "act", {}))
    last = (await events_of(tree, scripted()))[-1]
    assert isinstance(last, RunFinished) and last.status == "partial-succeeded" and RAN == ["n"]


async def test_retries_come_before_the_strategy() -> None:
    events = await events_of(chain(("n", "act", {"fails": -1, **retry(2), **default("x")})), scripted())
    assert RAN == ["n"] * 3
    assert short(events) == "+start -start +n NodeRetried NodeRetried !n RunFinished"


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        ("number", "1.5", 1.5),
        ("number", "3", 3),
        ("number", 7, 7),
        ("object", '{"a": [1]}', {"a": [1]}),
        ("object", {"a": 1}, {"a": 1}),
        ("array[string]", '["a"]', ["a"]),
        ("array[object]", '[{"a": 1}]', [{"a": 1}]),
        ("Array[Number]", "[1, 2]", [1, 2]),
        ("string", "12", "12"),
    ],
)
async def test_default_values_are_read_as_their_type(kind: str, given: Any, wanted: Any) -> None:
    events = await events_of(chain(("n", "act", {"fails": -1, **default(given, kind, "x")})), scripted())
    assert (node_end(events, "n").outputs or {})["x"] == wanted


@pytest.mark.parametrize(
    ("kind", "given"),
    [("number", "many"), ("number", "nan"), ("object", "[1]"), ("object", "{"), ("array[number]", '["a"]'), ("string", 5)],
)
def test_a_default_value_of_another_type_is_an_error_of_the_graph(kind: str, given: Any) -> None:
    with pytest.raises(GraphError, match=r"'n'.*'x'") as refusal:
        BoundGraph(chain(("n", "act", default(given, kind, "x"))), TYPES)
    assert refusal.value.params == "nodes.n.data.default_value.0.value"


@pytest.mark.parametrize("strategy", ["none", "", None])
async def test_no_strategy_has_several_names(strategy: str | None) -> None:
    events = await events_of(chain(("n", "act", {"fails": 1, "error_strategy": strategy})), scripted())
    assert isinstance(events[-1], RunFailed)


def test_an_unknown_strategy_is_an_error_of_the_graph() -> None:
    with pytest.raises(GraphError) as refusal:
        BoundGraph(chain(("n", "act", {"error_strategy": "hope"})), TYPES)
    assert refusal.value.params == "nodes.n.data.error_strategy"


async def test_a_model_is_asked_again_and_both_calls_are_paid_for() -> None:
    models = ScriptedModels(_second_time_lucky([]))
    tree = chain(("n", "llm", {**LLM, **retry(1)}), ANSWER)
    events = await events_of(tree, Ports(models, KeptFiles()))
    last = events[-1]
    assert isinstance(last, RunFinished)
    assert (visible(events), last.answer, last.usage.completion_tokens) == ("good", "good", 2)
    told = node_end(events, "n").usage
    assert told is not None and told.total_tokens == last.usage.total_tokens


async def test_what_a_failed_model_call_cost_is_told_with_its_node() -> None:
    tree = chain(("n", "llm", {**LLM, **default("x")}))
    events = await events_of(tree, scripted("one ", "two", CompletionRequestError("On fire.")))
    told, last = node_end(events, "n").usage, events[-1]
    assert isinstance(last, RunFinished) and told is not None
    assert told.completion_tokens == last.usage.completion_tokens == 2


def _second_time_lucky(seen: list[ModelRequest]) -> Any:
    def script(request: ModelRequest) -> Script:
        seen.append(request)
        return ("bad", CompletionRequestError("On fire.")) if len(seen) == 1 else ("good",)

    return script
